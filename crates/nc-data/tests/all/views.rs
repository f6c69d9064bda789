use nc_data::{
    Epoch, Loader, LoaderConfig, Plan, Sampler, Subset, Transform, ViewConfig,
    rng::{Purpose, stream},
};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use crate::support::{Bits, SMALL, bits, first_view, plain, sampled, subset};

const COUNTS: [usize; 3] = [20, 9, 4];
const CROP_AND_FLIP: [Transform; 2] = [Transform::Crop { padding: 2 }, Transform::Flip];

/// A view with transforms and mix-up.
fn random(plan: Plan) -> ViewConfig {
    ViewConfig { plan, transforms: CROP_AND_FLIP.to_vec(), mixup_alpha: Some(1.0) }
}

/// Two sampled views, a repetition of the first, and a repetition of that repetition.
fn four() -> Vec<ViewConfig> {
    vec![
        random(Plan::Sampled(Sampler::Uniform)),
        random(Plan::Sampled(Sampler::Progressive)),
        random(Plan::SameAs(0)),
        ViewConfig { transforms: CROP_AND_FLIP.to_vec(), ..ViewConfig::new(Plan::SameAs(2)) },
    ]
}

fn config(views: Vec<ViewConfig>) -> LoaderConfig {
    LoaderConfig { views, epochs: Some(4), ..plain(3, 5) }
}

fn loader(subset: &Subset, views: Vec<ViewConfig>) -> Loader {
    Loader::new(subset, config(views)).unwrap()
}

/// View `index` of each batch.
fn view(epoch: Epoch, index: usize) -> Vec<Bits> {
    bits(epoch).into_iter().map(|mut views| views.swap_remove(index)).collect()
}

#[test]
fn the_first_view_does_not_depend_on_the_others() {
    let subset = subset(SMALL, &COUNTS);
    let (alone, among) = (loader(&subset, four()[..1].to_vec()), loader(&subset, four()));
    for epoch in 0..3 {
        assert_eq!(view(alone.epoch(epoch), 0), view(among.epoch(epoch), 0));
    }
}

#[test]
fn views_of_one_sampler_draw_independently() {
    let subset = subset(SMALL, &COUNTS);
    for sampler in [Sampler::Uniform, Sampler::ClassBalanced] {
        let both = loader(&subset, vec![random(Plan::Sampled(sampler)); 2]);
        let positions = |index| view(both.epoch(0), index).into_iter().flat_map(|(_, _, at, _)| at).collect();
        let (first, second): (Vec<u32>, Vec<u32>) = (positions(0), positions(1));
        assert_eq!(first.len(), second.len());
        assert_ne!(first, second, "{sampler:?}");
    }
}

#[test]
fn a_repeated_view_has_the_same_images_transformed_independently() {
    let subset = subset(SMALL, &COUNTS);
    for batch in bits(loader(&subset, four()).epoch(1)) {
        let (images, labels, positions, mix) = &batch[0];
        for (again, same_labels, same_positions, other_mix) in &batch[2..] {
            assert_eq!((labels, positions), (same_labels, same_positions));
            assert_ne!(images, again);
            assert_ne!(mix, other_mix);
        }
        assert_ne!(positions, &batch[1].2);
        assert_ne!(batch[2].0, batch[3].0);
    }
    // Without transforms and mix-up, the repeated images are identical.
    let still = loader(&subset, vec![sampled(Sampler::Reverse), ViewConfig::new(Plan::SameAs(0))]);
    for batch in bits(still.epoch(1)) {
        assert_eq!(batch[0], batch[1]);
    }
}

#[test]
fn positions_index_labels_and_images() {
    let subset = subset(SMALL, &COUNTS);
    let view = first_view(loader(&subset, vec![sampled(Sampler::Reverse)]).epoch(0));
    let images = view.images.flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
    for ((image, &label), &position) in images.iter().zip(&view.labels).zip(&view.positions) {
        assert_eq!(label, subset.labels()[position as usize]);
        let pixels = subset.image(position as usize);
        assert!(image.iter().zip(pixels).all(|(value, &pixel)| (value - f32::from(pixel)).abs() < 1e-4));
    }
}

