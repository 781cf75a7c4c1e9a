//! What those who run the installation do by a command: they read and answer requests, and ask for access.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{Actor, Recorded, Target},
            invalid::Invalid,
            outbox::Mail,
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
            values::{Description, Name, Slug},
            words::{inert, pluralize},
        },
        enforce::{
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_by_operator, roles},
        },
        nouns::support::{
            events::{SUPPORT_ACCESS, SUPPORT_REQUEST, SupportAccessRequested, SupportAnswered},
            grants::{HOURS, labels, scopes},
            mail::{SupportAccessRequestedMail, SupportAnsweredMail},
            text::{Category, SupportText},
        },
        records::holders,
    },
    entity::{support_answer, support_grant},
    policy::Permission,
    random,
};
use sea_orm::{ActiveValue::Set, FromQueryResult};
use uuid::Uuid;

/// A request that nobody has answered yet.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OpenRequest {
    pub id: Uuid,
    pub slug: String,
    pub workspace: String,
    pub asker: Option<String>,
    pub email: Option<String>,
    pub category: String,
    pub expected: String,
    pub happened: String,
    pub happened_when: String,
    pub about_request: String,
    pub created_at: Timestamp,
}

/// The requests that nobody has answered yet, the oldest first.
///
/// # Errors
/// The database's own.
pub async fn open_requests(db: &Db) -> Result<Vec<OpenRequest>, Refused> {
    let sql =
        "SELECT r.id, w.slug, w.name AS workspace, COALESCE(k.name, u.name) AS asker, u.email, r.category,
            r.expected, r.happened, r.happened_when, r.about_request, r.created_at
        FROM support_requests r JOIN workspaces w ON w.id = r.workspace_id AND w.deleted_at IS NULL
        LEFT JOIN users u ON u.id = r.asked_by LEFT JOIN api_keys k ON k.id = r.asked_by_key_id
        WHERE r.answered_at IS NULL ORDER BY r.created_at, r.id LIMIT 500";
    Ok(db.read().all(sql, Vec::new()).await?)
}

/// The most answers to one request.
const MAX_ANSWERS: i64 = 200;

/// Answers a request: on its page, and by mail to the asker.
///
/// # Errors
/// [`Refused::NotFound`] where there is no such request, or its workspace is deleted; [`Refused::Invalid`].
pub async fn answer(db: &Db, request: Uuid, name: &Name, text: &SupportText) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Place {
        workspace_id: Uuid,
    }
    let sql = "SELECT workspace_id FROM support_requests WHERE id = $1";
    let place: Option<Place> = db.read().first(sql, vec![request.into()]).await?;
    let workspace = place.ok_or(Refused::NotFound)?.workspace_id;
    let by = Actor::operator(name.to_string());
    change_by_operator(db, workspace, &by, async |open: &Transaction| {
        #[derive(FromQueryResult)]
        struct Asked {
            category: String,
            email: Option<String>,
            workspace: String,
            slug: String,
            answers: i64,
        }
        // Whoever left gets no mail.
        let sql = "SELECT r.category, w.name AS workspace, w.slug,
                (SELECT u.email FROM members m JOIN users u ON u.id = m.user_id
                    WHERE m.workspace_id = r.workspace_id AND m.user_id = r.asked_by AND m.status = 'active'
                        AND u.email_verified_at IS NOT NULL AND u.suspended_at IS NULL) AS email,
                (SELECT COUNT(*) FROM support_answers a
                    WHERE a.workspace_id = r.workspace_id AND a.request_id = r.id) AS answers
            FROM support_requests r JOIN workspaces w ON w.id = r.workspace_id
            WHERE r.workspace_id = $1 AND r.id = $2";
        let asked: Asked = open.first(sql, vec![request.into()]).await?.ok_or(Refused::NotFound)?;
        if asked.answers >= MAX_ANSWERS {
            return Err(Invalid::field("request", "This request has as many answers as one can have.").into());
        }
        let row = support_answer::ActiveModel {
            id: Set(random::id(open.now)),
            workspace_id: Set(workspace),
            request_id: Set(request),
            answered_by: Set(name.to_string()),
            body: Set(text.to_string()),
            created_at: Set(open.now),
        };
        open.insert(row).await?;
        let sql = "UPDATE support_requests SET answered_at = $3 WHERE workspace_id = $1 AND id = $2";
        open.run(sql, vec![request.into(), open.now.into()]).await?;
        if let Some(email) = &asked.email {
            let mail = SupportAnsweredMail {
                by: &inert(name.as_str()),
                workspace: &inert(&asked.workspace),
                body: text.as_str(),
                page: &format!("{}/w/{}/support/{request}", open.db.public_url(), asked.slug),
            };
            Mail::new(email, &mail).queue(&open.db, &open.tx, open.now).await?;
        }
        let label = Category::of_word(&asked.category).map_or("Other", Category::label);
        let target = Target::new(SUPPORT_REQUEST, request, label);
        Ok(Recorded::new((), SupportAnswered { category: asked.category }, target))
    })
    .await
}

