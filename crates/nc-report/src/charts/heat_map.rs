//! Heat maps of class-by-class matrices.

use plotters::{
    prelude::{Rectangle, Text},
    style::{
        Color, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    charts::canvas::{Drawing, INK, WIDTH, sized_text},
};

/// A heat map of a class-by-class matrix.
pub(crate) struct HeatMap<'a> {
    /// Text for screen readers.
    pub(crate) label: &'a str,
    /// Class names (K).
    pub(crate) classes: &'a [String],
    /// Matrix (K, K).
    pub(crate) values: &'a [Vec<f64>],
    /// Values of the first and the last colour.
    pub(crate) range: (f64, f64),
    /// Meaning of the values.
    pub(crate) cells: Cells,
    /// A value marked on the colour scale.
    pub(crate) mark: Option<f64>,
    /// Titles of rows and columns, if they differ.
    pub(crate) axes: Option<(&'a str, &'a str)>,
}

/// Meaning of the values of a heat map.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cells {
    /// Angles in degrees; the diagonal is meaningless.
    Degrees,
    /// Shares that sum to 1 per row, shown as percentages.
    Shares,
}

impl Cells {
    fn text(self, value: f64, decimals: usize) -> String {
        match self {
            Self::Degrees => format!("{value:.decimals$}°"),
            Self::Shares => format!("{:.decimals$} %", 100.0 * value),
        }
    }
}

/// Largest number of classes drawn with numbers and names.
const NUMBERED: usize = 20;

/// Largest number of squares per side; above it, neighbouring classes are grouped.
const SQUARES: usize = 100;

impl HeatMap<'_> {
    /// Draws the heat map; none without classes.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let (values, group) = grouped(self.values, self.cells);
        let k = values.len();
        if k == 0 {
            return Ok(None);
        }
        let margin = if self.axes.is_some() { 100 } else { 60 };
        let side = (WIDTH as i32 - margin - 20) / k as i32;
        let (map, scale) = (side * k as i32, 110);
        let height = margin + map + scale;
        let drawing = Drawing::new(self.label, (WIDTH, height as u32), |area| {
            for (i, row) in values.iter().enumerate() {
                for (j, &value) in row.iter().enumerate() {
                    let (x, y) = (margin + side * j as i32, margin + side * i as i32);
                    let share = self.share(value);
                    area.draw(&Rectangle::new([(x, y), (x + side, y + side)], shade(share).filled()))?;
                    if k <= NUMBERED {
                        let ink = if share > 0.55 { INK } else { RGBColor(255, 255, 255) };
                        let number = if self.cells == Cells::Shares { 100.0 * value } else { value };
                        let style = centered((f64::from(side) * 0.38).min(36.0)).color(&ink);
                        area.draw(&Text::new(format!("{number:.0}"), (x + side / 2, y + side / 2), style))?;
                    }
                }
            }
            if k <= NUMBERED {
                let style = centered(36.0);
                for (i, name) in self.classes.iter().enumerate() {
                    let middle = margin + side * i as i32 + side / 2;
                    area.draw(&Text::new(name.clone(), (margin - 24, middle), style.clone()))?;
                    area.draw(&Text::new(name.clone(), (middle, margin - 24), style.clone()))?;
                }
            }
            if let Some((rows, columns)) = self.axes {
                let middle = margin + map / 2;
                let style = centered(36.0);
                let down = style.transform(plotters::style::FontTransform::Rotate270);
                area.draw(&Text::new(columns.to_owned(), (middle, 22), style))?;
                area.draw(&Text::new(rows.to_owned(), (22, middle), down))?;
            }
            self.draw_scale(area, (margin, margin + map + 24), map)
        })?;
        Ok(Some(if group > 1 {
            drawing.with_caption(&format!("Each square combines {group} x {group} classes of similar size."))
        } else {
            drawing
        }))
    }

    /// Draws the colour scale and the mark.
    fn draw_scale(
        &self,
        area: &crate::charts::canvas::Area<'_>,
        (x, y): (i32, i32),
        width: i32,
    ) -> std::result::Result<(), Box<dyn std::error::Error>> {
        const STEPS: i32 = 64;
        for step in 0..STEPS {
            let (from, to) = (x + width * step / STEPS, x + width * (step + 1) / STEPS);
            let color = shade((f64::from(step) + 0.5) / f64::from(STEPS));
            area.draw(&Rectangle::new([(from, y), (to, y + 26)], color.filled()))?;
        }
        let place = |value: f64| x + (f64::from(width) * self.share(value)) as i32;
        let style = |h_pos| sized_text(34.0).pos(Pos::new(h_pos, VPos::Top));
        area.draw(&Text::new(self.cells.text(self.range.0, 0), (x, y + 36), style(HPos::Left)))?;
        // Near the end, the mark's label replaces the end's label to avoid overlap.
        let near_the_end = self.mark.is_some_and(|mark| self.share(mark) > 0.82);
        if !near_the_end {
            area.draw(&Text::new(self.cells.text(self.range.1, 0), (x + width, y + 36), style(HPos::Right)))?;
        }
        if let Some(mark) = self.mark {
            let at = place(mark);
            let black = ShapeStyle { color: INK.to_rgba(), filled: true, stroke_width: 1 };
            area.draw(&Rectangle::new([(at - 2, y - 8), (at + 2, y + 34)], black))?;
            let text = format!("optimum {}", self.cells.text(mark, 1));
            let (at, h_pos) = if near_the_end { (x + width, HPos::Right) } else { (at, HPos::Center) };
            area.draw(&Text::new(text, (at, y + 36), style(h_pos)))?;
        }
        Ok(())
    }

    /// Position of a value on the colour scale, in [0, 1].
    fn share(&self, value: f64) -> f64 {
        ((value - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0)
    }
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
            Cells::Degrees if pairs > 0.0 => sum / pairs,
            Cells::Degrees => 0.0,
        }
    };
    (starts().map(|rows| starts().map(|columns| square(rows, columns)).collect()).collect(), group)
}

/// Colour-blind-safe colour map after cividis, from dark blue at 0 to yellow at 1.
fn shade(share: f64) -> RGBColor {
    const STOPS: [[f64; 3]; 5] = [
        [0.0, 32.0, 77.0],
        [66.0, 78.0, 108.0],
        [124.0, 123.0, 120.0],
        [188.0, 174.0, 108.0],
        [255.0, 234.0, 70.0],
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (place.floor() as usize).min(STOPS.len() - 2);
    let share = place - below as f64;
    let channel =
        |i: usize| (STOPS[below][i] + share * (STOPS[below + 1][i] - STOPS[below][i])).round() as u8;
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
        let (angles, _) = grouped(&matrix(0.0, 90.0), Cells::Degrees);
        assert!(angles.iter().flatten().all(|&angle| angle == 90.0));
    }
}
