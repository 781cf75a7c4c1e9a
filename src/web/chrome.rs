//! The frame of every page, and how a page is rendered.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            principal::{Actor, Person},
            words::exact,
        },
        nouns::accounts::Admin,
    },
    policy::{Can, Needs},
    web::{
        access::Requirement,
        app::App,
        assets, cookies,
        draft::Draft,
        matched,
        nav::{self, NavEntry, NavGroup},
        refill::refill,
        session,
        site::{self, PublicAddress},
    },
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    cookie::time::Duration,
    http::{
        StatusCode,
        header::{self, ContentType},
    },
    web,
};
use askama::Template;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use uuid::Uuid;

/// The frame of a page: the viewer, the location, what they may do, and what just happened.
#[derive(Default)]
pub(super) struct Chrome {
    pub csrf: String,
    pub user: Option<ChromeUser>,
    pub workspace: Option<ChromeWorkspace>,
    pub account: Option<ChromeAccount>,
    pub can: Can,
    /// The entries of the sidebar that the viewer may follow.
    pub sidebar: Vec<NavGroup>,
    pub flash: Option<Flash>,
    /// Support access that runs in this workspace.
    pub support: Option<SupportNote>,
    /// The public address, on a page for anybody that was opened at another one.
    pub public_address: Option<PublicAddress>,
}

/// What everybody in a workspace sees while support access runs.
pub(super) struct SupportNote {
    /// Until when, to the second.
    pub until: String,
    /// The viewer is who was granted it.
    pub is_visitor: bool,
}

pub(super) struct ChromeUser {
    pub name: String,
    pub email: String,
    pub initials: String,
    pub hue: u8,
    pub verified: bool,
    pub mail_hint: Option<String>,
}

pub(super) struct ChromeWorkspace {
    pub slug: String,
    pub name: String,
}

pub(super) struct ChromeAccount {
    pub id: Uuid,
    pub name: String,
}

impl Chrome {
    /// The address of all icons; a page uses it a hundred times.
    pub(super) fn icons(&self) -> &'static str {
        static ICONS: LazyLock<&str> = LazyLock::new(|| assets::url("icons.svg"));
        &ICONS
    }

    /// The slug of the workspace; empty outside one.
    pub(super) fn slug(&self) -> &str {
        self.workspace.as_ref().map_or("", |workspace| &workspace.slug)
    }

    /// The viewer's address is confirmed, so that they may send e-mail to others.
    pub(super) fn may_send_mail(&self) -> bool {
        self.user.as_ref().is_none_or(|user| user.verified)
    }

    /// The address of a file under `static/`.
    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }
}

/// A message for the next page, shown once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Flash {
    pub tone: String,
    pub text: String,
    pub undo: Option<Undo>,
}

/// A form with one button that undoes the change, by a new change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Undo {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Flash {
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self { tone: "good".into(), text: text.into(), undo: None }
    }

    pub(super) fn warn(text: impl Into<String>) -> Self {
        Self { tone: "warn".into(), text: text.into(), undo: None }
    }

    pub(super) fn with_undo(self, action: String, fields: Vec<(String, String)>) -> Self {
        Self { undo: Some(Undo { action, fields }), ..self }
    }
}

const FLASH: &str = "flash";

/// Where a request was admitted to, and as whom. It decides the frame of the page.
#[derive(Clone)]
pub(super) enum PageContext {
    Workspace(Box<Actor>),
    Account(Admin),
}

impl PageContext {
    fn viewer(&self) -> Option<&Person> {
        match self {
            Self::Workspace(actor) => actor.principal.person(),
            Self::Account(admin) => Some(&admin.person),
        }
    }

    /// The address of its first page.
    pub(super) fn home(&self) -> String {
        match self {
            Self::Workspace(actor) => format!("/w/{}", actor.workspace.slug),
            Self::Account(admin) => format!("/a/{}", admin.account.id),
        }
    }

