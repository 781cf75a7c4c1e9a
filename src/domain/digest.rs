//! The weekly summary of what happened in somebody's workspaces, for those who want it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            mail_choice::{MailChoice, WEEK, recipient},
            outbox::{Mail, MailTemplate},
            refused::Refused,
            role,
            sql::Sql,
            words::{day, inert, pluralize},
        },
        enforce::rows::Unadmitted,
        events,
    },
    policy::Permission,
};
use askama::Template;
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// The most summaries of one round.
const MAX_SUMMARIES: usize = 50;

/// The most workspaces in one.
const MAX_WORKSPACES: usize = 20;

/// The most kinds of events of one workspace.
const MAX_KINDS: usize = 8;

/// The most events of a week that are counted.
const MAX_EVENTS: i64 = 20_000;

/// A week in one workspace.
struct Week {
    name: String,
    /// Each kind with its number, such as "3 × Roles changed".
    lines: Vec<String>,
    /// All of it, in words.
    total: String,
    /// The address of its activity.
    page: String,
}

/// To somebody who wants it.
#[derive(Template)]
#[template(path = "mail/digest.txt", whitespace = "preserve")]
struct DigestMail<'a> {
    since: &'a str,
    weeks: &'a [Week],
}

impl MailTemplate for DigestMail<'_> {
    fn subject(&self) -> String {
        match self.weeks {
            [one] => format!("Your week in {}", one.name),
            weeks => format!("Your week in {} workspaces", weeks.len()),
        }
    }
}

#[derive(FromQueryResult)]
struct Due {
    user_id: Uuid,
}

/// Queues the summaries that are due. To be called every few minutes.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn send_due(db: &Db) -> Result<(), DbErr> {
    let sql = format!(
        "SELECT user_id FROM mail_choices WHERE next_at IS NOT NULL AND next_at <= $1
        ORDER BY next_at LIMIT {MAX_SUMMARIES}"
    );
    let due: Vec<Due> = db.read().all(&sql, vec![db.now().into()]).await?;
    for Due { user_id } in due {
        match send(db, user_id).await {
            Ok(()) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(error) => tracing::warn!(user = %user_id, %error, "could not write a weekly summary"),
        }
    }
    Ok(())
}

async fn send(db: &Db, user: Uuid) -> Result<(), Refused> {
    let now = db.now();
    let since = now - WEEK;
    let weeks = weeks(db, user, since).await?;
    let tx = db.begin().await?;
    // Another node may be here too. A summary that is late does not bring the next one sooner.
    let sql = "UPDATE mail_choices SET next_at = $3 WHERE user_id = $1 AND kind = $2 AND next_at <= $4";
    let values = vec![user.into(), MailChoice::Digest.word().into(), (now + WEEK).into(), now.into()];
    let is_ours = tx.run(sql, values).await? == 1;
    if is_ours
        && !weeks.is_empty()
        && let Some(email) = recipient(&tx, user, MailChoice::Digest).await?
    {
        let mail = DigestMail { since: &day(since), weeks: &weeks };
        Mail::new(&email, &mail).of_choice(MailChoice::Digest, user).queue(db, &tx, now).await?;
    }
    Ok(tx.commit().await?)
}

#[derive(FromQueryResult)]
struct Membership {
    id: Uuid,
    name: String,
    slug: String,
    roles_version: Option<Uuid>,
    role_set: String,
}

#[derive(FromQueryResult)]
struct Counted {
    kind: String,
    events: i64,
}

/// What happened since then in each workspace whose activity the person may see now. Where nothing did, it is left out.
async fn weeks(db: &Db, user: Uuid, since: Timestamp) -> Result<Vec<Week>, Refused> {
    let sql = concat!(
        "SELECT w.id, w.name, w.slug, w.roles_version, ",
        held_roles!("m", "$2"),
        " AS role_set FROM members m CROSS JOIN workspaces w CROSS JOIN accounts a
        WHERE m.user_id = $1 AND m.status = 'active' AND ",
        lasts!("m", "$2"),
        " AND w.id = m.workspace_id AND w.deleted_at IS NULL AND w.suspended_at IS NULL AND a.id = w.account_id
            AND a.suspended_at IS NULL ORDER BY w.name, w.id LIMIT 200"
    );
    let all: Vec<Membership> = db.read().all(sql, vec![user.into(), db.now().into()]).await?;
    let mut weeks = Vec::new();
    for membership in all {
        if weeks.len() >= MAX_WORKSPACES {
            break;
        }
        let here = Unadmitted(db.read(), membership.id);
        let roles = db.roles().at(&here, membership.roles_version).await?;
        if role::holdings(&roles.parse_slugs(&membership.role_set)).has(Permission::ReadAudit) {
            weeks.extend(week(db, &membership, since).await?);
        }
    }
    Ok(weeks)
}

async fn week(db: &Db, of: &Membership, since: Timestamp) -> Result<Option<Week>, DbErr> {
    // Put together, the outcome is found by no index: the time's is the one to go along.
    let sql = format!(
        "SELECT week.kind, COUNT(*) AS events FROM (SELECT e.kind FROM audit_events e
            WHERE e.workspace_id = $1 AND e.at >= $2 AND e.outcome || '' = 'done'
            ORDER BY e.at, e.seq LIMIT {MAX_EVENTS}) AS week
        GROUP BY week.kind ORDER BY events DESC, week.kind"
    );
    let counted: Vec<Counted> = db.read().all(&sql, vec![of.id.into(), since.into()]).await?;
    let total: i64 = counted.iter().map(|one| one.events).sum();
    if total == 0 {
        return Ok(None);
    }
    let label =
        |kind: &str| events::find(kind).map_or_else(|| kind.to_owned(), |known| known.label.to_owned());
    let line = |one: &Counted| format!("{} × {}", one.events, label(&one.kind));
    let mut lines: Vec<String> = counted.iter().take(MAX_KINDS).map(line).collect();
    if counted.len() > MAX_KINDS {
        let shown: i64 = counted.iter().take(MAX_KINDS).map(|one| one.events).sum();
        lines.push(format!("{} × other", total - shown));
    }
    Ok(Some(Week {
        name: inert(&of.name),
        lines,
        total: pluralize(total, "event", "events"),
        page: format!("{}/w/{}/activity", db.public_url(), of.slug),
    }))
}
