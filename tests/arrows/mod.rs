//! The imports of `src` against the rules for arrows in `ARCHITECTURE.md`. `ARROWS_OF=/another/src` reads another
//! tree: `ARROWS_OF=… cargo test --test it arrows -- --nocapture`.

mod imports;
mod rules;
mod source;

use self::{imports::Imports, rules::Violation, source::Files};
use std::{fmt::Write, fs, path::Path};

/// Each folder's floors, lowest first: a file uses what is on its own floor or below. `,` stands between
/// neighbours on a floor, `|` between neighbours that must not use each other, `*` for all that is not named.
/// A folder's own `mod.rs` stands above all of them.
const FLOORS: [(&str, &str); 4] = [
    (
        "",
        "* < entity | policy < domain < web < connection < listen
         < mail, webhooks, payments, monitoring, telemetry, archive < archives < workers < startup < backup, support, invoices < main",
    ),
    (
        "domain",
        "base < enforce < records < nouns < events
         < activity, attention, overview, quick_start, preview, undo, effective_access, decisions, gateway, digest, housekeeping, backup,
          event_messages
         < demo, seed",
    ),
    (
        "web",
        "* < problem, path, form, list, bearer < guard < middleware, api, preview, selection, link, gateway
         < route < routes, samples",
    ),
    ("policy", "builtin < catalogue < scope < grants < right < holdings < intersection, own < why, can, patterns"),
];

/// Visible in `domain` alone, and so is every function of `domain/records`.
const HIDDEN: [&str; 3] = ["Recorded::new", "Transaction", "Db::read"];

/// Every violation of the rules in these files, by rule.
pub fn violations(files: &Files) -> Vec<Violation> {
    let imports = Imports::of(files);
    let mut violations = rules::unread(&imports, files.keys());
    violations.extend(rules::circles_of_files(&imports));
    violations.extend(rules::circles_of_folders(&imports));
    violations.extend(rules::floors(&imports, &FLOORS));
    violations.extend(rules::detours(&imports));
    violations.extend(rules::hidden(&imports, "domain", "domain/records", &HIDDEN));
    violations
}

/// The violations as a text, each rule under a heading.
pub fn report(violations: &[Violation]) -> String {
    let mut text = String::new();
    for of_rule in violations.chunk_by(|a, b| a.rule == b.rule) {
        let _ = writeln!(text, "== {}: {}", of_rule[0].rule, of_rule.len());
        of_rule.iter().for_each(|violation| {
            let _ = writeln!(text, "  {}", violation.text);
        });
    }
    text
}

fn files_below(src: &Path) -> Files {
    let entries = walkdir::WalkDir::new(src).into_iter().map(|entry| entry.expect("a readable folder"));
    let sources = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    let file = |path: &Path| {
        let name = path.strip_prefix(src).expect("a path below src").to_str().expect("a name in UTF-8");
        (name.to_owned(), fs::read_to_string(path).expect("a readable file"))
    };
    sources.map(|entry| file(entry.path())).collect()
}

#[cfg(test)]
mod engine;

#[test]
fn the_imports_of_the_tree_follow_the_rules() {
    let another = std::env::var_os("ARROWS_OF");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let violations = violations(&files_below(another.as_ref().map_or(&own, |src| Path::new(src))));
    println!("{}", report(&violations));
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), report(&violations));
}

/// Each line, added to that file of this tree, is refused by that rule.
#[test]
fn one_forbidden_use_is_enough() {
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for (file, line, rule) in [
        ("policy/scope.rs", "use crate::domain::Db;", rules::FLOORS),
        ("domain/base/db.rs", "use crate::domain::enforce::write::WriteScope;", rules::FLOORS),
        ("domain/enforce/write.rs", "use crate::domain::records::members::Member;", rules::FLOORS),
        ("domain/records/members.rs", "use crate::domain::nouns::roles;", rules::FLOORS),
        ("domain/nouns/members/change.rs", "use crate::domain::undo;", rules::FLOORS),
        ("domain/nouns/roles/change.rs", "use crate::web::form::Form;", rules::FLOORS),
        ("web/form.rs", "use crate::web::guard::MemberBySession;", rules::FLOORS),
        ("web/routes/members/list.rs", "use crate::web::routes::table;", rules::NEIGHBOURS),
        ("domain/base/refused.rs", "use crate::domain::base::db::Db;", rules::FILES),
        ("domain/overview.rs", "use crate::domain::Refused as Refusal;", rules::DETOURS),
        ("domain/records/members.rs", "pub fn visible() {}", rules::HIDDEN),
    ] {
        let mut changed = files.clone();
        changed.get_mut(file).unwrap_or_else(|| panic!("there is no {file}")).push_str(line);
        let violations = violations(&changed);
        let refused = violations.iter().any(|violation| violation.rule == rule);
        assert!(refused, "{line} in {file} is not refused as “{rule}”:\n{}", report(&violations));
    }
}

/// Whatever connects to a host of the internet is in `outbound`, where each address is looked at. Mail, the database and
/// traces connect through libraries of their own, to servers that the operator names.
#[test]
fn only_outbound_connects_to_hosts() {
    const WAYS: [&str; 8] = [
        "TcpStream::connect",
        "HttpConnector",
        "hickory_resolver",
        "hyper::client",
        "hyper_util::",
        "lookup_host",
        "reqwest::",
        "tokio_rustls::",
    ];
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    // The mail server is one that the operator names, too.
    let is_elsewhere = |file: &str| !file.starts_with("outbound/") && file != "mail/server.rs";
    for (file, text) in files.iter().filter(|(file, _)| is_elsewhere(file)) {
        let text = text.split("\nmod tests {").next().unwrap_or_default();
        for way in WAYS {
            assert!(!text.contains(way), "{file} has {way}: use crate::outbound");
        }
    }
}