    /// The address of a page of this place; `None` where the viewer may not see it.
    fn address(&self, entry: &NavEntry) -> Option<String> {
        match (self, entry.requirement) {
            // What any member may see is not among what is granted for support.
            (Self::Workspace(actor), Requirement::Member(Needs::Membership)) if actor.is_visitor() => None,
            (Self::Workspace(actor), Requirement::Member(needs)) => actor
                .holdings
                .meets(needs)
                .then(|| entry.path.replacen("{workspace}", &actor.workspace.slug, 1)),
            (Self::Account(admin), Requirement::Account) => {
                Some(entry.path.replacen("{account}", &admin.account.id.to_string(), 1))
            }
            _ => None,
        }
    }

    fn support(&self, now: Timestamp) -> Option<SupportNote> {
        let Self::Workspace(actor) = self else { return None };
        let until = actor.workspace.support_until.filter(|until| *until > now)?;
        Some(SupportNote { until: exact(until), is_visitor: actor.is_visitor() })
    }

    fn can(&self) -> Can {
        match self {
            Self::Workspace(actor) => Can::of(&actor.holdings),
            Self::Account(_) => Can::default(),
        }
    }
}

/// Renders pages for one request.
#[derive(Clone)]
pub struct View {
    pub(super) req: HttpRequest,
    pub(super) app: web::Data<App>,
    viewer: Option<Person>,
    context: Option<PageContext>,
}

impl View {
    /// For a page without a signed-in user.
    pub(super) fn public(req: &HttpRequest, app: web::Data<App>) -> Self {
        Self { req: req.clone(), app, viewer: None, context: None }
    }

    pub(super) fn of_person(req: &HttpRequest, app: web::Data<App>, person: &Person) -> Self {
        Self { req: req.clone(), app, viewer: Some(person.clone()), context: None }
    }

