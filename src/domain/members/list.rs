//! Looking at members: the list, one member, and what the viewer could do to them.

use crate::{
    domain::{
        Invalid, Refused,
        paging::{Cursor, Key, Order, Page, Position},
        roles::{self, Assignable, Role, Roles},
        scope::{Actor, ReadScope, Scoped},
    },
    policy::{Access, Ceiling, Permission, perm},
};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

/// How the list is sorted. Times run from the latest to the earliest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    NameDown,
    Joined,
    JoinedUp,
    Active,
    ActiveUp,
}

impl Sort {
    pub const ALL: [(&'static str, Self); 6] = [
        ("name", Self::Name),
        ("-name", Self::NameDown),
        ("joined", Self::Joined),
        ("-joined", Self::JoinedUp),
        ("active", Self::Active),
        ("-active", Self::ActiveUp),
    ];

    const fn order(self) -> Order {
        let (column, is_text, descending) = match self {
            Self::Name => ("lower(u.name)", true, false),
            Self::NameDown => ("lower(u.name)", true, true),
            Self::Joined => ("m.joined_at", false, true),
            Self::JoinedUp => ("m.joined_at", false, false),
            Self::Active => ("COALESCE(m.last_active_at, m.joined_at)", false, true),
            Self::ActiveUp => ("COALESCE(m.last_active_at, m.joined_at)", false, false),
        };
        Order { column, is_text, id: "m.id", descending }
    }
}

/// Which members to list. Empty texts do not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of a name or an address.
    pub text: String,
    /// A role's slug.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// `user` or `api_key`.
    pub kind: String,
    pub sort: Sort,
}

/// A member as the viewer sees it.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub email: String,
    pub kind: String,
    pub is_active: bool,
    pub is_you: bool,
    pub is_owner: bool,
    /// The only active Owner: first somebody else must become one.
    pub is_last_owner: bool,
    pub origin: String,
    pub invited_by: Option<String>,
    pub joined_at: i64,
    pub last_active_at: Option<i64>,
    pub roles: Vec<Role>,
    /// Why the viewer may not change, suspend or remove this member; `None` where they may.
    pub refused: Option<Ceiling>,
}

#[derive(Clone, FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    user_id: Option<Uuid>,
    name: String,
    email: String,
    kind: String,
    status: String,
    origin: String,
    invited_by: Option<String>,
    joined_at: i64,
    last_active_at: Option<i64>,
    sort_name: String,
    roles: Option<String>,
}

pub(super) const COLUMNS: &str =
    "SELECT m.id, m.user_id, u.name, u.email, m.kind, m.status, m.origin, i.name AS invited_by,
        m.joined_at, m.last_active_at, lower(u.name) AS sort_name,
        (SELECT string_agg(r.slug, ' ') FROM member_roles mr
            JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
            WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id) AS roles
    FROM members m JOIN users u ON u.id = m.user_id LEFT JOIN users i ON i.id = m.invited_by";

/// One page of the members.
pub struct Listing {
    pub page: Page<Member>,
    /// How many there are with this filter, on all pages.
    pub total: i64,
    pub roles: Vec<Assignable>,
}

#[derive(FromQueryResult)]
struct Counts {
    total: i64,
    owners: i64,
}

/// Lists members.
///
/// # Errors
/// [`Refused::Invalid`] for a role that is not here, or a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadMembers>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    let all = roles::all(scope).await?;
    if !filter.role.is_empty() && all.by_slug(&filter.role).is_none() {
        return Err(Invalid::field("role", "There is no such role in this workspace.").into());
    }
    let (mut narrowed, mut values) = (String::from(" WHERE m.workspace_id = $1"), Vec::new());
    filter.narrow(&mut narrowed, &mut values);
    let sql = format!(
        "SELECT COUNT(*) AS total, (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners
         FROM members m JOIN users u ON u.id = m.user_id{narrowed}"
    );
    let counts: Option<Counts> = scope.first(&sql, values.clone()).await?;
    let (total, owners) = counts.map_or((0, 0), |counts| (counts.total, counts.owners));
    let mut sql = format!("{COLUMNS}{narrowed}");
    filter.sort.order().finish(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.all(&sql, values).await?;
    let page = Page::cut(rows, at, |row| row.cursor(filter.sort));
    let page = page.map(|row| row.seen_by(scope.actor(), &all, owners));
    Ok(Listing { page, total, roles: roles::choices(&all, &scope.actor().holdings) })
}

