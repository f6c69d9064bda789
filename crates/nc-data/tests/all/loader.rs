use nc_data::{Loader, LoaderConfig, Normalize, Sampler, Transform, ViewConfig};
use sha2::{Digest, Sha256};

use crate::refusals::Refusals;
use crate::support::{SMALL, bits, first_view, plain, sampled, subset, values};

const COUNTS: [usize; 3] = [20, 9, 4];

fn everything(sampler: Sampler) -> LoaderConfig {
    let view = ViewConfig {
        transforms: vec![Transform::Crop { padding: 2 }, Transform::Flip],
        mixup_alpha: Some(1.0),
        ..sampled(sampler)
    };
    LoaderConfig { views: vec![view], epochs: Some(3), ..plain(3, 5) }
}

fn mixing(alpha: f64, batch_size: usize) -> LoaderConfig {
    let view = ViewConfig { mixup_alpha: Some(alpha), ..sampled(Sampler::Uniform) };
    LoaderConfig { views: vec![view], ..plain(3, batch_size) }
}

#[test]
fn batches_do_not_depend_on_the_number_of_workers() {
    let subset = subset(SMALL, &COUNTS);
    for sampler in [Sampler::Uniform, Sampler::Progressive] {
        let with = |workers| {
            let loader = Loader::new(&subset, LoaderConfig { workers, ..everything(sampler) }).unwrap();
            (0..3).map(|epoch| bits(loader.epoch(epoch))).collect::<Vec<_>>()
        };
        let one = with(1);
        assert_ne!(one[0], one[1]);
        for workers in [0, 2, 3, 100] {
            assert_eq!(one, with(workers), "{workers} workers");
        }
    }
}

#[test]
fn an_epoch_resumed_at_any_batch_matches_a_whole_epoch() {
    let subset = subset(SMALL, &COUNTS);
    for workers in [1, 2, 3] {
        let config = LoaderConfig { workers, ..everything(Sampler::ClassBalanced) };
        let loader = Loader::new(&subset, config).unwrap();
        let whole = bits(loader.epoch(2));
        assert_eq!(whole.len(), loader.batches_per_epoch());
        for first in 0..=whole.len() {
            assert_eq!(bits(loader.epoch_from(2, first)), whole[first..]);
        }
        assert_eq!(loader.epoch_from(2, usize::MAX).len(), 0);
        assert!(loader.epoch_from(2, usize::MAX).next().is_none());
    }
}

#[test]
fn batches_differ_between_seeds_and_epochs() {
    let subset = subset(SMALL, &COUNTS);
    let batches = |seed, epoch| {
        let config = LoaderConfig { seed, ..everything(Sampler::Uniform) };
        bits(Loader::new(&subset, config).unwrap().epoch(epoch))
    };
    assert_eq!(batches(1, 0), batches(1, 0));
    assert_ne!(batches(1, 0), batches(2, 0));
    assert_ne!(batches(1, 0), batches(1, 1));
}

/// Reproducibility of recorded runs: a change here changes every run.
#[test]
fn batches_keep_their_recorded_digest() {
    let subset = subset(SMALL, &COUNTS);
    let mut config = everything(Sampler::Uniform);
    let mixed = Loader::new(&subset, config.clone()).unwrap();
    config.views[0].mixup_alpha = None;
    let mut digest = Sha256::new();
    for batch in Loader::new(&subset, config).unwrap().epoch(1) {
        let view = batch.unwrap().into_first();
        digest.update(values(&view).into_iter().map(|value| value.round() as u8).collect::<Vec<u8>>());
        digest.update(view.labels.iter().map(|&label| label as u8).collect::<Vec<u8>>());
    }
    assert_eq!(digest.finalize()[..8], [43, 125, 151, 39, 99, 233, 41, 114]);

    let mix = first_view(mixed.epoch(1)).mix.unwrap();
    // Not bit-exact: the distribution uses logarithms, which differ between machines.
    assert!((mix.lambda - 0.700_616_838_732).abs() < 1e-9, "{}", mix.lambda);
    assert_eq!(mix.partner, [0, 1, 0, 0, 0]);
}

