//! Pages for what went wrong: each says what happened and what to do next.

pub mod json;
pub mod page;
pub mod sign_in;
pub mod words;

use crate::{
    domain::{MissingPermission, Outage, Refused},
    web::{
        app::App,
        chrome::{Chrome, PageContext, View, render},
        draft::{self, Draft},
        face::ErrorFormat,
        matched,
        outcome::{self, Stage},
        problem::{
            page::{Inside, Outside, admitted, place_of},
            sign_in::SignInForm,
            words::{
                Problem, conflicted, forbidden, gone, no_credit, not_admin, not_valid, page_not_found,
                prerequisite, suspended,
            },
        },
        site,
        wire::MalformedRequest,
    },
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use url::form_urlencoded;

/// The page for a refusal.
pub(super) fn respond(req: &HttpRequest, refused: &Refused) -> HttpResponse {
    if let Refused::Forbidden(missing) = refused
        && let Some(actor) = &missing.actor
    {
        outcome::identified(req, (&actor.principal).into());
    }
    let mut response = explain(req, refused);
    outcome::refused(&mut response, refused);
    response
}

fn explain(req: &HttpRequest, refused: &Refused) -> HttpResponse {
    let context = place_of(req, refused);
    let (here, back) = match &context {
        Some(context @ PageContext::Account(_)) => (context.home(), "Back to account"),
        _ => (workspace_home(req), "Back to workspace"),
    };
    let problem = match refused {
        Refused::Unauthenticated => return unauthenticated(req),
        Refused::NotFound => match context {
            Some(_) => page_not_found().link(here, back),
            None => page_not_found(),
        },
        Refused::Suspended(what) => suspended(what),
        Refused::NotAdmin(not) => not_admin(not),
        Refused::Forbidden(missing) => {
            asking(missing, &here, forbidden(missing).link(&here, "Back to workspace"))
        }
        Refused::NoCredit(missing) => no_credit(missing).link(here, back),
        Refused::Ceiling(ceiling) => {
            Problem::new(StatusCode::FORBIDDEN, "Your roles don't allow this", ceiling.to_string())
                .point("Nothing was changed. Ask someone with more access, such as an Owner.")
                .link(here, "Back to workspace")
        }
        Refused::NotAllowed(sentence) => {
            Problem::new(StatusCode::FORBIDDEN, "This isn't allowed", *sentence).link(here, back)
        }
        Refused::Prerequisite(first) => prerequisite(first),
        Refused::Conflict(conflict) => conflicted(&(*conflict).into(), &here, back),
        Refused::DetailedConflict(conflict) => conflicted(conflict, &here, back),
        Refused::Gone(used_up) => gone(used_up),
        Refused::PreconditionFailed => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "It was changed in the meantime",
            "It no longer matches your If-Match header. Nothing was overwritten. Get the current version, then try again.",
        ),
        Refused::Invalid(invalid) => not_valid(invalid),
        Refused::RateLimited { retry_after_seconds } => {
            return retry_later(req, StatusCode::TOO_MANY_REQUESTS, *retry_after_seconds);
        }
        Refused::Busy { retry_after_seconds } => {
            return retry_later(req, StatusCode::SERVICE_UNAVAILABLE, *retry_after_seconds);
        }
        Refused::Failed(_) => return failed(req, refused),
    };
    answer_to(req, context, problem)
}

/// The problem of a missing permission, with the way to ask for it, which people have.
fn asking(missing: &MissingPermission, here: &str, problem: Problem) -> Problem {
    let is_person = missing.actor.as_ref().is_some_and(|actor| actor.principal.person().is_some());
    match problem.permissions.first().filter(|_| is_person && !here.is_empty()) {
        Some(scope) => {
            let ask = format!("{here}/access-requests/new?wanted={scope}");
            problem.link(ask, "Ask for it")
        }
        None => problem,
    }
}

/// The overview of the requested workspace.
fn workspace_home(req: &HttpRequest) -> String {
    match req.match_info().get("workspace").and_then(|slug| crate::domain::Slug::parse(slug).ok()) {
        Some(slug) => format!("/w/{slug}"),
        None => String::new(),
    }
}

