//! The metrics at collapse, and their invariances.

use nc_metrics::{ClassMeans, Classifier, Directions, NeuralCollapse, NeuralCollapseAccumulator};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

const P: usize = 16;

/// Long-tailed features (N, 16) of four classes about random means, and a classifier. Values are multiples of 1/32, so
/// that sums of a few are exact in f32.
struct Sample {
    features: Vec<f32>,
    labels: Vec<u32>,
    weight: Vec<f32>,
}

impl Sample {
    fn draw() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut normal = |scale: f32| {
            let draw: f32 = StandardNormal.sample(&mut rng);
            (draw * scale * 32.0).round() / 32.0
        };
        let labels: Vec<u32> =
            [40, 20, 9, 3].iter().zip(0..).flat_map(|(&count, class)| vec![class; count]).collect();
        let means: Vec<f32> = (0..4 * P).map(|_| normal(2.0)).collect();
        let features = labels
            .iter()
            .flat_map(|&class| &means[class as usize * P..][..P])
            .map(|mean| mean + normal(1.0))
            .collect();
        Self { features, labels, weight: (0..4 * P).map(|_| normal(1.0)).collect() }
    }

    fn measure(&self) -> NeuralCollapse {
        let classifier = Classifier::new(&self.weight, None, 4, P).unwrap();
        NeuralCollapse::of(&self.features, &self.labels, 4, P, Some(&classifier)).unwrap()
    }
}

/// Every number in the report with its name.
fn figures(nc: &NeuralCollapse) -> Vec<(String, f64)> {
    fn walk(name: &str, value: &serde_json::Value, out: &mut Vec<(String, f64)>) {
        match value {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(&format!("{name}.{key}"), value, out));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| walk(name, value, out)),
            value => out.extend(value.as_f64().map(|number| (name.to_owned(), number))),
        }
    }
    let mut out = vec![];
    walk("", &serde_json::to_value(nc).unwrap(), &mut out);
    out
}

/// Compares all metrics except those whose name contains one of `except`.
fn assert_same(ours: &NeuralCollapse, theirs: &NeuralCollapse, except: &[&str]) {
    let (ours, theirs) = (figures(ours), figures(theirs));
    assert_eq!(ours.len(), theirs.len());
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        if !except.iter().any(|part| name.contains(part)) {
            assert!((ours - theirs).abs() < 1e-10 * theirs.abs().max(1.0), "{name}: {ours} and {theirs}");
        }
    }
}

fn close(ours: Option<f64>, theirs: f64) {
    assert!(ours.is_some_and(|ours| (ours - theirs).abs() < 1e-12), "{ours:?} and {theirs}");
}

/// Multiplies rows by the 16 x 16 Hadamard matrix / 4, which is orthogonal and exact in binary.
fn rotated(rows: &[f32]) -> Vec<f32> {
    let sign = |i: usize, j: usize| if (i & j).count_ones().is_multiple_of(2) { 0.25 } else { -0.25 };
    rows.chunks(P).flat_map(|row| (0..P).map(|i| (0..P).map(|j| sign(i, j) * row[j]).sum())).collect()
}

#[test]
fn rotation_changes_nothing() {
    let mut sample = Sample::draw();
    let before = sample.measure();
    sample.features = rotated(&sample.features);
    sample.weight = rotated(&sample.weight);
    assert_same(&sample.measure(), &before, &[]);
}

#[test]
fn order_changes_nothing() {
    let mut sample = Sample::draw();
    let before = sample.measure();
    let n = sample.labels.len();
    let order: Vec<usize> = (0..n).map(|i| i * 29 % n).collect(); // 29 and 72 are coprime
    sample.features = order.iter().flat_map(|&i| sample.features[i * P..][..P].to_vec()).collect();
    sample.labels = order.iter().map(|&i| sample.labels[i]).collect();
    assert_same(&sample.measure(), &before, &[]);
}

