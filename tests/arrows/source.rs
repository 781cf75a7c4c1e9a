//! What Rust files declare and mention, as `syn` reads them. Resolving the names is the business of `imports`.

use std::collections::{BTreeMap, BTreeSet};
use syn::{
    Attribute, Ident, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, PatIdent, Path, Type, UseTree,
    Visibility,
    buffer::{Cursor, TokenBuffer},
    visit::{self, Visit},
};

/// Paths below `src`, such as `domain/base/db.rs`, and their text.
pub type Files = BTreeMap<String, String>;

/// A module, of a file of its own or inline. Code under `#[cfg(test)]` is left out.
#[derive(Default)]
pub struct Module {
    pub file: String,
    /// `["domain", "db"]`; empty for the root of a crate.
    pub path: Vec<String>,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    /// Names of functions, types, constants, traits and macros.
    pub items: BTreeSet<String>,
    pub uses: Vec<Use>,
    /// Paths in expressions, types, attributes and macros.
    pub mentions: BTreeSet<Vec<String>>,
    pub declared: Vec<Declared>,
}

/// One leaf of a `use`, also of one inside a function.
pub struct Use {
    pub path: Vec<String>,
    /// The name that it binds; `None` for a glob.
    pub name: Option<String>,
    pub is_private: bool,
}

/// A function or a type with its visibility.
pub struct Declared {
    /// `Db::read` for a function of an `impl`, else the plain name.
    pub name: String,
    pub is_function: bool,
    /// The module within which it is visible, as written; `None` for `pub`.
    pub visible_in: Option<Vec<String>>,
}

/// Every module that a `mod` leads to from `lib.rs`, and from `main.rs`, which is a crate of its own.
/// The first is the library's root.
///
/// # Panics
/// Where there is no `lib.rs`, a file is no Rust, or a `mod` leads to no file.
pub fn read(files: &Files) -> Vec<Module> {
    let mut reader = Reader { files, modules: Vec::new() };
    reader.file("lib.rs", Vec::new(), None);
    if files.contains_key("main.rs") {
        reader.file("main.rs", Vec::new(), None);
    }
    reader.modules
}

struct Reader<'a> {
    files: &'a Files,
    modules: Vec<Module>,
}

impl Reader<'_> {
    fn file(&mut self, file: &str, path: Vec<String>, parent: Option<usize>) -> usize {
        let text = self.files.get(file).unwrap_or_else(|| panic!("there is no {file}"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.module(file, path, parent, &parsed.items)
    }

    fn module(&mut self, file: &str, path: Vec<String>, parent: Option<usize>, items: &[Item]) -> usize {
        let index = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), path, parent, ..Module::default() });
        let mut code = Code::default();
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(child) => self.child(index, child),
                item => code.read(item),
            }
        }
        let module = &mut self.modules[index];
        (module.items, module.uses, module.mentions, module.declared) =
            (code.items, code.uses, code.mentions, code.declared);
        index
    }

    fn child(&mut self, parent: usize, item: &ItemMod) {
        let name = item.ident.to_string();
        let (file, mut path) = (self.modules[parent].file.clone(), self.modules[parent].path.clone());
        path.push(name.clone());
        let child = match &item.content {
            Some((_, items)) => self.module(&file, path, Some(parent), items),
            None => self.file(&self.file_of(&path), path, Some(parent)),
        };
        self.modules[parent].children.insert(name, child);
    }

    fn file_of(&self, path: &[String]) -> String {
        let path = path.join("/");
        let folder = format!("{path}/mod.rs");
        if self.files.contains_key(&folder) { folder } else { format!("{path}.rs") }
    }
}

/// What stands in the items of one module.
#[derive(Default)]
struct Code {
    items: BTreeSet<String>,
    uses: Vec<Use>,
    mentions: BTreeSet<Vec<String>>,
    declared: Vec<Declared>,
    /// Variables of the function that is being read, and the plain names mentioned there.
    variables: BTreeSet<String>,
    plain: BTreeSet<String>,
}

impl Code {
    fn read(&mut self, item: &Item) {
        self.declare(item);
        self.visit_item(item);
        self.end_function();
    }

    fn declare(&mut self, item: &Item) {
        let (name, vis, is_function) = match item {
            Item::Fn(item) => (&item.sig.ident, &item.vis, true),
            Item::Struct(item) => (&item.ident, &item.vis, false),
            Item::Enum(item) => (&item.ident, &item.vis, false),
            Item::Union(item) => (&item.ident, &item.vis, false),
            Item::Trait(item) => (&item.ident, &item.vis, false),
            Item::Type(item) => (&item.ident, &item.vis, false),
            Item::Const(item) => (&item.ident, &item.vis, false),
            Item::Static(item) => (&item.ident, &item.vis, false),
            Item::Macro(item) => return self.items.extend(item.ident.as_ref().map(Ident::to_string)),
            _ => return,
        };
        self.items.insert(name.to_string());
        self.declared.push(Declared { name: name.to_string(), is_function, visible_in: visible_in(vis) });
    }

