//! The page of the quick start, and the forms on it.
//!
//! Nothing of it is stored: the secret of a test key goes from form to form, in pages that no cache keeps.

use crate::{
    clock::DAY,
    domain::{
        Description, Invalid, Refused, TextRule,
        enforce::read::ReadScope,
        nouns::{
            api_keys::{self, CreatedKey, TEST_REQUESTS},
            destinations::{self, ECHO, Host},
        },
        quick_start::{self, QuickStart},
    },
    policy::perm,
    web::{
        checks::Checked,
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        rejection::reopen,
        routes::{
            api_keys::new::reveal,
            first_request::{
                result::Outcome,
                send,
                test_request::{TestRequest, ensure_visible},
            },
        },
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

const OFF: &str = "The gateway of this installation is switched off. Nothing was sent.";

/// A test key that was just created.
struct NewKey {
    id: uuid::Uuid,
    expires: When,
    requests: i64,
}

#[derive(Template)]
#[template(path = "quick_start/show.html")]
struct Page<'a> {
    chrome: Chrome,
    /// `/w/{slug}/quick-start`
    base: String,
    start: QuickStart,
    is_verified: bool,
    made: Option<NewKey>,
    form: &'a TestRequest,
    /// The gateway is not switched off.
    is_on: bool,
    /// The host in the form is the built-in one.
    is_echo: bool,
    /// The command that sends the request from a terminal.
    curl: String,
    outcome: Option<Outcome>,
    errors: Errors,
}

/// What is on the page beside its forms.
#[derive(Default)]
struct News {
    made: Option<NewKey>,
    outcome: Option<Outcome>,
    errors: Errors,
    flash: Option<Flash>,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadDestinations>,
    status: StatusCode,
    form: &TestRequest,
    news: News,
) -> HandlerResult {
    let start = quick_start::load(scope).await?;
    let mut chrome = view.chrome();
    if let Some(flash) = news.flash {
        chrome.flash = Some(flash);
    }
    let page = Page {
        chrome,
        base: view.at("/quick-start"),
        is_verified: scope.actor().principal.is_verified(),
        curl: send::curl(&view.app, &scope.actor().workspace.slug, form),
        start,
        made: news.made,
        form,
        is_on: view.app.settings.gateway_origin.is_some(),
        is_echo: Host::parse(&form.host).is_ok_and(|host| host.as_str() == ECHO),
        outcome: news.outcome,
        errors: news.errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn show(cx: Authorized<perm::ReadDestinations>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, &TestRequest::default(), News::default()).await
}

/// The form that creates a test key.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewTestKey {
    /// The number of keys that the person had created when the form was opened.
    made: String,
    host: String,
    path: String,
}

/// Creates a test key. Its secret is on the page that responds to the form, which is not stored; a reload of it
/// creates no other key.
pub async fn create_key(cx: Authorized<perm::ManageApiKeys, Form<NewTestKey>>) -> HandlerResult {
    let (scope, view, Form(sent)) = cx.into_parts();
    ensure_visible([("made", &sent.made), ("host", &sent.host), ("path", &sent.path)])?;
    let before = scope.duplicate();
    // A form that says nothing of it is taken for one that was sent already.
    let known = sent.made.parse().unwrap_or(-1);
    let created = scope.write(async |s| api_keys::create_test_key(s, known).await).await?;
    let Some(reader) = before.duplicate().narrow::<perm::ReadDestinations>() else {
        return Ok(reveal(&view, &before, &created));
    };
    let now = view.now();
    let made = NewKey { id: created.id, expires: When::new(now + DAY, now), requests: TEST_REQUESTS };
    draw(
        &view,
        &reader,
        StatusCode::OK,
        &request_with(&created, sent),
        News { made: Some(made), ..News::default() },
    )
    .await
}

fn request_with(created: &CreatedKey, sent: NewTestKey) -> TestRequest {
    let default = TestRequest::default();
    let or = |text: String, default: String| if text.is_empty() { default } else { text };
    TestRequest {
        secret: created.secret.expose().to_owned(),
        host: or(sent.host, default.host),
        path: or(sent.path, default.path),
    }
}

/// Adds the built-in host to the destinations. If it is one already, nothing changes.
pub async fn add_echo(cx: Authorized<perm::ManageDestinations, Form<TestRequest>>) -> HandlerResult {
    let (scope, view, Form(mut form)) = cx.into_parts();
    ensure_visible([("secret", &form.secret), ("host", &form.host), ("path", &form.path)])?;
    let before = scope.duplicate();
    let description = Description::parse("Built in: answers with what was sent")
        .map_err(|complaint| Invalid::field("description", complaint))?;
    let added = scope.write(async |s| destinations::add_echo(s, &description).await).await;
    let text = match added {
        Ok(_) => "Destination echo added.",
        // The only complaint about this host is that it is there; or there are too many destinations.
        Err(Refused::Invalid(invalid)) if invalid.of("host").is_some_and(|why| why.contains("already")) => {
            "This workspace already has the destination echo."
        }
        Err(Refused::Invalid(invalid)) => {
            let Some(reader) = before.narrow::<perm::ReadDestinations>() else {
                return Err(Refused::Invalid(invalid));
            };
            let news = News { errors: Errors::from(invalid), ..News::default() };
            return draw(&view, &reader, StatusCode::UNPROCESSABLE_ENTITY, &form, news).await;
        }
        Err(other) => return Err(other),
    };
    let flash = Flash::good(text);
    let Some(reader) = before.narrow::<perm::ReadDestinations>() else {
        return Ok(view.redirect_with_flash(view.at(""), flash));
    };
    if form.secret.is_empty() {
        return Ok(view.redirect_with_flash(view.at("/quick-start"), flash));
    }
    form.host = ECHO.to_owned();
    draw(&view, &reader, StatusCode::OK, &form, News { flash: Some(flash), ..News::default() }).await
}

/// Sends the test request, with the key in the form: whether it may be sent is decided by what the key holds, as for
/// any other request of it.
pub async fn send_request(
    cx: Authorized<perm::ReadDestinations, Form<Checked<TestRequest>>>,
) -> HandlerResult {
    let (scope, view, Form(Checked { sent: form, valid })) = cx.into_parts();
    let sent = async {
        if view.app.settings.gateway_origin.is_none() {
            return Err(Invalid::field("form", OFF).into());
        }
        let host = valid?;
        let outcome = send::send(&view, &scope.actor().workspace.slug, &host, &form).await;
        draw(&view, &scope, StatusCode::OK, &form, News { outcome: Some(outcome), ..News::default() }).await
    };
    reopen(sent.await, async |rejected| {
        draw(&view, &scope, rejected.status, &form, News { errors: rejected.errors, ..News::default() }).await
    })
    .await
}