#[test]
fn shifting_changes_only_classifier_metrics() {
    let mut sample = Sample::draw();
    let before = sample.measure();
    sample.features.iter_mut().enumerate().for_each(|(i, x)| *x += (i % P) as f32 - 4.0);
    let moved = ["nc4", "mean_output_norm", "seli", "orthogonal_frame", "mse"]; // not invariant to shifts
    assert_same(&sample.measure(), &before, &moved);
}

#[test]
fn scaling_changes_only_norms_and_variances() {
    let mut sample = Sample::draw();
    let before = sample.measure();
    sample.features.iter_mut().for_each(|x| *x *= 4.0);
    let after = sample.measure();
    assert_same(&after, &before, &["norms", "within_class_variance", "mean_output_norm", "mse"]);
    let scales = |factor: f64, ours: &[f64], theirs: &[f64]| {
        ours.iter().zip(theirs).for_each(|(ours, theirs)| close(Some(*ours), factor * theirs));
    };
    scales(4.0, &after.nc2.centered_means.norms, &before.nc2.centered_means.norms);
    for (ours, theirs) in after.nc1.within_class_variance.iter().zip(&before.nc1.within_class_variance) {
        close(*ours, 16.0 * theirs.unwrap());
    }
}

#[test]
fn class_weighting_is_invariant_to_repeated_samples() {
    let mut sample = Sample::draw();
    let before = sample.measure();
    // The rarest class, repeated ten times.
    let rare: Vec<f32> = sample.features[69 * P..].to_vec();
    for _ in 0..9 {
        sample.features.extend(&rare);
        sample.labels.extend([3; 3]);
    }
    let after = sample.measure();
    assert_same(
        &after,
        &before,
        &[".samples", "sample_weighted", "nc4", "minority", "seli", "orthogonal_frame"],
    );
    let (ours, theirs) = (after.nc1.trace.sample_weighted, before.nc1.trace.sample_weighted);
    assert!((ours.unwrap() - theirs.unwrap()).abs() > 1e-3);
}

/// K e_k - 1 in the first K of P dimensions: a simplex ETF with integer coordinates.
fn vertex(class: usize, classes: usize, dims: usize) -> impl Iterator<Item = f32> {
    (0..dims).map(move |dim| match dim {
        dim if dim == class => classes as f32 - 1.0,
        dim if dim < classes => -1.0,
        _ => 0.0,
    })
}

#[test]
fn a_simplex_etf_has_collapsed() {
    for (classes, dims, angle) in [(10, 12, 96.379_370), (2, 3, 180.0), (100, 128, 90.578_755)] {
        let vertices: Vec<f32> = (0..classes).flat_map(|class| vertex(class, classes, dims)).collect();
        // Class k has k % 3 + 1 samples, all at 5 + its vertex.
        let labels: Vec<u32> = (0..classes).flat_map(|class| vec![class as u32; class % 3 + 1]).collect();
        let features: Vec<f32> = labels
            .iter()
            .flat_map(|&class| &vertices[class as usize * dims..][..dims])
            .map(|x| x + 5.0)
            .collect();
        let classifier = Classifier::new(&vertices, None, classes, dims).unwrap();
        let nc = NeuralCollapse::of(&features, &labels, classes, dims, Some(&classifier)).unwrap();
        assert!(nc.etf_exists);
        assert_eq!(nc.nc1.trace.sample_weighted, Some(0.0));
        assert_eq!(nc.nc1.trace.class_weighted, Some(0.0));
        assert_eq!(nc.nc1.cdnv, Some(0.0));
        let weights = nc.nc2.weights.unwrap();
        for directions in [&nc.nc2.centered_means, &weights] {
            close(directions.equinorm_cov, 0.0);
            close(directions.coherence, 0.0);
            close(directions.cosine_std, 0.0);
            close(directions.etf_error, 0.0);
            close(directions.log_energy, -(2.0 + 2.0 / (classes as f64 - 1.0)).ln() / 2.0);
            close(directions.log_energy_std, 0.0);
        }
        let ideal = nc.etf_angle_degrees.unwrap();
        assert!((ideal - angle).abs() < 1e-6);
        // arccos amplifies rounding where it is steep, at 180 degrees.
        for found in [nc.nc2.centered_means.min_angle_degrees, weights.mean_nearest_angle_degrees] {
            assert!((found.unwrap() - ideal).abs() < 2e-6);
        }
        let nc3 = nc.nc3.unwrap();
        close(nc3.duality_gap_squared, 0.0);
        close(nc3.mean_alignment_cosine, 1.0);
        close(nc3.uniformity_cov, 0.0);
        close(nc3.etf_error, 0.0);
        assert_eq!(nc.largest_min_angle_degrees, nc.etf_angle_degrees);
        assert_eq!(nc.nc4.unwrap().mismatch, Some(0.0));
    }
}

