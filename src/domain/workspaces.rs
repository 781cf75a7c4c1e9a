//! The workspaces of a person, and the door through which a new one comes.

use super::{
    Db, Event, Invalid, Name, Recorded, Refused, Slug, Target, TargetKind, accounts,
    audit::Actor,
    db::Sql,
    identity::Person,
    limits, members, roles,
    scope::{self, Origin, Scoped, Transaction},
};
use crate::{entity::workspace, policy::BuiltIn};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter,
};
use uuid::Uuid;

/// A workspace as one of its members finds it in their list.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Listed {
    pub slug: String,
    pub name: String,
    pub account: String,
    pub account_id: Uuid,
    pub status: String,
    /// Names of the person's roles, joined with ", ".
    pub roles: Option<String>,
    pub people: i64,
}

/// The workspaces in which this person has a membership, suspended ones too.
///
/// # Errors
/// The database's own.
pub async fn of_person(db: &Db, person: &Person) -> Result<Vec<Listed>, Refused> {
    let sql = "SELECT w.slug, w.name, a.name AS account, a.id AS account_id,
            CASE WHEN w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL THEN 'suspended' ELSE m.status END AS status,
            (SELECT string_agg(r.name, ', ') FROM roles r WHERE r.workspace_id = m.workspace_id
                AND ' ' || m.role_set || ' ' LIKE '% ' || r.slug || ' %') AS roles,
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = w.id AND h.status = 'active') AS people
        FROM members m
        JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
        JOIN accounts a ON a.id = w.account_id
        WHERE m.user_id = $1 ORDER BY a.name, w.name, w.id LIMIT 500";
    Ok(db.read().all(sql, vec![person.user_id.into()]).await?)
}

/// Founds a workspace in an account in which the person may, or, with none named, in a new account of
/// their own.
///
/// # Errors
/// [`Refused::Hidden`] for an account to which they do not belong, [`Refused::NotAdmin`] where only its
/// admins may, [`Refused::Suspended`], [`Refused::Invalid`] for a slug that is taken,
/// [`Refused::TooMany`].
pub async fn create(
    db: &Db,
    person: &Person,
    account: Option<Uuid>,
    name: &Name,
    slug: &Slug,
    origin: &Origin,
) -> Result<Slug, Refused> {
    limits::FOUND.spend(db, &person.user_id.to_string(), 1).await?;
    create_unlimited(db, person, account, name, slug, origin).await
}

/// The same without counting how often.
pub(super) async fn create_unlimited(
    db: &Db,
    person: &Person,
    account: Option<Uuid>,
    name: &Name,
    slug: &Slug,
    origin: &Origin,
) -> Result<Slug, Refused> {
    let actor = person.audited();
    let done = scope::found(db, &actor, origin, async |open| {
        let account = match account {
            Some(id) => accounts::lock_to_found(&open.tx, id, actor.id).await?,
            None => accounts::create(&open.tx, name, actor.id, open.now).await?,
        };
        insert(open, account, name, slug, &actor).await?;
        let event = Event::WorkspaceCreated { name: name.to_string(), slug: slug.to_string() };
        let target = Target::named(TargetKind::Workspace, name.to_string());
        Ok((account, Recorded::new(slug.clone(), event, target)))
    })
    .await;
    if let Err(refused) = &done {
        accounts::note_not_founded(db, account, &actor, origin, refused).await;
    }
    done
}

pub(super) async fn slug_is_free(connection: &impl ConnectionTrait, slug: &Slug) -> Result<bool, Refused> {
    let taken = workspace::Entity::find().filter(workspace::Column::Slug.eq(slug.as_str()));
    Ok(taken.one(connection).await?.is_none())
}

/// Makes the workspace that `open` was opened for: its roles, and its founder as first Owner.
///
/// # Errors
/// [`Refused::Invalid`] on the field `slug` where it is taken.
pub(super) async fn insert(
    open: &Transaction,
    account: Uuid,
    name: &Name,
    slug: &Slug,
    founder: &Actor,
) -> Result<(), Refused> {
    if !slug_is_free(&open.tx, slug).await? {
        return Err(taken());
    }
    let row = workspace::ActiveModel {
        id: Set(open.workspace_id()),
        account_id: Set(account),
        slug: Set(slug.to_string()),
        name: Set(name.to_string()),
        suspended_at: Set(None),
        deleted_at: Set(None),
        created_at: Set(open.now),
        audit_seq: Set(0),
        audit_hash: Set(Vec::new()),
        roles_version: NotSet,
    };
    if let Err(error) = open.insert(row).await {
        return Err(if super::refused::is_duplicate(&error) { taken() } else { error.into() });
    }
    let ids = roles::seed(open).await?;
    let owner = ids.get(&BuiltIn::Owner).copied().ok_or(Refused::Hidden)?;
    members::join(open, founder.id, members::Origin::Founder, &[owner]).await.map(drop)
}

pub(super) fn taken() -> Refused {
    Invalid::field("slug", "This address is taken. Choose another.").into()
}
