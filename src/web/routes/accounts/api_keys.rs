//! The API keys of an account, for its admins. A secret is shown as on the pages of a workspace: once,
//! by the answer to the form that made it.

use crate::{
    domain::{
        CHANGED, Invalid, Name, Refused,
        accounts::{
            AccountScope,
            keys::{self, Listed, Place},
        },
        api_keys::{self, KEY_REVOKED, Made},
        base::paging::Position,
    },
    web::{
        checks::{self, Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{Form, Nothing},
        guard::{Answer, account::AccountAdmin},
        list::{Neighbours, Query, listed},
        path::Target,
        routes::api_keys::parts::{
            Called, DEFAULT_EXPIRY, EXPIRIES, Ending, Expiry, NewKey, OVERLAPS, ROTATED, Rotation, Told,
            administers,
        },
        when::When,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

/// A key as a row or as the head of a page.
struct Row {
    key: Listed,
    /// What may be told of its newest secret; empty where it has none.
    secret: String,
    created: When,
    expires: Option<When>,
    used: Option<When>,
    overlap: Option<When>,
    is_live: bool,
    tone: &'static str,
    status: &'static str,
}

impl Row {
    fn new(key: Listed, now: i64) -> Self {
        let (tone, status) = match () {
            () if key.is_revoked => ("off", "Revoked"),
            () if key.is_expired => ("warn", "Expired"),
            () => ("good", "Active"),
        };
        let when = |at: Option<i64>| at.map(|at| When::new(at, now));
        Self {
            secret: if key.hint.is_empty() { String::new() } else { format!("blw_key_…{}", key.hint) },
            created: When::new(key.created_at, now),
            expires: when(key.expires_at),
            used: when(key.last_used_at),
            overlap: when(key.overlap_ends_at),
            is_live: tone == "good",
            tone,
            status,
            key,
        }
    }

    /// How many workspaces there are beside those that are named.
    fn more(&self) -> i64 {
        self.key.workspaces - 3
    }
}

#[derive(Template)]
#[template(path = "account_keys/index.html")]
struct Index {
    chrome: Chrome,
    /// `/a/{account}/api-keys`
    base: String,
    query: ListQuery,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
    /// The viewer's address is confirmed, without which nobody makes keys.
    is_verified: bool,
}

#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    after: String,
    before: String,
}

impl ListQuery {
    fn read(&self) -> Result<(String, Position), Refused> {
        let text = checks::search(&self.q)?;
        Ok((text, Position::parse(&self.after, &self.before)?))
    }
}

pub async fn index(cx: AccountAdmin<Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |text: &String, at: &Position| keys::list(&scope, text, at).await;
    let (found, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let q = if errors.any() { "" } else { &query.q };
    let base = view.at("/api-keys");
    let page = Index {
        chrome: view.chrome(),
        neighbours: Neighbours::new(&found, &base, &[("q", q)]),
        rows: found.rows.into_iter().map(|key| Row::new(key, scope.now_ms())).collect(),
        is_verified: scope.actor().person.is_verified,
        errors,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    expiry: String,
    /// A day, such as 2027-01-15.
    expires_at: String,
    /// How many keys its sender had made when the form was opened.
    made: String,
    /// `yes` for a key that may create workspaces.
    administers: String,
}

impl Details {
    /// As the form is offered.
    fn blank() -> Self {
        Self { expiry: DEFAULT_EXPIRY.to_owned(), ..Self::default() }
    }
}

impl Validate for Details {
    type Valid = NewKey;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewKey> {
        let name = invalid.keep("name", Name::parse(&self.name));
        let is_admin = invalid.keep_all(administers(&self.administers));
        let ending = invalid.keep_all(Ending::parse(&self.expiry, &self.expires_at));
        Some(NewKey { name: name?, roles: Vec::new(), ending: ending?, is_admin: is_admin? })
    }
}

#[derive(Template)]
#[template(path = "account_keys/new.html")]
struct New<'a> {
    chrome: Chrome,
    base: String,
    form: &'a Details,
    made: i64,
    expiries: [Expiry; 5],
    errors: Errors,
}

pub async fn new(cx: AccountAdmin) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    if let Err(refused) = api_keys::may_make_secrets(scope.actor().person.is_verified) {
        return Err(scope.refuse(refused).await);
    }
    blank(&view, &scope, StatusCode::OK, &Details::blank(), Errors::default()).await
}

async fn blank(
    view: &View,
    scope: &AccountScope,
    status: StatusCode,
    form: &Details,
    errors: Errors,
) -> Answer {
    let page = New {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        made: keys::made(scope).await?,
        expiries: EXPIRIES,
        form,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn create(cx: AccountAdmin<Form<Checked<Details>>>) -> Answer {
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
            scope.write(async |s| keys::create(s, &wanted, known).await).await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(made) => Ok(told(&view, made)),
        Err(Refused::Invalid(invalid)) => {
            blank(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, &form, invalid.into()).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "account_keys/secret.html")]
struct SecretPage {
    chrome: Chrome,
    base: String,
    told: Told,
}

/// The page that answers the form itself, as for a key of a workspace.
fn told(view: &View, made: Made) -> HttpResponse {
    let base = view.at("/api-keys");
    let told = Told::new(view, &made, format!("{base}/{}", made.id));
    view.html(&SecretPage { chrome: view.chrome(), base, told })
}

#[derive(Template)]
#[template(path = "account_keys/show.html")]
struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    places: Vec<Place>,
    /// What stands in the field.
    name: String,
    /// Why no other secret is made from here.
    in_workspaces: &'static str,
    is_verified: bool,
    overlaps: [(i64, &'static str); 4],
    errors: Errors,
    /// What went wrong with the change that this page answers; empty where nothing did.
    problem: &'static str,
}

/// What the page of a key says beside what it is.
#[derive(Default)]
struct FormState {
    name: Option<String>,
    errors: Errors,
    problem: &'static str,
}

async fn draw(view: &View, scope: &AccountScope, id: Uuid, status: StatusCode, said: FormState) -> Answer {
    let key = keys::look(scope, id).await?;
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        places: keys::places(scope, id).await?,
        name: said.name.unwrap_or_else(|| key.name.clone()),
        in_workspaces: keys::IN_WORKSPACES,
        is_verified: scope.actor().person.is_verified,
        overlaps: OVERLAPS,
        errors: said.errors,
        problem: said.problem,
        row: Row::new(key, scope.now_ms()),
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: AccountAdmin<Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, id, StatusCode::OK, FormState::default()).await
}

pub async fn rename(cx: AccountAdmin<(Target, Form<Checked<Called>>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let again = scope.again();
    let done = match form.valid {
        Ok(name) => scope.write(async |s| keys::rename(s, id, &name).await).await,
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(name) => {
            let flash = Flash::good(format!("The key is called {name}."));
            Ok(view.done(view.at(&format!("/api-keys/{id}")), flash))
        }
        Err(Refused::Invalid(invalid)) => {
            let said = FormState { name: Some(form.sent.name), errors: invalid.into(), problem: "" };
            draw(&view, &again, id, StatusCode::UNPROCESSABLE_ENTITY, said).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Administration {
    /// `yes` for a key that may create workspaces.
    administers: String,
}

pub async fn administer(cx: AccountAdmin<(Target, Form<Administration>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let is_admin = administers(&form.administers)?;
    let is_change = scope.write(async |s| keys::administer(s, id, is_admin).await).await?;
    let flash = match (is_change, is_admin) {
        (false, _) => Flash::good("Nothing was to be changed."),
        (true, true) => Flash::good("The key may create workspaces now."),
        (true, false) => Flash::good("The key may create no workspaces any more."),
    };
    Ok(view.done(view.at(&format!("/api-keys/{id}")), flash))
}

pub async fn rotate(cx: AccountAdmin<(Target, Form<Rotation>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let again = scope.again();
    let done = match form.overlap() {
        Ok(overlap) => scope.write(async |s| keys::rotate(s, id, &form.version, overlap).await).await,
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(made) => Ok(told(&view, made)),
        Err(Refused::Conflict(CHANGED)) => {
            let said = FormState { problem: ROTATED, ..FormState::default() };
            draw(&view, &again, id, StatusCode::CONFLICT, said).await
        }
        Err(Refused::Invalid(invalid)) => {
            let said = FormState { errors: invalid.into(), ..FormState::default() };
            draw(&view, &again, id, StatusCode::UNPROCESSABLE_ENTITY, said).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "account_keys/revocation.html")]
struct Revocation {
    chrome: Chrome,
    base: String,
    row: Row,
    places: Vec<Place>,
}

/// What would happen. Nobody is asked to confirm what would then be refused.
pub async fn revocation(cx: AccountAdmin<Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    let key = keys::look(&scope, id).await?;
    if key.is_revoked {
        return Err(scope.refuse(KEY_REVOKED).await);
    }
    let places = keys::places(&scope, id).await?;
    let row = Row::new(key, scope.now_ms());
    let base = view.at("/api-keys");
    Ok(view.html(&Revocation { chrome: view.chrome(), base, row, places }))
}

pub async fn revoke(cx: AccountAdmin<(Target, Form<Nothing>)>) -> Answer {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = keys::revoke(scope, id).await?;
    let flash = Flash::good(format!("{name} is revoked. Requests with its secret are refused from now on."));
    Ok(view.done(view.at("/api-keys"), flash))
}
