//! The geometries expected on imbalanced data, against trained models.
//!
//! Both models have free features (unconstrained-features models). At the optimum the features of a class are equal, so
//! the models have one vector per class, counted n_k times.

use nc_metrics::{ClassMeans, Classifier, NeuralCollapse, NeuralCollapseAccumulator, SeliTargets};

use crate::normal;

/// Classifier (K, P) and features (K, P), row by row.
struct Free {
    counts: Vec<usize>,
    dims: usize,
    w: Vec<f64>,
    h: Vec<f64>,
}

impl Free {
    fn new(counts: &[usize], dims: usize, seed: u64) -> Self {
        let drawn = normal(seed, 2 * counts.len() * dims);
        let (w, h) = drawn.split_at(counts.len() * dims);
        Self { counts: counts.to_vec(), dims, w: w.to_vec(), h: h.to_vec() }
    }

    fn classes(&self) -> usize {
        self.counts.len()
    }

    fn output(&self, class: usize, h: usize) -> f64 {
        let (w, h) = (&self.w[class * self.dims..][..self.dims], &self.h[h * self.dims..][..self.dims]);
        w.iter().zip(h).map(|(w, h)| w * h).sum()
    }

    /// One step of gradient descent with momentum, given dL/dz for each class's feature, already multiplied by n_k. The
    /// feature step is divided by n_k, which speeds up small classes without moving the optimum.
    fn step(&mut self, dz: &[Vec<f64>], decay: (f64, f64), rate: f64, velocity: &mut (Vec<f64>, Vec<f64>)) {
        let (k, p) = (self.classes(), self.dims);
        let (mut dw, mut dh) = (vec![0.0; k * p], vec![0.0; k * p]);
        for (sample, row) in dz.iter().enumerate() {
            for (class, &dz) in row.iter().enumerate() {
                for dim in 0..p {
                    dw[class * p + dim] += dz * self.h[sample * p + dim];
                    dh[sample * p + dim] += dz * self.w[class * p + dim] / self.counts[sample] as f64;
                }
            }
        }
        let largest = *self.counts.iter().max().unwrap() as f64;
        for i in 0..k * p {
            velocity.0[i] = 0.9 * velocity.0[i] + dw[i] + decay.0 * self.w[i];
            velocity.1[i] = 0.9 * velocity.1[i] + dh[i] + decay.1 * self.h[i];
            self.w[i] -= rate / largest * velocity.0[i];
            self.h[i] -= rate * velocity.1[i];
        }
    }

    /// Metrics of the features, each repeated n_k times.
    fn measure(&self) -> NeuralCollapse {
        let (k, p) = (self.classes(), self.dims);
        let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let classifier = Classifier::new(&narrow(&self.w), None, k, p).unwrap();
        let (h, labels) = (narrow(&self.h), (0..k as u32).collect::<Vec<_>>());
        let means = ClassMeans::of(&h, &labels, k, p).unwrap();
        let mut second_pass = NeuralCollapseAccumulator::new(&means, Some(&classifier))
            .unwrap()
            .with_training_counts(&self.counts)
            .unwrap();
        second_pass.update(&h, &labels).unwrap();
        second_pass.finish().unwrap()
    }
}

/// The support vector machine over free features, whose solution is SELI: the least ||W||^2 + ||H||^2 with all margins
/// (w_k - w_j) h_k at least 1, here by a quadratic penalty on violations.
fn train_margins(counts: &[usize], seed: u64) -> Free {
    let mut free = Free::new(counts, 5, seed);
    let k = free.classes();
    let mut velocity = (vec![0.0; k * 5], vec![0.0; k * 5]);
    for penalty in [10.0, 100.0, 1000.0] {
        for _ in 0..60_000 {
            let mut dz = vec![vec![0.0; k]; k];
            for sample in 0..k {
                for other in (0..k).filter(|&other| other != sample) {
                    let missing = 1.0 - (free.output(sample, sample) - free.output(other, sample));
                    let slope = penalty * missing.max(0.0) * counts[sample] as f64;
                    dz[sample][sample] -= slope;
                    dz[sample][other] += slope;
                }
            }
            free.step(&dz, (1.0, 1.0), 0.02 / penalty, &mut velocity);
        }
    }
    free
}

