//! Drawings for HTML, which need nothing but a browser.

use std::fmt::Write;

use crate::{AngleMap, NormGroup, html::escape};

/// Angles as a grid of coloured squares, with their numbers where there is room.
pub(crate) fn heat_map(map: &AngleMap) -> String {
    let k = map.classes.len();
    let (side, margin) = (if k <= 20 { 34.0 } else { 5.0 }, 34.0);
    let size = margin + side * k as f64;
    let title = escape(&map.name);
    let mut out = format!(
        "<svg viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"pairwise angles, {title}\" \
         style=\"max-width:{size}px\">"
    );
    for (i, row) in map.degrees.iter().enumerate() {
        let y = margin + side * i as f64;
        for (j, &angle) in row.iter().enumerate() {
            let x = margin + side * j as f64;
            let tip = format!("{} and {}: {angle:.1}°", map.classes[i], map.classes[j]);
            // Writing to a string cannot fail.
            let _ = write!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"{}\"><title>{}</title></rect>",
                color(angle),
                escape(&tip)
            );
            if k <= 20 {
                let ink = if angle > 75.0 { "#000" } else { "#fff" };
                let (x, y) = (x + side / 2.0, y + side / 2.0 + 4.0);
                let _ = write!(
                    out,
                    "<text x=\"{x}\" y=\"{y}\" fill=\"{ink}\" text-anchor=\"middle\" font-size=\"11\">{angle:.0}</text>"
                );
            }
        }
        if k <= 20 {
            let (middle, class) = (y + side / 2.0 + 4.0, escape(&map.classes[i]));
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" font-size=\"11\" fill=\"currentColor\">{class}</text>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\" fill=\"currentColor\">{class}</text>",
                margin - 4.0,
                margin + side * (i as f64 + 0.5),
                margin - 6.0
            );
        }
    }
    out.push_str("</svg>");
    out
}

/// From dark blue at 0 to yellow at 120 degrees (after the colour map cividis, which reads the same for colour-blind
/// people).
fn color(degrees: f64) -> String {
    const STOPS: [[f64; 3]; 5] = [
        [0.0, 32.0, 77.0],
        [66.0, 78.0, 108.0],
        [124.0, 123.0, 120.0],
        [188.0, 174.0, 108.0],
        [255.0, 234.0, 70.0],
    ];
    let place = (degrees / 120.0).clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (place.floor() as usize).min(STOPS.len() - 2);
    let share = place - below as f64;
    let channel = |i: usize| STOPS[below][i] + share * (STOPS[below + 1][i] - STOPS[below][i]);
    format!("rgb({:.0},{:.0},{:.0})", channel(0), channel(1), channel(2))
}

/// Norms by class, the largest class first; series are told apart by colour and by dashes.
pub(crate) fn norm_chart(group: &NormGroup) -> String {
    const STYLES: [(&str, &str); 4] =
        [("#0072b2", ""), ("#d55e00", "6 4"), ("#009e73", "2 3"), ("#cc79a7", "8 3 2 3")];
    let (width, height, left, bottom) = (560.0, 280.0, 48.0, 40.0);
    let drawn: Vec<_> = group.series.iter().filter(|series| !series.norms.is_empty()).collect();
    let classes = drawn.iter().map(|series| series.norms.len()).max().unwrap_or(0);
    let top = drawn.iter().flat_map(|series| &series.norms).copied().fold(0.0, f64::max).max(1e-9) * 1.05;
    let x = |class: usize| left + (width - left - 12.0) * class as f64 / (classes.max(2) - 1) as f64;
    let y = |norm: f64| height - bottom - (height - bottom - 12.0) * norm / top;
    let legend = 18.0 * drawn.len() as f64;
    let mut out = format!(
        "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"norms of centred class means, {}\" \
         style=\"max-width:{width}px\" font-size=\"11\" fill=\"currentColor\">",
        height + legend,
        escape(&group.title)
    );
    for tick in 0..=4 {
        let norm = top * f64::from(tick) / 4.0;
        let _ = write!(
            out,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{2}\" y2=\"{2}\" stroke=\"currentColor\" opacity=\"0.15\"/>\
             <text x=\"{1}\" y=\"{3}\" text-anchor=\"end\">{norm:.2}</text>",
            width - 12.0,
            left - 6.0,
            y(norm),
            y(norm) + 4.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">class, the largest first (1 to {classes})</text>",
        f64::midpoint(left, width),
        height - 12.0
    );
    for (i, (series, (color, dash))) in drawn.iter().zip(STYLES.iter().cycle()).enumerate() {
        let points: Vec<String> = series
            .norms
            .iter()
            .enumerate()
            .map(|(class, &norm)| format!("{:.1},{:.1}", x(class), y(norm)))
            .collect();
        let line = format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"");
        let at = height + 18.0 * i as f64;
        let _ = write!(
            out,
            "<polyline points=\"{}\" {line}/><line x1=\"{left}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" {line}/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            points.join(" "),
            left + 32.0,
            left + 40.0,
            at + 4.0,
            escape(&series.name)
        );
    }
    out.push_str("</svg>");
    out
}
