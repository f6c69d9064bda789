//! Shared size, fonts, colours and HTML output of drawings.

use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, RGBColor, SVGBackend},
    style::{Color, FontDesc, FontFamily, FontStyle, IntoTextStyle, ShapeStyle, TextStyle},
};

use serde::Serialize;

use crate::{Error, Result, html::escape};

/// Canvas size. Pages scale it down by 2 or more, because the backend rounds to whole pixels.
pub(crate) const WIDTH: u32 = 1040;
pub(crate) const HEIGHT: u32 = 640;

/// Stroke width for the canvas size.
pub(crate) const STROKE: u32 = 4;
const TEXT: f64 = 38.0;

pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
pub(crate) const GREY: RGBColor = RGBColor(140, 140, 140);
/// Less prominent text, the page's `--dim`.
pub(crate) const DIM: RGBColor = RGBColor(0x59, 0x63, 0x6e);

/// Number of distinct colours; further series are dashed.
pub(crate) const COLORS: usize = 7;

/// Colour-blind-safe palette of Okabe and Ito (2008), without colours that are too light on white; highest contrast
/// first.
const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// Darker shades of [`PALETTE`] for text: a contrast of at least 4.5 on white (WCAG 2.2, criterion 1.4.3). The style sheet
/// replaces them in the dark theme.
const TEXT_PALETTE: [RGBColor; COLORS] = [
    PALETTE[0],
    RGBColor(185, 82, 0),
    RGBColor(0, 127, 92),
    RGBColor(168, 85, 127),
    RGBColor(31, 122, 176),
    RGBColor(143, 100, 0),
    PALETTE[6],
];

/// Colour of the name of series `index`.
pub(crate) fn text_color(index: usize) -> RGBColor {
    TEXT_PALETTE[index % TEXT_PALETTE.len()]
}

/// Colour of series or class `index`.
pub(crate) fn color(index: usize) -> RGBColor {
    PALETTE[index % PALETTE.len()]
}

pub(crate) fn line(color: RGBColor) -> ShapeStyle {
    color.stroke_width(STROKE)
}

pub(crate) fn text() -> TextStyle<'static> {
    sized_text(TEXT)
}

pub(crate) fn sized_text(size: f64) -> TextStyle<'static> {
    FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal).color(&INK).into_text_style(&(0, 0))
}

/// A drawing with legend, caption, and the values that the page's script shows.
#[derive(Debug)]
pub(crate) struct Drawing {
    svg: String,
    swatches: Vec<Swatch>,
    caption: String,
    values: Option<Values>,
}

/// A legend entry.
#[derive(Clone, Debug)]
pub(crate) struct Swatch {
    /// Index of the series.
    pub(crate) index: usize,
    pub(crate) color: RGBColor,
    pub(crate) dashed: bool,
    pub(crate) name: String,
}

/// Values of a drawing that the page's script shows at the pointer. Positions are in units of the canvas.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Values {
    /// Lines over a common x axis.
    Lines {
        /// Name of x, such as "epoch".
        x: &'static str,
        /// Values of x at the left and the right end of the axis.
        range: (f64, f64),
        /// Left and right end of the axis.
        ends: (i32, i32),
        /// Names of x = 0, 1, ...; empty for numbers.
        names: Vec<String>,
        percent: bool,
        series: Vec<Line>,
    },
    /// Named places.
    Places { places: Vec<(i32, i32, String)> },
    /// Squares of a matrix.
    Squares {
        left: i32,
        top: i32,
        side: i32,
        names: Vec<String>,
        /// Text between the names of row and column.
        between: &'static str,
        unit: &'static str,
        /// Null for squares without a value. Of angles, which are symmetric, only the rows up to the diagonal.
        values: Vec<Vec<f64>>,
    },
}

/// One line of [`Values::Lines`].
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Rounds to four significant digits, to keep pages small.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Width of a character in lower-case letters.
fn width(c: char) -> f64 {
    match c {
        'A'..='Z' | 'm' | 'w' => 1.4,
        // East Asian scripts and pictographs.
        '\u{1100}'.. => 2.0,
        _ => 1.0,
    }
}

/// Approximate width of `text` in a font of size `size`, in units of the canvas.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    0.56 * size * text.chars().map(width).sum::<f64>()
}

