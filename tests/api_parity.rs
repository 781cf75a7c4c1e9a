//! What a page can do inside a workspace a call can do, under the same permission and with the same
//! verdict: another way to the same effect is no way around a rule. The nouns say which call does what a
//! form does.

use crate::{
    nouns::{self, teams::add_team},
    support::{
        product::{BuiltIn, Permission, Requirement},
        *,
    },
    walk::{Attempt, Pair, Place, Row, Walk, key_callers, people_callers},
    world::*,
};
use serde_json::Value;

/// The forms of a workspace, each with the call that does the same, and its fields of another name.
fn pairs() -> Vec<(&'static Row, &'static Row, &'static [&'static str])> {
    let forms = nouns::pages()
        .iter()
        .filter(|row| !row.is_page() && matches!(row.requirement, Requirement::Member(_)));
    let pair = |form: &'static Row| match form.pair {
        Pair::Call { route, otherwise } => Some((form, nouns::call(route), otherwise)),
        Pair::None(_) => None,
        Pair::Unsaid => panic!("which call does what {} does? Say it in {}", form.name(), form.file),
    };
    forms.filter_map(pair).collect()
}

#[test]
fn every_form_of_a_workspace_has_a_call_under_the_same_permission() {
    for (form, call, _) in pairs() {
        assert_eq!(form.requirement, call.requirement, "left: {}, right: {}", form.name(), call.name());
    }
}

/// What a body says, as a form does.
fn as_fields(body: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let name = match name.as_str() {
            "roles" => "role",
            "members" => "member",
            other => other,
        };
        fields.extend(values.into_iter().map(|value| {
            let value = match value {
                Value::Bool(yes) => if yes { "yes" } else { "no" }.to_owned(),
                Value::String(text) => text,
                other => other.to_string(),
            };
            let is_permission = name == "scopes" && Permission::of_scope(&value).is_some();
            (if is_permission { "permission" } else { name }.to_owned(), value)
        }));
    }
    fields
}

/// The form has what the body of the call has.
fn assert_same_words(form: &Attempt, call: &Attempt, otherwise: &[&str]) {
    let fields = form.fields();
    for (name, value) in call.row.body_at(call).iter().flat_map(as_fields) {
        let is_there = fields.iter().any(|(other, same)| *other == name && *same == value);
        let (form, call) = (form.row.name(), call.row.name());
        assert!(
            is_there || otherwise.contains(&&*name),
            "{call} has {name}={value}, and {form} has {fields:?}"
        );
    }
}

both! {
    async fn a_page_and_a_call_give_the_same_verdict(app: TestApp) {
        let mut world = World::build(&app).await;
        // A team that nobody leads: no key does.
        let member = world.acme.id("member");
        let led_by_nobody = add_team(&app, "acme", "Team Without A Lead", &["viewer"], &[(member, false)]).await;
        world.acme.replace("team", led_by_nobody);
        let (people, keys) = (people_callers(&app, &world).await, key_callers(&app).await);
        let (mut people, keys) = (Walk::begin(&app, &world, people).await, Walk::begin(&app, &world, keys).await);
        let mut compared = 0;
        for (form, call, otherwise) in pairs() {
            people.read_carried(form).await;
            for place in [Place::Own, Place::Above] {
                for n in 0..BuiltIn::ALL.len() {
                    let (person, key) = (people.attempt(form, n, place), keys.attempt(call, n, place));
                    assert_eq!(person.kind(), key.kind());
                    assert_same_words(&person, &key, otherwise);
                    let page = people.send_good(form, n, place).await;
                    restore(&app).await;
                    let answer = keys.send_good(call, n, place).await;
                    restore(&app).await;

                    let done = |status: u16| if status < 400 { 0 } else { status };
                    // What a person may do to themselves, a key that they vouch for never does to them.
                    if answer.words().contains("who vouches for it") {
                        assert_eq!(place, Place::Above, "{}: {}", form.name(), answer.words());
                        continue;
                    }
                    // Whose roles do not reach there sees what is wrong at the field, with the same status.
                    assert_eq!(
                        done(page.status), done(answer.status),
                        "{:?} {}: page {}, call {}", key.kind(), form.name(), page.status, answer.words()
                    );
                    compared += 1;
                }
            }
        }
        println!("parity: {} pairs, {compared} comparisons", pairs().len());
        assert!(compared > 450, "only {compared} were compared");
    }
}
