//! Archives of the whole workspace: asked for by somebody who may read all of it, made in the background, and kept for a
//! day. Whoever downloads one is asked for every permission again.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, Target},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::exports::events::{ARCHIVE, ArchiveDeleted, ArchiveRequested},
    },
    entity::export,
    policy::{Access, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter};
use serde::Deserialize;
use uuid::Uuid;

/// How long an archive is kept, in milliseconds.
pub const LIFETIME: i64 = DAY;

/// The most archives of a workspace at a time.
const MAX_KEPT: i64 = 3;

const TOO_MANY: Conflict = Conflict::new(
    "too-many-archives",
    "There are three archives of this workspace already. Delete one, or wait until one expires.",
);

const IN_PROGRESS: Conflict = Conflict::new(
    "archive-in-progress",
    "An archive of this workspace is being created. Wait until it is ready.",
);

/// What somebody must be able to read, beside invitations.
const READS: [Permission; 6] = [
    Permission::ReadMembers,
    Permission::ReadTeams,
    Permission::ReadApiKeys,
    Permission::ReadDestinations,
    Permission::ReadAudit,
    Permission::ReadCredits,
];

/// An archive as its page shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Archive {
    pub id: Uuid,
    /// The name of the person who asked for it.
    pub creator: String,
    pub created_at: Timestamp,
    pub state: String,
    pub rows_done: i64,
    pub rows_total: i64,
    pub parts: i64,
    /// In bytes.
    pub size: i64,
    pub expires_at: Timestamp,
}

impl Archive {
    pub fn is_ready(&self) -> bool {
        self.state == "ready"
    }

    pub fn has_failed(&self) -> bool {
        self.state == "failed"
    }
}

const FIELDS: [&str; 9] =
    ["id", "creator", "created_at", "state", "rows_done", "rows_total", "parts", "size", "expires_at"];

const COLUMNS: &str = "SELECT e.id, u.name AS creator, e.created_at, e.state, e.rows_done, e.rows_total, e.parts,
        e.size, e.expires_at
    FROM exports e CROSS JOIN users u WHERE e.workspace_id = $1 AND u.id = e.created_by AND e.expires_at > $2";

/// Why the actor may not export the whole workspace: the labels of the permissions that they lack.
pub fn lacking(scope: &ReadScope<perm::ExportData>) -> Vec<&'static str> {
    let holdings = &scope.actor().holdings;
    let invitations =
        Some(Permission::CancelInvitations).filter(|_| !holdings.meets(perm::ReadInvitations::NEEDS));
    let lacking = READS.into_iter().filter(|permission| !holdings.has(*permission));
    lacking.chain(invitations).map(Permission::label).collect()
}

/// The archives that there are, the latest first.
///
/// # Errors
/// The database's own.
pub async fn list(scope: &ReadScope<perm::ExportData>) -> Result<Vec<Archive>, Refused> {
    let sql = format!("{COLUMNS} ORDER BY e.created_at DESC, e.id DESC LIMIT 10");
    Ok(scope.list(&FIELDS, &sql, vec![scope.now().into()]).await?)
}

/// One archive, for somebody who may read all of the workspace.
///
/// # Errors
/// [`Refused::NotFound`] once it has expired; [`Refused::Forbidden`].
pub async fn get(scope: &ReadScope<perm::ExportData>, id: Uuid) -> Result<Archive, Refused> {
    ensure_reads_all(scope).await?;
    let sql = format!("{COLUMNS} AND e.id = $3");
    let rows: Vec<Archive> = scope.list(&FIELDS, &sql, vec![scope.now().into(), id.into()]).await?;
    rows.into_iter().next().ok_or(Refused::NotFound)
}

/// # Errors
/// [`Refused::Forbidden`], which is audited.
async fn ensure_reads_all(scope: &ReadScope<perm::ExportData>) -> Result<(), Refused> {
    for permission in READS {
        scope.require(permission).await?;
    }
    match scope.actor().holdings.meets(perm::ReadInvitations::NEEDS) {
        true => Ok(()),
        false => Err(scope.refuse_without(perm::ReadInvitations::NEEDS).await?),
    }
}

