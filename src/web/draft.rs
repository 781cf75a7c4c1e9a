//! What was typed into a form that was not accepted because its session had ended, or is another one by now. The
//! page of the form comes back filled in, and the person sends it again. Nothing is executed in the meantime, and
//! neither passwords nor secrets are kept.
//!
//! A request creates a draft, or has a form drawn again, only if the browser says that a page of ours caused it: otherwise another site could
//! fill in a form of ours, and wait until somebody signs in and sends it.
//!
//! As long as nobody is signed in, the draft is a field of the sign-in page. Then it is stored for the new session,
//! and its id is in the address of the page that is filled in by `refill`.

use crate::web::{matched, site};
use actix_web::{HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The field of a page's query that names the draft to fill in.
pub(in crate::web) const DRAFT: &str = "draft";

/// The largest draft, in bytes of JSON. Encoded as a field of the sign-in page it fits into a form.
const MAX_BYTES: usize = 40 * 1_024;

/// What is never kept: secrets, and what a person types to confirm the change of that moment.
const NOT_KEPT: [&str; 6] = ["password", "secret", "token", "csrf", "credential", "confirm"];

/// Fields that nobody types: they say what a form is about. The version is none of them: of a list in which
/// everything was unticked it is all that is sent.
const CARRIED: [&str; 2] = ["link", "next"];

/// Fields that a page's address names too, because it is about a selection.
const SELECTED: [&str; 2] = ["member", "invitation"];

/// The fields of the form that was sent, in the extensions of its request.
pub(in crate::web) struct SentFields(pub Vec<(String, String)>);

/// A form, filled in and not executed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Draft {
    /// The path that the form is sent to.
    pub action: String,
    /// The address of the page that shows the form.
    pub page: String,
    pub fields: Vec<(String, String)>,
}

impl Draft {
    /// What was typed into the form of this request; `None` if nothing that can be kept was.
    pub(in crate::web) fn of(req: &HttpRequest) -> Option<Self> {
        let extensions = req.extensions();
        let SentFields(sent) = extensions.get::<SentFields>().filter(|_| site::is_own(req))?;
        // The form that restores a draft carries another form's.
        if let Some((_, text)) = sent.iter().find(|(name, _)| name == DRAFT) {
            return Self::parse(text);
        }
        let is_kept = |name: &str| !NOT_KEPT.iter().any(|secret| name.contains(secret));
        let fields: Vec<_> = sent.iter().filter(|(name, _)| is_kept(name)).cloned().collect();
        let is_typed = |(name, value): &(String, String)| !CARRIED.contains(&&**name) && !value.is_empty();
        let draft = Self { action: req.path().to_owned(), page: page_of_form(req, sent)?, fields };
        (draft.fields.iter().any(is_typed) && draft.text().len() <= MAX_BYTES).then_some(draft)
    }

    /// The draft that a form of this request carries.
    pub(in crate::web) fn carried(req: &HttpRequest, text: &str) -> Option<Self> {
        Self::parse(text).filter(|_| site::is_own(req))
    }

    /// Reads a draft from the text that [`Draft::text`] wrote.
    pub(in crate::web) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(in crate::web) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The address of its page, filled in with the stored draft of this id.
    pub(in crate::web) fn address(&self, id: Uuid) -> String {
        let separator = if self.page.contains('?') { '&' } else { '?' };
        format!("{}{separator}{DRAFT}={id}#{DRAFT}", self.page)
    }
}

/// Whether the form of this request had anything in it that its sender may miss.
pub(in crate::web) fn has_text(req: &HttpRequest) -> bool {
    let extensions = req.extensions();
    let is_typed =
        |(name, value): &(String, String)| name != "csrf" && !CARRIED.contains(&&**name) && !value.is_empty();
    extensions.get::<SentFields>().is_some_and(|SentFields(sent)| sent.iter().any(is_typed))
}

/// The address of the page that shows the form of this request; `None` if there is no such page.
pub(in crate::web) fn form_page(req: &HttpRequest) -> Option<String> {
    let extensions = req.extensions();
    let sent = extensions.get::<SentFields>().filter(|_| site::is_own(req));
    page_of_form(req, sent.map_or(&[], |sent| &sent.0))
}

fn page_of_form(req: &HttpRequest, sent: &[(String, String)]) -> Option<String> {
    let page = matched::form_page(req)?;
    let is_selection = page.contains("/selection/");
    let is_id = |value: &str| value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let is_in_address = |name: &str| name == "link" || (is_selection && SELECTED.contains(&name));
    let ids = sent.iter().filter(|(name, value)| is_in_address(name) && !value.is_empty() && is_id(value));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(ids).finish();
    Some(if query.is_empty() { page } else { format!("{page}?{query}") })
}

/// The id of the draft that the query of this request names.
pub(in crate::web) fn requested(req: &HttpRequest) -> Option<Uuid> {
    let mut pairs = url::form_urlencoded::parse(req.query_string().as_bytes());
    pairs.find(|(name, _)| name == DRAFT).and_then(|(_, id)| Uuid::try_parse(&id).ok())
}
