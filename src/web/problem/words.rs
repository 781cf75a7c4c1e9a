use crate::domain::Conflict;
use actix_web::http::StatusCode;

pub(in crate::web) struct Problem {
    pub(super) status: u16,
    pub(super) headline: String,
    pub(super) sentence: String,
    /// What would help, one point a line.
    pub(super) points: Vec<String>,
    /// Links that lead on: address and words.
    pub(super) links: Vec<(String, String)>,
    /// A form that signs the person out, to come back as somebody else.
    pub(super) switch: bool,
    /// A form that sends the confirmation mail again.
    pub(super) resend: bool,
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
            switch: false,
            resend: false,
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

pub(in crate::web) fn absent() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is nothing here",
        "The address is wrong, or it leads to something that is gone or that you are no member of.",
    )
}

/// `here` is the first page of the place, and `back` the words of a link to it.
pub(in crate::web) fn conflicted(conflict: Conflict, here: String, back: &str) -> Problem {
    let problem = Problem::new(StatusCode::CONFLICT, "This can't be done now", conflict.to_string());
    match conflict {
        Conflict::LastOwner => {
            let problem = problem.point("Nothing was changed.");
            if here.is_empty() {
                problem
            } else {
                problem.link(format!("{here}/members"), "Choose another Owner")
            }
        }
        Conflict::LastAdmin => problem.link(format!("{here}/people"), "Choose another admin"),
        Conflict::InWorkspaces(_) => problem.link(format!("{here}/people"), "Back to the people"),
        Conflict::KeyMade if !here.is_empty() => problem.link(format!("{here}/api-keys"), "See the keys"),
        _ => problem.link(here, back),
    }
}
