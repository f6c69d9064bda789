//! A matrix over pairs of classes as coloured squares.

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

/// A matrix over pairs of classes.
pub(crate) struct HeatMap<'a> {
    /// What it is, for those who cannot see it.
    pub(crate) label: &'a str,
    /// Names of the classes.
    pub(crate) classes: &'a [String],
    /// (K, K).
    pub(crate) values: &'a [Vec<f64>],
    /// The values of the first and the last colour.
    pub(crate) range: (f64, f64),
    /// Its unit, behind a number.
    pub(crate) unit: &'a str,
    /// A value to be marked on the scale.
    pub(crate) mark: Option<f64>,
    /// What rows and columns are, where they are different things.
    pub(crate) axes: Option<(&'a str, &'a str)>,
}

/// Classes with numbers in their squares, and with names beside them.
const NUMBERED: usize = 20;

/// The most squares along a side; of more classes, neighbours are put together.
const SQUARES: usize = 100;

impl HeatMap<'_> {
    /// The drawing; none without classes.
    pub(crate) fn draw(&self) -> Result<Option<Drawing>> {
        let (values, group) = grouped(self.values);
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
                        let number = if self.range.1 <= 1.0 { 100.0 * value } else { value };
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
            drawing.with_caption(format!("Each square is the mean over {group} classes of like size."))
        } else {
            drawing
        }))
    }

    /// The colours with their values, and the mark.
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
        let name = |value: f64| {
            if self.range.1 <= 1.0 {
                format!("{:.0} %", 100.0 * value)
            } else {
                format!("{value:.0}{}", self.unit)
            }
        };
        area.draw(&Text::new(name(self.range.0), (x, y + 36), style(HPos::Left)))?;
        area.draw(&Text::new(name(self.range.1), (x + width, y + 36), style(HPos::Right)))?;
        if let Some(mark) = self.mark {
            let at = place(mark);
            let black = ShapeStyle { color: INK.to_rgba(), filled: true, stroke_width: 1 };
            area.draw(&Rectangle::new([(at - 2, y - 8), (at + 2, y + 34)], black))?;
            let text = format!("optimum {mark:.1}{}", self.unit);
            area.draw(&Text::new(text, (at, y + 36), style(HPos::Center)))?;
        }
        Ok(())
    }

    /// How far along the colours a value is.
    fn share(&self, value: f64) -> f64 {
        ((value - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0)
    }
}

fn centered(size: f64) -> TextStyle<'static> {
    sized_text(size).pos(Pos::new(HPos::Center, VPos::Center))
}

/// At most [`SQUARES`] rows and columns: means over as many neighbours as it takes, and how many those are.
fn grouped(values: &[Vec<f64>]) -> (Vec<Vec<f64>>, usize) {
    let group = values.len().div_ceil(SQUARES).max(1);
    if group == 1 {
        return (values.to_vec(), 1);
    }
    let mean = |rows: &[Vec<f64>], from: usize| {
        let cells = rows.iter().flat_map(|row| row.iter().skip(from).take(group));
        let (sum, count) = cells.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
        sum / f64::from(count.max(1))
    };
    let row = |rows: &[Vec<f64>]| (0..values.len()).step_by(group).map(|from| mean(rows, from)).collect();
    (values.chunks(group).map(row).collect(), group)
}

/// From dark blue at 0 to yellow at 1 (after the colour map cividis, which reads the same for colour-blind people).
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
