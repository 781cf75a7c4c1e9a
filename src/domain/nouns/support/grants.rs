//! Support access: what somebody who runs the installation asks for, and what a workspace grants of it.

use crate::{
    clock::{HOUR, Timestamp},
    domain::{
        base::{
            conflict::Conflict,
            db::Db,
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            outbox::Mail,
            refused::Refused,
            sql::Sql,
            words::{exact, inert},
        },
        enforce::{
            read::ReadScope,
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_deleted_by_program, roles},
            write::WriteScope,
        },
        nouns::support::{
            events::{SUPPORT_ACCESS, SupportAccessDeclined, SupportAccessEnded, SupportAccessGranted},
            mail::SupportAccessEndedMail,
        },
        records::holders,
    },
    policy::{Access, GRANTABLE, Permission, perm},
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// The least and the most hours that access is granted for.
pub const HOURS: std::ops::RangeInclusive<i64> = 1..=24;

const ANSWERED: Conflict = Conflict::new(
    "support-access-answered",
    "Someone answered this request already, or it expired. Check the current state.",
)
.link("/support", "Support");

const RUNNING: Conflict = Conflict::new(
    "support-access-running",
    "Other support access is running. End it first: one at a time is allowed.",
)
.link("/support", "Support");

const NOT_RUNNING: Conflict =
    Conflict::new("support-access-not-running", "This support access isn't running anymore.")
        .link("/support", "Support");

/// A request for access, and what became of it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Grant {
    pub id: Uuid,
    pub operator: String,
    pub reason: String,
    pub about_request: String,
    scopes: String,
    pub hours: i64,
    status: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The name of whoever answered it; `None` for somebody who is gone.
    pub answered_by: Option<String>,
    pub answered_at: Option<Timestamp>,
    granted_scopes: String,
    pub ends_at: Option<Timestamp>,
    /// The name of whoever ended it.
    pub ended_by: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// How many pages were looked at.
    pub views: i64,
}

/// What became of a request for access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    /// Nobody answered in time.
    Expired,
    Declined,
    Running,
    Ended,
}

impl Grant {
    pub fn state(&self, now: Timestamp) -> State {
        match self.status.as_str() {
            "pending" if self.expires_at > now => State::Waiting,
            "pending" => State::Expired,
            "accepted" if self.ends_at.is_some_and(|end| end > now) => State::Running,
            "declined" => State::Declined,
            _ => State::Ended,
        }
    }

    /// What was asked for.
    pub fn asked(&self) -> Vec<Permission> {
        permissions(&self.scopes)
    }

    /// What was granted.
    pub fn granted(&self) -> Vec<Permission> {
        permissions(&self.granted_scopes)
    }

    fn target(&self) -> Target {
        Target::new(SUPPORT_ACCESS, self.id, self.operator.clone())
    }
}

fn permissions(scopes: &str) -> Vec<Permission> {
    let all = scopes.split_ascii_whitespace().filter_map(Permission::of_scope);
    all.filter(|permission| GRANTABLE.contains(permission)).collect()
}

/// Permissions as they are stored.
pub(super) fn scopes(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.scope()).collect::<Vec<_>>().join(" ")
}

pub(super) fn labels(permissions: &[Permission]) -> Vec<String> {
    permissions.iter().map(|permission| permission.label().to_owned()).collect()
}

const SELECT: &str = "SELECT g.id, g.operator, g.reason, g.about_request, g.scopes, g.hours, g.status, g.created_at,
        g.expires_at, a.name AS answered_by, g.answered_at, g.granted_scopes, g.ends_at, e.name AS ended_by, g.ended_at,
        (SELECT COUNT(*) FROM support_views v WHERE v.workspace_id = g.workspace_id AND v.grant_id = g.id) AS views
    FROM support_grants g LEFT JOIN users a ON a.id = g.answered_by LEFT JOIN users e ON e.id = g.ended_by
    WHERE g.workspace_id = $1";

/// The most requests for access that the page lists.
const MAX_LISTED: usize = 20;

/// The latest requests for access, for those who may grant it; empty for others.
///
/// # Errors
/// The database's own.
pub async fn latest<P: Access>(scope: &ReadScope<P>) -> Result<Vec<Grant>, Refused> {
    if !scope.actor().holdings.has(Permission::ManageSupportAccess) {
        return Ok(Vec::new());
    }
    let sql = format!("{SELECT} ORDER BY g.created_at DESC, g.id DESC LIMIT {MAX_LISTED}");
    Ok(scope.all(&sql, Vec::new()).await?)
}