/// The response if nobody is signed in: the sign-in page, which leads back to the requested page.
fn unauthenticated(req: &HttpRequest) -> HttpResponse {
    if matched::facts(req).face.errors() == ErrorFormat::ProblemJson {
        return json::unauthorized();
    }
    let Some(view) = view(req) else { return HttpResponse::Unauthorized().finish() };
    let is_form = !req.method().is_safe();
    if is_form && !site::is_own(req) {
        return sign_in_first(req);
    }
    let next = match is_form {
        false => req.uri().path_and_query().map_or("/workspaces", |path| path.as_str()).to_owned(),
        true => draft::form_page(req).unwrap_or_else(|| workspace_home(req)),
    };
    let draft = if is_form { Draft::of(req) } else { None };
    let is_lost = draft.is_none() && draft::has_text(req);
    let form = SignInForm { next: &next, draft: draft.as_ref(), is_lost, ..SignInForm::default() };
    sign_in::draw(&view, StatusCode::UNAUTHORIZED, form)
}

/// The response to a form of nobody that may come from another site: without a form, which would be filled in, and
/// whose token would replace the cookie of a session that the browser did not send along.
fn sign_in_first(req: &HttpRequest) -> HttpResponse {
    let next = draft::form_page(req).unwrap_or_else(|| workspace_home(req));
    let sentence = "Nothing was sent, because your session has ended. Sign in, then enter it again.";
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "Please sign in", sentence);
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    let problem = Problem { links: Vec::new(), ..problem };
    answer_to(req, None, problem.link(format!("/sign-in?{query}"), "Sign in"))
}

fn retry_later(req: &HttpRequest, status: StatusCode, seconds: i64) -> HttpResponse {
    let wait =
        if seconds < 90 { format!("{seconds} seconds") } else { format!("{} minutes", (seconds + 59) / 60) };
    let (headline, sentence) = if status == StatusCode::TOO_MANY_REQUESTS {
        ("Too many attempts", format!("Wait {wait}, then try again. Nothing was changed."))
    } else {
        ("Too busy right now", format!("Nothing was changed. Try again in {wait}."))
    };
    let mut response = answer(req, Problem::new(status, headline, sentence));
    response.headers_mut().insert(header::RETRY_AFTER, seconds.max(1).into());
    response
}

