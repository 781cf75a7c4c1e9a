//! The workspaces of a person or a key, and the creation of a new one.

pub mod events;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict,
            db::Db,
            ends::{held_roles, lasts},
            event::{Recorded, RecordedEvent, Target},
            invalid::Invalid,
            limits,
            paging::{Cursor, Key, Order, Page, Position},
            principal::{ApiKey, Origin, Person, Principal},
            refused::Refused,
            source::Source,
            sql::Sql,
            values::{Name, Slug},
            words::exact,
        },
        enforce::{rows::Scoped, workspace::create_workspace},
        nouns::{
            api_keys::events::{API_KEY, ApiKeyAdded},
            members,
            workspaces::events::WorkspaceCreated,
        },
        records::{
            accounts,
            workspaces::{WORKSPACE, insert},
        },
    },
    policy::{BuiltIn, Setup},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

const NO_ACCOUNTABLE_USER: Conflict = Conflict::new(
    "nobody-answers",
    "The person who created this key is no longer active in the account. Name someone in the account as “owner”.",
);

/// A workspace, in the list of one of its members.
#[derive(Clone, Debug, FromQueryResult)]
pub struct WorkspaceOfPerson {
    pub slug: String,
    pub name: String,
    pub account: String,
    pub account_id: Uuid,
    pub status: String,
    /// Names of the person's roles, joined with ", ".
    pub roles: Option<String>,
    pub people: i64,
    /// Until when the person has access.
    pub access_until: Option<Timestamp>,
}

impl WorkspaceOfPerson {
    /// Until when the person has access, in words.
    pub fn until(&self) -> Option<String> {
        self.access_until.map(exact)
    }
}

/// The workspaces in which this person has a membership, suspended ones too: the one they used last comes first.
///
/// # Errors
/// The database's own.
pub async fn of_person(db: &Db, person: &Person) -> Result<Vec<WorkspaceOfPerson>, Refused> {
    let sql = "SELECT w.slug, w.name, a.name AS account, a.id AS account_id,
            CASE WHEN w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL THEN 'suspended' ELSE m.status END AS status,
            (SELECT string_agg(r.name, ', ') FROM roles r WHERE r.workspace_id = m.workspace_id
                AND ' ' || m.role_set || ' ' LIKE '% ' || r.slug || ' %') AS roles,
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h
                WHERE h.workspace_id = w.id AND h.status = 'active' AND h.kind = 'user') AS people, m.access_until
        FROM members m
        JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
        JOIN accounts a ON a.id = w.account_id
        WHERE m.user_id = $1 AND (m.access_until IS NULL OR m.access_until > $2)
        ORDER BY COALESCE(m.last_active_at, m.joined_at) DESC, w.name, w.id LIMIT 500";
    Ok(db.read().all(sql, vec![person.user_id.into(), db.now().into()]).await?)
}

/// A workspace, in the list of a key that is a member of it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct WorkspaceOfKey {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub account_id: Uuid,
    pub created_at: Timestamp,
    /// `active` or `suspended`: the membership, or all of the workspace.
    pub status: String,
    /// Slugs of the key's roles, separated by spaces.
    pub role_set: String,
    /// This is the key's home workspace, which requests that name none apply to.
    pub is_home: bool,
}

/// The workspaces in which this key has a membership, by slug.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn of_key(db: &Db, key: &ApiKey, at: &Position) -> Result<Page<WorkspaceOfKey>, Refused> {
    let mut sql = concat!(
        "SELECT w.id, w.slug, w.name, w.account_id, w.created_at, ",
        held_roles!("m", "$2"),
        " AS role_set,
            CASE WHEN w.suspended_at IS NOT NULL THEN 'suspended' ELSE m.status END AS status,
            (k.home_id IS NOT NULL AND k.home_id = w.id) AS is_home
        FROM members m CROSS JOIN workspaces w CROSS JOIN api_keys k
        WHERE m.api_key_id = $1 AND w.id = m.workspace_id AND w.deleted_at IS NULL AND k.id = m.api_key_id
            AND ",
        lasts!("m", "$2")
    )
    .to_owned();
    let order = Order { column: "w.slug || ''", is_text: true, id: "", descending: false };
    let mut values = vec![db.now().into()];
    order.append_to(&mut sql, &mut values, at)?;
    values.insert(0, key.id.into());
    let rows: Vec<WorkspaceOfKey> = db.read().all(&sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Text(row.slug.clone()), row.id)))
}