#[test]
fn margins_on_imbalanced_data_converge_to_seli() {
    for (counts, seed) in [(vec![16, 16, 1, 1], 1), (vec![27, 9, 3, 1], 2)] {
        let nc = train_margins(&counts, seed).measure();
        let seli = nc.seli.unwrap();
        for (name, error) in
            [("W", seli.weights_error), ("H", seli.means_error), ("logits", seli.logits_error)]
        {
            assert!(error.unwrap() < 5e-3, "{counts:?}, {name}: {error:?}");
        }
        // The result is not a simplex ETF.
        assert!(nc.nc2.weights.unwrap().etf_error.unwrap() > 0.1);
    }
}

#[test]
fn margins_on_balanced_data_converge_to_the_simplex_etf() {
    let nc = train_margins(&[4, 4, 4, 4], 3).measure();
    assert!(nc.nc2.weights.unwrap().etf_error.unwrap() < 5e-3);
    assert!(nc.nc3.unwrap().etf_error.unwrap() < 5e-3);
    assert!(nc.seli.unwrap().weights_error.unwrap() < 5e-3);
}

#[test]
fn seli_targets_are_consistent() {
    // G_W and G_H derive from one singular value decomposition of the logits: trace(G_W) = sum of singular values
    // = sum_k n_k G_H,kk.
    let counts = [50, 20, 7, 2, 1];
    let targets = SeliTargets::new(&counts).unwrap();
    let (w, h) = (targets.weights(), targets.means());
    let trace: f64 = (0..5).map(|k| w[k][k]).sum();
    let weighted: f64 = (0..5).map(|k| counts[k] as f64 * h[k][k]).sum();
    assert!((trace - weighted).abs() < 1e-10 * trace);
    assert_eq!(SeliTargets::new(&[3]), None);
    assert_eq!(SeliTargets::new(&[3, 0]), None);
}

/// Cross entropy with weight decay on classifier (lw) and non-negative features (lh).
fn train_behind_relu(counts: &[usize], (lw, lh): (f64, f64), seed: u64) -> Free {
    let mut free = Free::new(counts, 8, seed);
    free.h.iter_mut().for_each(|h| *h = h.abs());
    let (k, n) = (free.classes(), counts.iter().sum::<usize>() as f64);
    let mut velocity = (vec![0.0; k * 8], vec![0.0; k * 8]);
    for _ in 0..200_000 {
        let mut dz = vec![vec![0.0; k]; k];
        for (sample, row) in dz.iter_mut().enumerate() {
            let exp: Vec<f64> = (0..k).map(|class| free.output(class, sample).exp()).collect();
            let sum: f64 = exp.iter().sum();
            for (class, dz) in row.iter_mut().enumerate() {
                *dz = counts[sample] as f64 / n * (exp[class] / sum - f64::from(class == sample));
            }
        }
        free.step(&dz, (lw, lh), 0.5, &mut velocity);
        for (h, velocity) in free.h.iter_mut().zip(&mut velocity.1) {
            if *h < 0.0 {
                (*h, *velocity) = (0.0, 0.0);
            }
        }
    }
    free
}

#[test]
fn features_after_a_relu_converge_to_an_orthogonal_frame() {
    let (counts, lw, lh) = ([40, 20, 10], 5e-3, 5e-5);
    let free = train_behind_relu(&counts, (lw, lh), 4);
    let frame = free.measure().orthogonal_frame.unwrap();
    assert!(frame.mean_cosine.unwrap() < 1e-3, "{frame:?}");
    assert!(frame.means_error.unwrap() < 1e-3, "{frame:?}");
    assert!(frame.classifier_error.unwrap() < 1e-3, "{frame:?}");
    // The constants behind it: w_k = sum_j c_j (delta_jk - 1/K) h_j, c_j = sqrt(K lh n_j / ((K-1) lw)), and norms
    // ||h_j||^2 = m_j / c_j, m_j = log((K-1)(1/p_j - 1)), p_j = n sqrt(lw lh (K-1) / (K n_j)).
    let (k, n) = (3.0, 70.0);
    for (class, &count) in counts.iter().enumerate() {
        let count = count as f64;
        let c = (k * lh * count / ((k - 1.0) * lw)).sqrt();
        let p = n * (lw * lh * (k - 1.0) / (k * count)).sqrt();
        let margin = ((k - 1.0) * (1.0 / p - 1.0)).ln();
        let squared: f64 = free.h[class * 8..][..8].iter().map(|h| h * h).sum();
        assert!((squared - margin / c).abs() < 1e-3 * squared, "{class}: {squared} and {}", margin / c);
    }
}