    /// For a principal that was admitted to this context.
    pub(super) fn in_context(req: &HttpRequest, app: web::Data<App>, context: PageContext) -> Self {
        Self { req: req.clone(), app, viewer: context.viewer().cloned(), context: Some(context) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.db.now()
    }

    /// The address of a page of this workspace, such as `/w/acme/members`, or of this account.
    pub(super) fn at(&self, rest: &str) -> String {
        self.context.as_ref().map(PageContext::home).unwrap_or_default() + rest
    }

    /// The frame of this page.
    pub(super) fn chrome(&self) -> Chrome {
        self.chrome_in(matched::section(&self.req))
    }

    /// The frame of a problem page, which is shown in place of another page.
    pub(super) fn chrome_of_problem(&self) -> Chrome {
        self.chrome_in(None)
    }

    fn chrome_in(&self, section: Option<&'static str>) -> Chrome {
        let context = self.context.as_ref();
        let address = |entry: &NavEntry| context?.address(entry);
        Chrome {
            csrf: session::csrf(&self.req),
            user: self.viewer.as_ref().map(|person| ChromeUser {
                initials: initials(&person.name),
                hue: hue(person.user_id),
                name: person.name.clone(),
                email: person.email.clone(),
                verified: person.is_verified,
                mail_hint: self.app.settings.mail_hint.clone(),
            }),
            workspace: match context {
                Some(PageContext::Workspace(actor)) => Some(ChromeWorkspace {
                    slug: actor.workspace.slug.clone(),
                    name: actor.workspace.name.clone(),
                }),
                _ => None,
            },
            account: match context {
                Some(PageContext::Account(Admin { account, .. })) => {
                    Some(ChromeAccount { id: account.id, name: account.name.clone() })
                }
                _ => None,
            },
            support: context.and_then(|context| context.support(self.now())),
            can: context.map(PageContext::can).unwrap_or_default(),
            sidebar: nav::sidebar(&self.app.routes.navigation, address, section),
            flash: self.flash(),
            public_address: match self.viewer {
                None => site::public_address(&self.req, &self.app.settings),
                Some(_) => None,
            },
        }
    }

    fn flash(&self) -> Option<Flash> {
        serde_json::from_str(&cookies::read(&self.req, &self.app.settings, FLASH)?).ok()
    }

    /// Renders a page, with the pending flash message.
    pub(super) fn html(&self, page: &impl Template) -> HttpResponse {
        self.html_as(StatusCode::OK, page)
    }

    pub(super) fn html_as(&self, status: StatusCode, page: &impl Template) -> HttpResponse {
        let mut response = render(&self.req, status, page);
        if self.req.cookie(&cookies::name(&self.app.settings, FLASH)).is_some() {
            cookies::remove(&mut response, &self.app.settings, FLASH);
        }
        response
    }

    /// Redirects to a page of ours, which shows the flash message.
    pub(super) fn redirect_with_flash(&self, to: impl AsRef<str>, flash: Flash) -> HttpResponse {
        let mut response = self.redirect(to);
        let text = serde_json::to_string(&flash).unwrap_or_default();
        cookies::set(&mut response, &self.app.settings, FLASH, text, Duration::minutes(5));
        response
    }

    /// Redirects to a page of ours.
    pub(super) fn redirect(&self, to: impl AsRef<str>) -> HttpResponse {
        HttpResponse::SeeOther().insert_header((header::LOCATION, to.as_ref())).finish()
    }
}

/// How hard a page is compressed: a list of fifty is a sixth smaller than at actix's own 3.
pub(super) const BROTLI_QUALITY: u32 = 5;

/// Bytes that are set aside for a page before it is drawn: one of fifty members has some 93,000.
const INITIAL_CAPACITY: usize = 96 * 1_024;

/// Renders a page. It is `no-store`, because it is for this person at this moment.
pub(super) fn render(req: &HttpRequest, status: StatusCode, page: &impl Template) -> HttpResponse {
    // Room for all but the longest lists: a text that grows is copied each time.
    let mut body = String::with_capacity(INITIAL_CAPACITY);
    match page.render_into(&mut body) {
        Ok(()) => {
            if let Some(draft) = req.extensions().get::<Draft>().filter(|_| status.is_success()) {
                body = refill(&body, draft);
            }
            let mut response = HttpResponse::build(status);
            response.insert_header(ContentType::html()).insert_header((header::CACHE_CONTROL, "no-store"));
            // Other encodings come from the middleware.
            if assets::takes_brotli(req) {
                response.insert_header((header::CONTENT_ENCODING, "br"));
                response.insert_header((header::VARY, "Accept-Encoding"));
                response.body(assets::brotli(body.as_bytes(), BROTLI_QUALITY))
            } else {
                // What was set aside is not held until the client has read the page.
                body.shrink_to_fit();
                response.body(body)
            }
        }
        Err(error) => {
            tracing::error!(%error, "could not render a page");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Up to two letters for an avatar.
pub(super) fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// A colour for an avatar that is constant for each person: 0 to 11.
pub(super) fn hue(user: Uuid) -> u8 {
    let sum =
        user.as_bytes().iter().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    u8::try_from(sum % 12).unwrap_or(0)
}

/// Where somebody goes on who is signed in now: where they wanted to go, or home, which is their workspace if they
/// have one.
pub(super) fn onward(next: &str) -> &str {
    if next.is_empty() { "/" } else { safe_next(next) }
}

/// A path on this site to redirect to; anything else becomes the list of workspaces.
pub(super) fn safe_next(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 500
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if is_local { next } else { "/workspaces" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        assert_eq!(safe_next("/w/acme/members?q=a"), "/w/acme/members?q=a");
        for evil in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/a\r\nb", "w"]
        {
            assert_eq!(safe_next(evil), "/workspaces", "{evil:?}");
        }
    }

    #[test]
    fn avatars_come_from_names() {
        assert_eq!(initials("Some Person Name"), "SN");
        assert_eq!(initials("one"), "O");
        assert_eq!(initials("(!)"), "");
    }
}
