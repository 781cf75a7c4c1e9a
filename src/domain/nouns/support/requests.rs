//! Asking for support, and reading what was asked and answered.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{Recorded, Target},
            invalid::Invalid,
            leaks, limits,
            outbox::Mail,
            paging::{Cursor, Key, Order, Page, Position},
            principal::{Actor, Principal},
            refused::Refused,
            tokens::{Purpose, Token},
            values::Description,
            words::inert,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::support::{
            events::{SUPPORT_REQUEST, SupportRequested},
            mail::SupportRequestedMail,
            text::{Category, SupportText},
        },
    },
    entity::support_request,
    policy::{Access, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, FromQueryResult};
use serde::Deserialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What somebody asks.
pub struct NewRequest {
    pub category: Category,
    pub expected: SupportText,
    pub happened: SupportText,
    /// When it happened, in their words; may be empty.
    pub when: Description,
    /// The id of a request, as they know it; may be empty.
    pub about_request: Description,
}

impl NewRequest {
    /// Each field with its text, and how many lines stood before that where it was typed.
    fn fields(&self) -> [(&'static str, &str, usize); 4] {
        [
            ("expected", self.expected.as_str(), self.expected.skipped()),
            ("happened", self.happened.as_str(), self.happened.skipped()),
            ("when", self.when.as_str(), 0),
            ("request_id", self.about_request.as_str(), 0),
        ]
    }

    /// Refuses a text with a secret in it, naming the line.
    ///
    /// # Errors
    /// A complaint at each field with one.
    pub fn without_secrets(self) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        for (field, text, skipped) in self.fields() {
            if let Some(leak) = leaks::find(text) {
                let sentence = format!(
                    "Line {} looks like it contains {}. Remove it: whoever reads this must not see it. If it's valid, replace it.",
                    skipped + leak.line,
                    leak.what
                );
                invalid.add(field, sentence);
            }
        }
        if invalid.is_empty() { Ok(self) } else { Err(invalid) }
    }
}

/// An API key of the workspace whose secret somebody was about to send.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LeakedKey {
    pub id: Uuid,
    pub name: String,
}

/// How many secrets in a text are looked up.
const MAX_LEAKED: usize = 10;

/// The workspace's own API keys whose valid secrets are in these texts; none for somebody who may not manage keys.
///
/// # Errors
/// The database's own.
pub async fn leaked_keys<P: Access>(scope: &ReadScope<P>, texts: &[&str]) -> Result<Vec<LeakedKey>, Refused> {
    if !scope.actor().holdings.has(Permission::ManageApiKeys) {
        return Ok(Vec::new());
    }
    let mut keys: Vec<LeakedKey> = Vec::new();
    let secrets: BTreeSet<String> =
        texts.iter().flat_map(|text| leaks::own(text)).map(|secret| secret.to_ascii_lowercase()).collect();
    let tokens = secrets.iter().filter_map(|secret| Token::parse(Purpose::ApiKey, secret));
    for token in tokens.take(MAX_LEAKED) {
        let sql = "SELECT k.id, k.name FROM api_key_secrets s CROSS JOIN api_keys k CROSS JOIN members m
            WHERE s.token_hash = $2 AND (s.expires_at IS NULL OR s.expires_at > $3) AND k.id = s.api_key_id
                AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
                AND m.workspace_id = $1 AND m.api_key_id = k.id";
        let found: Option<LeakedKey> =
            scope.first(sql, vec![token.hash().into(), scope.now().into()]).await?;
        keys.extend(found.filter(|found| keys.iter().all(|key| key.id != found.id)));
    }
    Ok(keys)
}

/// Asks for support. Returns the request.
///
/// # Errors
/// [`Refused::Invalid`] on a field with a secret in it, [`Refused::RateLimited`].
pub async fn create(
    s: &mut WriteScope<perm::CreateSupportRequests>,
    new: NewRequest,
) -> Result<Recorded<SupportRequest>, Refused> {
    let new = new.without_secrets()?;
    let principal = &s.actor().principal;
    let asker = principal.accountable_user();
    let budget = [limits::ASK_SUPPORT.of(&asker.to_string())];
    limits::spend_in(&s.open().tx, &budget, 1, s.now()).await??;
    let id = random::id(s.now());
    let row = support_request::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        asked_by: Set(Some(asker)),
        asked_by_key_id: Set(principal.key_id()),
        category: Set(new.category.word().to_owned()),
        expected: Set(new.expected.to_string()),
        happened: Set(new.happened.to_string()),
        happened_when: Set(new.when.to_string()),
        about_request: Set(new.about_request.to_string()),
        created_at: Set(s.now()),
        answered_at: Set(None),
    };
    s.open().insert(row).await?;
    if let Some(address) = s.open().db.support_email() {
        let workspace = &s.actor().workspace;
        let or_none = |text: &Description| match text.as_str() {
            "" => "not given".to_owned(),
            some => some.to_owned(),
        };
        let mail = SupportRequestedMail {
            signature: &principal.signature(),
            workspace: &inert(&workspace.name),
            slug: &workspace.slug,
            category: new.category.label(),
            expected: new.expected.as_str(),
            happened: new.happened.as_str(),
            when: &or_none(&new.when),
            about_request: &or_none(&new.about_request),
            id: &id.to_string(),
        };
        Mail::new(address, &mail).queue(&s.open().db, &s.open().tx, s.now()).await?;
    }
    let event = SupportRequested { category: new.category.word().to_owned() };
    let target = Target::new(SUPPORT_REQUEST, id, new.category.label());
    let actor = s.actor().clone();
    Ok(Recorded::new(load(s, &actor, id).await?.request, event, target))
}

