//! Dependency graph of a crate's files: an edge leads from a file to the file that declares a name it mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::modules::{Modules, Names};

/// Source file -> target file -> names that make the edge.
pub(crate) type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target<'a> {
    Module(&'a Names),
    /// An item, by the file that declares it.
    Item(&'a str),
}

/// Modules and names visited on the way to a target, because re-exports can be cyclic.
type Seen<'a> = BTreeSet<(&'a Names, String)>;

pub(crate) fn edges(modules: &Modules) -> Edges<'_> {
    let mut edges = Edges::new();
    for (path, module) in modules {
        // A single imported name: its import is already an edge, with the full path.
        let imported =
            |names: &Names| names.len() == 1 && module.imports.iter().any(|(alias, _)| *alias == names[0]);
        for names in module.mentions.iter().filter(|names| !imported(names)) {
            for target in resolve(modules, path, names, &mut Seen::new()) {
                match target {
                    // Names looked up in a module are edges, the module alone is not.
                    Target::Item(file) if file != module.file => {
                        let from = edges.entry(module.file.as_str()).or_default();
                        from.entry(file).or_default().insert(names.join("::"));
                    }
                    _ => {}
                }
            }
        }
    }
    edges
}

/// The targets of a path of names in a module: several if a name is a module and a function.
fn resolve<'a>(
    all: &'a Modules,
    within: &'a Names,
    names: &[String],
    seen: &mut Seen<'a>,
) -> BTreeSet<Target<'a>> {
    let mut targets = BTreeSet::from([Target::Module(within)]);
    for (index, name) in names.iter().enumerate() {
        let mut next = BTreeSet::new();
        for target in &targets {
            let Target::Module(parent) = *target else { continue };
            let found = look_up(all, parent, name, seen);
            // A known module without a declaration of the name: a macro declares it.
            if found.is_empty() && index > 0 {
                next.insert(Target::Item(&all[parent].file));
            }
            next.extend(found);
        }
        if next.is_empty() {
            // Names below an item are variants or associated functions; other unknown names are of other crates.
            return if index > 0 { targets } else { next };
        }
        targets = next;
    }
    targets
}

fn look_up<'a>(all: &'a Modules, within: &'a Names, name: &str, seen: &mut Seen<'a>) -> BTreeSet<Target<'a>> {
    let module_at = |path: &[String]| all.get_key_value(path).map(|(path, _)| Target::Module(path));
    match name {
        "crate" => return module_at(&[]).into_iter().collect(),
        "self" => return module_at(within).into_iter().collect(),
        "super" => {
            return within.split_last().and_then(|(_, parent)| module_at(parent)).into_iter().collect();
        }
        _ if !seen.insert((within, name.to_owned())) => return BTreeSet::new(),
        _ => {}
    }
    let module = &all[within];
    let mut targets: BTreeSet<_> =
        module_at(&[&within[..], &[name.to_owned()]].concat()).into_iter().collect();
    if module.declares.contains(name) {
        targets.insert(Target::Item(&module.file));
    }
    for (_, path) in module.imports.iter().filter(|(alias, _)| alias == name) {
        targets.extend(resolve(all, within, path, seen));
    }
    if targets.is_empty() {
        for target in
            module.globs.iter().flat_map(|path| resolve(all, within, path, seen)).collect::<Vec<_>>()
        {
            if let Target::Module(path) = target {
                targets.extend(look_up(all, path, name, seen));
            }
        }
    }
    seen.remove(&(within, name.to_owned()));
    targets
}

/// Groups of files that reach each other, each as text with its edges and their names.
pub(crate) fn cycles(edges: &Edges<'_>) -> Vec<String> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|file| (*file, reachable(edges, file))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|reached| reached.contains(to));
    let mut texts = Vec::new();
    for first in reached.keys().filter(|file| reaches(file, file)) {
        let group: Vec<&str> =
            reached.keys().copied().filter(|file| reaches(first, file) && reaches(file, first)).collect();
        if group[0] != *first {
            continue;
        }
        let mut text = group.join(" <-> ");
        for (from, to) in group.iter().flat_map(|from| group.iter().map(move |to| (from, to))) {
            if let Some(names) = edges[from].get(to) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let _ = write!(text, "\n    {from} -> {to}: {}", names.join(", "));
            }
        }
        texts.push(text);
    }
    texts
}

fn reachable<'a>(edges: &Edges<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for to in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}