impl Filter {
    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        // `$1` is the workspace.
        let mut bind = |value: &str| {
            values.push(value.into());
            values.len() + 1
        };
        if !self.text.is_empty() {
            let n = bind(&like(&self.text));
            sql.push_str(&format!(
                " AND (lower(u.name) LIKE ${n} ESCAPE '!' OR u.email LIKE ${n} ESCAPE '!')"
            ));
        }
        if !self.status.is_empty() {
            let n = bind(&self.status);
            sql.push_str(&format!(" AND m.status = ${n}"));
        }
        if !self.kind.is_empty() {
            let n = bind(&self.kind);
            sql.push_str(&format!(" AND m.kind = ${n}"));
        }
        if !self.role.is_empty() {
            let n = bind(&self.role);
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM member_roles f
                    JOIN roles fr ON fr.workspace_id = f.workspace_id AND fr.id = f.role_id
                    WHERE f.workspace_id = m.workspace_id AND f.member_id = m.id AND fr.slug = ${n})"
            ));
        }
    }
}

/// A pattern that finds `text` anywhere, whatever LIKE would read into it.
pub(in crate::domain) fn like(text: &str) -> String {
    let plain = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{plain}%")
}

impl Row {
    fn cursor(&self, sort: Sort) -> Cursor {
        let key = match sort {
            Sort::Name | Sort::NameDown => Key::Text(self.sort_name.clone()),
            Sort::Joined | Sort::JoinedUp => Key::Number(self.joined_at),
            Sort::Active | Sort::ActiveUp => Key::Number(self.last_active_at.unwrap_or(self.joined_at)),
        };
        Cursor::new(key, self.id)
    }

    pub(super) fn seen_by(self, viewer: &Actor, all: &Roles, active_owners: i64) -> Member {
        let held = all.joined(self.roles.as_deref().unwrap_or_default());
        let is_owner = held.iter().any(|role| role.is_owner);
        let is_active = self.status == "active";
        let refused = viewer.holdings.may_manage(&roles::holdings(&held)).err();
        Member {
            id: self.id,
            user_id: self.user_id,
            name: self.name,
            email: self.email,
            kind: self.kind,
            is_active,
            is_you: self.id == viewer.member_id,
            is_owner,
            is_last_owner: is_owner && is_active && active_owners <= 1,
            origin: self.origin,
            invited_by: self.invited_by,
            joined_at: self.joined_at,
            last_active_at: self.last_active_at,
            roles: held.into_iter().cloned().collect(),
            refused,
        }
    }
}

/// One member, and what the viewer could do.
pub struct Detail {
    pub member: Member,
    pub roles: Vec<Assignable>,
    /// Invitations that this member sent and nobody answered yet.
    pub invitations: i64,
    /// Ownership is offered to somebody at the moment.
    pub offer_pending: bool,
}

#[derive(FromQueryResult)]
struct Around {
    owners: i64,
    invitations: i64,
    offers: i64,
}

/// Looks at one member.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such member.
pub async fn detail<P>(scope: &ReadScope<P>, id: Uuid) -> Result<Detail, Refused>
where
    P: Access,
{
    let all = roles::all(scope).await?;
    let row: Option<Row> =
        scope.first(&format!("{COLUMNS} WHERE m.workspace_id = $1 AND m.id = $2"), vec![id.into()]).await?;
    let row = row.ok_or(Refused::Hidden)?;
    let sql = "SELECT (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM invitations n WHERE n.workspace_id = $1 AND n.status = 'pending'
                AND n.inviter_id = $2 AND n.expires_at > $3) AS invitations,
            (SELECT COUNT(*) FROM ownership_offers f WHERE f.workspace_id = $1 AND f.status = 'pending'
                AND f.expires_at > $3) AS offers";
    let around: Option<Around> = scope.first(sql, vec![row.user_id.into(), scope.now_ms().into()]).await?;
    let around = around.ok_or(Refused::Hidden)?;
    Ok(Detail {
        member: row.seen_by(scope.actor(), &all, around.owners),
        roles: roles::choices(&all, &scope.actor().holdings),
        invitations: around.invitations,
        offer_pending: around.offers > 0,
    })
}

/// What the viewer may do to a member, beside holding the permission: used to draw no button that
/// would be refused.
pub fn may_act(viewer: &Actor, member: &Member, permission: Permission) -> bool {
    viewer.holdings.has(permission) && member.refused.is_none()
}
