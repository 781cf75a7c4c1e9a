//! A member as a row of a list.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            key_limits::{KeyLimits, LimitedBy, newest_reader, reader_roles, voucher_roles},
            paging::{Cursor, Key},
            principal::Actor,
            role::{self, Role, Roles},
            source::OwnRole,
            words::signature,
        },
        nouns::members::sort::{LAST_END, Sort},
        records::given_roles::{OWN_GRANTS, parse},
    },
    policy::{Ceiling, Holdings},
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// A member as the viewer sees it.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub name: String,
    /// Empty for a key.
    pub email: String,
    pub kind: String,
    pub is_active: bool,
    pub is_you: bool,
    pub is_owner: bool,
    /// The only active Owner whose access has no end: someone else must become an Owner first.
    pub is_last_owner: bool,
    pub origin: String,
    /// Who invited or added them: the name, with the address.
    pub invited_by: Option<String>,
    pub joined_at: Timestamp,
    pub last_active_at: Option<Timestamp>,
    pub roles: Vec<Role>,
    /// Slugs of those roles that are the member's own; they may hold others through a team.
    pub own: Vec<String>,
    /// Why the viewer may not change, suspend or remove this member; `None` where they may.
    pub refused: Option<Ceiling>,
    /// What limits a key, and who.
    pub limits: Option<KeyLimits>,
    pub limited_by: LimitedBy,
    /// A service entered them, and the person with their address has not accepted yet.
    pub is_awaited: bool,
    /// Until when the membership lasts.
    pub access_until: Option<Timestamp>,
    /// The soonest end, of the membership or of a role.
    pub next_end_at: Option<Timestamp>,
    /// The roles that they were given one by one; they hold the others through teams.
    pub grants: Vec<OwnRole>,
}

impl Member {
    /// What a key holds in effect, if it is less than its roles.
    pub(in crate::domain) fn effective(&self, all: &Roles) -> Option<Holdings> {
        let limits = self.limits.as_ref().filter(|_| self.limited_by.holds_less())?;
        Some(limits.holdings(&self.roles.iter().collect::<Vec<_>>(), all))
    }
}

#[derive(Clone, Deserialize, FromQueryResult)]
pub(in crate::domain) struct Row {
    id: Uuid,
    pub(in crate::domain) user_id: Option<Uuid>,
    api_key_id: Option<Uuid>,
    name: String,
    email: String,
    kind: String,
    pub(crate) status: String,
    origin: String,
    invited_by: Option<String>,
    invited_by_email: Option<String>,
    joined_at: Timestamp,
    last_active_at: Option<Timestamp>,
    #[sea_orm(from_alias = "listed_as")]
    sort_key: String,
    role_set: String,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
    awaited: i64,
    access_until: Option<Timestamp>,
    next_end_at: Option<Timestamp>,
    grants: Option<String>,
}

/// The columns of a [`Row`]; `now` is the place of the time.
pub(in crate::domain) fn columns(now: &str) -> String {
    COLUMNS.replace("{now}", now).replace("{grants}", OWN_GRANTS)
}

const COLUMNS: &str = concat!(
    "SELECT m.id, m.user_id, m.api_key_id, COALESCE(u.name, k.name) AS name,
        COALESCE(u.awaited_email, u.email, '') AS email, m.kind, m.status, m.origin,
        i.name AS invited_by, i.email AS invited_by_email, m.joined_at, m.last_active_at, m.listed_as, m.role_set,
        CASE WHEN m.api_key_id IS NOT NULL THEN ",
    voucher_roles!("m", "{now}"),
    " END AS voucher_roles, CASE WHEN m.api_key_id IS NOT NULL THEN ",
    reader_roles!("m", newest_reader!("m.api_key_id"), "{now}"),
    " END AS reader_roles, k.only_scope,
        CAST(CASE WHEN u.awaited_email IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) AS awaited,
        m.access_until, m.next_end_at, {grants} AS grants
    FROM members m LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
    LEFT JOIN users i ON i.id = m.invited_by"
);

