//! One's own profile, password and sessions.

pub(in crate::web) use crate::domain::base::words::browser;
use crate::{
    domain::{
        Email, Invalid, Name, Refused,
        base::{
            event::EventRow,
            mail_choice::{self, MailChoice},
            principal::Person,
        },
        events,
        nouns::identity::{self, Password},
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{HandlerResult, SignedIn},
        known_browser,
        path::Target,
        rejection::{FormRejection, reopen},
        session,
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "me/show.html")]
struct Page {
    chrome: Chrome,
    person: Person,
    /// What was typed, where a form was refused.
    name: String,
    email: String,
    errors: Errors,
    sessions: Vec<SessionRow>,
    events: Vec<OwnEvent>,
    /// Each kind of mail, and whether it is wanted.
    mail: Vec<(MailChoice, bool)>,
}

struct SessionRow {
    id: Uuid,
    is_this: bool,
    /// Such as "Firefox on Linux".
    browser: String,
    address: String,
    signed_in: When,
    last_seen: When,
}

struct OwnEvent {
    what: String,
    when: When,
    address: String,
}

pub async fn show(cx: SignedIn) -> HandlerResult {
    let (name, email) = (cx.person().name.clone(), String::new());
    Ok(cx.view.html(&page(&cx, name, email).await?))
}

async fn page<I>(cx: &SignedIn<I>, name: String, email: String) -> Result<Page, Refused> {
    let (db, now) = (&cx.view.app.db, cx.view.now());
    let sessions = identity::sessions(db, cx.person()).await?;
    let events = identity::security_events(db, cx.person()).await?;
    let mail = mail_choice::choices(db, cx.person().user_id).await?;
    Ok(Page {
        chrome: cx.view.chrome(),
        person: cx.person().clone(),
        name,
        email,
        errors: Errors::default(),
        mail,
        sessions: sessions
            .into_iter()
            .map(|session| SessionRow {
                is_this: session.id == cx.person().session_id,
                id: session.id,
                browser: browser(&session.user_agent),
                address: session.address,
                signed_in: When::new(session.created_at, now),
                last_seen: When::new(session.last_seen_at, now),
            })
            .collect(),
        events: events
            .into_iter()
            .map(|event| OwnEvent {
                what: events::sentence(&event.kind, &event.payload, &EventRow { target: "", at: event.at })
                    .map_or_else(|| "Other event".to_owned(), |sentence| sentence.verb),
                when: When::new(event.at, now),
                address: event.address,
            })
            .collect(),
    })
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    name: String,
}

impl Validate for Profile {
    type Valid = Name;

    fn validate(&self, invalid: &mut Invalid) -> Option<Name> {
        invalid.check("name", Name::parse(&self.name))
    }
}

pub async fn rename(cx: SignedIn<Form<Checked<Profile>>>) -> HandlerResult {
    let Checked { sent, valid } = &cx.input.0;
    let done = async {
        let name = valid.as_ref().map_err(Invalid::clone)?;
        identity::rename(&cx.view.app.db, cx.person(), name, &cx.origin()).await?;
        Ok(cx.view.redirect_with_flash("/me", Flash::good("Name changed.")))
    };
    reopen(done.await, async |rejected| redraw(&cx, rejected, Some(sent.name.clone()), None).await).await
}