/// A part of the file of an archive; `None` after the last one.
///
/// # Errors
/// [`Refused::NotFound`] once the archive is gone; the database's own.
pub async fn part(scope: &ReadScope<perm::ExportData>, id: Uuid, n: i64) -> Result<Option<Vec<u8>>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        parts: i64,
        sealed: Option<Vec<u8>>,
    }
    let sql =
        "SELECT e.parts, (SELECT p.sealed FROM export_parts p WHERE p.workspace_id = $1 AND p.export_id = $2
            AND p.n = $3) AS sealed
        FROM exports e WHERE e.workspace_id = $1 AND e.id = $2 AND e.state = 'ready' AND e.expires_at > $4";
    let values = vec![id.into(), n.into(), scope.now().into()];
    let row: Row = scope.first(sql, values).await?.ok_or(Refused::NotFound)?;
    match row.sealed {
        Some(sealed) => Ok(Some(scope.db().sealer().open_bytes_for(&purpose(id, n), &sealed)?)),
        None if n >= row.parts => Ok(None),
        None => Err(Refused::NotFound),
    }
}

/// What a part is sealed for.
pub(in crate::domain) fn purpose(export: Uuid, n: i64) -> String {
    format!("export_parts {export} {n}")
}

/// Asks for an archive. Returns its id.
///
/// # Errors
/// [`Refused::Conflict`] while another one is being made, or where there are enough.
pub async fn request(s: &mut WriteScope<perm::ExportData>) -> Result<Recorded<Uuid>, Refused> {
    #[derive(FromQueryResult)]
    struct Now {
        kept: i64,
        going: i64,
        rows: i64,
    }
    for permission in READS {
        s.require(permission).await?;
    }
    if !s.actor().holdings.meets(perm::ReadInvitations::NEEDS) {
        s.require(Permission::CancelInvitations).await?;
    }
    let sql = "SELECT
            (SELECT COUNT(*) FROM exports e WHERE e.workspace_id = $1 AND e.expires_at > $2) AS kept,
            (SELECT COUNT(*) FROM exports g WHERE g.workspace_id = $1 AND g.expires_at > $2
                AND g.state || '' IN ('waiting', 'running')) AS going,
            COALESCE((SELECT 2 * c.seq FROM audit_chains c WHERE c.kind = 'workspace' AND c.id = $1), 0)
                + (SELECT CAST(COALESCE(SUM(3 * h.people), 0) AS BIGINT) FROM headcounts h WHERE h.workspace_id = $1)
                AS rows";
    let now: Now = s.first(sql, vec![s.now().into()]).await?.ok_or(Refused::NotFound)?;
    if now.going > 0 {
        return Err(IN_PROGRESS.into());
    }
    if now.kept >= MAX_KEPT {
        return Err(TOO_MANY.into());
    }
    let id = random::id(s.now());
    let row = export::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        created_by: Set(s.actor().principal.accountable_user()),
        created_at: Set(s.now()),
        state: Set("waiting".to_owned()),
        tries: Set(0),
        rows_done: Set(0),
        rows_total: Set(now.rows),
        parts: Set(0),
        size: Set(0),
        leased_until: Set(Timestamp::default()),
        expires_at: Set(s.now() + LIFETIME),
    };
    s.open().insert(row).await?;
    Ok(Recorded::new(id, ArchiveRequested {}, Target::new(ARCHIVE, id, "Archive")))
}

/// Deletes an archive, whether it is ready or not.
///
/// # Errors
/// [`Refused::NotFound`].
pub async fn delete(s: &mut WriteScope<perm::ExportData>, id: Uuid) -> Result<Recorded<()>, Refused> {
    let delete = s.delete::<export::Entity>();
    s.apply_to_one(delete.filter(export::Column::Id.eq(id))).await?;
    Ok(Recorded::new((), ArchiveDeleted {}, Target::new(ARCHIVE, id, "Archive")))
}
