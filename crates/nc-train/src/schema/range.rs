use std::fmt;

use serde_json::Value as Json;

/// The numbers that a setting may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    /// Whether only whole numbers.
    pub(super) whole: bool,
    pub(super) least: Bound,
    pub(super) most: Bound,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    /// It belongs to the range.
    Included(f64),
    /// It does not.
    Excluded(f64),
    /// There is none but that of the type.
    None,
}

impl Range {
    /// That of a number in a JSON schema.
    pub(super) fn read(schema: &Json, whole: bool) -> Self {
        let bound = |included: &str, excluded: &str| match (&schema[included], &schema[excluded]) {
            (_, Json::Number(end)) => end.as_f64().map_or(Bound::None, Bound::Excluded),
            (Json::Number(end), _) => end.as_f64().map_or(Bound::None, Bound::Included),
            _ => Bound::None,
        };
        let (least, most) = (bound("minimum", "exclusiveMinimum"), bound("maximum", "exclusiveMaximum"));
        Self { whole, least, most }
    }

    /// Whether `number` lies in it; one that is no number does not.
    pub(super) fn contains(&self, number: f64) -> bool {
        let above = match self.least {
            Bound::Included(end) => number >= end,
            Bound::Excluded(end) => number > end,
            Bound::None => number.is_finite(),
        };
        let below = match self.most {
            Bound::Included(end) => number <= end,
            Bound::Excluded(end) => number < end,
            Bound::None => number.is_finite(),
        };
        above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.whole { "a whole number" } else { "a number" })?;
        match self.least {
            Bound::Included(end) => write!(f, " from {}", short(end))?,
            Bound::Excluded(end) => write!(f, " above {}", short(end))?,
            Bound::None => {}
        }
        match (self.least, self.most) {
            (_, Bound::None) => Ok(()),
            (Bound::Included(_), Bound::Included(end)) => write!(f, " to {}", short(end)),
            (Bound::Included(_), Bound::Excluded(end)) => write!(f, " to below {}", short(end)),
            (_, Bound::Included(end)) => write!(f, " and at most {}", short(end)),
            (_, Bound::Excluded(end)) => write!(f, " and below {}", short(end)),
        }
    }
}

fn short(number: f64) -> String {
    if number.abs() < 1e7 { number.to_string() } else { format!("{number:e}") }
}
