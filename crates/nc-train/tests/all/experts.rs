//! Runs of several experts.

use nc_models::HeadConfig;
use nc_record::Features;
use nc_train::{
    Branches, Error, Experiment, NearestClassMean, PostHoc, PostHocAdjustment, RunOptions, Trained,
};

use crate::support::{experiment, train, validated};

fn options(out: &tempfile::TempDir) -> RunOptions {
    RunOptions { out: out.path().to_owned(), ..RunOptions::default() }
}

/// Cross entropy of two experts with linear classifiers.
fn linear() -> Experiment {
    let mut experiment = experiment("ce");
    experiment.model.branches = Some(Branches::Experts { count: 2, reduce_dimension: false });
    experiment
}

/// Predictions of `expert` of three, from exported features and the joint classifier of cosine heads.
fn predictions(features: &Features, expert: usize) -> Vec<usize> {
    let (dims, weight) = (features.dims / 3, features.weight.as_ref().unwrap().as_f32().unwrap().to_vec());
    let test = features.test.as_ref().unwrap().features.as_f32().unwrap().to_vec();
    let part = |row: &[f32]| row[expert * dims..][..dims].to_vec();
    let directions: Vec<Vec<f32>> = weight.chunks(features.dims).map(part).collect();
    let predicted = |row: &[f32]| {
        let row = part(row);
        let logit = |w: &Vec<f32>| w.iter().zip(&row).map(|(w, x)| w * x).sum::<f32>();
        let logits: Vec<f32> = directions.iter().map(logit).collect();
        (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap()
    };
    test.chunks(features.dims).map(predicted).collect()
}

#[test]
fn each_expert_is_measured_alone() {
    let out = tempfile::tempdir().unwrap();
    let run = train(&experiment("ride-3+nc"), &options(&out), &mut ()).unwrap();
    let trained = Trained::open(&run.directory, &options(&out)).unwrap();
    let features = trained.features().unwrap();
    let labels = &features.test.as_ref().unwrap().labels;
    let all: Vec<Vec<usize>> = (0..3).map(|expert| predictions(&features, expert)).collect();
    assert_eq!(run.result.experts.len(), 3);
    for (expert, own) in run.result.experts.iter().zip(&all) {
        let right = own.iter().zip(labels).filter(|(own, label)| **own == **label as usize).count();
        assert_eq!(expert.test_accuracy.all, right as f64 / labels.len() as f64);
        for (share, other) in expert.agreement.iter().zip(&all) {
            let alike = own.iter().zip(other).filter(|(a, b)| a == b).count();
            assert_eq!(*share, alike as f64 / labels.len() as f64);
        }
        let figure = |name: &str| expert.train[name];
        assert_eq!(figure("dims") as usize, features.dims / 3);
        assert!(figure("nc1.trace.class_weighted") > 0.0);
    }
    assert_eq!(trained.evaluate().unwrap().experts, run.result.experts);
}

#[test]
fn adjusted_experts_have_no_figures_of_their_own() {
    let out = tempfile::tempdir().unwrap();
    let nearest = PostHoc::NearestClassMean(NearestClassMean {});
    let adjusted = Experiment { post_hoc: Some(nearest), ..linear() };
    let run = train(&adjusted, &options(&out), &mut ()).unwrap();
    assert!(run.result.experts.is_empty());
    assert!(Trained::open(&run.directory, &options(&out)).unwrap().evaluate().unwrap().experts.is_empty());
}

#[test]
fn post_hoc_logit_adjustment_requires_that_all_experts_learned_the_prior() {
    let adjustment = Some(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 }));
    validated(&Experiment { post_hoc: adjustment, ..linear() }).unwrap();
    let mut sade = Experiment { post_hoc: adjustment, ..experiment("sade") };
    sade.model.head = HeadConfig::Linear;
    let mut diverse = Experiment { post_hoc: adjustment, ..linear() };
    diverse.phases[0].objective.diversity = experiment("ride-3").phases[0].objective.diversity;
    for refused in [sade, diverse] {
        let error = validated(&refused).unwrap_err();
        assert!(matches!(&error, Error::Setting { setting, .. } if setting == "post_hoc.kind"), "{error}");
    }
}
