//! Heat maps of class-by-class matrices.

use std::{collections::BTreeMap, fmt::Write};

use plotters::{
    prelude::{Rectangle, Text},
    style::{
        Color, FontTransform, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    charts::canvas::{Area, Drawing, Drawn, INK, Values, WIDTH, rounded, shortened, sized_text},
};

/// A heat map of a class-by-class matrix.
pub(crate) struct HeatMap<'a> {
    /// Text for screen readers.
    pub(crate) label: &'a str,
    /// Class names (K).
    pub(crate) classes: &'a [String],
    /// Matrix (K, K).
    pub(crate) values: &'a [Vec<f64>],
    /// Meaning of the values.
    pub(crate) cells: Cells,
    /// Titles of rows and columns, if they differ.
    pub(crate) axes: Option<(&'a str, &'a str)>,
}

/// Meaning of the values of a heat map.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cells {
    /// Angles in degrees, coloured by their distance from the ideal angle. The diagonal has no meaning and is blank.
    Degrees {
        /// Ideal angle, if known; else colours diverge from 90.
        ideal: Option<f64>,
        /// Distance of the last colours from the ideal angle; by default that of the farthest angle.
        reach: Option<f64>,
    },
    /// Shares that sum to 1 per row, shown as percentages. Rows that are not numbers are blank.
    Shares,
}

impl Cells {
    fn text(self, value: f64, decimals: usize) -> String {
        match self {
            Self::Degrees { .. } => format!("{value:.decimals$}°"),
            Self::Shares => format!("{:.decimals$} %", 100.0 * value),
        }
    }

    /// The number in a square, without unit.
    fn number(self, value: f64) -> f64 {
        if self == Self::Shares { 100.0 * value } else { value }
    }

    /// True for squares without a meaning.
    fn is_blank(self, row: usize, column: usize, group: usize, value: f64) -> bool {
        value.is_nan() || matches!(self, Self::Degrees { .. }) && row == column && group == 1
    }

    /// Values of the first and the last colour.
    fn range(self, values: &[Vec<f64>], group: usize) -> (f64, f64) {
        let Self::Degrees { ideal, reach } = self else { return (0.0, 1.0) };
        let ideal = ideal.unwrap_or(90.0);
        let squares = values.iter().enumerate().flat_map(|(i, row)| {
            row.iter()
                .enumerate()
                .filter(move |&(j, &value)| !self.is_blank(i, j, group, value))
                .map(|(_, &value)| value)
        });
        let farthest = || squares.map(|value| (value - ideal).abs()).fold(0.0, f64::max);
        let reach = reach.unwrap_or_else(farthest).max(10.0).min((180.0 - ideal).max(10.0));
        (ideal - reach, ideal + reach)
    }
}

/// Largest number of classes drawn with numbers and names.
const NUMBERED: usize = 20;

/// Largest number of squares per side; above it, neighbouring classes are grouped.
const SQUARES: usize = 100;

/// Longest name beside a row, in characters.
const NAME: usize = 12;

