//! Line charts.

use plotters::{
    chart::ChartContext,
    coord::{
        cartesian::Cartesian2d,
        ranged1d::{AsRangedCoord, ValueFormatter},
        types::RangedCoordf64,
    },
    prelude::{
        ChartBuilder, Circle, DashedLineSeries, EmptyElement, IntoLogRange, LineSeries, Polygon, Ranged,
        SVGBackend, Text,
    },
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    charts::canvas::{
        Area, Drawing, Drawn, GREY, HEIGHT, INK, Line, Values, WIDTH, color, line, rounded, sized_text, text,
        text_color,
    },
};

/// A line chart.
#[derive(Default)]
pub(crate) struct Curves<'a> {
    /// Text for screen readers.
    pub(crate) label: &'a str,
    /// Meaning of x.
    pub(crate) x: X<'a>,
    pub(crate) y_title: &'a str,
    pub(crate) scale: Scale,
    pub(crate) series: Vec<Series>,
    /// Range of x; by default that of the points.
    pub(crate) x_range: Option<(f64, f64)>,
    pub(crate) marks: &'a [Mark],
    /// A named reference value, drawn as a horizontal line.
    pub(crate) reference: Option<(f64, &'a str)>,
    /// Whether the page has a legend, so that the chart omits the names of series.
    pub(crate) unnamed: bool,
}

/// Meaning of the x axis.
#[derive(Clone, Copy, Default)]
pub(crate) enum X<'a> {
    /// Epochs, from 1.
    #[default]
    Epochs,
    /// Classes, largest first: x = 0 is the first of these names.
    Classes(&'a [String]),
}

/// Scale of the y axis.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Scale {
    /// Linear from the smallest value, or from 0 if that is close.
    #[default]
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
#[derive(Clone, Default)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// x, smallest and largest value of a line that is a mean; else empty.
    pub(crate) band: Vec<(f64, f64, f64)>,
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

/// A series with its index, which stays the same if other series have no points.
type Indexed = (usize, Series);

const SIZE: (u32, u32) = (WIDTH, HEIGHT);
/// Left end of the x axis.
const LEFT: u32 = 150;
/// Font size, and so the least vertical distance, of the names of series.
const NAME: f64 = 34.0;

type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;

impl Curves<'_> {
    /// Draws the chart; none without points.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let fits = |x: f64, y: f64| {
            self.x_range.is_none_or(|(first, last)| (first..=last).contains(&x)) && self.scale.has(y)
        };
        let mut series: Vec<Indexed> = self.series.iter().cloned().enumerate().collect();
        for (_, series) in &mut series {
            series.points.retain(|&(x, y)| fits(x, y));
            series.band.retain(|&(x, low, high)| fits(x, low) && fits(x, high));
        }
        series.retain(|(_, series)| !series.points.is_empty());
        let Some(x) = range(series.iter().flat_map(|(_, series)| &series.points).map(|point| point.0)) else {
            return Ok(None);
        };
        let x = self.x_range.unwrap_or(x);
        let x = if x.0 < x.1 { x } else { (x.0 - 0.5, x.0 + 0.5) };
        let values = series.iter().flat_map(|(_, series)| {
            let band = series.band.iter().flat_map(|&(_, low, high)| [low, high]);
            series.points.iter().map(|point| point.1).chain(band)
        });
        let reference = self.reference.filter(|(value, _)| self.scale.has(*value));
        let Some((low, high)) = range(values.chain(reference.map(|(value, _)| value))) else {
            return Ok(None);
        };
        let drawing = match self.scale {
            Scale::Log => {
                let decades = (low.log10().floor() as i32, high.log10().ceil() as i32);
                // An axis of one decade may show a single tick.
                let decades =
                    if decades.1 > decades.0 + 1 { decades } else { (decades.0 - 1, decades.1 + 1) };
                // Slightly wider, because the backend omits a tick at the end.
                let (low, high) = (0.999 * 10f64.powi(decades.0), 1.001 * 10f64.powi(decades.1));
                self.fill(&series, x, &|| (low..high).log_scale(), (low, high), &|value| short(*value))?
            }
            Scale::Percent => {
                let top = ((10.0 * high).floor() / 10.0 + 0.1).clamp(0.1, 1.0);
                let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
                self.fill(&series, x, &|| 0.0..top, (0.0, top), &percent)?
            }
            Scale::Linear => {
                let space = 0.06 * (high - low).max(1e-9 + 1e-2 * high.abs());
                let near_zero = low >= 0.0 && low < 0.5 * high;
                let (low, high) = (if near_zero { 0.0 } else { low - space }, high + space);
                self.fill(&series, x, &|| low..high, (low, high), &|value| short(*value))?
            }
        };
        Ok(Some(drawing.with_values(self.values(&series, x))))
    }

    /// Width right of the plot, with room for the names of the series.
    fn right_margin(&self, series: &[Indexed]) -> u32 {
        let longest = series.iter().map(|(_, series)| series.name.chars().count()).max().unwrap_or(0);
        if self.unnamed { 28 } else { 28 + (18 * longest as u32).min(WIDTH / 3) }
    }

    /// Draws axes, marks and, each as a group of its own, the series.
    fn fill<Y>(
        &self,
        series: &[Indexed],
        x: (f64, f64),
        y: &dyn Fn() -> Y,
        limits: (f64, f64),
        format: &dyn Fn(&f64) -> String,
    ) -> Result<Drawing>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let right = self.right_margin(series);
        let mut names = vec![0; series.len()];
        let mut drawing = Drawing::new(self.label, SIZE, |area| {
            let mut chart = chart(area, right, x, y())?;
            self.axes(&mut chart, x, limits, format)?;
            let ends = series.iter().filter_map(|(_, series)| series.points.last());
            names = apart(&ends.map(|end| chart.backend_coord(end).1).collect::<Vec<_>>());
            Ok(())
        })?;
        for ((index, series), name) in series.iter().zip(names) {
            drawing = drawing.with_series(*index, SIZE, |area| {
                add_series(&mut chart(area, right, x, y())?, series)?;
                if !self.unnamed {
                    let hue = text_color(series.hue);
                    let style = sized_text(NAME).color(&hue).pos(Pos::new(HPos::Left, VPos::Center));
                    area.draw(&Text::new(series.name.clone(), ((WIDTH - right) as i32 + 12, name), style))?;
                }
                Ok(())
            })?;
        }
        Ok(drawing)
    }

    fn axes<Y>(
        &self,
        chart: &mut Chart<'_, '_, Y>,
        x: (f64, f64),
        (low, high): (f64, f64),
        format: &dyn Fn(&f64) -> String,
    ) -> Drawn
    where
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let tick = |x: &f64| match self.x {
            _ if x.fract() != 0.0 => String::new(),
            X::Classes(names) if names.iter().all(|name| name.chars().count() <= 3) => {
                names.get(*x as usize).cloned().unwrap_or_default()
            }
            _ => format!("{x:.0}"),
        };
        chart
            .configure_mesh()
            .x_desc(match self.x {
                X::Epochs => "epoch",
                X::Classes(_) => "class, largest first",
            })
            .y_desc(self.y_title)
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&tick)
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
                EmptyElement::at((x.0, value)) + Text::new(name.to_owned(), (10, 8), sized_text(NAME));
            chart.draw_series(std::iter::once(below))?;
        }
        Ok(())
    }

    fn values(&self, series: &[Indexed], range: (f64, f64)) -> Values {
        // Percentages as they are printed elsewhere on the page.
        let shown = |y: f64| match self.scale {
            Scale::Percent => format!("{:.1}", 100.0 * y).parse().unwrap_or(y),
            Scale::Linear | Scale::Log => rounded(y),
        };
        let point = |&(x, y): &(f64, f64)| (rounded(x), shown(y));
        let line = |(index, series): &Indexed| Line {
            index: *index,
            name: series.name.clone(),
            points: series.points.iter().map(point).collect(),
        };
        let (x, names) = match self.x {
            X::Epochs => ("epoch", vec![]),
            X::Classes(names) => ("class", names.to_vec()),
        };
        Values::Lines {
            x,
            range,
            ends: (LEFT as i32, (WIDTH - self.right_margin(series)) as i32),
            names,
            percent: self.scale == Scale::Percent,
            series: series.iter().map(line).collect(),
        }
    }
}