/// What can be asked for: the word of the command, and the permission that opens these pages.
pub const PAGES: [(&str, Permission); 7] = [
    ("members", Permission::ReadMembers),
    ("teams", Permission::ReadTeams),
    ("activity", Permission::ReadAudit),
    ("api-keys", Permission::ReadApiKeys),
    ("destinations", Permission::ReadDestinations),
    ("billing", Permission::ReadBilling),
    ("credits", Permission::ReadCredits),
];

/// The permissions that open these pages, separated by commas.
///
/// # Errors
/// Which word is none, and which there are.
pub fn pages(text: &str) -> Result<Vec<Permission>, String> {
    let known = || PAGES.iter().filter(|(_, permission)| permission.is_built());
    let mut found = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let page = known().find(|(known, _)| *known == word);
        let Some((_, permission)) = page else {
            let words: Vec<&str> = known().map(|(word, _)| *word).collect();
            return Err(format!("“{word}” is no page. Choose among: {}", words.join(", ")));
        };
        if !found.contains(permission) {
            found.push(*permission);
        }
    }
    if found.is_empty() { Err("name at least one page".to_owned()) } else { Ok(found) }
}

/// What somebody who runs the installation asks for.
pub struct AccessRequest {
    pub workspace: Slug,
    pub operator: Name,
    pub reason: Description,
    /// The id of a request for support; may be empty.
    pub about_request: Description,
    pub hours: i64,
    pub permissions: Vec<Permission>,
}

/// How long a request for access can be answered, in milliseconds.
pub const ANSWERABLE_FOR: i64 = 7 * DAY;

/// The most requests for access that wait in a workspace.
const MAX_WAITING: i64 = 5;

/// Asks the workspace for access. Returns the secret of the link that opens it once it is granted, which is stored nowhere.
///
/// # Errors
/// [`Refused::NotFound`] without such a workspace, [`Refused::Invalid`].
pub async fn request_access(db: &Db, asked: &AccessRequest) -> Result<Token, Refused> {
    if !HOURS.contains(&asked.hours) {
        return Err(Invalid::field("hours", "Choose between 1 and 24 hours.").into());
    }
    if asked.reason.as_str().is_empty() {
        return Err(Invalid::field("reason", "Give a reason: those who decide read it.").into());
    }
    #[derive(FromQueryResult)]
    struct Place {
        id: Uuid,
    }
    let sql = "SELECT id FROM workspaces WHERE slug = $1 AND deleted_at IS NULL";
    let place: Option<Place> = db.read().first(sql, vec![asked.workspace.as_str().into()]).await?;
    let workspace = place.ok_or(Refused::NotFound)?.id;
    let by = Actor::operator(asked.operator.to_string());
    change_by_operator(db, workspace, &by, async |open: &Transaction| {
        #[derive(FromQueryResult)]
        struct Here {
            name: String,
            slug: String,
            waiting: i64,
        }
        let sql = "SELECT w.name, w.slug, (SELECT COUNT(*) FROM support_grants g
                WHERE g.workspace_id = w.id AND g.status = 'pending' AND g.expires_at > $2) AS waiting
            FROM workspaces w WHERE w.id = $1";
        let here: Here = open.first(sql, vec![open.now.into()]).await?.ok_or(Refused::NotFound)?;
        if here.waiting >= MAX_WAITING {
            let sentence = "Too many requests in this workspace are waiting. Wait until one is answered.";
            return Err(Invalid::field("workspace", sentence).into());
        }
        let (id, token) = (random::id(open.now), Token::new(Purpose::SupportAccess));
        let row = support_grant::ActiveModel {
            id: Set(id),
            workspace_id: Set(workspace),
            token_hash: Set(token.hash()),
            operator: Set(asked.operator.to_string()),
            reason: Set(asked.reason.to_string()),
            about_request: Set(asked.about_request.to_string()),
            scopes: Set(scopes(&asked.permissions)),
            hours: Set(asked.hours),
            status: Set("pending".to_owned()),
            created_at: Set(open.now),
            expires_at: Set(open.now + ANSWERABLE_FOR),
            answered_by: Set(None),
            answered_at: Set(None),
            granted_scopes: Set(String::new()),
            ends_at: Set(None),
            ended_by: Set(None),
            ended_at: Set(None),
        };
        open.insert(row).await?;
        let names = labels(&asked.permissions);
        let about = match asked.about_request.as_str() {
            "" => "none",
            some => some,
        };
        let mail = SupportAccessRequestedMail {
            by: &inert(asked.operator.as_str()),
            workspace: &inert(&here.name),
            reason: asked.reason.as_str(),
            about_request: about,
            hours: &pluralize(asked.hours, "hour", "hours"),
            permissions: &names.join(", "),
            page: &format!("{}/w/{}/support/access/{id}", open.db.public_url(), here.slug),
        };
        let all = roles::load(open).await?;
        for address in holders::addresses(open, &all, Permission::ManageSupportAccess).await? {
            Mail::new(&address, &mail).queue(&open.db, &open.tx, open.now).await?;
        }
        let target = Target::new(SUPPORT_ACCESS, id, asked.operator.to_string());
        let event = SupportAccessRequested { permissions: names, hours: asked.hours };
        Ok(Recorded::new(token, event, target))
    })
    .await
}
