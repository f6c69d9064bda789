//! Bar charts: per-class accuracy and reliability diagram.

use nc_metrics::{Calibration, ShotGroup};
use plotters::{
    prelude::{ChartBuilder, IntoLogRange, LineSeries, Rectangle, Text},
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    charts::canvas::{
        DIM, Drawing, GREY, HEIGHT, INK, Swatch, Values, WIDTH, color, line, shortened, sized_text, text,
    },
    format::thousands,
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

/// Largest number of classes drawn with their names.
const NAMED: usize = 30;

/// Colour index of a class's shot group.
fn hue(count: usize) -> usize {
    match ShotGroup::of(count) {
        ShotGroup::Many => 0,
        ShotGroup::Medium => 5,
        ShotGroup::Few => 1,
    }
}

impl ClassBars<'_> {
    /// Draws bars in the colour of the shot group; none without classes.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        if self.counts.is_empty() {
            return Ok(None);
        }
        let drawing = if self.classes.len() <= NAMED { self.rows()? } else { self.columns()? };
        let groups = [("many (over 100 images)", 0), ("medium (20 to 100)", 5), ("few (below 20)", 1)];
        let there = |index: usize| self.counts.iter().any(|&count| hue(count) == index);
        let swatches = groups.into_iter().filter(|&(_, index)| there(index)).map(|(name, index)| Swatch {
            index,
            color: color(index),
            dashed: false,
            name: name.into(),
        });
        Ok(Some(drawing.with_swatches(swatches.collect())))
    }

    /// A row per class: name, number of training images, bar, accuracy.
    fn rows(&self) -> Result<Drawing> {
        const ROW: i32 = 52;
        const NAMES: i32 = 290;
        const BAR: i32 = 440;
        const LENGTH: i32 = 440;
        let height = (ROW * (self.classes.len() as i32 + 1) + 20) as u32;
        let label = format!("{} accuracy and number of training images of each class", self.set);
        Drawing::new(&label, (WIDTH, height), |area| {
            let style = |h_pos| sized_text(32.0).pos(Pos::new(h_pos, VPos::Center));
            let (right, left) = (style(HPos::Right), style(HPos::Left));
            let heads = [
                ("class".to_owned(), NAMES, &right),
                ("images".into(), BAR - 20, &right),
                (format!("{} accuracy", self.set), BAR, &left),
            ];
            for (head, x, style) in heads {
                area.draw(&Text::new(head, (x, ROW / 2), style.color(&DIM)))?;
            }
            for (class, name) in self.classes.iter().enumerate() {
                let (top, count) = (ROW * (class as i32 + 1), self.counts[class]);
                let middle = top + ROW / 2;
                area.draw(&Text::new(shortened(name, 16), (NAMES, middle), right.clone()))?;
                area.draw(&Text::new(thousands(count), (BAR - 20, middle), right.clone()))?;
                let share = self.accuracy[class];
                let end = BAR + (f64::from(LENGTH) * share.unwrap_or(0.0)).round() as i32;
                let corners = [(BAR, top + 6), (end, top + ROW - 6)];
                area.draw(&Rectangle::new(corners, color(hue(count)).filled()))?;
                let share =
                    share.map_or_else(|| "no images".into(), |share| format!("{:.1} %", 100.0 * share));
                area.draw(&Text::new(share, (end + 12, middle), left.clone()))?;
            }
            Ok(())
        })
    }

    /// A narrow bar per class, and a line of training images on a log scale.
    fn columns(&self) -> Result<Drawing> {
        const LEFT: u32 = 132;
        const RIGHT: u32 = 148;
        let k = self.classes.len();
        let (least, most) = (self.counts.iter().min().copied(), self.counts.iter().max().copied());
        let [least, most] = [least, most].map(|count| count.unwrap_or(1).max(1) as f64);
        let label = "accuracy and number of training images of each class, largest class first";
        let drawing = Drawing::new(label, (WIDTH, HEIGHT), |area| {
            let low = 10f64.powf(least.log10().floor());
            let high = 10f64.powf(most.log10().ceil()).max(10.0 * low);
            let x = -0.5..k as f64 - 0.5;
            let mut chart = ChartBuilder::on(area)
                .margin_top(20)
                .margin_right(8)
                .x_label_area_size(100)
                .y_label_area_size(LEFT)
                .right_y_label_area_size(RIGHT - 8)
                .build_cartesian_2d(x.clone(), 0.0..1.0)?
                .set_secondary_coord(x, (low..high).log_scale());
            chart
                .configure_mesh()
                .x_desc("class, largest first")
                .y_desc(format!("{} accuracy", self.set))
                .x_labels(8)
                .x_label_formatter(&|place| format!("{place:.0}"))
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
                .y_desc("training images (line)")
                .y_label_formatter(&|count| format!("{count:.0}"))
                .label_style(text())
                .axis_desc_style(text())
                .draw()?;
            let bars = self.accuracy.iter().enumerate().filter_map(|(class, share)| {
                let corners = [(class as f64 - 0.48, 0.0), (class as f64 + 0.48, (*share)?)];
                Some(Rectangle::new(corners, color(hue(self.counts[class])).filled()))
            });
            chart.draw_series(bars)?;
            let counts = self.counts.iter().enumerate();
            let points = counts.map(|(class, &count)| (class as f64, count.max(1) as f64));
            chart.draw_secondary_series(LineSeries::new(points, line(INK)))?;
            Ok(())
        })?;
        let width = f64::from(WIDTH - LEFT - RIGHT) / k as f64;
        let place = |(class, name): (usize, &String)| {
            let x = f64::from(LEFT) + (class as f64 + 0.5) * width;
            let share = self.accuracy[class];
            let share = share.map_or_else(|| "no images".into(), |share| format!("{:.1} %", 100.0 * share));
            (
                x as i32,
                HEIGHT as i32 / 2,
                format!("{name}: {share}, {} images", thousands(self.counts[class])),
            )
        };
        let places = self.classes.iter().enumerate().map(place).collect();
        Ok(drawing.with_values(Values::Places { places }))
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
    let swatch = |index, color, name: &str| Swatch { index, color, dashed: false, name: name.into() };
    let percent =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{:.1} %", 100.0 * value));
    Ok(Some(
        drawing
            .with_swatches(vec![
                swatch(0, color(0), "accuracy"),
                swatch(1, color(1), "share of the samples"),
                swatch(2, INK, "confidence"),
            ])
            .with_caption(&format!(
                "Expected calibration error {}, maximum over bins {}.",
                percent(calibration.ece15),
                percent(calibration.mce15)
            )),
    ))
}