/// Reproducibility of recorded runs: a change here changes every run with a second view.
#[test]
fn streams_are_keyed_by_the_view() {
    let subset = subset(SMALL, &COUNTS);
    let views = bits(loader(&subset, vec![random(Plan::Sampled(Sampler::Uniform)); 3]).epoch(2));
    for index in 0..3 {
        let mut plan: Vec<u32> = (0..subset.len() as u32).collect();
        plan.shuffle(&mut stream(0, Purpose::Plan, 2, index as u64));
        for (number, (batch, positions)) in views.iter().zip(plan.chunks(5)).enumerate() {
            let (_, _, found, mix) = &batch[index];
            assert_eq!(found, positions);
            let mut rng = stream(0, Purpose::Mix, 2, (index << 48 | number) as u64);
            let lambda = Beta::new(1.0, 1.0).unwrap().sample(&mut rng);
            assert_eq!(mix.as_ref().unwrap().0, f64::to_bits(lambda));
        }
    }
}

#[test]
fn invalid_views_are_refused() {
    let subset = subset(SMALL, &COUNTS);
    let error = |views| Loader::new(&subset, config(views)).unwrap_err().to_string();
    let (uniform, again) = (|| sampled(Sampler::Uniform), |view| ViewConfig::new(Plan::SameAs(view)));
    assert_eq!(error(vec![]), "expected from 1 to 65536 views per batch, found 0");
    assert_eq!(error(vec![uniform(); 65537]), "expected from 1 to 65536 views per batch, found 65537");
    for (views, at, of) in [
        (vec![again(0)], 0, 0),
        (vec![uniform(), again(1)], 1, 1),
        (vec![uniform(), again(2), uniform()], 1, 2),
        (vec![uniform(), again(usize::MAX)], 1, usize::MAX),
    ] {
        let expected = format!("view {at}: expected an earlier view to repeat, found view {of}");
        assert_eq!(error(views), expected);
    }
    let wide = ViewConfig { transforms: vec![Transform::Crop { padding: 4 }], ..uniform() };
    assert!(error(vec![uniform(), wide]).contains("expected a crop padding below"));
    let strange = ViewConfig { mixup_alpha: Some(-1.0), ..uniform() };
    assert!(error(vec![uniform(), strange]).contains("mix-up alpha"));
    let strange = sampled(Sampler::EffectiveNumber { beta: 2.0 });
    assert!(error(vec![uniform(), strange]).contains("beta"));
}

fn any_views() -> impl Strategy<Value = Vec<ViewConfig>> {
    let one = (0usize..9, any::<bool>(), proptest::option::of(0.1..10.0));
    proptest::collection::vec(one, 1..5).prop_map(|drawn| {
        let view = |(index, (kind, transformed, mixup_alpha)): (usize, (usize, bool, Option<f64>))| {
            let plan = match kind {
                0 => Plan::Sequential,
                1 => Plan::Sampled(Sampler::Uniform),
                2 => Plan::Sampled(Sampler::ClassBalanced),
                3 => Plan::Sampled(Sampler::Progressive),
                _ if index == 0 => Plan::Sampled(Sampler::Reverse),
                kind => Plan::SameAs(kind % index),
            };
            let transforms = if transformed { CROP_AND_FLIP.to_vec() } else { vec![] };
            ViewConfig { plan, transforms, mixup_alpha }
        };
        drawn.into_iter().enumerate().map(view).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any number of workers and any first batch give the batches of one worker from the start.
    #[test]
    fn batches_depend_on_configuration_epoch_and_index_alone(
        views in any_views(), workers in 0usize..5, epoch in 0usize..5, first in 0usize..10,
    ) {
        let subset = subset(SMALL, &COUNTS);
        let whole = bits(loader(&subset, views.clone()).epoch(epoch));
        let many = Loader::new(&subset, LoaderConfig { workers, ..config(views.clone()) }).unwrap();
        prop_assert_eq!(&bits(many.epoch_from(epoch, first)), &whole[first.min(whole.len())..]);
        for length in 1..=views.len() {
            let fewer = bits(loader(&subset, views[..length].to_vec()).epoch(epoch));
            for (fewer, all) in fewer.iter().zip(&whole) {
                prop_assert_eq!(&fewer[..], &all[..length]);
            }
        }
        for batch in &whole {
            for (view, (_, labels, positions, mix)) in views.iter().zip(batch) {
                prop_assert_eq!(mix.is_some(), view.mixup_alpha.is_some());
                prop_assert_eq!(positions.len(), batch[0].2.len());
                for (&label, &position) in labels.iter().zip(positions) {
                    prop_assert_eq!(label, subset.labels()[position as usize]);
                }
                if let Plan::SameAs(earlier) = view.plan {
                    prop_assert_eq!(positions, &batch[earlier].2);
                }
            }
        }
    }
}
