//! The rules that a table of floors and a list of hidden names express, checked against the imports of a tree.

use super::{
    imports::{Arrow, Imports},
    source::Declared,
};
use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use std::collections::{BTreeMap, BTreeSet};

pub const READ: &str = "every file is read";
pub const FILES: &str = "no circle of files";
pub const NEIGHBOURS: &str = "no circle of neighbours";
pub const FLOORS: &str = "no arrow up";
pub const DETOURS: &str = "no neighbour through a mod.rs";
pub const HIDDEN: &str = "what stays hidden";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub rule: &'static str,
    pub text: String,
}

impl Violation {
    fn new(rule: &'static str, text: String) -> Self {
        Self { rule, text }
    }
}

/// Files that use each other in a circle.
pub fn circles_of_files(imports: &Imports) -> Vec<Violation> {
    let arrows: Vec<_> = imports.arrows.iter().map(|arrow| (&*arrow.from, &*arrow.to, arrow)).collect();
    circles(&arrows).into_iter().map(|text| Violation::new(FILES, text)).collect()
}

/// Folders that use each other in a circle, or a folder and a file beside it. A file and a folder
/// of the same name count as one.
pub fn circles_of_folders(imports: &Imports) -> Vec<Violation> {
    let files = imports.files();
    let folders: BTreeSet<&str> = files.iter().flat_map(|file| folders_of(file)).collect();
    let mut violations = Vec::new();
    for folder in &folders {
        let arrows: Vec<_> = imports.arrows.iter().filter_map(|arrow| between(folder, arrow)).collect();
        // What goes round among files alone is a circle of files.
        let is_folder = |unit: &&str| folders.contains(inside(folder, unit).as_str());
        let circles = circles_where(&arrows, |circle| circle.iter().any(is_folder));
        let text = |circle| format!("{}: {circle}", inside("src", folder).trim_end_matches('/'));
        violations.extend(circles.into_iter().map(text).map(|text| Violation::new(NEIGHBOURS, text)));
    }
    violations
}

/// Arrows that go up a floor, or to a neighbour on the same floor that they must not reach.
///
/// `table` says for each folder its floors, lowest first: `<` stands between floors, `,` between neighbours on
/// a floor, `|` between neighbours that must not use each other, and `*` for whatever is not named.
pub fn floors(imports: &Imports, table: &[(&str, &str)]) -> Vec<Violation> {
    table.iter().flat_map(|(folder, floors)| Floors::of(folder, floors).check(imports)).collect()
}

/// Names that reach a file through the `use` of a module around it.
pub fn detours(imports: &Imports) -> Vec<Violation> {
    let mut detours: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for arrow in &imports.arrows {
        if let Some(through) = &arrow.through {
            detours.entry((&arrow.from, through, &arrow.to)).or_default().insert(&arrow.name);
        }
    }
    let violation = |((from, through, to), names): ((&String, &String, &String), BTreeSet<&str>)| {
        let text = format!("{from} → {to}: {}, through {through}", list(names));
        Violation::new(DETOURS, text)
    };
    detours.into_iter().map(violation).collect()
}

/// Functions of `records` that are visible outside `within`, and so each of `names` there.
pub fn hidden(imports: &Imports, within: &str, records: &str, names: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut missing: BTreeSet<&str> = names.iter().copied().collect();
    for (at, module) in imports.modules.iter().enumerate() {
        let path = module.path.join("/");
        for declared in module.declared.iter().filter(|_| is_in(&path, within)) {
            let is_record = declared.is_function && is_in(&path, records);
            let is_named = names.contains(&&*declared.name);
            missing.remove(&*declared.name);
            if (is_record || is_named) && !is_hidden(imports, at, declared, within) {
                let text = format!("{}: {} is visible outside {within}", module.file, declared.name);
                violations.push(Violation::new(HIDDEN, text));
            }
        }
    }
    let missing = missing.into_iter().map(|name| format!("{within}: there is no {name}"));
    violations.extend(missing.map(|text| Violation::new(HIDDEN, text)));
    violations
}

/// Files that no `mod` leads to are read by none of the rules.
pub fn unread<'a>(imports: &Imports, files: impl IntoIterator<Item = &'a String>) -> Vec<Violation> {
    let read = imports.files();
    let unread = files.into_iter().filter(|file| !read.contains(file.as_str()));
    unread.map(|file| Violation::new(READ, format!("no `mod` leads to {file}"))).collect()
}

struct Floors<'a> {
    folder: &'a str,
    /// Names by floor and, on a floor, by what may use each other.
    floors: Vec<Vec<Vec<&'a str>>>,
}

/// A floor, and the part of it.
type Place = (usize, usize);

impl<'a> Floors<'a> {
    fn of(folder: &'a str, floors: &'a str) -> Self {
        let part = |part: &'a str| part.split(',').map(str::trim).collect();
        let floor = |floor: &'a str| floor.split('|').map(part).collect();
        Self { folder, floors: floors.split('<').map(floor).collect() }
    }

