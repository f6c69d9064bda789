//! The lines of an image list.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use csv::{ReaderBuilder, StringRecord, Trim};
use unicode_normalization::UnicodeNormalization;

use crate::{counted, names::is_image};

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Line number, from 1.
    pub line: usize,
    /// Image file, relative to the image directory.
    pub path: PathBuf,
    /// Class.
    pub label: Label,
    /// Value in the column `group`; `None` without a value.
    pub group: Option<String>,
}

/// The class of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Its number, from 0.
    Number(u32),
    /// Its name in NFC.
    Name(String),
}

/// Quotes names.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl Label {
    /// `None` for an empty text and for numbers that are no labels, such as `-1`.
    fn parse(text: &str) -> Option<Self> {
        let is_number = text.chars().all(|c| c.is_ascii_digit() || ['+', '-', '.'].contains(&c));
        match text.parse() {
            Ok(number) => Some(Self::Number(number)),
            Err(_) if is_number => None,
            Err(_) => Some(Self::Name(text.nfc().collect())),
        }
    }

    fn is_name(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

/// Content of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) entries: Vec<Entry>,
    pub(super) has_groups: bool,
    /// Columns of other names.
    pub(super) unused_columns: Vec<String>,
    pub(super) faults: Vec<Fault>,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Parses lines `path label` with numbers, or `path<TAB>class name` if the first line has a tab and no number behind it.
pub(super) fn text(text: &str) -> Parsed {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let named = |line: &str| Some(line.rsplit_once('\t')?).and_then(|(_, label)| Label::parse(label.trim()));
    let is_named =
        lines.clone().next().and_then(|(_, line)| named(line)).is_some_and(|label| label.is_name());
    let entry = |(index, line): (usize, &str)| {
        let parts = if is_named { line.rsplit_once('\t') } else { line.rsplit_once([' ', '\t']) };
        let entry = parts.and_then(|(file, label)| {
            let label =
                if is_named { Label::parse(label.trim())? } else { Label::Number(label.parse().ok()?) };
            Some(Entry { line: index + 1, path: file.trim_end().into(), label, group: None })
        });
        entry.ok_or_else(|| {
            let expected = if is_named {
                "a path, a tab and a class name"
            } else {
                "\"path label\" with a label from 0, or a tab before the class name in every line"
            };
            Fault { line: index + 1, message: format!("expected {expected}, found {line:?}") }
        })
    };
    let mut parsed = Parsed::default();
    for entry in lines.map(entry) {
        parsed.add(entry);
    }
    parsed.refuse_other_labels();
    parsed
}

/// Names of columns in a header.
const PATH: [&str; 4] = ["path", "file", "filename", "image"];
const LABEL: [&str; 2] = ["label", "class"];
const GROUP: &str = "group";

/// The places of the columns.
struct Columns {
    path: usize,
    label: usize,
    group: Option<usize>,
    count: usize,
}

/// Parses comma-separated lines of path, label and possibly group, with or without a header. Without usable columns in the
/// first line, the others are not read.
pub(super) fn csv(text: &str) -> Parsed {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let (mut parsed, mut columns) = (Parsed::default(), None);
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                parsed.faults.push(Fault { line: lines.line, message: error.to_string() });
                continue;
            }
        };
        let line = lines.line_of(record.position().map_or(0, |position| position.byte() as usize));
        if record.len() == 1 && record[0].is_empty() {
            continue;
        }
        let columns = if let Some(columns) = &columns {
            columns
        } else {
            let (found, is_header) = match Columns::of(&record, &mut parsed.unused_columns) {
                Ok(found) => found,
                Err(message) => {
                    parsed.faults.push(Fault { line, message });
                    return parsed;
                }
            };
            parsed.has_groups = found.group.is_some();
            let found = columns.insert(found);
            if is_header {
                continue;
            }
            found
        };
        parsed.add(columns.entry(&record, line).map_err(|message| Fault { line, message }));
    }
    parsed.refuse_other_labels();
    parsed
}

