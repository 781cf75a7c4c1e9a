//! The API keys of a workspace. A secret stands on the page that answers the form which made it, and
//! nowhere else: nothing is kept to show it again.

use super::{Neighbours, activity};
use crate::{
    clock::{DAY, HOUR},
    domain::{
        Conflict, Invalid, Name, Refused,
        api_keys::{self, Filter, Listed, Made, Maker, Waiting, Wanted},
        paging::Position,
        roles::{self, Assignable},
        scope::ReadScope,
        search_text,
    },
    policy::{Access, BuiltIn, Permission, perm},
    web::{
        chrome::{Chrome, Flash, View},
        form::{Errors, Form, Nothing, Query, Target, check, checks, listed},
        guard::{Answer, Authorized},
        when::When,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;
use validator::Validate;

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
            () if !key.is_active => ("off", "Suspended"),
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
}

#[derive(Template)]
#[template(path = "api_keys/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/api-keys`
    base: String,
    query: ListQuery,
    is_filtered: bool,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
    /// The viewer's address is confirmed, without which nobody makes keys.
    is_verified: bool,
}

#[derive(Clone, Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    #[validate(custom(function = "checks::search"))]
    q: String,
    after: String,
    before: String,
}

impl ListQuery {
    fn read(&self) -> Result<(Filter, Position), Refused> {
        check(self)?;
        let text = search_text(&self.q).map_err(|complaint| Invalid::field("q", complaint))?;
        Ok((Filter { text }, Position::parse(&self.after, &self.before)?))
    }
}

pub async fn index(cx: Authorized<perm::ReadApiKeys, Query<ListQuery>>) -> Answer {
    let (scope, view, Query(query)) = cx.into_parts();
    let list = async |filter: &Filter, at: &Position| api_keys::list(&scope, filter, at).await;
    let (listing, status, errors) = listed(query.read(), list).await?;
    // What was refused is shown in its field, and carried along by no link.
    let q = if errors.any() { "" } else { &query.q };
    let base = view.at("/api-keys");
    let neighbours = Neighbours::new(&listing.page, &base, &[("q", q)]);
    let page = Index {
        chrome: view.chrome("api-keys"),
        is_filtered: !query.q.is_empty(),
        rows: listing.page.rows.into_iter().map(|key| Row::new(key, scope.now_ms())).collect(),
        is_verified: scope.actor().principal.is_verified(),
        neighbours,
        errors,
        base,
        query,
    };
    Ok(view.html_as(status, &page))
}

/// A choice when a key expires: its value, label and note.
pub(super) type Expiry = (&'static str, &'static str, &'static str);

pub(super) const EXPIRIES: [Expiry; 5] = [
    ("30", "In 30 days", ""),
    ("90", "In 90 days", ""),
    ("365", "In a year", ""),
    ("date", "On a day", "The one that is entered below."),
    ("never", "Never", "It works until somebody revokes it: best where nothing can be renewed."),
];

#[derive(Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    #[validate(custom(function = "checks::name"))]
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
        Self { role: viewer(), expiry: "90".to_owned(), ..Self::default() }
    }

    fn read(&self, now: i64) -> Result<Wanted, Refused> {
        check(self)?;
        let name = Name::parse(&self.name).map_err(|complaint| Invalid::field("name", complaint))?;
        let is_admin = administers(&self.administers)?;
        let expires_at = expires_at(&self.expiry, &self.expires_at, now)?;
        Ok(Wanted { name, roles: self.role.clone(), expires_at, is_admin })
    }
}

/// The box that makes a key one that administers the account.
pub(super) fn administers(ticked: &str) -> Result<bool, Refused> {
    match ticked {
        "" => Ok(false),
        "yes" => Ok(true),
        _ => Err(Invalid::field("administers", "Tick it, or leave it.").into()),
    }
}

