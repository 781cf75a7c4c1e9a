//! A page of a workspace, opened with support access. Forms and calls know no such credential.

use crate::{
    domain::{
        Purpose, Refused, Token,
        base::principal::Credential,
        enforce::{read::ReadScope, workspace::admission::WorkspaceSelector},
        nouns::support::visits,
    },
    policy::Access,
    web::{app::App, cookies, origin},
};
use actix_web::{HttpRequest, http::Method, web::Data};

/// The cookie with the secret of the link.
pub(in crate::web) const COOKIE: &str = "support-access";

fn link(req: &HttpRequest, app: &Data<App>) -> Option<Token> {
    if req.method() != Method::GET {
        return None;
    }
    Token::parse(Purpose::SupportAccess, &cookies::read(req, &app.settings, COOKIE)?)
}

/// Whether the request is for a page, by a browser in which a link of support access was opened.
pub(super) fn has_link(req: &HttpRequest, app: &Data<App>) -> bool {
    link(req, app).is_some()
}

/// Admits whoever was granted support access, and records the page before they see it. Where that has ended, or is for
/// another workspace, the answer is what a session alone gets.
///
/// # Errors
/// That of the session; [`Refused::NotAllowed`] for a page that was not granted.
pub(super) async fn admit<P: Access>(
    req: &HttpRequest,
    app: &Data<App>,
    slug: &str,
    by_session: Result<ReadScope<P>, Refused>,
) -> Result<ReadScope<P>, Refused> {
    let Some(link) = link(req, app) else { return by_session };
    let credential = Credential::of_support_access(&link);
    let selector = WorkspaceSelector::BySlug(slug);
    let admitted = match ReadScope::<P>::admit(&app.db, credential, selector, origin::of(req)).await {
        Ok(admitted) => admitted,
        Err(Refused::Unauthenticated | Refused::NotFound) => return by_session,
        Err(refused) => return Err(refused),
    };
    let address = req.uri().path_and_query().map_or_else(|| req.path(), |address| address.as_str());
    match visits::record(&admitted, address).await {
        Ok(()) => Ok(admitted),
        Err(Refused::Unauthenticated) => by_session,
        Err(refused) => Err(refused),
    }
}
