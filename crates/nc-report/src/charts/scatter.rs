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
    charts::canvas::{Drawing, GREY, INK, Values, WIDTH, color, shortened, sized_text, text, text_width},
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
    let (mut places, mut left_out) = (vec![], 0);
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
        let radius = if k <= NAMED { DISC } else { 7 };
        for (row, &[x, y]) in projection.means.iter().enumerate() {
            places.push((chart.backend_coord(&(x, y)), name(projection.classes[row] as usize)));
            let disc = EmptyElement::at((x, y)) + Circle::new((0, 0), radius, hue(row).filled());
            chart.draw_series([disc])?;
        }
        if k <= NAMED {
            let names: Vec<(Place, String)> =
                places.iter().map(|(place, name)| (*place, shortened(name, 12))).collect();
            let style = sized_text(NAME).pos(Pos::new(HPos::Center, VPos::Center));
            for (at, (_, name)) in label_places(&names).into_iter().zip(&names) {
                match at {
                    Some(at) => area.draw(&Text::new(name.clone(), at, style.clone()))?,
                    None => left_out += 1,
                }
            }
        }
        Ok(())
    })?;
    let places = places.into_iter().map(|((x, y), name)| (x, y, name)).collect();
    let lines =
        if projection.weights.is_empty() { "" } else { ", and directions of the classifier rows (lines)" };
    let names = if left_out > 0 { " Names that would overlap are left out." } else { "" };
    Ok(Some(drawing.with_values(Values::Places { places }).with_caption(&format!(
        "Class means (discs) and features (dots) on the first two principal components{lines}. At collapse, all of a class \
         coincide; with more than three classes, no plane shows all angles.{names}"
    ))))
}

/// A place on the canvas.
type Place = (i32, i32);

/// Font size of the names.
const NAME: f64 = 28.0;
/// Radius of a disc.
const DISC: i32 = 14;

/// A rectangle: left, top, right, bottom.
type Frame = [f64; 4];

fn overlap(one: &Frame, other: &Frame) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// The centre of each disc's name: below, above, right or left of it, the first that overlaps neither a disc nor an
/// earlier name; none if all do.
fn label_places(discs: &[(Place, String)]) -> Vec<Option<Place>> {
    let around = |(x, y): Place, (width, height): (f64, f64)| -> Frame {
        let (x, y) = (f64::from(x), f64::from(y));
        [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
    };
    let disc = |(place, _): &(Place, String)| around(*place, (2.0 * f64::from(DISC), 2.0 * f64::from(DISC)));
    let mut taken: Vec<Frame> = discs.iter().map(disc).collect();
    let mut place = |((x, y), name): &(Place, String)| {
        let size = (text_width(name, NAME), NAME);
        let (aside, above) = (DISC + 8 + (size.0 / 2.0) as i32, DISC + 2 + (NAME / 2.0) as i32);
        let candidates = [(*x, y + above), (*x, y - above), (x + aside, *y), (x - aside, *y)];
        let free = candidates.into_iter().find(|&at| {
            let frame = around(at, size);
            let inside = frame.iter().all(|side| (0.0..=f64::from(WIDTH)).contains(side));
            inside && !taken.iter().any(|other| overlap(&frame, other))
        });
        taken.extend(free.map(|at| around(at, size)));
        free
    };
    discs.iter().map(&mut place).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_overlap_neither_discs_nor_each_other() {
        let disc = |x, y| ((x, y), "name".to_owned());
        let discs = [disc(500, 500), disc(510, 500), disc(500, 540), disc(500, 1030), disc(4, 800)];
        let found = label_places(&discs);
        // Above, because a disc is below; right of the second; below; above the edge; right of the left edge.
        assert_eq!(found[0], Some((500, 470)));
        assert_eq!(found[1], Some((566, 500)));
        assert_eq!(found[2], Some((500, 570)));
        assert_eq!(found[3], Some((500, 1000)));
        assert_eq!(found[4], Some((60, 800)));
        // Nowhere.
        let crowded: Vec<(Place, String)> = (0..5).map(|_| disc(300, 300)).collect();
        assert_eq!(label_places(&crowded).iter().flatten().count(), 4);
    }
}
