//! 2-D projection of features.

use nc_metrics::Projection;
use plotters::{
    prelude::{ChartBuilder, Circle, Cross, EmptyElement, PathElement, Text},
    style::{
        Color, HSLColor, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    Result,
    charts::canvas::{Drawing, GREY, INK, Values, WIDTH, color, shortened, sized_text, text},
};

/// Largest number of classes drawn with their names.
const NAMED: usize = 20;

/// Draws features (dots), class means (named discs) and classifier directions (lines from the origin). `name` gives the
/// name of a class.
pub(crate) fn plane(projection: &Projection, name: &dyn Fn(usize) -> String) -> Result<Option<Drawing>> {
    let k = projection.classes.len();
    let points = projection.samples.iter().map(|sample| sample.at).chain(projection.means.iter().copied());
    let reach = points.flatten().map(f64::abs).fold(0.0, f64::max) * 1.08;
    if reach == 0.0 {
        return Ok(None);
    }
    let label = "training features in the plane of their first two principal components";
    let mut places = vec![];
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
        let radius = if k <= NAMED { 14 } else { 7 };
        for (row, &[x, y]) in projection.means.iter().enumerate() {
            places.push((chart.backend_coord(&(x, y)), name(projection.classes[row] as usize)));
            let disc = EmptyElement::at((x, y)) + Circle::new((0, 0), radius, hue(row).filled());
            chart.draw_series([disc])?;
        }
        if k <= NAMED {
            let style = sized_text(28.0).pos(Pos::new(HPos::Center, VPos::Top));
            for ((x, y), name) in &places {
                area.draw(&Text::new(shortened(name, 12), (*x, y + 16), style.clone()))?;
            }
        }
        Ok(())
    })?;
    let places = places.into_iter().map(|((x, y), name)| (x, y, name)).collect();
    let lines =
        if projection.weights.is_empty() { "" } else { ", and directions of the classifier rows (lines)" };
    Ok(Some(drawing.with_values(Values::Places { places }).with_caption(&format!(
        "Class means (discs) and features (dots) on the first two principal components{lines}. At collapse, all of a class \
         coincide; with more than three classes, no plane shows all angles."
    ))))
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