/// The end of a key, from the choice and the day that were sent.
pub(super) fn expires_at(choice: &str, day: &str, now: i64) -> Result<Option<i64>, Refused> {
    let day = activity::date("expires_at", day)?;
    match (choice, day) {
        ("date", Some(midnight)) => Ok(Some(midnight + DAY)),
        ("date", None) => Err(Invalid::field("expires_at", "Enter the last day.").into()),
        (_, Some(_)) => {
            Err(Invalid::field("expires_at", "Choose “On a day” too, or leave this empty.").into())
        }
        ("never", None) => Ok(None),
        (days, None) => match EXPIRIES.iter().find(|(value, ..)| *value == days) {
            Some((value, ..)) => Ok(value.parse().ok().map(|days: i64| now + days * DAY)),
            None => Err(Invalid::field("expiry", "Choose when the key expires.").into()),
        },
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
fn viewer() -> Vec<String> {
    vec![BuiltIn::Viewer.slug().to_owned()]
}

/// The roles to choose from, each with whether it is ticked, and whether one can be given at all.
fn choices<P: Access>(scope: &ReadScope<P>, ticked: &[String]) -> (Vec<(Assignable, bool)>, bool) {
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
        chrome: view.chrome("api-keys"),
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

pub async fn create(cx: Authorized<perm::ManageApiKeys, Form<Details>>) -> Answer {
    let (scope, view, Form(mut form)) = cx.into_parts();
    let again = scope.again();
    if form.expiry.is_empty() {
        form.expiry = Details::blank().expiry;
    }
    // A form that says nothing of it is taken for one that was sent already.
    let known = form.made.parse().unwrap_or(-1);
    let done = match form.read(scope.now_ms()) {
        Ok(wanted) => scope.write(async |s| api_keys::create_once(s, &wanted, known).await).await,
        Err(invalid) => Err(invalid),
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

/// A secret, and what is said with it. No page is drawn with it but the one that answers its form.
pub(super) struct Told {
    pub name: String,
    /// The key itself is new, and not its secret alone.
    pub is_new: bool,
    pub secret: String,
    pub curl: String,
    /// Until when the secret before holds; `None` where it is over.
    pub overlap: Option<When>,
    /// Where to go on.
    pub done: String,
}

impl Told {
    pub(super) fn new(view: &View, made: &Made, done: String) -> Self {
        let (now, secret) = (view.now(), made.secret.expose());
        let url = &view.app.settings.origin;
        Self {
            curl: format!("curl -H \"Authorization: Bearer {secret}\" {url}/api/sso/v1/apikeys/self"),
            overlap: made.overlap_ends_at.filter(|ends| *ends > now).map(|ends| When::new(ends, now)),
            is_new: made.overlap_ends_at.is_none(),
            secret: secret.to_owned(),
            name: made.name.clone(),
            done,
        }
    }
}

/// The page that answers the form itself: nothing that could be read again carries the secret to
/// another one. It is `no-store`, and a reload asks for the form, which is good for one key only.
fn told<P: Access>(view: &View, scope: &ReadScope<P>, made: Made) -> HttpResponse {
    let done = home_of(view, scope, made.id);
    view.html(&SecretPage {
        chrome: view.chrome("api-keys"),
        base: view.at("/api-keys"),
        told: Told::new(view, &made, done),
    })
}

/// The key's own page, or the overview for who may not see keys.
fn home_of<P: Access>(view: &View, scope: &ReadScope<P>, id: Uuid) -> String {
    match scope.actor().holdings.has(Permission::ReadApiKeys) {
        true => view.at(&format!("/api-keys/{id}")),
        false => view.at(""),
    }
}

#[derive(Template)]
#[template(path = "api_keys/addition.html")]
struct Addition {
    chrome: Chrome,
    base: String,
    keys: Vec<Waiting>,
    chosen: String,
    choices: Vec<(Assignable, bool)>,
    may_give: bool,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Added {
    key: String,
    role: Vec<String>,
}

async fn draw_addition(
    view: &View,
    scope: &ReadScope<perm::ManageApiKeys>,
    status: StatusCode,
    form: Added,
    errors: Errors,
) -> Answer {
    let (choices, may_give) = choices(scope, &form.role);
    let page = Addition {
        chrome: view.chrome("api-keys"),
        base: view.at("/api-keys"),
        keys: api_keys::waiting(scope).await?,
        chosen: form.key,
        choices,
        may_give,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn addition(cx: Authorized<perm::ManageApiKeys>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    draw_addition(
        &view,
        &scope,
        StatusCode::OK,
        Added { role: viewer(), ..Added::default() },
        Errors::default(),
    )
    .await
}

pub async fn add(cx: Authorized<perm::ManageApiKeys, Form<Added>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    let done = match Uuid::try_parse(&form.key) {
        Ok(id) => scope.write(async |s| api_keys::add(s, id, &form.role).await).await.map(|name| (id, name)),
        Err(_) => Err(Invalid::field("key", "Choose one of the account's keys.").into()),
    };
    match done {
        Ok((id, name)) => {
            let flash = Flash::good(format!("{name} is a member of this workspace now."));
            Ok(view.done(home_of(&view, &again, id), flash))
        }
        Err(Refused::Invalid(invalid)) => {
            draw_addition(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, form, invalid.into()).await
        }
        Err(other) => Err(other),
    }
}

/// How long the secret before may go on, in hours.
pub(super) const OVERLAPS: [(i64, &str); 4] =
    [(0, "No longer: it ends now"), (1, "1 hour"), (24, "24 hours"), (168, "7 days")];

#[derive(Template)]
#[template(path = "api_keys/show.html")]
struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    /// What stands in the field.
    name: String,
    /// The viewer may rename, rotate and revoke it.
    may_manage: bool,
    /// Why not, where the permission for it is there; empty otherwise.
    why_not: String,
    may_change_roles: bool,
    may_remove: bool,
    is_verified: bool,
    overlaps: [(i64, &'static str); 4],
    errors: Errors,
    /// What went wrong with the change that this page answers; empty where nothing did.
    problem: String,
}

/// What the page of a key says beside what it is.
#[derive(Default)]
struct Said {
    name: Option<String>,
    errors: Errors,
    problem: String,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadApiKeys>,
    id: Uuid,
    status: StatusCode,
    said: Said,
) -> Answer {
    let key = api_keys::look(scope, id).await?;
    let actor = scope.actor();
    let may = |permission| actor.holdings.has(permission);
    let (may_manage, why_not) = match may(Permission::ManageApiKeys) && !key.is_revoked {
        false => (false, String::new()),
        true => match api_keys::why_not(scope, &key).await? {
            None => (true, String::new()),
            Some(refused) => (false, refused.to_string()),
        },
    };
    let below = actor.holdings.may_manage(&key.holdings()).is_ok();
    let page = Show {
        chrome: view.chrome("api-keys"),
        base: view.at("/api-keys"),
        name: said.name.unwrap_or_else(|| key.name.clone()),
        may_manage,
        why_not,
        may_change_roles: below && may(Permission::UpdateMemberRoles),
        may_remove: below && may(Permission::RemoveMembers) && may(Permission::ReadMembers),
        is_verified: actor.principal.is_verified(),
        overlaps: OVERLAPS,
        errors: said.errors,
        problem: said.problem,
        row: Row::new(key, scope.now_ms()),
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: Authorized<perm::ReadApiKeys, Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, id, StatusCode::OK, Said::default()).await
}

/// The page of a key that answers a change which was refused; who may not see keys gets the refusal
/// itself.
async fn again(
    view: &View,
    scope: ReadScope<perm::ManageApiKeys>,
    id: Uuid,
    status: StatusCode,
    said: Said,
    refused: impl Into<Refused>,
) -> Answer {
    match scope.narrow::<perm::ReadApiKeys>() {
        Some(scope) => draw(view, &scope, id, status, said).await,
        None => Err(refused.into()),
    }
}

#[derive(Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Called {
    #[validate(custom(function = "checks::name"))]
    pub(super) name: String,
}

impl Called {
    pub(super) fn read(&self) -> Result<Name, Invalid> {
        check(self)?;
        Name::parse(&self.name).map_err(|complaint| Invalid::field("name", complaint))
    }
}

pub async fn rename(cx: Authorized<perm::ManageApiKeys, (Target, Form<Called>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.again();
    let done = match form.read() {
        Ok(name) => scope.write(async |s| api_keys::rename(s, id, &name).await).await,
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(name) => {
            Ok(view.done(home_of(&view, &before, id), Flash::good(format!("The key is called {name}."))))
        }
        Err(Refused::Invalid(invalid)) => {
            let said = Said { name: Some(form.name), errors: invalid.clone().into(), problem: String::new() };
            again(&view, before, id, StatusCode::UNPROCESSABLE_ENTITY, said, invalid).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// In hours.
    overlap: String,
    /// Which secret was the newest when the form was drawn.
    pub(super) version: String,
}

impl Rotation {
    /// How long the secret before goes on, in milliseconds.
    pub(super) fn overlap(&self) -> Result<i64, Invalid> {
        let hours = OVERLAPS.iter().map(|(hours, _)| *hours).find(|hours| hours.to_string() == self.overlap);
        hours
            .map(|hours| hours * HOUR)
            .ok_or_else(|| Invalid::field("overlap", "Choose how long the present secret goes on."))
    }
}

/// What is said where somebody was faster, or the page was loaded again: no third secret for that.
pub(super) const ROTATED: &str = "The key has been given another secret since you opened this page, which was shown then. Whoever did not keep it makes another.";

pub async fn rotate(cx: Authorized<perm::ManageApiKeys, (Target, Form<Rotation>)>) -> Answer {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.again();
    let done = match form.overlap() {
        Ok(overlap) => {
            scope.write(async |s| api_keys::rotate_seen(s, id, &form.version, overlap).await).await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok(made) => Ok(told(&view, &before, made)),
        Err(Refused::Conflict(Conflict::Changed)) => {
            let said = Said { problem: ROTATED.to_owned(), ..Said::default() };
            again(&view, before, id, StatusCode::CONFLICT, said, Conflict::Changed).await
        }
        Err(Refused::Invalid(invalid)) => {
            let said = Said { errors: invalid.clone().into(), ..Said::default() };
            again(&view, before, id, StatusCode::UNPROCESSABLE_ENTITY, said, invalid).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "api_keys/revocation.html")]
struct Revocation {
    chrome: Chrome,
    base: String,
    row: Row,
}

/// What would happen. Nobody is asked to confirm what would then be refused.
pub async fn revocation(cx: Authorized<perm::ManageApiKeys, Target>) -> Answer {
    let (scope, view, Target(id)) = cx.into_parts();
    let key = api_keys::look(&scope, id).await?;
    if key.is_revoked {
        return Err(scope.refuse(Conflict::KeyRevoked).await);
    }
    if let Some(refused) = api_keys::why_not(&scope, &key).await? {
        return Err(scope.refuse(refused).await);
    }
    let row = Row::new(key, scope.now_ms());
    Ok(view.html(&Revocation { chrome: view.chrome("api-keys"), base: view.at("/api-keys"), row }))
}

pub async fn revoke(cx: Authorized<perm::ManageApiKeys, (Target, Form<Nothing>)>) -> Answer {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let sees = scope.actor().holdings.has(Permission::ReadApiKeys);
    let name = scope.write(async |s| api_keys::revoke(s, id).await).await?;
    let flash = Flash::good(format!("{name} is revoked. Requests with its secret are refused from now on."));
    Ok(view.done(view.at(if sees { "/api-keys" } else { "" }), flash))
}
