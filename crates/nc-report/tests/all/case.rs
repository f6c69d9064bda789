use std::path::Path;

use nc_metrics::{Accuracy, Calibration, ClassMeans, Classifier, FeatureSet, Geometry, Projection, Samples};
use nc_record::{
    AverageAccuracy, AveragedWeights, DataSummary, EpochLosses, Event, Expert, FORMAT_VERSION, InputSpec,
    RunDir, RunResult, ShotAccuracy, Timing, figures,
};

/// Synthetic features: `count(k)` samples around the centre of class k.
pub(crate) struct Case {
    pub(crate) classes: usize,
    pub(crate) dims: usize,
    features: Vec<f32>,
    labels: Vec<u32>,
    classifier: Classifier,
}

impl Case {
    pub(crate) fn new(classes: usize, dims: usize, count: impl Fn(usize) -> usize) -> Self {
        let labels: Vec<u32> = (0..classes).flat_map(|class| vec![class as u32; count(class)]).collect();
        let wave = |a: usize, b: usize| ((a * 37 + b * 101 + a * b * 7) % 97) as f32 / 48.0 - 1.0;
        let feature = |(sample, &label): (usize, &u32)| -> Vec<f32> {
            (0..dims).map(|dim| 3.0 * wave(label as usize, dim) + wave(sample + 5, dim + 3)).collect()
        };
        let features = labels.iter().enumerate().flat_map(feature).collect();
        let weight: Vec<f32> = (0..classes * dims).map(|i| wave(i / dims, i % dims)).collect();
        Self {
            classes,
            dims,
            features,
            labels,
            classifier: Classifier::new(&weight, None, classes, dims).unwrap(),
        }
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples { features: &self.features, labels: &self.labels }
    }

    pub(crate) fn set(&self, with_test: bool, with_classifier: bool) -> FeatureSet<'_> {
        FeatureSet {
            classes: self.classes,
            dims: self.dims,
            train: self.samples(),
            test: with_test.then(|| self.samples()),
            classifier: with_classifier.then_some(&self.classifier),
            training_counts: None,
        }
    }

    pub(crate) fn projection(&self) -> Option<Projection> {
        let means = ClassMeans::of(&self.features, &self.labels, self.classes, self.dims).unwrap();
        Projection::of(self.samples(), &means, Some(&self.classifier), 300).unwrap()
    }

    pub(crate) fn counts(&self) -> Vec<usize> {
        let count = |class| self.labels.iter().filter(|&&label| label as usize == class).count();
        (0..self.classes).map(count).collect()
    }

    /// Writes a finished run of `epochs` epochs per phase to the directory.
    pub(crate) fn run(&self, directory: &Path, name: &str, epochs: usize) {
        let run = RunDir::open(directory).unwrap();
        run.write(RunDir::CONFIG, b"name = \"<&>\"\n").unwrap();
        let geometry = self.set(true, true).geometry().unwrap();
        let timing = Timing { seconds: 1.0, images_per_second: 10.0 };
        let mut log = run.event_log().unwrap();
        let mut add = |event: &Event| log.append(event).unwrap();
        add(&Event::RunStarted {
            format_version: FORMAT_VERSION,
            name: name.into(),
            seed: 0,
            subset_hash: "hash".into(),
            class_counts: self.counts(),
            class_names: vec![],
            parameters: 1,
            test_hash: "test".into(),
        });
        for phase in ["first", "second"] {
            add(&Event::PhaseStarted { phase: phase.into(), epochs, steps_per_epoch: 1 });
            for epoch in 0..epochs {
                let phase = phase.to_owned();
                let losses = EpochLosses { total: 2.0 / (epoch + 1) as f64, ..EpochLosses::default() };
                add(&Event::EpochFinished {
                    phase: phase.clone(),
                    epoch,
                    learning_rate: if epoch < 2 { 0.1 } else { 0.01 },
                    class_weights: epoch >= 2,
                    losses,
                    timing,
                });
                let accuracy =
                    ShotAccuracy { all: 0.5, balanced: None, many: Some(0.75), medium: None, few: None };
                add(&Event::Evaluated {
                    phase: phase.clone(),
                    epoch,
                    test_accuracy: accuracy,
                    validation_accuracy: None,
                    classifier: None,
                    average: Some(Box::new(AverageAccuracy {
                        test_accuracy: accuracy,
                        validation_accuracy: None,
                    })),
                    timing,
                });
                let (train, test) = (figures(&geometry.train), figures(&geometry.test));
                add(&Event::Measured { phase, epoch, train, test, timing });
            }
        }
        if let Some(projection) = self.projection() {
            run.write_json(RunDir::PROJECTION, &projection).unwrap();
        }
        run.write_result(&self.result(name, geometry)).unwrap();
    }

    pub(crate) fn result(&self, name: &str, nc: Geometry) -> RunResult<Accuracy, Calibration, Geometry> {
        let experts = [vec![1.0, 0.25], vec![0.25, 1.0]].map(|agreement| Expert {
            test_accuracy: ShotAccuracy {
                all: 0.375,
                balanced: None,
                many: Some(0.5),
                medium: None,
                few: None,
            },
            agreement,
            train: figures(&nc.train),
            test: figures(&nc.test),
        });
        let experts = experts.to_vec();
        let logits: Vec<f32> = (0..self.labels.len() * self.classes).map(|i| (i % 7) as f32).collect();
        RunResult {
            format_version: RunResult::<(), (), ()>::FORMAT_VERSION,
            name: name.into(),
            seed: 0,
            run_hash: "0123456789".into(),
            data: DataSummary {
                source: "made up".into(),
                train_hash: "0123456789".into(),
                test_hash: "test".into(),
                validation_hash: None,
                class_counts: self.counts(),
                test_images: self.labels.len(),
            },
            input: Some(InputSpec {
                classes: (0..self.classes).map(|class| format!("<class> {class}")).collect(),
                channels: 1,
                height: 8,
                width: 8,
                resize: None,
                mean: vec![0.5],
                std: vec![0.25],
            }),
            network: None,
            program: None,
            finished: None,
            weights_sha256: None,
            notes: vec!["<skipped>".into()],
            epochs: vec![1, 1],
            accuracy: Accuracy::of(&logits, &self.labels, &self.counts()).unwrap(),
            calibration: Calibration::of(&logits, &self.labels, self.classes).unwrap(),
            nc,
            best_epoch: None,
            experts,
            selected_epoch: None,
            weight_average: Some(AveragedWeights {
                accuracy: AverageAccuracy {
                    test_accuracy: ShotAccuracy {
                        all: 0.625,
                        balanced: None,
                        many: None,
                        medium: None,
                        few: None,
                    },
                    validation_accuracy: None,
                },
                weights_sha256: "a0".into(),
            }),
            timing: Timing::default(),
        }
    }
}
