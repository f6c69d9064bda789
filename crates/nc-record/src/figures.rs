use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Metrics by dotted name, such as `nc1.trace.sample_weighted`.
pub type Figures = BTreeMap<String, f64>;

/// Flattens a serialisable report to its scalar numbers, named by the field path joined with dots. Lists, strings,
/// booleans and nulls are omitted. A report that fails to serialise yields an empty map.
///
/// ```
/// use serde_json::json;
///
/// let report = json!({"nc1": {"trace": {"sample_weighted": 0.5}, "cdnv": null}, "norms": [1.0, 2.0], "classes": 2});
/// let figures = nc_record::figures(&report);
/// assert_eq!(figures["nc1.trace.sample_weighted"], 0.5);
/// assert_eq!(figures.keys().collect::<Vec<_>>(), ["classes", "nc1.trace.sample_weighted"]);
/// ```
pub fn figures(report: &impl Serialize) -> Figures {
    let mut figures = Figures::new();
    collect("", &serde_json::to_value(report).unwrap_or_default(), &mut figures);
    figures
}

fn collect(name: &str, value: &Value, figures: &mut Figures) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                collect(&name, value, figures);
            }
        }
        value => figures.extend(value.as_f64().map(|number| (name.to_owned(), number))),
    }
}