impl Parsed {
    fn add(&mut self, entry: Result<Entry, Fault>) {
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// In a list with both numbers and names, those unlike the first label are typing errors.
    fn refuse_other_labels(&mut self) {
        let Some(first) = self.entries.first() else { return };
        let (line, is_name) = (first.line, first.label.is_name());
        let kind = if is_name { "a class name" } else { "a number" };
        let others =
            self.entries.iter().filter(|entry| entry.label.is_name() != is_name).map(|entry| Fault {
                line: entry.line,
                message: format!("expected {kind} as label, as in line {line}, found {}", entry.label),
            });
        self.faults.extend(others);
    }
}

impl Columns {
    /// The columns that the first record has, and whether it is a header.
    fn of(record: &StringRecord, unused: &mut Vec<String>) -> Result<(Self, bool), String> {
        let names: Vec<String> = record.iter().map(str::to_lowercase).collect();
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let count = record.len();
        let Some(path) = find(&PATH) else {
            if looks_like_header(record) {
                return Err("looks like a header; name its columns path and label".into());
            }
            return match count {
                2 => Ok((Self { path: 0, label: 1, group: None, count }, false)),
                3 => Ok((Self { path: 0, label: 1, group: Some(2), count }, false)),
                _ => Err(other_separator(record).unwrap_or_else(|| {
                    format!(
                        "expected the columns path and label, or path, label and group, separated by commas, found {} \
                         without a header",
                        counted(count, "column", "columns")
                    )
                })),
            };
        };
        let label = find(&LABEL).ok_or_else(|| {
            format!("expected a column {} beside {:?}, found none", LABEL.join(" or "), &record[path])
        })?;
        let group = find(&[GROUP]);
        let used = |place: usize| place == path || place == label || Some(place) == group;
        unused.extend(
            record.iter().enumerate().filter(|(place, _)| !used(*place)).map(|(_, name)| name.into()),
        );
        Ok((Self { path, label, group, count }, true))
    }

