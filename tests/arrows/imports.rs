//! Which file uses what another file defines: names are followed through `use` and re-exports to the file
//! that really defines them. A method that is called on a value is no name and makes no arrow.

use super::source::{Files, Module, Use, read};
use std::collections::BTreeSet;

/// What `main.rs` calls the library.
const LIBRARY: &str = "bailiwick";

/// One file uses a name that another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub name: String,
    /// The file of a module around `from` whose `use` passes the name on: it is named by no path of its own.
    pub through: Option<String>,
}

/// The modules of a crate with a binary, and what they use of each other.
pub struct Imports {
    pub modules: Vec<Module>,
    pub arrows: BTreeSet<Arrow>,
}

impl Imports {
    pub fn of(files: &Files) -> Self {
        let mut imports = Self { modules: read(files), arrows: BTreeSet::new() };
        imports.arrows = (0..imports.modules.len()).flat_map(|from| imports.arrows_of(from)).collect();
        imports
    }

    /// Every file that a `mod` leads to.
    pub fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    /// The path of the module that `path`, written in the module `from`, stands for.
    pub fn module_path(&self, from: usize, path: &[String]) -> Option<&[String]> {
        match self.resolve(from, path, true, &mut Trail::default()) {
            Found::Module(module) => Some(&self.modules[module].path),
            _ => None,
        }
    }

    fn arrows_of(&self, from: usize) -> Vec<Arrow> {
        let module = &self.modules[from];
        let mut arrows = Vec::new();
        let heads: BTreeSet<&str> =
            module.mentions.iter().filter_map(|path| Some(path.first()?.as_str())).collect();
        // What is named by way of a module has an arrow of its own.
        let is_mentioned = |import: &Use| import.name.as_deref().is_some_and(|name| heads.contains(name));
        for import in &module.uses {
            let mut trail = Trail::default();
            // Of a module and a function of one name, the code says which it uses.
            let (to, name) = match self.resolve(from, &import.path, true, &mut trail) {
                Found::Item { module, name } => (module, name),
                Found::Module(module) if !is_mentioned(import) => (module, "*".to_owned()),
                _ => continue,
            };
            // A folder's `mod.rs` that passes on what its own files define does not use it.
            if import.is_private || !self.modules[to].path.starts_with(&module.path) {
                arrows.extend(self.arrow(from, to, name, &trail));
            }
        }
        for path in &module.mentions {
            let mut trail = Trail::default();
            if let Found::Item { module: to, name } = self.resolve(from, path, false, &mut trail) {
                arrows.extend(self.arrow(from, to, name, &trail));
            }
        }
        arrows
    }

    fn arrow(&self, from: usize, to: usize, name: String, trail: &Trail) -> Option<Arrow> {
        let source = &self.modules[from];
        let is_around = |&&through: &&usize| {
            let through = &self.modules[through];
            through.file != source.file && source.path.starts_with(&through.path)
        };
        let through = trail.through.iter().find(is_around).map(|&through| self.modules[through].file.clone());
        let to = &self.modules[to].file;
        (*to != source.file).then(|| Arrow { from: source.file.clone(), to: to.clone(), name, through })
    }

    /// Where there is a module and an item of one name, `wants_module` says which is meant.
    fn resolve(&self, from: usize, path: &[String], wants_module: bool, trail: &mut Trail) -> Found {
        let mut found = Found::Module(from);
        for (at, name) in path.iter().enumerate() {
            let Found::Module(module) = found else { return found };
            let wants_module = wants_module || at + 1 < path.len();
            found = match name.as_str() {
                "self" => continue,
                "crate" if at == 0 => Found::Module(self.root(module)),
                LIBRARY if at == 0 => Found::Module(0),
                "super" => self.modules[module].parent.map_or(Found::Nothing, Found::Module),
                name => match self.look_up(module, name, wants_module, trail) {
                    // A macro made it.
                    Found::Nothing if at > 0 => Found::Item { module, name: name.to_owned() },
                    found => found,
                },
            };
        }
        found
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    /// What a name stands for in a module: an item of its own, a child, or what a `use` brings.
    fn look_up(&self, module: usize, name: &str, wants_module: bool, trail: &mut Trail) -> Found {
        let here = &self.modules[module];
        let item = || here.items.contains(name).then(|| Found::Item { module, name: name.to_owned() });
        let child = || here.children.get(name).map(|child| Found::Module(*child));
        let own = if wants_module { child().or_else(item) } else { item() };
        if let Some(own) = own {
            return own;
        }
        let brought = self.brought(module, name, wants_module, trail);
        if let (Found::Nothing | Found::Module(_), Some(child)) = (&brought, child()) {
            return child;
        }
        brought
    }

    fn brought(&self, module: usize, name: &str, wants_module: bool, trail: &mut Trail) -> Found {
        let uses = &self.modules[module].uses;
        let named = uses.iter().enumerate().filter(|(_, import)| import.name.as_deref() == Some(name));
        let globs = uses.iter().enumerate().filter(|(_, import)| import.name.is_none());
        for (at, import) in named.chain(globs) {
            if !trail.visited.insert((module, at, name.to_owned())) {
                continue;
            }
            let passed = trail.through.len();
            trail.through.push(module);
            let found = match self.resolve(module, &import.path, wants_module || import.name.is_none(), trail)
            {
                Found::Module(glob) if import.name.is_none() => self.look_up(glob, name, wants_module, trail),
                _ if import.name.is_none() => Found::Nothing,
                Found::Nothing => Found::Outside,
                found => found,
            };
            if found != Found::Nothing {
                return found;
            }
            trail.through.truncate(passed);
        }
        Found::Nothing
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Module(usize),
    Item {
        module: usize,
        name: String,
    },
    /// Something of another crate.
    Outside,
    Nothing,
}

/// The way that a name was followed.
#[derive(Default)]
struct Trail {
    /// Modules whose `use` was gone through.
    through: Vec<usize>,
    visited: BTreeSet<(usize, usize, String)>,
}