#[test]
fn the_last_batch_has_the_remaining_images() {
    let subset = subset(SMALL, &COUNTS);
    for (batch_size, sizes) in
        [(15, vec![15, 15, 3]), (11, vec![11; 3]), (33, vec![33]), (usize::MAX, vec![33])]
    {
        let loader = Loader::new(&subset, plain(3, batch_size)).unwrap();
        assert_eq!(loader.batches_per_epoch(), sizes.len());
        let mut epoch = loader.epoch(0);
        assert_eq!(epoch.len(), sizes.len());
        let mut seen = Vec::new();
        for &size in &sizes {
            let view = epoch.next().unwrap().unwrap().into_first();
            assert_eq!(view.images.dims(), [size, 3, 5, 4]);
            seen.extend(view.labels);
        }
        assert!(epoch.next().is_none() && epoch.next().is_none());
        seen.sort_unstable();
        assert_eq!(seen, subset.labels());
    }
}

#[test]
fn training_skips_a_last_batch_of_one_or_two_images() {
    let sizes = |images: usize, batch_size: usize| -> Vec<usize> {
        let loader = Loader::new(&subset(SMALL, &[images]), plain(3, batch_size)).unwrap();
        let sizes: Vec<usize> = loader.epoch(0).map(|batch| batch.unwrap().first().labels.len()).collect();
        assert_eq!(loader.batches_per_epoch(), sizes.len());
        sizes
    };
    assert_eq!(sizes(9, 4), [4, 4]);
    assert_eq!(sizes(10, 4), [4, 4]);
    assert_eq!(sizes(11, 4), [4, 4, 3]);
    assert_eq!(sizes(2, 4), [2], "the only batch is kept");
    assert_eq!(sizes(3, 1), [1, 1, 1], "complete batches are kept");
    assert_eq!(sizes(5, 2), [2, 2]);

    let evaluation = Loader::sequential(&subset(SMALL, &[9]), plain(3, 4)).unwrap();
    assert_eq!(evaluation.batches_per_epoch(), 3, "evaluation skips no image");
}

#[test]
fn a_sequential_loader_ignores_views_and_epochs() {
    let subset = subset(SMALL, &COUNTS);
    let loader = Loader::sequential(&subset, everything(Sampler::Reverse)).unwrap();
    let mut position = 0;
    for batch in loader.epoch(3) {
        let batch = batch.unwrap();
        assert_eq!(batch.views.len(), 1);
        let view = batch.first();
        assert!(view.mix.is_none());
        let images = values(view);
        let labelled = images.chunks(SMALL.values()).zip(&view.labels).zip(&view.positions);
        for ((image, &label), &found) in labelled {
            assert_eq!(found as usize, position);
            assert_eq!(label, subset.labels()[position]);
            for (value, &pixel) in image.iter().zip(subset.image(position)) {
                assert!((value - f32::from(pixel)).abs() < 1e-4);
            }
            position += 1;
        }
    }
    assert_eq!(position, subset.len());
}