    fn entry(&self, record: &StringRecord, line: usize) -> Result<Entry, String> {
        if record.len() != self.count {
            return Err(other_separator(record).unwrap_or_else(|| {
                format!("expected {} columns as before, found {}", self.count, record.len())
            }));
        }
        let (path, label) = (&record[self.path], &record[self.label]);
        if path.is_empty() {
            return Err("expected a path, found none".into());
        }
        let label = Label::parse(label)
            .ok_or_else(|| format!("expected a class name or a label from 0, found {label:?}"))?;
        let group = self.group.map(|place| &record[place]).filter(|group| !group.is_empty());
        Ok(Entry { line, path: path.into(), label, group: group.map(|group| group.nfc().collect()) })
    }
}

/// True for a first record whose file is not an image, with a class name.
fn looks_like_header(record: &StringRecord) -> bool {
    let (path, label) = (&record[0], record.get(1).and_then(Label::parse));
    !path.is_empty() && !is_image(Path::new(path)) && label.is_some_and(|label| label.is_name())
}

/// An error for a line that another character than a comma separates.
fn other_separator(record: &StringRecord) -> Option<String> {
    let separators = [(';', "semicolons"), ('\t', "tabs")];
    let (_, found) = separators.into_iter().find(|(separator, _)| record[0].contains(*separator))?;
    (record.len() == 1).then(|| format!("expected columns separated by commas, found {found}"))
}

/// Line numbers of ascending places in a text. Those of the `csv` crate are one too small after `\r\n`.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the record that begins at or after `place`.
    fn line_of(&mut self, place: usize) -> usize {
        let blank = self.text[place..].iter().take_while(|byte| [b'\r', b'\n'].contains(byte)).count();
        let place = place + blank;
        self.line += self.text[self.at..place].split(|&byte| byte == b'\n').count() - 1;
        self.at = place;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::{Label, Parsed, csv, text};

    fn read(parsed: &Parsed) -> Vec<(usize, &str, String, Option<&str>)> {
        let entry = |entry: &'_ super::Entry| (entry.line, entry.label.to_string());
        parsed
            .entries
            .iter()
            .map(|e| (entry(e).0, e.path.to_str().unwrap(), entry(e).1, e.group.as_deref()))
            .collect()
    }

    #[test]
    fn headers_give_the_columns_and_their_order() {
        let parsed = csv("Class,Age,FileName,group\r\nFire ant,3,\"a, b.png\",g1\r\n\r\nbee,4,c.png,\r\n");
        assert_eq!(
            read(&parsed),
            [(2, "a, b.png", "\"Fire ant\"".into(), Some("g1")), (4, "c.png", "\"bee\"".into(), None)]
        );
        assert!(parsed.has_groups);
        assert_eq!(parsed.unused_columns, ["Age"]);
    }

    #[test]
    fn columns_without_a_header_are_path_label_group() {
        let two = csv("\na.png, 1\n\n\"line\nbreak.png\",0\nb.png,1\n");
        let lines: Vec<_> = two.entries.iter().map(|entry| entry.line).collect();
        assert_eq!((lines, two.has_groups), (vec![2, 4, 6], false));
        assert_eq!(two.entries[0].label, Label::Number(1));
        assert!(csv("a.png,1,g\nb.png,0,h\n").has_groups);
    }

    #[test]
    fn names_are_composed_and_follow_a_tab_in_text() {
        let parsed = text("a b.png\tcafe\u{301} au lait\n\n c.png \t tea \n");
        assert_eq!(
            read(&parsed),
            [(1, "a b.png", "\"caf\u{e9} au lait\"".into(), None), (3, "c.png", "\"tea\"".into(), None)]
        );
        assert_eq!(text("a.png\t3\n").entries[0].label, Label::Number(3));
    }

    #[test]
    fn errors_name_the_line() {
        for (wrong, found) in [
            (csv("a.png\n"), "line 1: expected the columns path and label"),
            (csv("a.png;0\n"), "line 1: expected columns separated by commas, found semicolons"),
            (csv("path\tlabel\n"), "line 1: expected columns separated by commas, found tabs"),
            (csv("a.png,0\nb.png;1\n"), "line 2: expected columns separated by commas, found semicolons"),
            (
                csv("picture,species\na.png,ant\n"),
                "line 1: looks like a header; name its columns path and label",
            ),
            (csv("path,group\na.png,0\n"), "line 1: expected a column label or class beside \"path\""),
            (csv("path,label\na.png,0,9\n"), "line 2: expected 2 columns as before, found 3"),
            (
                csv("a.png,0\r\n\r\nb.png,ant\r\n"),
                "line 3: expected a number as label, as in line 1, found \"ant\"",
            ),
            (csv("a.png,ant\nb.png,7\n"), "line 2: expected a class name as label, as in line 1, found 7"),
            (csv("a.png,-1\n"), "line 1: expected a class name or a label from 0, found \"-1\""),
            (csv("a.png,\n"), "line 1: expected a class name or a label from 0, found \"\""),
            (csv(",ant\n"), "line 1: expected a path"),
            (text("a.png\tant\nb.png 0\n"), "line 2: expected a path, a tab and a class name"),
            (text("a.png\tant\nb.png\t0\n"), "line 2: expected a class name as label, as in line 1, found 0"),
            (text("a.png 0\nb.png\tant\n"), "line 2: expected \"path label\""),
        ] {
            let [fault] = &wrong.faults[..] else { panic!("{found}: {:?}", wrong.faults) };
            let message = fault.to_string();
            assert!(message.starts_with(found), "{message}");
        }
    }

    #[test]
    fn every_unusable_line_is_reported() {
        let lines = |parsed: Parsed| parsed.faults.iter().map(|fault| fault.line).collect::<Vec<_>>();
        assert_eq!(lines(csv("path,label\na.png,ant\n,bee\nb.png\nc.png,bee\nd.png,7\n")), [3, 4, 6]);
        assert_eq!(lines(text("a.png 0\nb.png\n\nc.png ant\nd.png 1\n")), [2, 4]);
    }
}