/// A chart of fixed layout, so that several fit on top of each other.
fn chart<'a, 'b, Y>(
    area: &'a Area<'b>,
    right: u32,
    x: (f64, f64),
    y: Y,
) -> std::result::Result<Chart<'a, 'b, Y::CoordDescType>, Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
{
    Ok(ChartBuilder::on(area)
        .margin_top(44)
        .margin_right(right)
        .x_label_area_size(100)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(x.0..x.1, y)?)
}

fn add_series<Y>(chart: &mut Chart<'_, '_, Y>, series: &Series) -> Drawn
where
    Y: Ranged<ValueType = f64>,
{
    let (color, style) = (color(series.hue), line(color(series.hue)));
    if series.band.len() > 1 {
        let lower = series.band.iter().map(|&(x, low, _)| (x, low));
        let upper = series.band.iter().rev().map(|&(x, _, high)| (x, high));
        let outline: Vec<(f64, f64)> = lower.chain(upper).collect();
        chart.draw_series([Polygon::new(outline, color.mix(0.18).filled())])?;
    }
    if let [(x, y)] = series.points[..] {
        chart.draw_series([Circle::new((x, y), 7, style.filled())])?;
    } else if series.dashed {
        chart.draw_series(DashedLineSeries::new(series.points.clone(), 14, 10, style))?;
    } else {
        chart.draw_series(LineSeries::new(series.points.clone(), style))?;
    }
    Ok(())
}

/// Moves vertical positions apart to at least the height of a name, in their order, above the x axis if possible.
fn apart(places: &[i32]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&index| places[index]);
    let mut moved = places.to_vec();
    let mut least = i32::MIN;
    for &index in &order {
        moved[index] = moved[index].max(least);
        least = moved[index] + NAME as i32;
    }
    let mut most = HEIGHT as i32 - 100;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(most);
        most = moved[index] - NAME as i32;
    }
    moved
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_series_do_not_overlap() {
        assert_eq!(apart(&[100, 300, 110]), [100, 300, 134]);
        assert_eq!(apart(&[530, 538]), [506, 540]);
    }

    #[test]
    fn a_constant_learning_rate_is_between_ticks() {
        let series = Series { points: vec![(1.0, 0.1), (2.0, 0.1)], ..Series::default() };
        let curves = Curves { scale: Scale::Log, series: vec![series], ..Curves::default() };
        let svg = curves.draw().unwrap().unwrap().to_html("rate");
        for tick in ["\n0.01\n", "\n0.1\n", "\n1\n"] {
            assert!(svg.contains(tick), "{tick:?} in {svg}");
        }
    }
}
