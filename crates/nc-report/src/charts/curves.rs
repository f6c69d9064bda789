//! Line charts.

use plotters::{
    coord::ranged1d::{AsRangedCoord, ValueFormatter},
    prelude::{ChartBuilder, Circle, DashedLineSeries, EmptyElement, IntoLogRange, LineSeries, Ranged, Text},
    style::Color,
};

use crate::{
    Result,
    charts::canvas::{Area, Drawing, GREY, HEIGHT, INK, Swatch, WIDTH, color, line, sized_text, text},
};

/// A line chart.
pub(crate) struct Curves<'a> {
    /// Text for screen readers.
    pub(crate) label: &'a str,
    pub(crate) x_title: &'a str,
    pub(crate) y_title: &'a str,
    pub(crate) scale: Scale,
    pub(crate) series: Vec<Series>,
    /// Range of x; by default that of the points.
    pub(crate) x_range: Option<(f64, f64)>,
    pub(crate) marks: &'a [Mark],
    /// A named reference value, drawn as a horizontal line.
    pub(crate) reference: Option<(f64, &'a str)>,
}

/// Scale of the y axis.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Linear from the smallest value, or from 0 if that is close.
    Linear,
    /// Logarithmic; omits values without a logarithm.
    Log,
    /// Shares as percentages, from 0 to the next multiple of ten above the largest.
    Percent,
}

impl Scale {
    /// True if a value can be drawn. Excludes absurdly large values, which would flatten all others.
    fn has(self, value: f64) -> bool {
        match self {
            Self::Linear => value.abs() < 1e30,
            // If the ratio of two values overflows to infinity, plotters loops forever over the decades.
            Self::Log => (1e-30..1e30).contains(&value),
            Self::Percent => (0.0..=1.0).contains(&value),
        }
    }
}

/// A line of a chart.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Colour index.
    pub(crate) hue: usize,
    pub(crate) dashed: bool,
}

/// A named x position, drawn as a letter that [`key`] explains.
#[derive(Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) name: String,
}

impl Curves<'_> {
    /// Draws the chart; none without points.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let fits = |&(x, y): &(f64, f64)| {
            self.x_range.is_none_or(|(first, last)| (first..=last).contains(&x)) && self.scale.has(y)
        };
        let lines: Vec<(&Series, Vec<(f64, f64)>)> = self
            .series
            .iter()
            .map(|series| (series, series.points.iter().copied().filter(fits).collect::<Vec<_>>()))
            .filter(|(_, points)| !points.is_empty())
            .collect();
        let points = || lines.iter().flat_map(|(_, points)| points);
        let Some(x) = range(points().map(|point| point.0)) else { return Ok(None) };
        let x = self.x_range.unwrap_or(x);
        let reference = self.reference.filter(|(value, _)| self.scale.has(*value));
        let values = points().map(|point| point.1).chain(reference.map(|(value, _)| value));
        let Some((low, high)) = range(values) else { return Ok(None) };
        let x = if x.0 < x.1 { x } else { (x.0 - 0.5, x.0 + 0.5) };
        let swatches = lines.iter().map(|(series, _)| Swatch {
            color: color(series.hue),
            dashed: series.dashed,
            name: series.name.clone(),
        });
        let drawing = Drawing::new(self.label, (WIDTH, HEIGHT), |area| match self.scale {
            Scale::Log => {
                let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
                let high = if high > low { high } else { 10.0 * low };
                self.fill(area, x, (low..high).log_scale(), (low, high), &lines, &|value| short(*value))
            }
            Scale::Percent => {
                let top = ((10.0 * high).floor() / 10.0 + 0.1).clamp(0.1, 1.0);
                let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
                self.fill(area, x, 0.0..top, (0.0, top), &lines, &percent)
            }
            Scale::Linear => {
                let space = 0.06 * (high - low).max(1e-9 + 1e-3 * high.abs());
                let near_zero = low >= 0.0 && low < 0.5 * high;
                let low = if near_zero { 0.0 } else { low - space };
                self.fill(area, x, low..high + space, (low, high + space), &lines, &|value| short(*value))
            }
        })?;
        Ok(Some(drawing.with_swatches(swatches.collect())))
    }

    /// Draws axes, marks and lines.
    fn fill<Y>(
        &self,
        area: &Area<'_>,
        x: (f64, f64),
        y: Y,
        (low, high): (f64, f64),
        lines: &[(&Series, Vec<(f64, f64)>)],
        format: &dyn Fn(&f64) -> String,
    ) -> std::result::Result<(), Box<dyn std::error::Error>>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(area)
            .margin_top(44)
            .margin_right(28)
            .x_label_area_size(100)
            .y_label_area_size(150)
            .build_cartesian_2d(x.0..x.1, y)?;
        chart
            .configure_mesh()
            .x_desc(self.x_title)
            .y_desc(self.y_title)
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(format)
            .label_style(text())
            .axis_desc_style(text())
            .axis_style(GREY.stroke_width(2))
            .max_light_lines(0)
            .bold_line_style(INK.mix(0.1).stroke_width(2))
            .draw()?;
        for (Mark { at, .. }, letter) in self.marks.iter().zip('a'..) {
            if !(x.0..=x.1).contains(at) {
                continue;
            }
            let across = vec![(*at, low), (*at, high)];
            chart.draw_series(DashedLineSeries::new(across, 4, 8, GREY.stroke_width(2)))?;
            let above = EmptyElement::at((*at, high)) + Text::new(letter.to_string(), (-6, -38), text());
            chart.draw_series(std::iter::once(above))?;
        }
        if let Some((value, name)) = self.reference.filter(|(value, _)| self.scale.has(*value)) {
            let along = vec![(x.0, value), (x.1, value)];
            chart.draw_series(DashedLineSeries::new(along, 14, 8, INK.stroke_width(2)))?;
            let below =
                EmptyElement::at((x.0, value)) + Text::new(name.to_owned(), (10, 8), sized_text(34.0));
            chart.draw_series(std::iter::once(below))?;
        }
        for (series, points) in lines {
            let style = line(color(series.hue));
            if let [(x, y)] = points[..] {
                chart.draw_series([Circle::new((x, y), 7, style.filled())])?;
            } else if series.dashed {
                chart.draw_series(DashedLineSeries::new(points.clone(), 14, 10, style))?;
            } else {
                chart.draw_series(LineSeries::new(points.clone(), style))?;
            }
        }
        Ok(())
    }
}

/// Legend of the letters of marks.
pub(crate) fn key(marks: &[Mark]) -> String {
    let entry =
        |(Mark { at, name }, letter): (&Mark, char)| format!("{letter}: {name} (epoch {:.0})", at.ceil());
    marks.iter().zip('a'..).map(entry).collect::<Vec<_>>().join("; ")
}

/// Minimum and maximum.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// Formats a number with few digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.0e}");
    }
    let digits = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
