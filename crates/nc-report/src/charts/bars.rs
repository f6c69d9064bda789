//! Bar charts: per-class accuracy and reliability diagram.

use nc_metrics::{Calibration, ShotGroup};
use plotters::{
    prelude::{ChartBuilder, IntoLogRange, LineSeries, Rectangle},
    style::Color,
};

use crate::{
    Result,
    charts::canvas::{Drawing, GREY, HEIGHT, INK, Swatch, WIDTH, color, line, text},
};

/// Per-class accuracy with the number of training images.
pub(crate) struct ClassBars<'a> {
    /// Split on which accuracy is measured, such as "test".
    pub(crate) set: &'a str,
    /// Class names, largest class first.
    pub(crate) classes: &'a [String],
    /// Training images of each class.
    pub(crate) counts: &'a [usize],
    /// Accuracy of each class in [0, 1].
    pub(crate) accuracy: &'a [Option<f64>],
}

impl ClassBars<'_> {
    /// Draws bars in the colour of the shot group, and a line of training images on a log scale; none without classes.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let k = self.classes.len();
        let (Some(&least), Some(&most)) = (self.counts.iter().min(), self.counts.iter().max()) else {
            return Ok(None);
        };
        let hue = |count: usize| match ShotGroup::of(count) {
            ShotGroup::Many => 0,
            ShotGroup::Medium => 5,
            ShotGroup::Few => 1,
        };
        let label = "accuracy and number of training images of each class, largest class first";
        let drawing = Drawing::new(label, (WIDTH, HEIGHT), |area| {
            let low = 10f64.powf((least.max(1) as f64).log10().floor());
            let high = 10f64.powf((most.max(1) as f64).log10().ceil()).max(10.0 * low);
            let mut chart = ChartBuilder::on(area)
                .margin_top(20)
                .margin_right(8)
                .x_label_area_size(100)
                .y_label_area_size(132)
                .right_y_label_area_size(140)
                .build_cartesian_2d(0.5..k as f64 + 0.5, 0.0..1.0)?
                .set_secondary_coord(0.5..k as f64 + 0.5, (low..high).log_scale());
            // Bars are at integer positions from 1.
            let name = |place: &f64| {
                let class = (place.round() as usize).checked_sub(1).and_then(|place| self.classes.get(place));
                class.filter(|_| place.fract() == 0.0).cloned().unwrap_or_default()
            };
            chart
                .configure_mesh()
                .x_desc("class, largest first")
                .y_desc(format!("{} accuracy", self.set))
                .x_labels(k.min(20))
                .x_label_formatter(&name)
                .y_label_formatter(&|share| format!("{:.0} %", 100.0 * share))
                .label_style(text())
                .axis_desc_style(text())
                .axis_style(GREY.stroke_width(2))
                .disable_x_mesh()
                .max_light_lines(0)
                .bold_line_style(INK.mix(0.1).stroke_width(2))
                .draw()?;
            chart
                .configure_secondary_axes()
                .y_desc("training images")
                .y_label_formatter(&|count| format!("{count:.0}"))
                .label_style(text())
                .axis_desc_style(text())
                .draw()?;
            let half = if k <= 20 { 0.42 } else { 0.48 };
            let bars = self.accuracy.iter().enumerate().filter_map(|(class, share)| {
                let place = (class + 1) as f64;
                let corners = [(place - half, 0.0), (place + half, (*share)?)];
                Some(Rectangle::new(corners, color(hue(self.counts[class])).filled()))
            });
            chart.draw_series(bars)?;
            let counts = self.counts.iter().enumerate();
            let points = counts.map(|(class, &count)| ((class + 1) as f64, count.max(1) as f64));
            chart.draw_secondary_series(LineSeries::new(points, line(INK)).point_size(6))?;
            Ok(())
        })?;
        let groups = [("many (over 100)", 0), ("medium (20 to 100)", 5), ("few (below 20)", 1)];
        let there = |index: usize| self.counts.iter().any(|&count| hue(count) == index);
        let mut swatches: Vec<Swatch> = groups
            .into_iter()
            .filter(|&(_, index)| there(index))
            .map(|(name, index)| Swatch { color: color(index), dashed: false, name: name.into() })
            .collect();
        swatches.push(Swatch { color: INK, dashed: false, name: "training images (right scale)".into() });
        Ok(Some(drawing.with_swatches(swatches)))
    }
}

/// Draws a reliability diagram of the split `set`, such as "test": accuracy per confidence bin against the diagonal of
/// perfect calibration; none without samples.
pub(crate) fn reliability(calibration: &Calibration, set: &str) -> Result<Option<Drawing>> {
    let bins = &calibration.bins;
    let samples: f64 = bins.iter().map(|bin| bin.samples as f64).sum();
    if samples == 0.0 {
        return Ok(None);
    }
    let label = format!("accuracy of {set} samples by confidence");
    let drawing = Drawing::new(&label, (WIDTH, HEIGHT), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(20)
            .margin_right(60)
            .x_label_area_size(100)
            .y_label_area_size(132)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
        chart
            .configure_mesh()
            .x_desc("confidence")
            .y_desc(format!("{set} accuracy"))
            .x_label_formatter(&percent)
            .y_label_formatter(&percent)
            .x_labels(6)
            .y_labels(6)
            .label_style(text())
            .axis_desc_style(text())
            .axis_style(GREY.stroke_width(2))
            .max_light_lines(0)
            .bold_line_style(INK.mix(0.1).stroke_width(2))
            .draw()?;
        let width = 1.0 / bins.len() as f64;
        let bar = |top: fn(&nc_metrics::ReliabilityBin) -> f64, style: plotters::style::ShapeStyle| {
            bins.iter().enumerate().filter(|(_, bin)| bin.samples > 0).map(move |(index, bin)| {
                let left = index as f64 * width;
                let mut bar = Rectangle::new([(left, 0.0), (left + width, top(bin))], style);
                bar.set_margin(0, 0, 2, 2);
                bar
            })
        };
        chart.draw_series(bar(|bin| bin.accuracy.unwrap_or_default(), color(0).filled()))?;
        // Share of the samples per bin.
        chart.draw_series(LineSeries::new(
            bins.iter()
                .enumerate()
                .map(|(index, bin)| ((index as f64 + 0.5) * width, bin.samples as f64 / samples)),
            line(color(1)),
        ))?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], INK.stroke_width(3)))?;
        Ok(())
    })?;
    let swatch = |color, name: &str| Swatch { color, dashed: false, name: name.into() };
    let percent =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{:.1} %", 100.0 * value));
    Ok(Some(
        drawing
            .with_swatches(vec![
                swatch(color(0), "accuracy"),
                swatch(color(1), "share of the samples"),
                swatch(INK, "confidence"),
            ])
            .with_caption(&format!(
                "Expected calibration error {}, maximum over bins {}.",
                percent(calibration.ece15),
                percent(calibration.mce15)
            )),
    ))
}
