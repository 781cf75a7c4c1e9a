//! A request of an account's admin.

use crate::{
    domain::{Refused, nouns::accounts::AccountScope},
    web::{
        access::AdminOfAccount,
        app::App,
        chrome::{PageContext, View},
        guard::{Admission, Admitted, PageAdmission, credential, remember},
        origin,
        outcome::PrincipalId,
        turns::Line,
        wire,
    },
};
use actix_web::{HttpRequest, web::Data};

/// An admin of the account in the path, by session.
pub struct AdminBySession;

/// A request of an admin of the account in the path.
pub type AccountAdmin<I = ()> = Admitted<AdminBySession, I>;

impl Admission for AdminBySession {
    type Requires = AdminOfAccount;
    type Scope = AccountScope;
    type View = View;

    async fn admit(req: &HttpRequest, app: &Data<App>) -> Result<AccountScope, Refused> {
        let credential = credential(req)?;
        // What cannot be an id names no account, and is looked up as an empty one.
        let account = wire::id(req.match_info().get("account").unwrap_or_default()).unwrap_or_default();
        let scope = AccountScope::admit(&app.db, credential, account, origin::of(req)).await?;
        remember(req, PageContext::Account(scope.actor().clone()));
        Ok(scope)
    }

    fn principal(scope: &AccountScope) -> Option<PrincipalId> {
        Some(PrincipalId::User(scope.actor().person.user_id))
    }

    fn line(scope: &AccountScope) -> Option<Line> {
        let admin = scope.actor();
        Some(Line::of_account(admin.account.id, admin.person.user_id, admin.person.user_id))
    }

    fn view(req: &HttpRequest, app: Data<App>, scope: &AccountScope) -> View {
        View::in_context(req, app, PageContext::Account(scope.actor().clone()))
    }
}

impl PageAdmission for AdminBySession {}