/// The columns of a [`Row`], in the order of its fields.
pub(in crate::domain) const FIELDS: [&str; 21] = [
    "id",
    "user_id",
    "api_key_id",
    "name",
    "email",
    "kind",
    "status",
    "origin",
    "invited_by",
    "invited_by_email",
    "joined_at",
    "last_active_at",
    "listed_as",
    "role_set",
    "voucher_roles",
    "reader_roles",
    "only_scope",
    "awaited",
    "access_until",
    "next_end_at",
    "grants",
];

/// The members of one page alone: what is joined to them is looked up for these, and for no other.
pub(in crate::domain) const ON_PAGE: &str =
    "SELECT m.id, m.workspace_id, m.user_id, m.api_key_id, m.kind, m.status, m.origin, m.invited_by, m.joined_at,
        m.last_active_at, m.listed_as, m.role_set, m.vouched_by, m.access_until, m.next_end_at FROM members m";

impl Row {
    pub(in crate::domain) fn cursor(&self, sort: Sort) -> Cursor {
        let key = match sort {
            Sort::Name | Sort::NameDown => Key::Text(self.sort_key.clone()),
            Sort::Joined | Sort::JoinedUp => Key::Number(self.joined_at.as_millis()),
            Sort::Active | Sort::ActiveUp => {
                Key::Number(self.last_active_at.unwrap_or(self.joined_at).as_millis())
            }
            Sort::Roles | Sort::RolesDown => Key::Text(self.role_set.clone()),
            Sort::Status | Sort::StatusDown => Key::Text(self.status.clone()),
            Sort::End | Sort::EndDown => Key::Number(self.next_end_at.map_or(LAST_END, Timestamp::as_millis)),
        };
        Cursor::new(key, self.id)
    }

    pub(in crate::domain) fn for_viewer(self, viewer: &Actor, all: &Roles, lasting_owners: i64) -> Member {
        let held = all.parse_slugs(&self.role_set);
        let is_owner = held.iter().any(|role| role.is_owner);
        let is_active = self.status == "active";
        let grants = parse(self.grants.as_deref().unwrap_or_default());
        // No team has the Owner role.
        let lasts = |role: &Role| grants.iter().any(|own| own.slug == role.slug && own.ends_at.is_none());
        let is_lasting = self.access_until.is_none() && held.iter().any(|role| role.is_owner && lasts(role));
        let refused = viewer.holdings.may_manage(&role::holdings(&held)).err();
        let given = |role: &&Role| grants.iter().any(|own| own.slug == role.slug);
        let own = all.iter().filter(given).map(|role| role.slug.clone()).collect();
        let Self { voucher_roles, reader_roles, only_scope, .. } = self;
        let limits = self.api_key_id.map(|_| KeyLimits { voucher_roles, reader_roles, only_scope });
        let limited_by = limits.as_ref().map(|limits| limits.limited_by(&held, all)).unwrap_or_default();
        Member {
            id: self.id,
            user_id: self.user_id,
            api_key_id: self.api_key_id,
            name: self.name,
            email: self.email,
            kind: self.kind,
            is_active,
            is_you: self.id == viewer.member_id,
            is_owner,
            // A key is none that counts, whatever it holds.
            is_last_owner: is_lasting && is_active && self.user_id.is_some() && lasting_owners <= 1,
            origin: self.origin,
            invited_by: self
                .invited_by
                .zip(self.invited_by_email)
                .map(|(name, email)| signature(&name, &email)),
            joined_at: self.joined_at,
            last_active_at: self.last_active_at,
            roles: held.into_iter().cloned().collect(),
            own,
            refused,
            limits,
            limited_by,
            is_awaited: self.awaited > 0,
            access_until: self.access_until,
            next_end_at: self.next_end_at,
            grants,
        }
    }
}