/// A page that was looked at.
#[derive(Clone, Debug, FromQueryResult)]
pub struct PageView {
    pub path: String,
    pub at: Timestamp,
}

/// One request for access, and the pages that were looked at.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such request.
pub async fn get(
    scope: &ReadScope<perm::ManageSupportAccess>,
    id: Uuid,
) -> Result<(Grant, Vec<PageView>), Refused> {
    let grant = load(scope, id).await?;
    Ok((grant, views(scope, id).await?))
}

async fn load(scope: &impl Scoped, id: Uuid) -> Result<Grant, Refused> {
    let grant = scope.first(&format!("{SELECT} AND g.id = $2"), vec![id.into()]).await?;
    grant.ok_or(Refused::NotFound)
}

/// All of them, in their order.
async fn views(scope: &impl Scoped, grant: Uuid) -> Result<Vec<PageView>, Refused> {
    let sql = "SELECT v.path, v.at FROM support_views v WHERE v.workspace_id = $1 AND v.grant_id = $2
        ORDER BY v.at, v.id LIMIT 2000";
    Ok(scope.all(sql, vec![grant.into()]).await?)
}

/// Grants access, for as many hours as were asked for or fewer, and to as many pages or fewer.
///
/// # Errors
/// [`Refused::Invalid`] on `hours` or `page`, [`ANSWERED`], [`RUNNING`].
pub async fn accept(
    s: &mut WriteScope<perm::ManageSupportAccess>,
    id: Uuid,
    hours: i64,
    granted: &[Permission],
) -> Result<Recorded<Grant>, Refused> {
    let grant = load(s, id).await?;
    if grant.state(s.now()) != State::Waiting {
        return Err(ANSWERED.into());
    }
    let asked = grant.asked();
    let mut invalid = Invalid::default();
    if !(*HOURS.start()..=grant.hours).contains(&hours) {
        invalid.add("hours", format!("Choose between 1 and {} hours.", grant.hours));
    }
    if granted.is_empty() {
        invalid.add("page", "Choose at least one, or decline.");
    } else if granted.iter().any(|permission| !asked.contains(permission)) {
        invalid.add("page", "Choose among what was asked for.");
    } else if granted.iter().any(|permission| !s.actor().holdings.has(*permission)) {
        invalid.add("page", "Choose only what you can view yourself.");
    }
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    let mut events = close_overdue(s.open()).await?;
    #[derive(FromQueryResult)]
    struct Other {
        #[expect(dead_code, reason = "a row is all that is needed")]
        id: Uuid,
    }
    let sql = "SELECT g.id FROM support_grants g WHERE g.workspace_id = $1 AND g.status = 'accepted'";
    if s.first::<Other>(sql, Vec::new()).await?.is_some() {
        return Err(RUNNING.into());
    }
    let ends_at = s.now() + hours * HOUR;
    let by = s.actor().principal.accountable_user();
    let sql = "UPDATE support_grants SET status = 'accepted', answered_by = $3, answered_at = $4, granted_scopes = $5,
            ends_at = $6
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let values = vec![id.into(), by.into(), s.now().into(), scopes(granted).into(), ends_at.into()];
    if s.run(sql, values).await? != 1 {
        return Err(ANSWERED.into());
    }
    s.run("UPDATE workspaces SET support_until = $2 WHERE id = $1", vec![ends_at.into()]).await?;
    let event = SupportAccessGranted { permissions: labels(granted), hours };
    events.push(RecordedEvent::new(event, grant.target()));
    Ok(Recorded::many(load(s, id).await?, events))
}

/// Declines a request for access.
///
/// # Errors
/// [`ANSWERED`].
pub async fn decline(
    s: &mut WriteScope<perm::ManageSupportAccess>,
    id: Uuid,
) -> Result<Recorded<Grant>, Refused> {
    let grant = load(s, id).await?;
    if grant.state(s.now()) != State::Waiting {
        return Err(ANSWERED.into());
    }
    let sql = "UPDATE support_grants SET status = 'declined', answered_by = $3, answered_at = $4
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let by = s.actor().principal.accountable_user();
    if s.run(sql, vec![id.into(), by.into(), s.now().into()]).await? != 1 {
        return Err(ANSWERED.into());
    }
    let target = grant.target();
    Ok(Recorded::new(grant, SupportAccessDeclined {}, target))
}