#[test]
fn no_etf_exists_beyond_dimensions_plus_one_classes() {
    // The corners of a square: nearest angles are 90 degrees, the optimum in the plane.
    let features = [1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0];
    let nc = NeuralCollapse::of(&features, &[0, 1, 2, 3], 4, 2, None).unwrap();
    assert!(!nc.etf_exists);
    assert_eq!(nc.etf_angle_degrees, Some((-1.0_f64 / 3.0).acos().to_degrees()));
    assert!((nc.nc2.centered_means.min_angle_degrees.unwrap() - 90.0).abs() < 1e-12);
    assert_eq!(nc.largest_min_angle_degrees, Some(90.0));
    let nc = NeuralCollapse::of(&features, &[0, 1, 2, 2], 4, 2, None).unwrap();
    assert!(nc.etf_exists); // of the three classes that have samples
}

#[test]
fn in_one_dimension_the_trace_is_a_quotient() {
    // Class means 0, 1, 5, 6 about mu_C = 3: S_B = (9 + 4 + 4 + 9) / 4; within 0, 1, 4, 0 of 1, 2, 4, 1 samples.
    let features = [0.0, 0.0, 2.0, 3.0, 7.0, 3.0, 7.0, 6.0];
    let labels = [0, 1, 1, 2, 2, 2, 2, 3];
    let nc = NeuralCollapse::of(&features, &labels, 4, 1, None).unwrap();
    let between = 26.0 / 4.0;
    close(nc.nc1.trace.sample_weighted, (2.0 * 1.0 + 4.0 * 4.0) / 8.0 / between / 4.0);
    close(nc.nc1.trace.class_weighted, (1.0 + 4.0) / 4.0 / between / 4.0);
    close(nc.nc1.quotient.sample_weighted, 18.0 / 8.0 / between);
    close(nc.nc1.quotient.class_weighted, 5.0 / 4.0 / between);
    close(nc.nc1.normalized.sample_weighted, 2.25 / (2.25 + 6.5));
    close(nc.nc1.normalized.class_weighted, 1.25 / (1.25 + 6.5));
    assert_eq!(nc.nc1.within_class_variance, [Some(0.0), Some(1.0), Some(4.0), Some(0.0)]);
    // Pairs of means 0, 1, 5, 6 with variances 0, 1, 4, 0.
    let pairs = [1.0 / 1.0, 4.0 / 25.0, 0.0 / 36.0, 5.0 / 16.0, 1.0 / 25.0, 4.0 / 1.0];
    close(nc.nc1.cdnv, pairs.iter().sum::<f64>() / 2.0 / 6.0);
    let norms = &nc.nc2.centered_means;
    assert_eq!(norms.norms, [3.0, 2.0, 2.0, 3.0]);
    close(norms.equinorm_cov, 0.2);
    // Two of the six pairs are parallel and four opposite; each vector has a parallel neighbour.
    close(norms.coherence, (2.0 * (4.0 / 3.0) + 4.0 * (2.0 / 3.0)) / 6.0);
    assert_eq!(norms.mean_nearest_angle_degrees, Some(0.0));
}

