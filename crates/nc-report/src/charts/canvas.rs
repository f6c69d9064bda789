//! Shared size, fonts, colours and HTML output of drawings.

use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, RGBColor, SVGBackend},
    style::{Color, FontDesc, FontFamily, FontStyle, IntoTextStyle, ShapeStyle, TextStyle},
};

use crate::{Error, Result, html::escape};

/// Canvas size. Pages scale it down by 2 or more, because the backend rounds to whole pixels.
pub(crate) const WIDTH: u32 = 1040;
pub(crate) const HEIGHT: u32 = 640;

/// Stroke width for the canvas size.
pub(crate) const STROKE: u32 = 4;
const TEXT: f64 = 38.0;

pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
pub(crate) const GREY: RGBColor = RGBColor(140, 140, 140);

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

/// A drawing with legend and caption.
#[derive(Debug)]
pub(crate) struct Drawing {
    svg: String,
    swatches: Vec<Swatch>,
    caption: String,
}

/// A legend entry.
#[derive(Clone, Debug)]
pub(crate) struct Swatch {
    pub(crate) color: RGBColor,
    pub(crate) dashed: bool,
    pub(crate) name: String,
}

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Drawing {
    /// Draws with `draw` on a white area of this size; `label` is the text for screen readers.
    pub(crate) fn new(
        label: &str,
        (width, height): (u32, u32),
        draw: impl FnOnce(&Area<'_>) -> std::result::Result<(), Box<dyn std::error::Error>>,
    ) -> Result<Self> {
        let mut drawn = String::new();
        let failed = |error: Box<dyn std::error::Error>| Error::Drawing {
            drawing: label.into(),
            reason: error.to_string(),
        };
        {
            let area = SVGBackend::with_string(&mut drawn, (width, height)).into_drawing_area();
            area.fill(&plotters::style::WHITE).map_err(|error| failed(error.into()))?;
            draw(&area).map_err(failed)?;
            area.present().map_err(|error| failed(error.into()))?;
        }
        // Drop the backend's fixed-size element: the page sets the size.
        let body = drawn.split_once('>').map_or("", |(_, body)| body);
        let label = escape(label);
        let svg = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}");
        Ok(Self { svg, swatches: vec![], caption: String::new() })
    }

    pub(crate) fn with_swatches(mut self, swatches: Vec<Swatch>) -> Self {
        self.swatches = swatches;
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
        let swatch = |Swatch { color: RGBColor(r, g, b), dashed, name }: &Swatch| {
            let dash = if *dashed { " stroke-dasharray=\"5 3\"" } else { "" };
            format!(
                "<span class=\"swatch\"><svg viewBox=\"0 0 22 8\" aria-hidden=\"true\"><line x1=\"0\" x2=\"22\" y1=\"4\" \
                 y2=\"4\" stroke=\"rgb({r},{g},{b})\" stroke-width=\"3\"{dash}/></svg>{}</span>",
                escape(name)
            )
        };
        let swatches: Vec<String> = self.swatches.iter().map(swatch).collect();
        format!(
            "<figure>\n<h3>{}</h3>\n{}<figcaption>{}{}</figcaption>\n</figure>\n",
            escape(title),
            self.svg,
            swatches.join(" "),
            if self.caption.is_empty() { String::new() } else { format!("<p>{}</p>", escape(&self.caption)) }
        )
    }
}