/// Creates a workspace in the given account, or, without one, in a new account of the person's own.
///
/// # Errors
/// [`Refused::NotFound`] for an account to which they do not belong, [`Refused::NotAdmin`] if only its admins
/// may create workspaces, [`Refused::Suspended`], [`Refused::Invalid`] for a slug that is taken,
/// [`Refused::RateLimited`].
pub async fn create(
    db: &Db,
    person: &Person,
    account: Option<Uuid>,
    name: &Name,
    slug: &Slug,
    setup: Setup,
    origin: &Origin,
) -> Result<Slug, Refused> {
    limits::CREATE_WORKSPACE.spend(db, &person.user_id.to_string(), 1).await?;
    create_unlimited(db, person, account, name, slug, setup, origin).await
}

/// [`create`], without counting against the limit.
pub(in crate::domain) async fn create_unlimited(
    db: &Db,
    person: &Person,
    account: Option<Uuid>,
    name: &Name,
    slug: &Slug,
    setup: Setup,
    origin: &Origin,
) -> Result<Slug, Refused> {
    let actor = person.audit_actor();
    let done = create_workspace(db, &actor, origin, async |open| {
        let account = match account {
            Some(id) => accounts::lock_for_creation(&open.tx, id, person.user_id).await?,
            None => accounts::create(&open.tx, name, person.user_id, open.now).await?,
        };
        insert(open, account, name, slug, person.user_id, setup).await?;
        let event = WorkspaceCreated::new(name, slug, setup);
        let target = Target::named(WORKSPACE, name.to_string());
        Ok((account, Recorded::new(slug.clone(), event, target)))
    })
    .await;
    if let Err(refused) = &done {
        accounts::record_refused_creation(db, account, &actor, origin, refused).await;
    }
    done
}

/// Why a key that is not an admin of its account may not create a workspace.
pub const NOT_ADMIN: &str = "This key can't create workspaces. An account admin can create a key that can.";

/// Creates a workspace in the account of a key that administers it. Its first Owner is a person of the
/// account: `owner`, or otherwise the user who is accountable for the key. The key becomes an Owner too. The
/// workspace becomes the key's home only if it has none yet. Returns the workspace's id.
///
/// # Errors
/// [`Refused::NotAllowed`], [`Refused::Invalid`] on `slug` or `owner`, [`NO_ACCOUNTABLE_USER`],
/// [`Refused::RateLimited`].
pub async fn create_by_key(
    db: &Db,
    key: &ApiKey,
    owner: Option<Uuid>,
    name: &Name,
    slug: &Slug,
    setup: Setup,
    origin: &Origin,
) -> Result<Uuid, Refused> {
    let actor = Principal::ApiKey(key.clone()).audit_actor();
    if !key.is_admin {
        let refused = Refused::NotAllowed(NOT_ADMIN);
        accounts::record_refused_creation(db, Some(key.account_id), &actor, origin, &refused).await;
        return Err(refused);
    }
    limits::CREATE_WORKSPACE.spend(db, &key.id.to_string(), 1).await?;
    create_workspace(db, &actor, origin, async |open| {
        accounts::lock_for_creation_by_key(&open.tx, key, open.now).await?;
        let sql = "SELECT u.id FROM account_people p CROSS JOIN users u WHERE p.account_id = $1
            AND p.user_id = $2 AND u.id = p.user_id AND u.suspended_at IS NULL";
        let values = vec![key.account_id.into(), owner.unwrap_or(key.shown_to).into()];
        let creator: Option<Id> = open.tx.first(sql, values).await?;
        let creator = match (creator, owner) {
            (Some(creator), _) => creator.id,
            (None, Some(_)) => {
                return Err(Invalid::field("owner", "Choose an active person in the account.").into());
            }
            (None, None) => return Err(NO_ACCOUNTABLE_USER.into()),
        };
        let owners = insert(open, key.account_id, name, slug, creator, setup).await?;
        let owners = [owners];
        let given = (Source::Api, owners.as_slice());
        members::join_key(open, key.id, &key.name, creator, creator, given).await?;
        let made = WorkspaceCreated::new(name, slug, setup);
        let added = ApiKeyAdded { roles: vec![BuiltIn::Owner.name().to_owned()], consent: String::new() };
        let events = vec![
            RecordedEvent::new(made, Target::named(WORKSPACE, name.to_string())),
            RecordedEvent::new(added, Target::new(API_KEY, key.id, key.name.clone())),
        ];
        Ok((key.account_id, Recorded::many(open.workspace_id(), events)))
    })
    .await
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}