/// The page with what was typed, passwords excepted, and why it was refused.
async fn redraw<I>(
    cx: &SignedIn<I>,
    rejected: FormRejection,
    name: Option<String>,
    email: Option<String>,
) -> HandlerResult {
    let name = name.unwrap_or_else(|| cx.person().name.clone());
    let page = page(cx, name, email.unwrap_or_default()).await?;
    Ok(cx.view.html_as(rejected.status, &Page { errors: rejected.errors, ..page }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChangePassword {
    current_password: String,
    password: String,
}

pub async fn change_password(cx: SignedIn<Form<ChangePassword>>) -> HandlerResult {
    let form = &cx.input.0;
    let done = async {
        let new = Password::parse(&form.password, &[&cx.person().name, &cx.person().email]);
        let new = new.map_err(|complaint| Invalid::field("password", complaint))?;
        let (db, current) = (&cx.view.app.db, &form.current_password);
        let token = identity::change_password(db, cx.person(), current, &new, &cx.origin()).await?;
        session::replace(&cx.view.req, &token);
        let flash = Flash::good("Password changed. You were signed out everywhere else.");
        let mut response = cx.view.redirect_with_flash("/me", flash);
        known_browser::remember(&cx.view, &mut response, &cx.person().email).await;
        Ok(response)
    };
    reopen(done.await, async |rejected| redraw(&cx, rejected, None, None).await).await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeEmail {
    email: String,
    current_password: String,
}

impl Validate for ChangeEmail {
    type Valid = Email;

    fn validate(&self, invalid: &mut Invalid) -> Option<Email> {
        invalid.check("email", Email::parse(&self.email))
    }
}

pub async fn change_email(cx: SignedIn<Form<Checked<ChangeEmail>>>) -> HandlerResult {
    let Checked { sent: form, valid } = &cx.input.0;
    let done = async {
        let email = valid.as_ref().map_err(Invalid::clone)?;
        let (db, password) = (&cx.view.app.db, &form.current_password);
        identity::change_email(db, cx.person(), email, password, &cx.origin()).await?;
        let text = format!(
            "We sent a link to {email}. Open it to change your address. Until then, your address stays the same."
        );
        Ok(cx.view.redirect_with_flash("/me", Flash::good(text)))
    };
    reopen(done.await, async |mut rejected| {
        // Both forms ask for the password; the complaint belongs to this one.
        rejected.errors = rejected.errors.renamed("current_password", "email_password");
        redraw(&cx, rejected, None, Some(form.email.clone())).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChooseMail {
    /// Words of the kinds that are wanted.
    mail: Vec<String>,
}

impl Validate for ChooseMail {
    type Valid = Vec<MailChoice>;

    fn validate(&self, invalid: &mut Invalid) -> Option<Vec<MailChoice>> {
        let wanted: Option<Vec<_>> = self.mail.iter().map(|word| MailChoice::of_word(word)).collect();
        invalid.check("mail", wanted.ok_or("Choose among these kinds of mail."))
    }
}

pub async fn choose_mail(cx: SignedIn<Form<Checked<ChooseMail>>>) -> HandlerResult {
    let Checked { valid, .. } = &cx.input.0;
    let done = async {
        let wanted = valid.as_ref().map_err(Invalid::clone)?;
        mail_choice::choose(&cx.view.app.db, cx.person().user_id, wanted).await?;
        Ok(cx.view.redirect_with_flash("/me#mail", Flash::good("Your choices for e-mail are saved.")))
    };
    reopen(done.await, async |rejected| redraw(&cx, rejected, None, None).await).await
}

pub async fn resend_verification(cx: SignedIn<Form<EmptyForm>>) -> HandlerResult {
    identity::resend_confirmation(&cx.view.app.db, cx.person()).await?;
    Ok(cx
        .view
        .redirect_with_flash("/me", Flash::good(format!("We sent a new link to {}.", cx.person().email))))
}

pub async fn revoke(cx: SignedIn<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let id = cx.input.0.0;
    identity::revoke_session(&cx.view.app.db, cx.person(), id, &cx.origin()).await?;
    if id == cx.person().session_id {
        session::forget(&cx.view.req);
        return Ok(cx.view.redirect_with_flash("/sign-in", Flash::good("You're signed out.")));
    }
    Ok(cx.view.redirect_with_flash("/me", Flash::good("Session ended.")))
}

pub async fn revoke_others(cx: SignedIn<Form<EmptyForm>>) -> HandlerResult {
    let ended = identity::revoke_other_sessions(&cx.view.app.db, cx.person(), &cx.origin()).await?;
    let text = match ended {
        0 => "There were no other sessions.".to_owned(),
        1 => "1 other session ended.".to_owned(),
        many => format!("{many} other sessions ended."),
    };
    Ok(cx.view.redirect_with_flash("/me", Flash::good(text)))
}