/// Shortens a name to the width of `most` lower-case letters.
pub(crate) fn shortened(name: &str, most: usize) -> String {
    let most = most as f64;
    if name.chars().map(width).sum::<f64>() <= most {
        return name.to_owned();
    }
    let mut used = 1.0;
    let fits = |c: &char| {
        used += width(*c);
        used <= most
    };
    let start: String = name.chars().take_while(fits).collect();
    format!("{}\u{2026}", start.trim_end())
}

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

impl Drawing {
    /// Draws with `draw` on a white area of this size; `label` is the text for screen readers.
    pub(crate) fn new(label: &str, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<Self> {
        let elements = elements(label, size, |area| {
            area.fill(&plotters::style::WHITE)?;
            draw(area)
        })?;
        let ((width, height), label) = (size, escape(label));
        let svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">\n{elements}</svg>"
        );
        Ok(Self { svg, swatches: vec![], caption: String::new(), values: None })
    }

    /// Draws series `index` on top, as a group that the page's script can hide.
    pub(crate) fn with_series(
        self,
        index: usize,
        size: (u32, u32),
        draw: impl FnOnce(&Area<'_>) -> Drawn,
    ) -> Result<Self> {
        let elements = elements("a series", size, draw)?;
        Ok(self.with_svg(&format!("<g data-series=\"{index}\">\n{elements}</g>\n")))
    }

    /// Adds SVG elements on top.
    pub(crate) fn with_svg(mut self, elements: &str) -> Self {
        let end = self.svg.len() - "</svg>".len();
        self.svg.insert_str(end, elements);
        self
    }

    /// Draws on top.
    pub(crate) fn with_layer(
        self,
        label: &str,
        size: (u32, u32),
        draw: impl FnOnce(&Area<'_>) -> Drawn,
    ) -> Result<Self> {
        Ok(self.with_svg(&elements(label, size, draw)?))
    }

    pub(crate) fn with_swatches(mut self, swatches: Vec<Swatch>) -> Self {
        self.swatches = swatches;
        self
    }

    pub(crate) fn with_values(mut self, values: Values) -> Self {
        self.values = Some(values);
        self
    }

    /// Appends `caption` to the caption.
    pub(crate) fn with_caption(mut self, caption: &str) -> Self {
        if !self.caption.is_empty() {
            self.caption.push(' ');
        }
        self.caption.push_str(caption);
        self
    }

    /// Renders a `figure` element.
    pub(crate) fn to_html(&self, title: &str) -> String {
        // Serialising numbers and strings cannot fail.
        let values = self.values.as_ref().and_then(|values| serde_json::to_string(values).ok());
        let values = values.map_or_else(String::new, |json| format!(" data-values=\"{}\"", escape(&json)));
        let caption = match self.caption.as_str() {
            "" => String::new(),
            caption => format!("<p>{}</p>", escape(caption)),
        };
        format!(
            "<figure{values}>\n<h3>{}</h3>\n{}\n<figcaption>{}{caption}</figcaption>\n</figure>\n",
            escape(title),
            self.svg,
            legend(&self.swatches),
        )
    }
}

/// The SVG elements drawn, without the backend's fixed-size root: the page sets the size.
fn elements(label: &str, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut drawn = String::new();
    let failed = |error: Box<dyn std::error::Error>| Error::Drawing {
        drawing: label.into(),
        reason: error.to_string(),
    };
    {
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        draw(&area).map_err(failed)?;
        area.present().map_err(|error| failed(error.into()))?;
    }
    let elements = drawn.split_once(">\n").map_or("", |(_, elements)| elements).trim_end();
    Ok(elements.strip_suffix("</svg>").unwrap_or(elements).to_owned())
}

/// A legend as HTML.
pub(crate) fn legend(swatches: &[Swatch]) -> String {
    let entry = |Swatch { index, color: RGBColor(r, g, b), dashed, name }: &Swatch| {
        let dash = if *dashed { " stroke-dasharray=\"5 3\"" } else { "" };
        format!(
            "<span class=\"swatch\" data-series=\"{index}\"><svg viewBox=\"0 0 22 8\" aria-hidden=\"true\"><line x1=\"0\" \
             x2=\"22\" y1=\"4\" y2=\"4\" stroke=\"#{r:02X}{g:02X}{b:02X}\" stroke-width=\"3\"{dash}/></svg>{}</span>",
            escape(name)
        )
    };
    swatches.iter().map(entry).collect::<Vec<_>>().join(" ")
}
