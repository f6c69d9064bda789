//! SVG charts.

mod bars;
mod canvas;
mod curves;
mod heat_map;
mod scatter;

pub(crate) use bars::{ClassBars, reliability};
pub(crate) use canvas::{COLORS, Drawing, Swatch, color, legend};
pub(crate) use curves::{Curves, Mark, Scale, Series, X, key};
pub(crate) use heat_map::{Cells, HeatMap};
pub(crate) use scatter::plane;
