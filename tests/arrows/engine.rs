//! That the rules see what they are to see, on trees of a few lines.

use super::{
    imports::{Arrow, Imports},
    rules::{Violation, circles_of_files, circles_of_folders, detours, floors, hidden, unread},
    source::Files,
};

fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn imports(of: &[(&str, &str)]) -> Imports {
    Imports::of(&files(of))
}

/// Arrows as `from → to: name`.
fn arrows(of: &[(&str, &str)]) -> Vec<String> {
    let text = |Arrow { from, to, name, .. }: &Arrow| format!("{from} → {to}: {name}");
    imports(of).arrows.iter().map(text).collect()
}

fn texts(violations: Vec<Violation>) -> Vec<String> {
    violations.into_iter().map(|violation| violation.text).collect()
}

const TWO: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn every_kind_of_import_is_followed_to_the_file_that_defines() {
    let b = (
        "b.rs",
        "pub struct T; pub enum E { V } pub const C: i32 = 1; pub fn f() {} pub mod m { pub fn g() {} }",
    );
    for (code, name) in [
        ("use crate::b::T;", "T"),
        ("use crate::{b::{T as Renamed}};", "T"),
        ("use super::b; // a module, of which nothing is used", "*"),
        ("use super::b::T as _;", "T"),
        ("use super::b::*;", "*"),
        ("use crate::b::E::V;", "E"),
        ("use crate::b as other; fn a() { other::f() }", "f"),
        ("use super::b; fn a() -> Vec<b::T> { vec![] }", "T"),
        ("fn a() { use crate::b; b::m::g() }", "g"),
        ("fn a() { vec![crate::b::f()]; }", "f"),
        ("fn a(x: i32) { assert!(matches!(x, crate::b::C), \"{}\", x.b); }", "C"),
        ("impl crate::b::T { }", "T"),
        ("trait A { fn a(&self) -> Option<super::b::T>; }", "T"),
        ("#[derive(Deserialize)] struct A { #[serde(deserialize_with = \"super::b::f\")] a: i32 }", "f"),
        ("#[derive(ToSchema)] struct A { #[schema(schema_with = super::b::f)] a: i32 }", "f"),
        ("mod inner { use super::super::b::T; }", "T"),
        ("macro_rules! a { () => { $crate::b::f() } }", "f"),
    ] {
        assert_eq!(arrows(&[TWO, b, ("a.rs", code)]), [format!("a.rs → b.rs: {name}")], "{code}");
    }
    for code in [
        "use ::b::T;",
        "use b::T;",
        "fn a(f: i32) -> i32 { f }",
        "/// [`T`](crate::b::T)\nfn a() {}",
        "fn a(x: X) { x.b.f(); println!(\"crate::b::f\"); }",
        "pub(in crate::b) fn a() {}",
    ] {
        assert_eq!(arrows(&[TWO, b, ("a.rs", code)]), [""; 0], "{code}");
    }
}

#[test]
fn a_re_export_is_seen_through() {
    let folder = [
        ("lib.rs", "mod a; mod n;"),
        (
            "n/mod.rs",
            "mod x; mod y; pub mod why; pub use x::{X as Named, x}; pub use self::y::*; pub use why::why;",
        ),
        ("n/x.rs", "pub struct X; pub fn x() {}"),
        ("n/y.rs", "pub struct Y; made_by_a_macro!(Z);"),
        ("n/why.rs", "pub fn why() {} pub struct Because;"),
    ];
    for (code, arrow) in [
        ("use crate::n::Named;", "a.rs → n/x.rs: X"),
        ("use super::n; fn a() { n::x() }", "a.rs → n/x.rs: x"),
        ("use crate::n::Y;", "a.rs → n/y.rs: Y"),
        ("use crate::n::why; fn a() { why() }", "a.rs → n/why.rs: why"),
        ("use crate::n; type A = n::why::Because;", "a.rs → n/why.rs: Because"),
        ("use crate::n::*; fn a(_: Named) {}", "a.rs → n/mod.rs: *\na.rs → n/x.rs: X"),
        ("use crate::n::unknown;", "a.rs → n/mod.rs: unknown"),
    ] {
        let tree = [folder.as_slice(), &[("a.rs", code)]].concat();
        assert_eq!(arrows(&tree).join("\n"), arrow, "{code}");
    }
}

