//! The form that sets until when a member has access, or one of their roles.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid,
        base::words::exact,
        nouns::members::{self, EndChanged, Ending},
    },
    policy::perm,
    web::{
        chrome::{Flash, View},
        form::Form,
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::reopen,
        routes::members::{detail::draw, ends::NO_END},
        until,
    },
};
use actix_web::HttpResponse;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct EndForm {
    /// The slug of a role; empty for the membership.
    role: String,
    /// A day; empty for no end.
    until: String,
    /// By how many minutes UTC is ahead of the reader; empty without the script.
    zone: String,
    /// The end that the page showed, in milliseconds, or `none`; empty for any.
    seen: String,
}

impl EndForm {
    fn of(&self) -> Ending {
        match self.role.as_str() {
            "" => Ending::Membership,
            slug => Ending::Role(slug.to_owned()),
        }
    }

    fn seen(&self) -> Result<Option<Option<Timestamp>>, Invalid> {
        match self.seen.as_str() {
            "" => Ok(None),
            NO_END => Ok(Some(None)),
            text => match text.parse() {
                Ok(at) => Ok(Some(Some(Timestamp::from_millis(at)))),
                Err(_) => Err(Invalid::field("until", "Open the page again, then try again.")),
            },
        }
    }
}

pub async fn change(cx: Authorized<perm::UpdateMemberRoles, (Target, Form<EndForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let (until, seen, of) = (until::parse(&form.until, &form.zone)?, form.seen()?, form.of());
        let changed = scope.write(async |s| members::set_end(s, id, &of, until, seen).await).await?;
        Ok(saved(&view, id, &form.role, changed))
    };
    reopen(done.await, async |rejected| {
        let detail = members::detail(&duplicate, id).await?;
        let page = draw(&view, &duplicate, detail, None, rejected.errors);
        Ok(view.html_as(rejected.status, &page))
    })
    .await
}

/// The redirect after a change, with an Undo.
fn saved(view: &View, id: Uuid, slug: &str, changed: EndChanged) -> HttpResponse {
    let to = view.at(&format!("/members/{id}"));
    let what = match changed.role.as_str() {
        "" => format!("Access of {}", changed.name),
        role => format!("Role {role} of {}", changed.name),
    };
    let text = match changed.after {
        Some(at) => format!("{what} ends on {}.", exact(at)),
        None => format!("{what} has no end."),
    };
    let moment = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    let fields = [
        ("role", slug.to_owned()),
        ("until", moment(changed.before, "")),
        ("seen", moment(changed.after, NO_END)),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
    view.redirect_with_flash(to.clone(), Flash::good(text).with_undo(format!("{to}/end"), fields))
}