impl HeatMap<'_> {
    /// Draws the heat map; none without classes.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let (values, group) = grouped(self.values, self.cells);
        let k = values.len();
        if k == 0 {
            return Ok(None);
        }
        let range = self.cells.range(&values, group);
        let names: Vec<String> = self.classes.iter().map(|name| shortened(name, NAME)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(2);
        let titles = if self.axes.is_some() { 40 } else { 0 };
        let margin = titles + if k <= NUMBERED { 24 + 18 * longest as i32 } else { 20 };
        let side = (WIDTH as i32 - margin - 20) / k as i32;
        let (map, scale) = (side * k as i32, 110);
        let height = margin + map + scale;
        let canvas = (WIDTH, height as u32);
        let squares = self.squares(&values, group, range);
        let drawing =
            Drawing::new(self.label, canvas, |_| Ok(()))?.with_svg(&self.paths(&squares, (margin, side)));
        let drawing = drawing.with_layer(self.label, canvas, |area| {
            if k <= NUMBERED {
                let size = (f64::from(side) * 0.38).min(36.0);
                for (&step, at) in &squares {
                    let ink = ink(self.shade(center(step)));
                    let style = centered(size).color(&ink);
                    for &(i, j) in at {
                        let (x, y) = (margin + side * j as i32, margin + side * i as i32);
                        let number = format!("{:.0}", self.cells.number(values[i][j]));
                        area.draw(&Text::new(number, (x + side / 2, y + side / 2), style.clone()))?;
                    }
                }
                let size = (f64::from(side) * 0.7).min(32.0);
                let row = sized_text(size).pos(Pos::new(HPos::Right, VPos::Center));
                // Turned by 270 degrees, text starts at its place and goes upwards.
                let up = sized_text(size).pos(Pos::new(HPos::Left, VPos::Center));
                let column =
                    if longest > 3 { up.transform(FontTransform::Rotate270) } else { centered(size) };
                let above = if longest > 3 { 12 } else { 28 };
                for (i, name) in names.iter().enumerate() {
                    let middle = margin + side * i as i32 + side / 2;
                    area.draw(&Text::new(name.clone(), (margin - 12, middle), row.clone()))?;
                    area.draw(&Text::new(name.clone(), (middle, margin - above), column.clone()))?;
                }
            }
            if let Some((rows, columns)) = self.axes {
                let middle = margin + map / 2;
                let style = centered(32.0);
                let up = style.transform(FontTransform::Rotate270);
                area.draw(&Text::new(columns.to_owned(), (middle, 20), style))?;
                area.draw(&Text::new(rows.to_owned(), (20, middle), up))?;
            }
            self.draw_scale(area, range, (margin, margin + map + 24), map)
        })?;
        let drawing = if group > 1 {
            let caption = format!("Each square combines {group} x {group} classes of similar size.");
            drawing.with_caption(&caption)
        } else {
            drawing
        };
        let name = |classes: &[String]| match classes {
            [first, .., last] => format!("{first} to {last}"),
            classes => classes.concat(),
        };
        let number = |&value: &f64| rounded((10.0 * self.cells.number(value)).round() / 10.0);
        let shares = self.cells == Cells::Shares;
        let row = |(i, row): (usize, &Vec<f64>)| {
            let columns = if shares { row.len() } else { i + 1 };
            row[..columns].iter().map(number).collect()
        };
        Ok(Some(drawing.with_values(Values::Squares {
            left: margin,
            top: margin,
            side,
            names: self.classes.chunks(group).map(name).collect(),
            between: if shares { ", predicted as " } else { " – " },
            unit: if shares { " %" } else { "°" },
            values: values.iter().enumerate().map(row).collect(),
        })))
    }

    /// Rows and columns of the squares of each of [`STEPS`] colours.
    fn squares(&self, values: &[Vec<f64>], group: usize, range: (f64, f64)) -> Squares {
        let mut squares = Squares::new();
        for (i, row) in values.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                if !self.cells.is_blank(i, j, group, value) {
                    let step = (place(value, range) * f64::from(STEPS)) as i32;
                    squares.entry(step.min(STEPS - 1)).or_default().push((i, j));
                }
            }
        }
        squares
    }

    /// The squares of each colour as one path: a tenth of the length of an element per square. Neighbours in a row are one
    /// line, as thick as a square.
    fn paths(&self, squares: &Squares, (margin, side): (i32, i32)) -> String {
        let mut out = format!(
            "<g transform=\"translate({margin} {margin}) scale({side})\" shape-rendering=\"crispEdges\" fill=\"none\">\n"
        );
        for (&step, at) in squares {
            let RGBColor(r, g, b) = self.shade(center(step));
            // Writing to a string cannot fail.
            let _ = write!(out, "<path stroke=\"#{r:02X}{g:02X}{b:02X}\" d=\"");
            for line in at.chunk_by(|one, next| one.0 == next.0 && one.1 + 1 == next.1) {
                let (row, column) = line[0];
                let _ = write!(out, "M{column} {row}.5h{}", line.len());
            }
            out.push_str("\"/>\n");
        }
        out.push_str("</g>\n");
        out
    }

    /// Draws the colour scale, with the ideal angle in its middle.
    fn draw_scale(&self, area: &Area<'_>, range: (f64, f64), (x, y): (i32, i32), width: i32) -> Drawn {
        for step in 0..STEPS {
            // To the end, under the following steps: edges that meet would show as hairlines.
            let (from, to) = (x + width * step / STEPS, x + width);
            let color = self.shade(center(step));
            area.draw(&Rectangle::new([(from, y), (to, y + 26)], color.filled()))?;
        }
        let name = |text: String, at: i32, h_pos: HPos| {
            let style = sized_text(34.0).pos(Pos::new(h_pos, VPos::Top));
            area.draw(&Text::new(text, (at, y + 36), style))
        };
        let most = if self.cells == Cells::Shares { 1.0 } else { 180.0 };
        name(self.cells.text(range.0, 0), x, HPos::Left)?;
        name(self.cells.text(range.1.min(most), 0), x + width, HPos::Right)?;
        if let Cells::Degrees { ideal: Some(ideal), .. } = self.cells {
            let at = x + (f64::from(width) * place(ideal, range)) as i32;
            name(format!("ideal {}", self.cells.text(ideal, 1)), at, HPos::Center)?;
            let black = ShapeStyle { color: INK.to_rgba(), filled: true, stroke_width: 1 };
            area.draw(&Rectangle::new([(at - 2, y - 8), (at + 2, y + 34)], black))?;
        }
        Ok(())
    }

    /// Colour at `place` in [0, 1] of the scale.
    fn shade(&self, place: f64) -> RGBColor {
        match self.cells {
            Cells::Degrees { .. } => between(&DIVERGING, place),
            Cells::Shares => between(&SEQUENTIAL, place),
        }
    }
}