fn failed(req: &HttpRequest, refused: &Refused) -> HttpResponse {
    if let (Refused::Failed(error), Some(app)) = (refused, req.app_data::<web::Data<App>>()) {
        app.db.note_outage(error);
    }
    if let Some(outage) = refused.outage() {
        return unavailable(req, outage);
    }
    tracing::error!(error = %refused, "the database failed");
    let sentence =
        "This is a problem on our side, and it was logged. Nothing was changed. Try again in a moment.";
    answer(req, Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", sentence))
}

/// When to try again while the database is away, in seconds.
pub(in crate::web) const OUTAGE_RETRY_AFTER: i64 = 5;

fn unavailable(req: &HttpRequest, outage: Outage) -> HttpResponse {
    let sentence = match outage.changed_nothing() || req.method().is_safe() {
        true => format!(
            "The database is unavailable at the moment. Nothing was changed. Try again in {OUTAGE_RETRY_AFTER} seconds."
        ),
        false => "The connection to the database broke, so it isn't certain whether your change was saved. Check before you \
            try again."
            .to_owned(),
    };
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable", sentence);
    let mut response = answer(req, problem);
    response.headers_mut().insert(header::RETRY_AFTER, OUTAGE_RETRY_AFTER.into());
    response
}

/// The page for a malformed request.
pub(super) fn malformed_request(req: &HttpRequest, malformed: &MalformedRequest) -> HttpResponse {
    let (status, headline, sentence) = malformed.describe();
    let mut problem = Problem::new(status, headline, sentence);
    problem.fields = match malformed {
        MalformedRequest::Shape(field, complaint) | MalformedRequest::Value(field, complaint) => {
            vec![(field.clone(), complaint.clone())]
        }
        MalformedRequest::Unknown(field) => vec![(field.clone(), "This field isn't supported.".into())],
        _ => Vec::new(),
    };
    if matches!(malformed, MalformedRequest::Token) {
        problem.draft = Draft::of(req);
        if let Some(page) = draft::form_page(req).filter(|_| problem.draft.is_none()) {
            problem = problem.link(page, "Open the page again");
        }
    }
    let mut response = answer(req, problem);
    if matches!(malformed, MalformedRequest::TooLarge | MalformedRequest::TooSlow) {
        // The rest of the body is not wanted any more.
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    response
}

/// The page for a form without the token of the present session.
pub(in crate::web) fn out_of_date(req: &HttpRequest) -> HttpResponse {
    malformed_request(req, &MalformedRequest::Token)
}

/// The page for somebody who signed in in another tab before a form came back to them.
pub(in crate::web) fn restorable(req: &HttpRequest, draft: Draft) -> HttpResponse {
    let sentence = "You signed in in another tab. What you typed into the form was not sent yet.";
    let mut problem = Problem::new(StatusCode::CONFLICT, "You're signed in already", sentence);
    problem.draft = Some(draft);
    answer(req, problem)
}

/// The page for a request that another site caused.
pub(super) fn cross_site(req: &HttpRequest) -> HttpResponse {
    let sentence = "Another site sent this request in your name. Nothing was changed.";
    let mut problem =
        Problem::new(StatusCode::FORBIDDEN, "This request didn't come from Bailiwick", sentence);
    if let Some(app) = req.app_data::<web::Data<App>>() {
        problem = problem.point(format!(
            "If you sent it from a page of Bailiwick, open this installation at {} and try again.",
            app.settings.origin
        ));
    }
    let mut response = answer(req, problem);
    outcome::refused_at(&mut response, Stage::CrossSite);
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// The page for a form about a link from mail that is no longer open in this browser, while another one is.
pub(in crate::web) fn another_link(req: &HttpRequest, other: &str) -> HttpResponse {
    let sentence = "The page is about a link that is no longer open in this browser. Nothing was changed.";
    let problem = Problem::new(StatusCode::CONFLICT, "Open the link again", sentence)
        .point("Open the link in the message that we sent, and the page comes back.")
        .link(other, "Open the latest link instead");
    answer(req, problem)
}

/// The response to an `If-Match` with weak tags alone.
pub(super) fn weak_tag(req: &HttpRequest) -> HttpResponse {
    let sentence = "Your If-Match header has a weak ETag (W/\"…\"), which never matches. Nothing was changed. Send the \
        ETag without W/. If a proxy made it weak, by compressing responses for example, get the resource without \
        Accept-Encoding.";
    answer(req, Problem::new(StatusCode::PRECONDITION_FAILED, "A weak ETag never matches", sentence))
}

/// The page for a resource that does not exist.
pub(crate) async fn not_found(req: HttpRequest) -> HttpResponse {
    answer(&req, page_not_found())
}

/// The page for an unsupported method of a known address.
pub(crate) fn method_not_allowed(req: &HttpRequest, allowed: &str) -> HttpResponse {
    let sentence = format!("This address supports only {allowed}. Nothing was changed.");
    let mut response =
        answer(req, Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", sentence));
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

fn view(req: &HttpRequest) -> Option<View> {
    req.app_data::<web::Data<App>>().map(|app| View::public(req, app.clone()))
}

fn answer(req: &HttpRequest, problem: Problem) -> HttpResponse {
    answer_to(req, admitted(req), problem)
}

fn answer_to(req: &HttpRequest, context: Option<PageContext>, mut problem: Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if matched::facts(req).face.errors() == ErrorFormat::ProblemJson {
        let text = json::ProblemText {
            headline: &problem.headline,
            sentence: &problem.sentence,
            points: &problem.points,
            fields: &problem.fields,
            permissions: &problem.permissions,
        };
        return json::problem(status, &text);
    }
    problem.links.retain(|(to, _)| !to.is_empty());
    let has_form = problem.switch.is_some() || problem.resend || problem.draft.is_some();
    match (req.app_data::<web::Data<App>>(), context) {
        (Some(app), Some(context)) => {
            let view = View::in_context(req, app.clone(), context);
            view.html_as(status, &Inside { chrome: view.chrome_of_problem(), problem })
        }
        // A page with a form needs a session token; other pages need no session.
        (Some(app), None) if has_form => {
            let view = View::public(req, app.clone());
            view.html_as(status, &Outside { chrome: view.chrome_of_problem(), problem })
        }
        _ => render(req, status, &Outside { chrome: Chrome::default(), problem }),
    }
}