    /// A plain name is a mention unless it is that of a variable.
    fn end_function(&mut self) {
        let variables = std::mem::take(&mut self.variables);
        let plain = std::mem::take(&mut self.plain);
        self.mentions
            .extend(plain.into_iter().filter(|name| !variables.contains(name)).map(|name| vec![name]));
    }

    fn mention(&mut self, path: Vec<String>) {
        match path.as_slice() {
            [_] => self.plain.extend(path),
            _ => drop(self.mentions.insert(path)),
        }
    }

    /// Paths in tokens that are not parsed: those of macros and of attributes, where a text may be one too.
    fn tokens(&mut self, mut at: Cursor<'_>, is_attribute: bool) {
        while !at.eof() {
            if let Some((inside, _, _, after)) = at.any_group() {
                self.tokens(inside, is_attribute);
                at = after;
            } else if at.ident().is_some() {
                at = self.path(at);
            } else if let Some((sign, after)) = at.punct() {
                // What follows a dot is a field or a method, what follows a dollar a macro's variable.
                at = match (sign.as_char(), after.ident()) {
                    ('.', Some((_, after))) => after,
                    ('$', Some((name, after))) if name != "crate" => after,
                    _ => after,
                };
            } else if let Some((literal, after)) = at.literal() {
                if is_attribute {
                    self.quoted(&literal.to_string());
                }
                at = after;
            } else {
                let Some((_, after)) = at.token_tree() else { return };
                at = after;
            }
        }
    }

    fn path<'a>(&mut self, mut at: Cursor<'a>) -> Cursor<'a> {
        let mut path = Vec::new();
        while let Some((name, after)) = at.ident() {
            path.push(name.to_string());
            at = after;
            match after_colons(after) {
                Some(after) => at = after,
                None => break,
            }
        }
        let is_call = at.any_group().is_some() || at.punct().is_some_and(|(sign, _)| sign.as_char() == '!');
        // A plain word may be a key or the name of an argument.
        if path.len() > 1 || is_call || is_capital(&path[0]) {
            self.mention(path);
        }
        at
    }

    /// The path in an attribute's `deserialize_with = "super::wire::text"`.
    fn quoted(&mut self, literal: &str) {
        let text = literal.trim_matches('"');
        if text.contains("::")
            && let Ok(path) = syn::parse_str::<Path>(text)
        {
            self.mention(names(&path));
        }
    }
}

impl<'ast> Visit<'ast> for Code {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            let is_private = matches!(item.vis, Visibility::Inherited);
            leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                self.uses.push(Use { path, name, is_private });
            });
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        for function in &item.items {
            if let (ImplItem::Fn(function), Type::Path(of), None) = (function, &*item.self_ty, &item.trait_)
                && let Some(of) = of.path.segments.last()
            {
                let name = format!("{}::{}", of.ident, function.sig.ident);
                let visible_in = visible_in(&function.vis);
                self.declared.push(Declared { name, is_function: true, visible_in });
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
        self.end_function();
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.mention(names(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        // A constant in a pattern reads like a variable.
        if is_capital(&name) { &mut self.plain } else { &mut self.variables }.insert(name);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.mention(names(&call.path));
        self.tokens(TokenBuffer::new2(call.tokens.clone()).begin(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.mention(names(attribute.path()));
        match &attribute.meta {
            Meta::List(list) => self.tokens(TokenBuffer::new2(list.tokens.clone()).begin(), true),
            Meta::Path(_) | Meta::NameValue(_) => {}
        }
    }
}

fn after_colons(at: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, at) = at.punct()?;
    let (second, at) = at.punct()?;
    (first.as_char() == ':' && second.as_char() == ':' && at.ident().is_some()).then_some(at)
}

fn is_capital(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn visible_in(vis: &Visibility) -> Option<Vec<String>> {
    match vis {
        Visibility::Public(_) => None,
        Visibility::Restricted(within) => Some(names(&within.path)),
        Visibility::Inherited => Some(vec!["self".to_owned()]),
    }
}

fn leaves(tree: &UseTree, at: &mut Vec<String>, found: &mut impl FnMut(Vec<String>, Option<String>)) {
    let mut leaf = |name: &Ident, bound: &Ident| match name.to_string().as_str() {
        // `use a::{self}` binds `a`.
        "self" if !at.is_empty() => {
            let bound = if bound == "self" { at.last().cloned() } else { Some(bound.to_string()) };
            found(at.clone(), bound);
        }
        name => found([at.as_slice(), &[name.to_owned()]].concat(), Some(bound.to_string())),
    };
    match tree {
        UseTree::Name(name) => leaf(&name.ident, &name.ident),
        UseTree::Rename(rename) => leaf(&rename.ident, &rename.rename),
        UseTree::Glob(_) => found(at.clone(), None),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, at, found)),
        UseTree::Path(path) => {
            at.push(path.ident.to_string());
            leaves(&path.tree, at, found);
            at.pop();
        }
    }
}

/// True under `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let mut is_test = false;
        // Anything but a plain `test` or `all(…)` is not of interest, nor an error.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("all") {
                return meta.parse_nested_meta(|meta| {
                    is_test |= meta.path.is_ident("test");
                    Ok(())
                });
            }
            is_test |= meta.path.is_ident("test");
            Ok(())
        });
        is_test
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
