//! The runs behind tables and figures.

use nc_paper::{FigureKind, PaperFigure, PaperTable, Scale};
use nc_train::{BackboneKind, Experiment, Reweighting, ValidExperiment, presets};

use super::tables::{row, table};

fn assert_known(data: &str, method: &str) {
    let known = presets::find(&format!("{data}/{method}")).and_then(ValidExperiment::try_from);
    known.unwrap_or_else(|error| panic!("{data}/{method}: {error}"));
}

/// Row and preset of each run in column `at`.
fn column(table: &PaperTable, at: usize) -> Vec<(&str, String)> {
    table.rows.iter().map(|row| (row.name.as_str(), row.cells[at].run.preset())).collect()
}

#[test]
fn all_presets_exist() {
    for table in PaperTable::all().unwrap() {
        for row in &table.rows {
            for cell in &row.cells {
                assert_known(&cell.run.data, &cell.run.method);
            }
        }
    }
    for figure in PaperFigure::all().unwrap() {
        for series in figure.groups.iter().flat_map(|group| &group.series) {
            assert_known(&series.data, &series.method);
        }
    }
}

#[test]
fn table_7_uses_the_ablation_presets() {
    let expected = [
        ("CE", "cifar10-lt-r10/ce-drw-mixup"),
        ("+ centre loss", "cifar10-lt-r10/ce-drw-mixup+center-loss"),
        ("+ L_W", "cifar10-lt-r10/ce-drw-mixup+within-class"),
        ("+ L_B", "cifar10-lt-r10/ce-drw-mixup+between-class"),
        ("+ centre loss & L_B", "cifar10-lt-r10/ce-drw-mixup+center-loss-between-class"),
        ("+ L_W & L_B", "cifar10-lt-r10/nc-drw"),
        ("+ L_B, learnable centres", "cifar10-lt-r10/ce-drw-mixup"),
        ("+ L_W & L_B, class means of the batch", "cifar10-lt-r10/ce-drw-mixup+nc-batch-means"),
        ("+ L_W & L_B, moving average", "cifar10-lt-r10/ce-drw-mixup+nc-moving-average"),
    ];
    assert_eq!(column(&table("7"), 1), expected.map(|(row, preset)| (row, preset.to_owned())));
}