/// Number of colours.
const STEPS: i32 = 128;

/// Rows and columns of squares, by the step of their colour.
type Squares = BTreeMap<i32, Vec<(usize, usize)>>;

/// The middle of a step of the colour scale, in [0, 1].
fn center(step: i32) -> f64 {
    (f64::from(step) + 0.5) / f64::from(STEPS)
}

/// Position of a value on the colour scale, in [0, 1].
fn place(value: f64, (first, last): (f64, f64)) -> f64 {
    ((value - first) / (last - first)).clamp(0.0, 1.0)
}

/// Black or white, whichever is readable on this colour.
fn ink(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let luma = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if luma > 140.0 { RGBColor(0x11, 0x11, 0x11) } else { RGBColor(255, 255, 255) }
}

fn centered(size: f64) -> TextStyle<'static> {
    sized_text(size).pos(Pos::new(HPos::Center, VPos::Center))
}

/// Groups neighbouring classes to at most [`SQUARES`] rows and columns; also returns the group size. Shares are summed
/// over columns and averaged over rows; angles are averaged over pairs of distinct classes.
fn grouped(values: &[Vec<f64>], cells: Cells) -> (Vec<Vec<f64>>, usize) {
    let group = values.len().div_ceil(SQUARES).max(1);
    if group == 1 {
        return (values.to_vec(), 1);
    }
    let starts = || (0..values.len()).step_by(group);
    let square = |rows: usize, columns: usize| {
        let (mut sum, mut pairs, mut count) = (0.0, 0.0, 0.0);
        for (i, row) in values.iter().enumerate().skip(rows).take(group) {
            if row.iter().any(|value| value.is_nan()) {
                continue;
            }
            count += 1.0;
            for (j, value) in row.iter().enumerate().skip(columns).take(group) {
                if cells == Cells::Shares || i != j {
                    sum += value;
                    pairs += 1.0;
                }
            }
        }
        match cells {
            Cells::Shares => sum / count,
            Cells::Degrees { .. } if pairs > 0.0 => sum / pairs,
            Cells::Degrees { ideal, .. } => ideal.unwrap_or(90.0),
        }
    };
    (starts().map(|rows| starts().map(|columns| square(rows, columns)).collect()).collect(), group)
}

/// After cividis, from dark blue to yellow; safe for colour-blind readers.
const SEQUENTIAL: [[f64; 3]; 5] = [
    [0.0, 32.0, 77.0],
    [66.0, 78.0, 108.0],
    [124.0, 123.0, 120.0],
    [188.0, 174.0, 108.0],
    [255.0, 234.0, 70.0],
];

/// ColorBrewer's PuOr reversed, with blue for purple: from blue over near-white to orange.
const DIVERGING: [[f64; 3]; 5] = [
    [5.0, 48.0, 97.0],
    [67.0, 147.0, 195.0],
    [240.0, 240.0, 240.0],
    [224.0, 130.0, 20.0],
    [127.0, 59.0, 8.0],
];

/// Interpolates between colours at `place` in [0, 1].
fn between(stops: &[[f64; 3]; 5], place: f64) -> RGBColor {
    let place = place.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let below = (place.floor() as usize).min(stops.len() - 2);
    let share = place - below as f64;
    let channel =
        |i: usize| (stops[below][i] + share * (stops[below + 1][i] - stops[below][i])).round() as u8;
    RGBColor(channel(0), channel(1), channel(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_shares_are_summed_and_grouped_angles_averaged() {
        let matrix = |diagonal: f64, other: f64| -> Vec<Vec<f64>> {
            (0..200).map(|i| (0..200).map(|j| if i == j { diagonal } else { other }).collect()).collect()
        };
        // All predictions correct; all class means at right angles.
        let (shares, group) = grouped(&matrix(1.0, 0.0), Cells::Shares);
        assert_eq!((group, shares.len(), shares[3][3], shares[3][4]), (2, 100, 1.0, 0.0));
        let (angles, _) = grouped(&matrix(0.0, 90.0), Cells::Degrees { ideal: None, reach: None });
        assert!(angles.iter().flatten().all(|&angle| angle == 90.0));
    }
}