/// Mixed images are lambda x + (1 - lambda) x', where x' is another image of the batch with the recorded label.
#[test]
fn mix_up_follows_its_formula() {
    let subset = subset(SMALL, &COUNTS);
    let mixed = Loader::new(&subset, mixing(1.0, 8)).unwrap();
    let pure = Loader::new(&subset, plain(3, 8)).unwrap();
    let mut lambdas = Vec::new();
    for (mixed, pure) in mixed.epoch(0).zip(pure.epoch(0)) {
        let (mixed, pure) = (mixed.unwrap().into_first(), pure.unwrap().into_first());
        assert_eq!(mixed.labels, pure.labels);
        let mix = mixed.mix.as_ref().unwrap();
        lambdas.push(mix.lambda.to_bits());
        let (out, x) = (values(&mixed), values(&pure));
        let x: Vec<&[f32]> = x.chunks(SMALL.values()).collect();
        let mut partners = Vec::new();
        for (i, out) in out.chunks(SMALL.values()).enumerate() {
            let error = |j: &usize| -> f64 {
                let terms = out.iter().zip(x[i].iter().zip(x[*j]));
                let expected =
                    |a: &f32, b: &f32| mix.lambda * f64::from(*a) + (1.0 - mix.lambda) * f64::from(*b);
                terms.map(|(out, (a, b))| (f64::from(*out) - expected(a, b)).abs()).fold(0.0, f64::max)
            };
            let partner = (0..x.len()).find(|j| error(j) < 1e-3).expect("a partner in the batch");
            assert_eq!(mix.partner[i], pure.labels[partner]);
            partners.push(partner);
        }
        partners.sort_unstable();
        assert!(partners.into_iter().eq(0..x.len()), "partners are a permutation");
    }
    lambdas.dedup();
    assert_eq!(lambdas.len(), 4, "one lambda per batch");
}

#[test]
fn lambda_has_the_moments_of_its_beta_distribution() {
    let subset = subset(SMALL, &[200]);
    for alpha in [0.2, 1.0, 8.0] {
        let loader = Loader::new(&subset, mixing(alpha, 1)).unwrap();
        let lambdas: Vec<f64> = (0..20)
            .flat_map(|epoch| loader.epoch(epoch))
            .map(|batch| batch.unwrap().into_first().mix.unwrap().lambda)
            .collect();
        let n = lambdas.len() as f64;
        let mean = lambdas.iter().sum::<f64>() / n;
        let variance = lambdas.iter().map(|lambda| (lambda - 0.5).powi(2)).sum::<f64>() / n;
        let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
        assert!((mean - 0.5).abs() < 5.0 * (expected / n).sqrt(), "alpha {alpha}: mean {mean}");
        assert!(
            (variance / expected - 1.0).abs() < 0.1,
            "alpha {alpha}: variance {variance}, not {expected}"
        );
    }
}

#[test]
fn extreme_alphas_give_finite_images() {
    let subset = subset(SMALL, &[50]);
    for alpha in [1e-3, 1e6] {
        let loader = Loader::new(&subset, mixing(alpha, 1)).unwrap();
        for batch in (0..20).flat_map(|epoch| loader.epoch(epoch)) {
            let view = batch.unwrap().into_first();
            assert!((0.0..=1.0).contains(&view.mix.as_ref().unwrap().lambda));
            assert!(values(&view).iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn dropping_an_epoch_early_stops_its_workers() {
    let subset = subset(SMALL, &[3000]);
    for workers in [1, 3] {
        let loader = Loader::new(&subset, LoaderConfig { workers, ..plain(3, 1) }).unwrap();
        let mut epoch = loader.epoch(0);
        epoch.next().unwrap().unwrap();
        // Returns only after the workers have stopped: a failure hangs here.
        drop(epoch);
        assert_eq!(loader.epoch(0).take(2).count(), 2);
    }
}

pub(crate) fn refused(told: &mut Refusals) {
    let all = subset(SMALL, &COUNTS);
    let mut add = |tried: &str, config: LoaderConfig| told.add(tried, Loader::new(&all, config));
    add("batch size 0", plain(3, 0));
    add("means of another number of channels", plain(1, 4));
    let normalize = Normalize { mean: vec![0.0, f32::NAN, 0.0], std: vec![1.0; 3] };
    add("a mean that is not finite", LoaderConfig { normalize, ..plain(3, 4) });
    for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let normalize = Normalize { mean: vec![0.0; 3], std: vec![1.0, std, 1.0] };
        add(&format!("a standard deviation of {std}"), LoaderConfig { normalize, ..plain(3, 4) });
    }
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
        add(&format!("a mix-up alpha of {alpha}"), mixing(alpha, 4));
    }
    told.add("a loader without images", Loader::sequential(&subset(SMALL, &[0]), plain(3, 4)));
}
