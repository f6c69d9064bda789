use std::fmt::Write;

use crate::{
    AngleMap, Figure, NormGroup, NormSeries, Panels, Provenance, Result,
    charts::{COLORS, Cells, Curves, Drawing, HeatMap, Series, X},
    figure::{mean_nearest, smallest, spread},
    format,
    html::{escape, notes, panels},
};

pub(super) fn add_figure(out: &mut String, figure: &Figure) -> Result<()> {
    let mut drawings: Vec<(&str, Drawing)> = vec![];
    match &figure.panels {
        Panels::Angles { maps } => {
            for map in maps {
                drawings.extend(angles(map)?.map(|drawing| (map.name.as_str(), drawing)));
            }
        }
        Panels::Norms { groups } => {
            for group in groups {
                drawings.extend(norms(group)?.map(|drawing| (group.title.as_str(), drawing)));
            }
        }
    }
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<h2>Figure {}: {}</h2>\n<p>{}.</p>\n",
        escape(&figure.id),
        escape(&figure.title),
        escape(&figure.scale)
    );
    panels(out, &drawings);
    let run = |(name, run): (String, &Provenance)| {
        format!(
            "{}: {} epochs, <code>{}</code>, record <code>{}</code>.",
            escape(&name),
            format::epochs(run),
            escape(&run.command),
            escape(&run.record)
        )
    };
    notes(out, figure.notes.iter().map(|note| escape(note)).chain(figure.runs().into_iter().map(run)));
    Ok(())
}

fn angles(map: &AngleMap) -> Result<Option<Drawing>> {
    let drawing = HeatMap {
        label: &format!("angles between class means, {}", map.name),
        classes: &map.classes,
        values: &map.degrees,
        cells: Cells::Degrees { ideal: map.ideal_degrees, reach: None },
        axes: None,
    }
    .draw()?;
    let caption = format!(
        "Mean nearest angle {}°, smallest {}°, ideal {}°.",
        format::figure(mean_nearest(&map.degrees)),
        format::figure(smallest(&map.degrees)),
        format::figure(map.ideal_degrees)
    );
    Ok(drawing.map(|drawing| drawing.with_caption(&caption)))
}

fn norms(group: &NormGroup) -> Result<Option<Drawing>> {
    let line = |(hue, series): (usize, &NormSeries)| Series {
        name: series.name.clone(),
        points: series.norms.iter().enumerate().map(|(class, &norm)| (class as f64, norm)).collect(),
        hue,
        dashed: hue >= COLORS,
        ..Series::default()
    };
    let classes = group.series.iter().map(|series| &series.classes).find(|classes| !classes.is_empty());
    let drawing = Curves {
        label: &format!("norms of centred class means, {}", group.title),
        x: X::Classes(classes.map_or(&[], Vec::as_slice)),
        y_title: "norm",
        series: group.series.iter().enumerate().map(line).collect(),
        ..Curves::default()
    }
    .draw()?;
    let spreads: Vec<String> = group
        .series
        .iter()
        .filter_map(|series| Some(format!("{} {:.3}", series.name, spread(&series.norms)?)))
        .collect();
    let caption = format!("Standard deviation / mean: {}.", spreads.join(", "));
    Ok(drawing.map(|drawing| drawing.with_caption(&caption)))
}
