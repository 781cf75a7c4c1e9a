//! Creating a key, and the page that shows its secret once.

use crate::{
    domain::{
        Invalid, Name,
        nouns::{
            accounts::keys::PossibleHome,
            api_keys::{self, CreatedKey, Creator},
        },
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, View},
        errors::Errors,
        form::Form,
        guard::{Admitted, HandlerResult, PageAdmission},
        rejection::reopen,
        role_choices::{Choices, any_assignable, has_default, viewer},
        routes::api_keys::{
            home::{Home, Manages},
            parts::{DEFAULT_EXPIRY, EXPIRIES, Ending, Expiry, NewKey, RevealedSecret, administers},
        },
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
    /// Only in a workspace.
    role: Vec<String>,
    expiry: String,
    /// A day, such as 2027-01-15.
    expires_at: String,
    /// The number of keys that the person had created when the form was opened.
    made: String,
    /// `yes` for a key that is an account admin.
    administers: String,
    /// The id of its home workspace; only in the account.
    home: String,
}

impl Details {
    /// The empty form.
    fn blank() -> Self {
        Self { expiry: DEFAULT_EXPIRY.to_owned(), ..Self::default() }
    }
}

impl Validate for Details {
    type Valid = NewKey;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewKey> {
        let name = invalid.check("name", Name::parse(&self.name));
        let is_admin = invalid.check_all(administers(&self.administers));
        let ending = invalid.check_all(Ending::parse(&self.expiry, &self.expires_at));
        let home = match self.home.as_str() {
            "" => Ok(None),
            id => Uuid::try_parse(id).map(Some).map_err(|_| "Choose a workspace of this account."),
        };
        let home = invalid.check("home", home);
        Some(NewKey {
            name: name?,
            roles: self.role.clone(),
            ending: ending?,
            is_admin: is_admin?,
            home: home?,
        })
    }
}

#[derive(Template)]
#[template(path = "api_keys/new.html")]
struct New<'a> {
    chrome: Chrome,
    base: String,
    form: &'a Details,
    creator: Creator,
    /// The roles to choose from; `None` in the account.
    choices: Option<Choices>,
    /// The workspaces to choose the home from; empty in a workspace, which is the home.
    homes: Vec<PossibleHome>,
    expiries: [Expiry; 5],
    errors: Errors,
}

pub(in crate::web) async fn new<A: PageAdmission<Scope: Manages>>(cx: Admitted<A, ()>) -> HandlerResult {
    let (home, view, ()) = cx.into_parts();
    if let Err(refused) = api_keys::may_make_secrets(home.is_verified()) {
        return Err(home.refuse(refused).await);
    }
    draw(&view, &home, StatusCode::OK, &Details::blank(), Errors::default()).await
}

async fn draw(
    view: &View,
    home: &impl Manages,
    status: StatusCode,
    form: &Details,
    errors: Errors,
) -> HandlerResult {
    let page = New {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        creator: home.creator().await?,
        choices: home.choices(&form.role),
        homes: home.possible_homes().await?,
        expiries: EXPIRIES,
        form,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub(in crate::web) async fn create<A: PageAdmission<Scope: Manages>>(
    cx: Admitted<A, Form<Checked<Details>>>,
) -> HandlerResult {
    let (home, view, Form(Checked { sent: mut form, valid })) = cx.into_parts();
    let duplicate = home.duplicate();
    if form.expiry.is_empty() {
        form.expiry = Details::blank().expiry;
    }
    // A form that says nothing of it is taken for one that was sent already.
    let known = form.made.parse().unwrap_or(-1);
    let created = async {
        let mut key = valid?;
        if key.roles.is_empty() && home.choices(&[]).is_some_and(|choices| has_default(&choices)) {
            key.roles = viewer();
        }
        if home.choices(&[]).is_some() && key.home.is_some() {
            let sentence = "This workspace is the home of keys that you create here. The key wasn't created.";
            return Err(Invalid::field("form", sentence).into());
        }
        if home.choices(&[]).is_none() && !key.roles.is_empty() {
            return Err(Invalid::field(
                "form",
                "Assign roles to a key in a workspace. The key wasn't created.",
            )
            .into());
        }
        let requested = key.wanted(home.now());
        Ok(reveal(&view, &duplicate, &home.create(&requested, known).await?))
    };
    reopen(created.await, async |rejected| {
        draw(&view, &duplicate, rejected.status, &form, rejected.errors).await
    })
    .await
}

#[derive(Template)]
#[template(path = "api_keys/secret.html")]
struct SecretPage {
    chrome: Chrome,
    base: String,
    revealed: RevealedSecret,
}

/// The page that responds to the form. There is no redirect, because nothing that carries the secret may be
/// stored. It is `no-store`, and a reload requests the form again, which is valid for one key only.
pub(in crate::web) fn reveal(view: &View, home: &impl Home, created: &CreatedKey) -> HttpResponse {
    view.html(&SecretPage {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        revealed: RevealedSecret::new(view, created, page_of(view, home, created.id)),
    })
}

/// The address of the key's page, or of the overview for someone who may not see keys.
pub(in crate::web) fn page_of(view: &View, home: &impl Home, id: Uuid) -> String {
    match home.may_see() {
        true => view.at(&format!("/api-keys/{id}")),
        false => view.at(""),
    }
}