/// Ends access that runs. It counts at the next request.
///
/// # Errors
/// [`NOT_RUNNING`].
pub async fn end(
    s: &mut WriteScope<perm::ManageSupportAccess>,
    id: Uuid,
) -> Result<Recorded<Grant>, Refused> {
    let grant = load(s, id).await?;
    if grant.state(s.now()) != State::Running {
        return Err(NOT_RUNNING.into());
    }
    let by = s.actor().principal.accountable_user();
    let how = format!("{} ended it.", inert(s.actor().principal.name()));
    let event = close(s.open(), &grant, Some(by), s.now(), &how).await?;
    Ok(Recorded::many(grant, vec![event]))
}

/// How many pages a mail and an event list.
const MAX_IN_RECEIPT: usize = 100;

/// The most addresses in an event, each once.
const MAX_IN_EVENT: usize = 50;

/// Ends access, with its receipt by mail. Returns the event.
async fn close(
    open: &Transaction,
    grant: &Grant,
    by: Option<Uuid>,
    at: Timestamp,
    how: &str,
) -> Result<RecordedEvent, Refused> {
    let sql = "UPDATE support_grants SET status = 'ended', ended_by = $3, ended_at = $4
        WHERE workspace_id = $1 AND id = $2 AND status = 'accepted'";
    if open.run(sql, vec![grant.id.into(), by.into(), at.into()]).await? != 1 {
        return Err(NOT_RUNNING.into());
    }
    open.run("UPDATE workspaces SET support_until = NULL WHERE id = $1", Vec::new()).await?;
    let views = views(open, grant.id).await?;
    let lines: Vec<String> =
        views.iter().take(MAX_IN_RECEIPT).map(|view| format!("{}  {}", exact(view.at), view.path)).collect();
    #[derive(FromQueryResult)]
    struct Named {
        name: String,
        slug: String,
    }
    let sql = "SELECT w.name, w.slug FROM workspaces w WHERE w.id = $1";
    let Named { name, slug } = open.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
    let count = i64::try_from(views.len()).unwrap_or(i64::MAX);
    let mail = SupportAccessEndedMail {
        by: &inert(&grant.operator),
        workspace: &inert(&name),
        how,
        more: count - i64::try_from(lines.len()).unwrap_or(i64::MAX),
        views: &lines,
        page: &format!("{}/w/{slug}/support/access/{}", open.db.public_url(), grant.id),
    };
    let all = roles::load(open).await?;
    for address in holders::addresses(open, &all, Permission::ManageSupportAccess).await? {
        Mail::new(&address, &mail).queue(&open.db, &open.tx, open.now).await?;
    }
    let mut pages: Vec<String> = Vec::new();
    for view in views {
        // Without the query: what was searched for stays in the receipt.
        let path = view.path.split('?').next().unwrap_or_default().to_owned();
        if pages.len() < MAX_IN_EVENT && !pages.contains(&path) {
            pages.push(path);
        }
    }
    let event = SupportAccessEnded { views: count, pages, timed_out: by.is_none() };
    Ok(RecordedEvent::new(event, grant.target()))
}

/// Ends what is over in this workspace and was not ended yet.
async fn close_overdue(open: &Transaction) -> Result<Vec<RecordedEvent>, Refused> {
    let sql = format!("{SELECT} AND g.status = 'accepted' AND g.ends_at <= $2");
    let overdue: Vec<Grant> = open.all(&sql, vec![open.now.into()]).await?;
    let mut events = Vec::new();
    for grant in &overdue {
        let at = grant.ends_at.unwrap_or(open.now);
        events.push(close(open, grant, None, at, "Its time was over.").await?);
    }
    Ok(events)
}

/// Ends all access whose time is over, with its receipts. To be called every few seconds.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn end_overdue(db: &Db) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        workspace_id: Uuid,
    }
    let sql = "SELECT workspace_id FROM support_grants WHERE status = 'accepted' AND ends_at <= $1
        ORDER BY ends_at LIMIT 100";
    let due: Vec<Due> = db.read().all(sql, vec![db.now().into()]).await?;
    for Due { workspace_id } in due {
        let done = change_deleted_by_program(db, workspace_id, async |open: &Transaction| {
            Ok(Recorded::many((), close_overdue(open).await?))
        });
        match done.await {
            // Gone, or ended by another node.
            Ok(()) | Err(Refused::NotFound | Refused::Conflict(_)) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(workspace = %workspace_id, %error, "could not end support access");
            }
        }
    }
    Ok(())
}
