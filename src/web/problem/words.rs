//! What a problem says: what happened, and what to do next.

use crate::{
    domain::{
        Invalid, MissingPermission, NoCredit, NotAdmin,
        base::conflict::{DetailedConflict, FirstStep, Gone, Prerequisite},
    },
    policy::Permission,
    web::draft::Draft,
};
use actix_web::http::StatusCode;

pub(in crate::web) struct Problem {
    pub(super) status: u16,
    pub(super) headline: String,
    pub(super) sentence: String,
    /// What would help, one point a line.
    pub(super) points: Vec<String>,
    /// Further links: address and label.
    pub(super) links: Vec<(String, String)>,
    /// A form that signs the person out, so that they can sign in as someone else.
    /// Its field: where they continue then.
    pub(super) switch: Option<String>,
    /// A form that sends the confirmation mail again.
    pub(super) resend: bool,
    /// A form that brings back what was typed.
    pub(super) draft: Option<Draft>,
    /// What is wrong with what was sent, field by field.
    pub(super) fields: Vec<(String, String)>,
    /// Scopes of permissions any one of which would have been enough.
    pub(super) permissions: Vec<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, headline: &str, sentence: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            headline: headline.to_owned(),
            sentence: sentence.into(),
            points: Vec::new(),
            links: vec![("/workspaces".into(), "Your workspaces".into())],
            switch: None,
            resend: false,
            draft: None,
            fields: Vec::new(),
            permissions: Vec::new(),
        }
    }

    pub(super) fn link(mut self, to: impl Into<String>, words: impl Into<String>) -> Self {
        self.links.insert(0, (to.into(), words.into()));
        self
    }

    pub(super) fn point(mut self, text: impl Into<String>) -> Self {
        self.points.push(text.into());
        self
    }
}

pub(in crate::web) fn page_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "Not found",
        "The address is wrong, or it leads to something that was deleted, or you're not a member of it.",
    )
}

/// `what` is "This account" or the workspace's.
pub(super) fn suspended(what: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "You don't have access right now", format!("{what} is suspended."))
        .point(match what {
            "This account" => "Ask the people who run this installation.",
            _ => "Ask an Owner or Admin of the workspace to restore your access.",
        })
}

pub(super) fn not_admin(not: &NotAdmin) -> Problem {
    let problem = Problem::new(
        StatusCode::FORBIDDEN,
        "You don't have permission for this",
        "Only account admins can do this.",
    )
    .point("Owners and Admins of a workspace aren't account admins automatically.");
    if not.admins.is_empty() {
        return problem;
    }
    problem.point(format!("Account admins: {}.", not.admins.join(", ")))
}

pub(super) fn forbidden(missing: &MissingPermission) -> Problem {
    let mut problem = Problem::new(
        StatusCode::FORBIDDEN,
        "You don't have permission for this",
        format!("You need the “{}” permission.", missing.permissions.join("” or “")),
    )
    .point(format!("Roles with this permission: {}.", missing.roles.join(", ")));
    let needed = Permission::ALL.iter().filter(|one| missing.permissions.contains(&one.label()));
    problem.permissions = needed.map(|one| one.scope()).collect();
    if missing.is_limited {
        problem = problem.point(
            "The key's roles have it, but the person who vouches for the key, or who was shown its secret, doesn't.",
        );
    }
    if missing.granters.is_empty() {
        return problem;
    }
    problem.point(format!("People who can give it to you: {}.", missing.granters.join(", ")))
}

pub(super) fn no_credit(missing: &NoCredit) -> Problem {
    let problem = Problem::new(StatusCode::PAYMENT_REQUIRED, "Not enough credits", missing.sentence());
    problem.point("Nothing was changed.").point(missing.remedy())
}

pub(super) fn not_valid(invalid: &Invalid) -> Problem {
    let mut problem =
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Some fields aren't valid", "Nothing was changed.");
    for (field, complaint) in invalid.iter() {
        problem = problem.point(format!("{field}: {complaint}"));
        problem.fields.push((field.to_owned(), complaint.to_owned()));
    }
    problem
}

/// `here` is the address of the workspace or account, which the paths of the conflict's links are below, and
/// `back` the label of a link to it. Without it, there are no links.
pub(super) fn conflicted(conflict: &DetailedConflict, here: &str, back: &str) -> Problem {
    let mut problem = Problem::new(StatusCode::CONFLICT, "This can't be done right now", &conflict.sentence);
    problem.points.extend(conflict.notes.iter().cloned());
    if here.is_empty() {
        return problem;
    }
    if conflict.links.is_empty() {
        return problem.link(here, back);
    }
    let ways = conflict.links.iter().rev();
    ways.fold(problem, |problem, (path, words)| problem.link(format!("{here}{path}"), words))
}

pub(super) fn gone(gone: &Gone) -> Problem {
    let problem = Problem::new(StatusCode::GONE, "This link no longer works", gone.sentence);
    match gone.link {
        Some(way) => problem.link(way.path, way.label),
        None => problem,
    }
}

pub(super) fn prerequisite(first: &Prerequisite) -> Problem {
    let mut problem = Problem::new(StatusCode::FORBIDDEN, first.headline, &first.sentence);
    if !first.note.is_empty() {
        problem = problem.point(first.note);
    }
    match (first.step, &first.then) {
        (FirstStep::SignInWithAnotherAddress, then) => {
            problem.switch = Some(then.as_ref().map(|(to, _)| to.clone()).unwrap_or_default());
        }
        (FirstStep::ConfirmAddress, then) => {
            problem.resend = true;
            if let Some((to, label)) = then {
                problem = problem.link(to, *label);
            }
        }
    }
    problem
}