/// A gain measures the regulariser alone.
#[test]
fn nc_rows_differ_from_their_controls_only_by_nc() {
    let without_nc = |method: &str| match method {
        "nc-drw" => "ce-drw-mixup".to_owned(),
        "nc-drw-crt" => "ce-drw-mixup+crt".to_owned(),
        "nc-drw+paper-text" => "ce-drw-mixup+paper-text".to_owned(),
        "nc-drw-crt+paper-text" => "ce-drw-mixup+crt+paper-text".to_owned(),
        _ => method.strip_suffix("+nc").unwrap_or_default().to_owned(),
    };
    let mut seen = 0;
    for id in ["2", "3", "4", "5", "6"] {
        let table = table(id);
        for row in &table.rows {
            if !row.method.ends_with("+nc") && !row.method.starts_with("nc-drw") {
                continue;
            }
            let control = self::row(&table, row.control.as_deref().unwrap());
            assert_eq!(control.method, without_nc(&row.method));
            for (cell, beside) in row.cells.iter().zip(&control.cells) {
                let data = |run: &nc_paper::PaperRun| (run.data.clone(), run.noise);
                assert_eq!(data(&cell.run), data(&beside.run));
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3 + 4 + 2 + 6 + 4);
}

/// The networks of the published figures, as the notes of the table name them.
#[test]
fn table_4_runs_have_the_network_of_their_source() {
    let fourth = table("4");
    for row in &fourth.rows {
        let experiment = Scale::Paper.experiment(&row.cells[0].run.preset(), 0).unwrap();
        let ours = ["CE", "RS", "RW", "DRW", "NC-DRW", "NC-DRW-cRT"].contains(&row.name.as_str());
        let is_resnext = ours || row.name.starts_with("control");
        let expected = if is_resnext { BackboneKind::ResNeXt50 } else { BackboneKind::ResNet50 };
        assert_eq!(experiment.model.backbone, expected, "{}", row.name);
    }
    let fifth = table("5");
    let ride = row(&fifth, "RIDE, 3 experts + NC");
    let presets: Vec<String> = ride.cells.iter().map(|cell| cell.run.preset()).collect();
    let data = ["cifar10-lt-r100", "cifar100-lt-r100", "imagenet-lt"];
    assert_eq!(presets, data.map(|data| format!("{data}/ride-3+nc")));
}

#[test]
fn table_6_runs_have_the_noise_and_network_of_their_column() {
    let sixth = table("6");
    for row in &sixth.rows {
        let method = row.method.clone();
        for (cells, method) in row.cells.chunks(5).zip([method.clone(), method + "+resnet18"]) {
            let noise: Vec<Option<f64>> = cells.iter().map(|cell| cell.run.noise).collect();
            assert_eq!(noise, [None, Some(0.1), Some(0.2), Some(0.3), Some(0.4)]);
            assert!(cells.iter().all(|cell| cell.run.method == method));
        }
    }
    let preset = |column: usize| row(&sixth, "CIFAR100-LT CE++").cells[column].run.preset();
    assert_eq!(preset(0), "cifar100-lt-r100/nc-drw");
    assert_eq!(preset(5), "cifar100-lt-r100/nc-drw+resnet18");
    let backbone = |column| Scale::Paper.experiment(&preset(column), 0).unwrap().model.backbone;
    assert_eq!((backbone(0), backbone(9)), (BackboneKind::ResNet32, BackboneKind::ResNet18));
}

/// Methods with a later start epoch start at epoch 0, because there is only one.
#[test]
fn all_methods_are_active_at_smoke_scale() {
    let first = |preset: &str| {
        let Experiment { mut phases, .. } = Scale::Smoke.experiment(preset, 0).unwrap().into_inner();
        phases.swap_remove(0).objective
    };
    let drw = Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 0 };
    assert_eq!(first("cifar10-lt-r100/ldam-drw").reweighting, drw);
    let nc = first("cifar100-lt-r100/nc-drw");
    assert_eq!(nc.reweighting, drw);
    assert_eq!(nc.neural_collapse.unwrap().start_epoch, 0);
}

#[test]
fn figures_use_the_expected_presets() {
    let all = PaperFigure::all().unwrap();
    let series = |at: usize| -> Vec<(String, String)> {
        let series = all[at].groups.iter().flat_map(|group| &group.series);
        series.map(|series| (series.name.clone(), series.preset())).collect()
    };
    let owned = |expected: &[(&str, &str)]| -> Vec<(String, String)> {
        expected.iter().map(|(name, preset)| ((*name).to_owned(), (*preset).to_owned())).collect()
    };
    assert_eq!((all[0].kind, all[1].kind), (FigureKind::Angles, FigureKind::Norms));
    assert_eq!(
        series(0),
        owned(&[
            ("vanilla", "cifar10-lt-r100/ce"),
            ("re-sampling", "cifar10-lt-r100/ce-rs"),
            ("re-weighting", "cifar10-lt-r100/ce-rw"),
            ("L_W + L_B", "cifar10-lt-r100/nc-drw"),
            ("control: CE-DRW + mix-up", "cifar10-lt-r100/ce-drw-mixup"),
        ])
    );
    assert_eq!(
        series(1),
        owned(&[
            ("balanced", "cifar10/ce"),
            ("long-tailed, without NC", "cifar10-lt-r100/ce-drw-mixup"),
            ("long-tailed, with NC", "cifar10-lt-r100/nc-drw"),
            ("balanced", "cifar100/ce"),
            ("long-tailed, without NC", "cifar100-lt-r100/ce-drw-mixup"),
            ("long-tailed, with NC", "cifar100-lt-r100/nc-drw"),
        ])
    );
}
