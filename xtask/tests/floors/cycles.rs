//! Import cycles between the files of a crate. Imports and paths are edges; method calls are not.

use std::fs;
use std::path::{Path, PathBuf};

use super::modules::{self, Sources};
use super::{graph, packages};

fn directory(package: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if package == "xtask" { root.join(package) } else { root.join("crates").join(package) }
}

fn add_sources(directory: &Path, below: &str, sources: &mut Sources) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            add_sources(&path, &format!("{name}/"), sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

fn sources(package: &str) -> Sources {
    let mut sources = Sources::new();
    add_sources(&directory(package).join("src"), "", &mut sources);
    sources
}

fn cycles(sources: &Sources) -> Vec<String> {
    graph::cycles(&graph::edges(&modules::read(sources)))
}

#[test]
fn files_of_a_crate_have_no_import_cycles() {
    let mut failures = Vec::new();
    for package in packages().keys() {
        let cycles = cycles(&sources(package));
        failures.extend(cycles.iter().map(|cycle| format!("{package}: {cycle}")));
    }
    assert!(failures.is_empty(), "import cycles:\n{}", failures.join("\n"));
}

#[test]
fn mod_and_lib_files_only_list_and_re_export() {
    let mut failures = Vec::new();
    for package in packages().keys() {
        for module in modules::read(&sources(package)).into_values() {
            let lists = module.file.ends_with("mod.rs") || module.file == "lib.rs";
            if lists && !module.declares.is_empty() {
                failures.push(format!("{package}: {} declares {:?}", module.file, module.declares));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Cycles of a crate with these files.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    cycles(&files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn imports_resolve_through_re_exports_to_the_declaring_file() {
    let lib = ("lib.rs", "mod shapes; mod page; pub use page::render;");
    let list = ("shapes/mod.rs", "mod circle; mod square; pub(crate) use {circle::Circle, square::*};");
    let circle = ("shapes/circle.rs", "use super::Square; pub(crate) struct Circle(Square);");
    let page =
        ("page.rs", "use crate::shapes::{self, Circle as C}; pub fn render(_: C, _: shapes::Square) {}");
    let square = |text| ("shapes/square.rs", text);

    let alone = square("pub(crate) struct Square; #[cfg(test)] mod tests { use crate::render; }");
    assert_eq!(cycles_of(&[lib, list, circle, page, alone]), [""; 0]);

    let back = square("pub(crate) struct Square; fn f() -> crate::shapes::Circle { todo!() }");
    let found = "shapes/circle.rs <-> shapes/square.rs\
                 \n    shapes/circle.rs -> shapes/square.rs: super::Square\
                 \n    shapes/square.rs -> shapes/circle.rs: crate::shapes::Circle";
    assert_eq!(cycles_of(&[lib, list, circle, page, back]), [found]);

    let long = square("pub(crate) struct Square; fn f() { drop(vec![crate::render as usize]) }");
    let found = cycles_of(&[lib, list, circle, page, long]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("page.rs <-> shapes/circle.rs <-> shapes/square.rs\n"), "{found:?}");
}

#[test]
fn every_kind_of_mention_is_an_edge() {
    let target = "use super::b::B; pub(crate) struct A; pub(crate) fn make() {} macro_rules! m { () => {} }";
    for mention in [
        "use crate::a::A;",
        "use crate::{a::{self as x, A as Y}};",
        "use super::*; fn f(_: a::A) {}",
        "use super::a::*; fn f(_: A) {}",
        "fn f() { use super::a; a::make() }",
        "fn f() { assert!(true, \"{:?}\", self::inner::g()) } mod inner { pub fn g() { super::super::a::make() } }",
        "struct D { #[serde(default = \"crate::a::make\")] d: u8 }",
        "crate::a::m!();",
        "impl super::a::A {}",
        "use crate::a; fn f(x: u8) { match x { a::MADE_BY_A_MACRO => {} _ => {} } }",
        "#[cfg(any(test, feature = \"f\"))] use crate::a::A;",
    ] {
        let b = format!("pub(crate) struct B; {mention}");
        let found = cycles_of(&[("main.rs", "mod a; mod b;"), ("a.rs", target), ("b.rs", &b)]);
        assert_eq!(found.len(), 1, "{mention}");
    }
    for mention in [
        "use crate::a;",
        "pub(in crate::a) struct C;",
        "use a::A;",
        "use ::a::A;",
        "#[cfg(all(test, unix))] use crate::a::A;",
        "impl B { #[cfg(test)] fn f() { crate::a::make() } }",
    ] {
        let b = format!("pub(crate) struct B; {mention}");
        let found = cycles_of(&[("main.rs", "mod a; mod b;"), ("a.rs", target), ("b.rs", &b)]);
        assert_eq!(found, [""; 0], "{mention}");
    }
}