#[test]
fn duality_matches_hand_computation() {
    // Means (3, 0) and (-1, 2) about mu_C = (1, 1), rows (1, 0) and (0, 1): products 2 and 1, W mu_C + b = (1.5, -2).
    let classifier = Classifier::new(&[1.0, 0.0, 0.0, 1.0], Some(&[0.5, -3.0]), 2, 2).unwrap();
    let nc = NeuralCollapse::of(&[3.0, 0.0, -1.0, 2.0], &[0, 1], 2, 2, Some(&classifier)).unwrap();
    let nc3 = nc.nc3.unwrap();
    let cosines = [2.0 / 5.0_f64.sqrt(), 1.0 / 5.0_f64.sqrt()];
    nc3.alignment_cosines.iter().zip(cosines).for_each(|(ours, theirs)| close(Some(*ours), theirs));
    close(nc3.mean_alignment_cosine, 1.5 / 5.0_f64.sqrt());
    close(nc3.uniformity_cov, 0.5 / 1.5);
    close(nc.mean_output_norm, 2.5);
}

#[test]
fn the_trace_ignores_noise_outside_the_range_of_s_b() {
    // The means differ along the first dimension; noise along the second is outside the range of S_B.
    let features = [-1.0, 5.0, -1.0, -5.0, 1.0, 2.0, 1.0, -2.0];
    let nc = NeuralCollapse::of(&features, &[0, 0, 1, 1], 2, 2, None).unwrap();
    assert_eq!(nc.nc1.trace.sample_weighted, Some(0.0));
    assert_eq!(nc.nc1.within_class_variance, [Some(25.0), Some(4.0)]);
}

#[test]
fn test_features_are_measured_about_training_means() {
    let means = ClassMeans::of(&[-1.0, 1.0], &[0, 1], 2, 1).unwrap();
    let classifier = Classifier::new(&[-1.0, 1.0], None, 2, 1).unwrap();
    let mut test = NeuralCollapseAccumulator::new(&means, Some(&classifier)).unwrap();
    test.update(&[-3.0, -2.0, 4.0], &[0, 0, 1]).unwrap();
    let nc = test.finish().unwrap();
    assert_eq!(nc.samples, 3);
    assert_eq!(nc.nc1.within_class_variance, [Some(2.5), Some(9.0)]);
    close(nc.nc1.trace.sample_weighted, (4.0 + 1.0 + 9.0) / 3.0 / 1.0 / 2.0);
    assert_eq!(nc.nc4.unwrap().mismatch, Some(0.0));
}

#[test]
fn a_large_offset_costs_no_precision() {
    // Steps of 1/8 at 10^6, the resolution of f32 there.
    let near = [0.0, 0.25, 1.0, 1.5, 3.0, 3.125];
    let far = near.map(|x| x + 1e6);
    let labels = [0, 0, 1, 1, 2, 2];
    let measure = |features: &[f32]| NeuralCollapse::of(features, &labels, 3, 1, None).unwrap();
    let (near, far) = (figures(&measure(&near)), figures(&measure(&far)));
    let moved = |name: &str| name.contains("seli") || name.contains("orthogonal_frame");
    for ((name, near), (_, far)) in near.iter().zip(&far).filter(|((name, _), _)| !moved(name)) {
        assert!((near - far).abs() < 1e-8, "{name}: {near} and {far}");
    }
}

#[test]
fn one_close_pair_shows_in_the_directions() {
    // Two vectors 30 degrees apart, a third at 120 degrees to the first and 90 to the second.
    let at = |degrees: f64| [degrees.to_radians().cos(), degrees.to_radians().sin()];
    let rows = [at(0.0), at(30.0), at(120.0)].concat();
    let directions = Directions::of(&rows, 2).unwrap();
    assert!((directions.min_angle_degrees.unwrap() - 30.0).abs() < 1e-9);
    assert!((directions.mean_nearest_angle_degrees.unwrap() - (30.0 + 30.0 + 90.0) / 3.0).abs() < 1e-9);
}