#[test]
fn a_mod_rs_uses_what_it_mentions_and_not_what_it_passes_on() {
    let tree = |code| {
        [
            ("lib.rs", "mod n; mod o;"),
            ("n/mod.rs", code),
            ("n/x.rs", "pub struct X;"),
            ("o.rs", "pub struct O;"),
        ]
    };
    assert_eq!(arrows(&tree("mod x; pub use x::X;")), [""; 0]);
    assert_eq!(arrows(&tree("mod x; pub use x::X; fn n(_: X) {}")), ["n/mod.rs → n/x.rs: X"]);
    assert_eq!(arrows(&tree("mod x; use x::X;")), ["n/mod.rs → n/x.rs: X"]);
    assert_eq!(arrows(&tree("mod x; pub use crate::o::O;")), ["n/mod.rs → o.rs: O"]);
}

#[test]
fn the_binary_uses_the_library_by_its_name() {
    let tree = [
        ("lib.rs", "pub mod a; mod b;"),
        ("a.rs", "pub use crate::b::B;"),
        ("b.rs", "pub struct B;"),
        ("main.rs", "use bailiwick::a; fn main() { a::B; }"),
    ];
    assert_eq!(arrows(&tree), ["a.rs → b.rs: B", "main.rs → b.rs: B"]);
}

#[test]
fn what_is_compiled_for_tests_alone_is_left_out() {
    let b = ("b.rs", "pub struct T;");
    for code in [
        "#[cfg(test)] mod tests { use crate::b::T; }",
        "#[cfg(test)] mod tests;",
        "#[cfg(all(test, unix))] use crate::b::T;",
        "#[cfg(test)] fn a() { crate::b::T; }",
        "struct A; impl A { #[cfg(test)] fn a() { crate::b::T; } }",
    ] {
        assert_eq!(arrows(&[TWO, b, ("a.rs", code)]), [""; 0], "{code}");
    }
    for code in ["#[cfg(not(test))] use crate::b::T;", "#[cfg(feature = \"bench\")] use crate::b::T;"] {
        assert_eq!(arrows(&[TWO, b, ("a.rs", code)]), ["a.rs → b.rs: T"], "{code}");
    }
}

