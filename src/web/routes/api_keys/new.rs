//! Creating a key, and the page that shows its secret once.

use crate::{
    domain::{
        Invalid, Name, Refused,
        api_keys::{self, Made, Maker},
        base::role::Assignable,
        enforce::read::ReadScope,
        roles,
    },
    policy::{Access, BuiltIn, Permission, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, View},
        errors::Errors,
        form::Form,
        guard::{Answer, Authorized},
        routes::api_keys::parts::{DEFAULT_EXPIRY, EXPIRIES, Ending, Expiry, NewKey, Told, administers},
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    role: Vec<String>,
    expiry: String,
    /// A day, such as 2027-01-15.
    expires_at: String,
    /// How many keys its sender had made when the form was opened.
    made: String,
    /// `yes` for a key that administers the account.
    administers: String,
}

impl Details {
    /// As the form is offered.
    fn blank() -> Self {
        Self { role: viewer(), expiry: DEFAULT_EXPIRY.to_owned(), ..Self::default() }
    }
}

impl Validate for Details {
    type Valid = NewKey;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewKey> {
        let name = invalid.keep("name", Name::parse(&self.name));
        let is_admin = invalid.keep_all(administers(&self.administers));
        let ending = invalid.keep_all(Ending::parse(&self.expiry, &self.expires_at));
        Some(NewKey { name: name?, roles: self.role.clone(), ending: ending?, is_admin: is_admin? })
    }
}

#[derive(Template)]
#[template(path = "api_keys/new.html")]
struct New<'a> {
    chrome: Chrome,
    base: String,
    form: &'a Details,
    maker: Maker,
    choices: Vec<(Assignable, bool)>,
    /// There is a role that the viewer may give.
    may_give: bool,
    expiries: [Expiry; 5],
    errors: Errors,
}

/// What is ticked where nobody chose yet.
pub(in crate::web) fn viewer() -> Vec<String> {
    vec![BuiltIn::Viewer.slug().to_owned()]
}

/// The roles to choose from, each with whether it is ticked, and whether one can be given at all.
pub(in crate::web) fn choices<P: Access>(
    scope: &ReadScope<P>,
    ticked: &[String],
) -> (Vec<(Assignable, bool)>, bool) {
    let roles = roles::assignable(scope);
    let may_give = roles.iter().any(|role| role.refused.is_none());
    (
        roles.into_iter().map(|role| (ticked.contains(&role.slug), role)).map(|(t, r)| (r, t)).collect(),
        may_give,
    )
}

pub async fn new(cx: Authorized<perm::ManageApiKeys>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    if let Err(refused) = api_keys::may_make_secrets(scope.actor().principal.is_verified()) {
        return Err(scope.refuse(refused).await);
    }
    blank(&view, &scope, StatusCode::OK, &Details::blank(), Errors::default()).await
}

async fn blank(
    view: &View,
    scope: &ReadScope<perm::ManageApiKeys>,
    status: StatusCode,
    form: &Details,
    errors: Errors,
) -> Answer {
    let (choices, may_give) = choices(scope, &form.role);
    let page = New {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        maker: api_keys::maker(scope).await?,
        choices,
        may_give,
        expiries: EXPIRIES,
        form,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn create(cx: Authorized<perm::ManageApiKeys, Form<Checked<Details>>>) -> Answer {
    let (scope, view, Form(Checked { sent: mut form, valid })) = cx.into_parts();
    let again = scope.again();
    if form.expiry.is_empty() {
        form.expiry = Details::blank().expiry;
    }
    // A form that says nothing of it is taken for one that was sent already.
    let known = form.made.parse().unwrap_or(-1);
    let done = match valid {
        Ok(key) => {
            let wanted = key.wanted(scope.now_ms());
            scope.write(async |s| api_keys::create_once(s, &wanted, known).await).await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(made) => Ok(told(&view, &again, made)),
        Err(Refused::Invalid(invalid)) => {
            blank(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, &form, invalid.into()).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "api_keys/secret.html")]
struct SecretPage {
    chrome: Chrome,
    base: String,
    told: Told,
}

/// The page that answers the form itself: nothing that could be read again carries the secret to
/// another one. It is `no-store`, and a reload asks for the form, which is good for one key only.
pub(in crate::web) fn told<P: Access>(view: &View, scope: &ReadScope<P>, made: Made) -> HttpResponse {
    let done = home_of(view, scope, made.id);
    view.html(&SecretPage {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        told: Told::new(view, &made, done),
    })
}

/// The key's own page, or the overview for who may not see keys.
pub(in crate::web) fn home_of<P: Access>(view: &View, scope: &ReadScope<P>, id: Uuid) -> String {
    match scope.actor().holdings.has(Permission::ReadApiKeys) {
        true => view.at(&format!("/api-keys/{id}")),
        false => view.at(""),
    }
}
