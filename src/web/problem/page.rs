use crate::{
    domain::{Refused, accounts::Admin, base::principal::Actor},
    web::{chrome::Chrome, problem::words::Problem},
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

/// The page for a member, in the frame of the workspace.
#[derive(Template)]
#[template(path = "problems/inside.html")]
pub(in crate::web) struct Inside {
    pub chrome: Chrome,
    pub problem: Problem,
}

/// The page for an admin, in the frame of the account.
#[derive(Template)]
#[template(path = "problems/of_account.html")]
pub(in crate::web) struct OfAccount {
    pub chrome: Chrome,
    pub problem: Problem,
}

/// Whose frame the page has: theirs who were let in.
pub(in crate::web) enum Frame {
    Member(Actor),
    Admin(Admin),
    Nobody,
}

/// Whose request was refused; nobody's where none was admitted. Who is suspended sees nothing of the
/// workspace or account.
pub(in crate::web) fn frame(req: &HttpRequest, refused: &Refused) -> Frame {
    match refused {
        Refused::Suspended(_) | Refused::NotAdmin(_) => Frame::Nobody,
        Refused::Forbidden(missing) => missing.actor.clone().map_or(Frame::Nobody, Frame::Member),
        _ => admitted(req),
    }
}

/// Whom the guard let into the workspace or account that the request asks for.
pub(in crate::web) fn admitted(req: &HttpRequest) -> Frame {
    let known = req.extensions();
    match (known.get::<Actor>(), known.get::<Admin>()) {
        (Some(actor), _) => Frame::Member(actor.clone()),
        (_, Some(admin)) => Frame::Admin(admin.clone()),
        _ => Frame::Nobody,
    }
}