/// A request for support.
#[derive(Clone, Debug, Deserialize, FromQueryResult)]
pub struct SupportRequest {
    pub id: Uuid,
    pub asker_id: Option<Uuid>,
    /// The API key that asked, if one did.
    pub asker_key_id: Option<Uuid>,
    /// `None` for somebody who is gone.
    pub asker: Option<String>,
    pub category: String,
    pub expected: String,
    pub happened: String,
    pub happened_when: String,
    pub about_request: String,
    pub created_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

impl SupportRequest {
    pub fn category_label(&self) -> &'static str {
        Category::of_word(&self.category).map_or("Other", Category::label)
    }

    /// The first line of what happened.
    pub fn title(&self) -> &str {
        self.happened.lines().next().unwrap_or_default()
    }
}

/// An answer to a request.
#[derive(Clone, Debug, Deserialize, FromQueryResult)]
pub struct Answer {
    pub answered_by: String,
    pub body: String,
    pub created_at: Timestamp,
}

/// A request with its answers.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub request: SupportRequest,
    pub answers: Vec<Answer>,
}

/// Which requests to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub category: Option<Category>,
    pub is_answered: Option<bool>,
}

const FIELDS: [&str; 11] = [
    "id",
    "asker_id",
    "asker_key_id",
    "asker",
    "category",
    "expected",
    "happened",
    "happened_when",
    "about_request",
    "created_at",
    "answered_at",
];

const SELECT: &str = "SELECT r.id, r.asked_by AS asker_id, r.asked_by_key_id AS asker_key_id,
        COALESCE(k.name, u.name) AS asker, r.category, r.expected, r.happened, r.happened_when, r.about_request,
        r.created_at, r.answered_at
    FROM support_requests r LEFT JOIN users u ON u.id = r.asked_by
    LEFT JOIN api_keys k ON k.id = r.asked_by_key_id
    WHERE r.workspace_id = $1";

/// Requests of others are for those who decide about support access.
fn sees_all(actor: &Actor) -> bool {
    actor.holdings.has(Permission::ManageSupportAccess)
}

/// The column that says what a principal asked, and its value there. A person sees what their keys asked, too; a key sees
/// nothing that people asked.
fn asked_by(principal: &Principal) -> (&'static str, Uuid) {
    match principal {
        Principal::ApiKey(key) => ("asked_by_key_id", key.id),
        Principal::User(_) | Principal::Support(_) => ("asked_by", principal.accountable_user()),
    }
}

/// Lists requests, the latest first: one's own, or all of them for those who grant support access.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadSupport>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<SupportRequest>, Refused> {
    let (mut sql, mut values) = (SELECT.to_owned(), Vec::new());
    if !sees_all(scope.actor()) {
        let (column, asker) = asked_by(&scope.actor().principal);
        values.push(asker.into());
        sql.push_str(&format!(" AND r.{column} = $2"));
    }
    if let Some(category) = filter.category {
        values.push(category.word().into());
        sql.push_str(&format!(" AND r.category = ${}", values.len() + 1));
    }
    match filter.is_answered {
        Some(true) => sql.push_str(" AND r.answered_at IS NOT NULL"),
        Some(false) => sql.push_str(" AND r.answered_at IS NULL"),
        None => {}
    }
    let order = Order { column: "r.created_at", is_text: false, id: "r.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<SupportRequest> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.created_at.as_millis()), row.id)))
}

/// One request, with its answers.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such request, or it is somebody else's and the actor sees their own
/// alone.
pub async fn get(scope: &ReadScope<perm::ReadSupport>, id: Uuid) -> Result<Conversation, Refused> {
    load(scope, scope.actor(), id).await
}

async fn load(scope: &impl Scoped, actor: &Actor, id: Uuid) -> Result<Conversation, Refused> {
    let request: Option<SupportRequest> =
        scope.first(&format!("{SELECT} AND r.id = $2"), vec![id.into()]).await?;
    let is_own = |request: &SupportRequest| match &actor.principal {
        Principal::ApiKey(key) => request.asker_key_id == Some(key.id),
        principal => request.asker_id == Some(principal.accountable_user()),
    };
    let request = request.filter(|request| sees_all(actor) || is_own(request)).ok_or(Refused::NotFound)?;
    let sql = "SELECT a.answered_by, a.body, a.created_at FROM support_answers a
        WHERE a.workspace_id = $1 AND a.request_id = $2 ORDER BY a.created_at, a.id LIMIT 200";
    let answers = scope.all(sql, vec![id.into()]).await?;
    Ok(Conversation { request, answers })
}

/// Whether requests reach those who run the installation by mail.
pub fn are_mailed(db: &Db) -> bool {
    db.support_email().is_some()
}
