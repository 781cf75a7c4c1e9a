//! A problem as a page, in the frame of the requesting user.

use crate::{
    domain::Refused,
    web::{
        chrome::{Chrome, PageContext},
        problem::words::Problem,
    },
};
use actix_web::{HttpMessage, HttpRequest};
use askama::Template;

/// The page for anybody.
#[derive(Template)]
#[template(path = "problems/outside.html")]
pub(in crate::web) struct Outside {
    pub chrome: Chrome,
    pub problem: Problem,
}

/// The page for a member or an admin, in the frame of the workspace or account.
#[derive(Template)]
#[template(path = "problems/inside.html")]
pub(in crate::web) struct Inside {
    pub chrome: Chrome,
    pub problem: Problem,
}

/// The frame in which the refusal is shown: that of the workspace or account to which the request was
/// admitted, if any. Suspended members see nothing of it.
pub(in crate::web) fn place_of(req: &HttpRequest, refused: &Refused) -> Option<PageContext> {
    match refused {
        Refused::Suspended(_) | Refused::NotAdmin(_) => None,
        Refused::Forbidden(missing) => {
            missing.actor.clone().map(|actor| PageContext::Workspace(Box::new(actor)))
        }
        _ => admitted(req),
    }
}

/// What the guard admitted the request to, if anything.
pub(in crate::web) fn admitted(req: &HttpRequest) -> Option<PageContext> {
    req.extensions().get::<PageContext>().cloned()
}