    fn place(&self, unit: &str) -> Option<Place> {
        let find = |name: &str| {
            let floors = self.floors.iter().enumerate();
            let mut parts = floors.flat_map(|(at, floor)| {
                floor.iter().enumerate().map(move |(part, names)| ((at, part), names))
            });
            parts.find(|(_, names)| names.contains(&name)).map(|(place, _)| place)
        };
        find(unit).or_else(|| find("*"))
    }

    fn check(&self, imports: &Imports) -> Vec<Violation> {
        let mut wrong: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for arrow in &imports.arrows {
            if let Some((from, to, _)) = between(self.folder, arrow)
                && let Some(why) = self.why_wrong(from, to)
            {
                wrong.entry((&arrow.from, &arrow.to, why)).or_default().insert(&arrow.name);
            }
        }
        let text = |((from, to, why), names)| format!("{from} → {to}: {} ({why})", list(names));
        wrong
            .into_iter()
            .map(text)
            .chain(self.stale(imports))
            .map(|text| Violation::new(FLOORS, text))
            .collect()
    }

    fn why_wrong(&self, from: &str, to: &str) -> Option<String> {
        // A folder's own file stands above all that is in the folder.
        if is_own(from) {
            return None;
        }
        if is_own(to) {
            return Some(format!("{to} is above {from}"));
        }
        let (low, high) = (self.place(from)?, self.place(to)?);
        match () {
            () if high.0 > low.0 => Some(format!("{to} is above {from}")),
            () if high.0 == low.0 && high.1 != low.1 => Some(format!("{to} is apart from {from}")),
            () => None,
        }
    }

    /// Where the table and the folder do not have the same names.
    fn stale(&self, imports: &Imports) -> Vec<String> {
        let files = imports.files();
        let units: BTreeSet<&str> = files.iter().filter_map(|file| unit(self.folder, file)).collect();
        let named = self.floors.iter().flatten().flatten().filter(|name| **name != "*");
        let absent = named.filter(|name| !units.contains(*name));
        let absent = absent.map(|name| format!("there is no {}", inside(self.folder, name)));
        let unknown = units.iter().filter(|unit| !is_own(unit) && self.place(unit).is_none());
        let unknown = unknown.map(|unit| format!("{} has no floor", inside(self.folder, unit)));
        absent.chain(unknown).collect()
    }
}

fn is_own(unit: &str) -> bool {
    matches!(unit, "mod" | "lib")
}

/// The folders that a file is in, the whole tree as `""`.
fn folders_of(file: &str) -> impl Iterator<Item = &str> {
    let inner = file.match_indices('/').map(|(at, _)| &file[..at]);
    std::iter::once("").chain(inner)
}

fn inside(folder: &str, unit: &str) -> String {
    if folder.is_empty() { unit.to_owned() } else { format!("{folder}/{unit}") }
}

/// What of a folder a file belongs to: `members` for `members/list.rs` and for `members.rs`.
fn unit<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let file = if folder.is_empty() { file } else { file.strip_prefix(folder)?.strip_prefix('/')? };
    Some(file.split_once('/').map_or(file.trim_end_matches(".rs"), |(unit, _)| unit))
}

/// The two units of a folder that an arrow goes between.
fn between<'a>(folder: &str, arrow: &'a Arrow) -> Option<(&'a str, &'a str, &'a Arrow)> {
    let (from, to) = (unit(folder, &arrow.from)?, unit(folder, &arrow.to)?);
    (from != to).then_some((from, to, arrow))
}

fn circles<'a>(arrows: &[(&'a str, &'a str, &'a Arrow)]) -> Vec<String> {
    circles_where(arrows, |_| true)
}

/// Each circle of which `is_meant` is true, and the arrows that tie it.
fn circles_where<'a>(
    arrows: &[(&'a str, &'a str, &'a Arrow)],
    is_meant: impl Fn(&[&'a str]) -> bool,
) -> Vec<String> {
    let graph = DiGraphMap::<&str, ()>::from_edges(arrows.iter().map(|(from, to, _)| (*from, *to)));
    let mut texts = Vec::new();
    for mut circle in tarjan_scc(&graph) {
        if circle.len() < 2 || !is_meant(&circle) {
            continue;
        }
        circle.sort_unstable();
        let mut ties: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for (from, to, arrow) in arrows {
            if circle.contains(from) && circle.contains(to) {
                ties.entry((&arrow.from, &arrow.to)).or_default().insert(&arrow.name);
            }
        }
        let mut text = format!("{} in a circle: {}", circle.len(), circle.join(", "));
        for ((from, to), names) in ties {
            text.push_str(&format!("\n    {from} → {to}: {}", list(names)));
        }
        texts.push(text);
    }
    texts
}

fn list(names: BTreeSet<&str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_hidden(imports: &Imports, module: usize, declared: &Declared, within: &str) -> bool {
    let visible_in = declared.visible_in.as_ref().and_then(|path| imports.module_path(module, path));
    visible_in.is_some_and(|path| is_in(&path.join("/"), within))
}
