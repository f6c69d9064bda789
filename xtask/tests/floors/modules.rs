//! The modules of a crate with their declarations, imports and mentioned paths, parsed from its sources.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Meta, Token, UseTree};

/// Sources of a crate: path below `src` -> text.
pub(crate) type Sources = BTreeMap<String, String>;

/// The names of a path: `crate::a::b` is `["crate", "a", "b"]`.
pub(crate) type Names = Vec<String>;

#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: String,
    /// Items other than modules and imports.
    pub(crate) declares: BTreeSet<String>,
    /// `use path as name`.
    pub(crate) imports: Vec<(String, Names)>,
    /// `use path::*`.
    pub(crate) globs: Vec<Names>,
    /// All paths in imports and code.
    pub(crate) mentions: BTreeSet<Names>,
}

/// Module path below the crate root -> module, without test modules.
pub(crate) type Modules = BTreeMap<Names, Module>;

pub(crate) fn read(sources: &Sources) -> Modules {
    let mut modules = Modules::new();
    for root in ["lib.rs", "main.rs"].into_iter().filter(|root| sources.contains_key(*root)) {
        read_items(sources, root, &parse(sources, root), Names::new(), &mut modules);
    }
    modules
}

fn parse(sources: &Sources, file: &str) -> Vec<Item> {
    syn::parse_file(&sources[file]).unwrap_or_else(|error| panic!("{file}: {error}")).items
}

fn read_items(sources: &Sources, file: &str, items: &[Item], path: Names, modules: &mut Modules) {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    for item in items.iter().filter(|item| !is_for_tests(head(item).1)) {
        let Item::Mod(child) = item else {
            module.declares.extend(head(item).0.map(Ident::to_string));
            module.visit_item(item);
            continue;
        };
        let path = [&path[..], &[child.ident.to_string()]].concat();
        if let Some((_, items)) = &child.content {
            read_items(sources, file, items, path, modules);
        } else {
            let files = [path.join("/") + ".rs", path.join("/") + "/mod.rs"];
            let found = files.iter().find(|file| sources.contains_key(*file));
            let found = found.unwrap_or_else(|| panic!("{file}: found none of {files:?}"));
            read_items(sources, found, &parse(sources, found), path, modules);
        }
    }
    modules.insert(path, module);
}

/// The name that an item declares, if any, and its attributes.
fn head(item: &Item) -> (Option<&Ident>, &[Attribute]) {
    match item {
        Item::Const(item) => (Some(&item.ident), &item.attrs),
        Item::Enum(item) => (Some(&item.ident), &item.attrs),
        Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
        Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
        Item::Static(item) => (Some(&item.ident), &item.attrs),
        Item::Struct(item) => (Some(&item.ident), &item.attrs),
        Item::Trait(item) => (Some(&item.ident), &item.attrs),
        Item::Type(item) => (Some(&item.ident), &item.attrs),
        Item::Union(item) => (Some(&item.ident), &item.attrs),
        Item::Impl(item) => (None, &item.attrs),
        Item::Mod(item) => (None, &item.attrs),
        Item::Use(item) => (None, &item.attrs),
        _ => (None, &[]),
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.any(|condition| condition.parse_args().is_ok_and(|condition| needs_test(&condition)))
}

/// True if a `cfg` condition holds only in tests.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test") || condition.path().is_ident("doctest");
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    (list.path.is_ident("all") && parts.iter().any(needs_test))
        || (list.path.is_ident("any") && parts.iter().all(needs_test))
}

impl Module {
    fn import(&mut self, tree: &UseTree, mut prefix: Names) {
        let (name, alias) = match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                return self.import(&path.tree, prefix);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, prefix.clone()));
            }
            UseTree::Glob(_) => {
                self.mentions.insert(prefix.clone());
                return self.globs.push(prefix);
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let alias = if alias == "self" { prefix.last().cloned() } else { Some(alias.to_string()) };
        if name != "self" || prefix.is_empty() {
            prefix.push(name.to_string());
        }
        self.mentions.insert(prefix.clone());
        self.imports.extend(alias.map(|alias| (alias, prefix)));
    }

    /// The paths among the tokens of a macro or an attribute.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut before) = (Names::new(), String::new());
        for token in tokens {
            match &token {
                TokenTree::Ident(name) => {
                    if before != "::" {
                        self.mentions.insert(std::mem::take(&mut path));
                    }
                    if before != "." {
                        path.push(name.to_string());
                    }
                }
                TokenTree::Group(group) => self.scan(group.stream()),
                // `#[serde(default = "path")]`
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    let named = text.and_then(|text| text.parse_with(syn::Path::parse_mod_style));
                    self.mentions.extend(named.map(|path| names(&path)));
                }
                TokenTree::Punct(_) => {}
            }
            let joins = before == ":" && matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ':');
            before = if joins { "::".to_owned() } else { token.to_string() };
        }
        self.mentions.insert(path);
    }
}

fn names(path: &syn::Path) -> Names {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, Names::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mentions.insert(names(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        visit::visit_macro(self, called);
        self.scan(called.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        visit::visit_meta_list(self, list);
        self.scan(list.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }
}