#[test]
fn a_circle_of_files_is_found_with_the_names_that_tie_it() {
    let tree = imports(&[
        ("lib.rs", "mod a; mod b; mod n; mod o;"),
        ("a.rs", "use crate::n::X; pub struct A;"),
        ("b.rs", "use crate::a::A;"),
        ("n/mod.rs", "mod x; pub use x::X;"),
        ("n/x.rs", "pub struct X(crate::a::A);"),
        ("o.rs", "use crate::n::X;"),
    ]);
    let circle = "2 in a circle: a.rs, n/x.rs\n    a.rs → n/x.rs: X\n    n/x.rs → a.rs: A";
    assert_eq!(texts(circles_of_files(&tree)), [circle]);
    assert_eq!(
        texts(circles_of_files(&imports(&[TWO, ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")]))),
        [""; 0]
    );
}

#[test]
fn a_circle_of_folders_is_found_where_no_file_is_in_one() {
    let tree = |y: &'static str| {
        imports(&[
            ("lib.rs", "mod n; mod o;"),
            ("n/mod.rs", "pub mod x; pub mod y;"),
            ("n/x.rs", "use crate::o::O;"),
            ("n/y.rs", "pub struct Y;"),
            ("o.rs", y),
        ])
    };
    let circle = "src: 2 in a circle: n, o\n    n/x.rs → o.rs: O\n    o.rs → n/y.rs: Y";
    let tied = tree("pub struct O(crate::n::y::Y);");
    assert_eq!(
        (texts(circles_of_files(&tied)), texts(circles_of_folders(&tied))),
        (vec![], vec![circle.to_owned()])
    );
    assert_eq!(texts(circles_of_folders(&tree("pub struct O;"))), [""; 0]);
}

#[test]
fn an_arrow_up_or_to_a_neighbour_apart_is_found() {
    let table = [("", "* < low | apart < n"), ("n", "one, two < three")];
    let tree = |low: &'static str, one: &'static str| {
        imports(&[
            ("lib.rs", "mod low; mod apart; mod other; mod n;"),
            ("low.rs", low),
            ("apart.rs", "pub struct A; use crate::other::O;"),
            ("other.rs", "pub struct O;"),
            ("n/mod.rs", "pub mod one; pub mod two; pub mod three; pub struct N; pub use three::T;"),
            ("n/one.rs", one),
            ("n/two.rs", "pub struct T; use crate::low::L;"),
            ("n/three.rs", "pub struct T; use super::one::O;"),
        ])
    };
    let wrong = |low, one| texts(floors(&tree(low, one), &table));
    assert_eq!(wrong("pub struct L;", "pub struct O; use super::two::T;"), [""; 0]);
    assert_eq!(wrong("use crate::apart::A;", ""), ["low.rs → apart.rs: A (apart is apart from low)"]);
    assert_eq!(wrong("use crate::n::one::O;", ""), ["low.rs → n/one.rs: O (n is above low)"]);
    assert_eq!(wrong("use crate::n::T;", ""), ["low.rs → n/three.rs: T (n is above low)"]);
    assert_eq!(wrong("", "use super::three::T;"), ["n/one.rs → n/three.rs: T (three is above one)"]);
    assert_eq!(wrong("", "use super::N;"), ["n/one.rs → n/mod.rs: N (mod is above one)"]);
}

#[test]
fn a_table_that_does_not_fit_the_tree_is_found() {
    let tree = imports(&[TWO, ("a.rs", ""), ("b.rs", "")]);
    assert_eq!(texts(floors(&tree, &[("", "a < b")])), [""; 0]);
    assert_eq!(texts(floors(&tree, &[("", "a < gone")])), ["there is no gone", "b has no floor"]);
}

#[test]
fn a_name_through_the_module_around_a_file_is_found() {
    let tree = |x: &'static str, p: &'static str| {
        detours(&imports(&[
            ("lib.rs", "mod n; mod o;"),
            ("n/mod.rs", "mod x; mod y; pub mod p; pub use y::Y; use crate::o::O;"),
            ("n/x.rs", x),
            ("n/y.rs", "pub struct Y;"),
            ("n/p/mod.rs", "mod q; pub use q::Q;"),
            ("n/p/q.rs", p),
            ("o.rs", "pub struct O; use crate::n::Y;"),
        ]))
    };
    assert_eq!(texts(tree("use super::y::Y; use crate::o::O; use super::p::Q;", "pub struct Q;")), [""; 0]);
    assert_eq!(texts(tree("use super::Y;", "")), ["n/x.rs → n/y.rs: Y, through n/mod.rs"]);
    assert_eq!(texts(tree("type X = crate::n::Y;", "")), ["n/x.rs → n/y.rs: Y, through n/mod.rs"]);
    assert_eq!(texts(tree("use super::*; type X = Y;", ""))[0], "n/x.rs → n/y.rs: Y, through n/mod.rs");
    assert_eq!(texts(tree("use super::O;", "")), ["n/x.rs → o.rs: O, through n/mod.rs"]);
    assert_eq!(texts(tree("", "use super::super::Y;")), ["n/p/q.rs → n/y.rs: Y, through n/mod.rs"]);
}

#[test]
fn what_is_visible_outside_is_found() {
    let tree = |db: &'static str, record: &'static str| {
        let tree = imports(&[
            ("lib.rs", "mod domain;"),
            ("domain/mod.rs", "mod db; mod records;"),
            ("domain/db.rs", db),
            ("domain/records/mod.rs", "mod keys;"),
            ("domain/records/keys.rs", record),
        ]);
        texts(hidden(&tree, "domain", "domain/records", &["Db::read"]))
    };
    for good in [
        "pub(super) fn insert() {}",
        "fn insert() {}",
        "pub struct Key; impl Key { pub(in crate::domain) fn end() {} }",
    ] {
        assert_eq!(tree("impl Db { pub(super) fn read() {} pub fn write() {} }", good), [""; 0], "{good}");
    }
    for (bad, name) in [
        ("pub fn insert() {}", "insert"),
        ("pub(crate) fn insert() {}", "insert"),
        ("pub struct Key; impl Key { pub fn end() {} }", "Key::end"),
    ] {
        let found = tree("impl<T> Db<T> { fn read() {} }", bad);
        assert_eq!(found, [format!("domain/records/keys.rs: {name} is visible outside domain")], "{bad}");
    }
    assert_eq!(
        tree("impl Db { pub fn read() {} }", ""),
        ["domain/db.rs: Db::read is visible outside domain"]
    );
    assert_eq!(tree("", ""), ["domain: there is no Db::read"]);
}

#[test]
fn a_file_that_nothing_leads_to_is_found() {
    let files = files(&[("lib.rs", "mod a;"), ("a.rs", ""), ("b.rs", "")]);
    assert_eq!(texts(unread(&Imports::of(&files), files.keys())), ["no `mod` leads to b.rs"]);
}
