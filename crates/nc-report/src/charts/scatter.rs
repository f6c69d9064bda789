//! 2-D projection of features.

use nc_metrics::Projection;
use plotters::{
    prelude::{ChartBuilder, Circle, Cross, EmptyElement, PathElement, Text},
    style::{Color, HSLColor, RGBColor},
};

use crate::{
    Result,
    charts::canvas::{Drawing, GREY, INK, WIDTH, color, sized_text, text},
};

/// Draws features (dots), class means (labelled discs) and classifier directions (lines from the origin).
pub(crate) fn plane(projection: &Projection) -> Result<Option<Drawing>> {
    let k = projection.classes.len();
    let places = projection.samples.iter().map(|sample| sample.at).chain(projection.means.iter().copied());
    let reach = places.flatten().map(f64::abs).fold(0.0, f64::max) * 1.08;
    if reach == 0.0 {
        return Ok(None);
    }
    let label = "training features in the plane of their first two principal components";
    let drawing = Drawing::new(label, (WIDTH, WIDTH), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(20)
            .x_label_area_size(60)
            .y_label_area_size(60)
            .build_cartesian_2d(-reach..reach, -reach..reach)?;
        let [first, second] =
            projection.explained.map(|share| format!("{:.0} % of the variance", 100.0 * share));
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(0)
            .y_labels(0)
            .x_desc(first)
            .y_desc(second)
            .axis_desc_style(text())
            .axis_style(GREY.stroke_width(2))
            .draw()?;
        let hue = |row: usize| class_color(row, k);
        let row_of = |class: u32| projection.classes.iter().position(|&other| other == class).unwrap_or(0);
        chart.draw_series(projection.samples.iter().map(|sample| {
            Circle::new((sample.at[0], sample.at[1]), 5, hue(row_of(sample.class)).mix(0.35).filled())
        }))?;
        let longest = projection.means.iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f64::max);
        chart.draw_series(projection.weights.iter().enumerate().map(|(row, [x, y])| {
            PathElement::new(vec![(0.0, 0.0), (x * longest, y * longest)], hue(row).stroke_width(4))
        }))?;
        chart.draw_series([Cross::new((0.0, 0.0), 8, INK.stroke_width(2))])?;
        let radius = if k <= 20 { 22 } else { 7 };
        for (row, &[x, y]) in projection.means.iter().enumerate() {
            let disc = EmptyElement::at((x, y)) + Circle::new((0, 0), radius, hue(row).filled());
            chart.draw_series([disc])?;
            if k <= 20 {
                use plotters::style::text_anchor::{HPos, Pos, VPos};
                let style =
                    sized_text(28.0).color(&plotters::style::WHITE).pos(Pos::new(HPos::Center, VPos::Center));
                let name = Text::new(projection.classes[row].to_string(), (0, 0), style);
                chart.draw_series([EmptyElement::at((x, y)) + name])?;
            }
        }
        Ok(())
    })?;
    Ok(Some(drawing.with_caption(
        "Discs: class means; dots: features, balanced over classes where possible; lines: projected directions of the \
         classifier rows. At collapse, the dots lie under the discs and the lines point at them. With more than three \
         classes, no plane shows all angles.",
    )))
}

/// Colour of a class: the palette for few classes, else hues around the circle such that neighbours differ.
fn class_color(row: usize, classes: usize) -> RGBColor {
    if classes <= 7 {
        return color(row);
    }
    // Three shades of each hue, and hues in steps of the golden ratio.
    let hue = (row as f64 * 0.618_034).fract();
    let (r, g, b) = HSLColor(hue, 0.65, [0.35, 0.48, 0.42][row % 3]).to_backend_color().rgb;
    RGBColor(r, g, b)
}
