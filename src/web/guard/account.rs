use crate::{
    domain::{Refused, accounts::AccountScope},
    web::{
        app::App,
        chrome::View,
        guard::{app, credential, refusal},
        origin, wire,
    },
};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

/// A request of an admin of the account in the path. Checked before the body is read.
pub struct AccountAdmin<I = ()> {
    scope: AccountScope,
    view: View,
    input: I,
}

impl<I> AccountAdmin<I> {
    pub(in crate::web) fn into_parts(self) -> (AccountScope, View, I) {
        (self.scope, self.view, self.input)
    }
}

impl<I: FromRequest + 'static> FromRequest for AccountAdmin<I> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let app = app(&req)?;
            let scope = admit_admin(&req, &app).await.map_err(|refused| refusal(&req, &refused))?;
            // For the frame of the page, should the request be refused from here on.
            req.extensions_mut().insert(scope.actor().clone());
            let view = View::of_admin(&req, app, scope.actor());
            let input = I::from_request(&req, &mut payload).await.map_err(Into::into)?;
            Ok(Self { scope, view, input })
        })
    }
}

async fn admit_admin(req: &HttpRequest, app: &web::Data<App>) -> Result<AccountScope, Refused> {
    let credential = credential(req)?;
    // What cannot be an id names no account, and is asked for as none.
    let account = wire::id(req.match_info().get("account").unwrap_or_default()).unwrap_or(Uuid::nil());
    AccountScope::admit(&app.db, credential, account, origin::of(req)).await
}
