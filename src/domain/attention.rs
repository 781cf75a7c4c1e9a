//! What somebody must act on in a workspace: only what the viewer can mend, and not what they put off.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            event::{AuditEvent, Recorded},
            principal::Actor,
            refused::Refused,
            role::{self, Role, Roles},
        },
        enforce::{audit::audit_record, read::ReadScope, rows::Scoped},
        nouns::{
            api_keys,
            members::events::{MemberLeft, MemberRemoved, MemberRolesChanged},
            roles::Headcounts,
        },
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedsAttention {
    SingleOwner,
    /// Names of account admins who are not active members, joined by commas.
    OutsideAdmins(String),
    /// The number of requests for access of others that wait for an answer, and when the latest came.
    AccessRequests(i64, Timestamp),
    /// The number of requests for support access that wait for an answer, and when the latest came.
    SupportAccess(i64, Timestamp),
    /// A destructive permission that not only Owners hold, and the roles that do.
    Destructive(Permission, Vec<String>),
    /// Everyday permissions that no role but Owner has, so that work waits for an Owner.
    OnlyOwners(Vec<Permission>),
    /// Somebody left or was removed: who, as a user, their name, and when.
    Left(Uuid, String, Timestamp),
    /// Somebody else changed the roles of a member: their membership, their name, and when.
    RolesChanged(Uuid, String, Timestamp),
    /// The number of others of whose access something ends within a week: nobody changes the end of their own.
    EndingSoon(i64),
    /// Names of keys that expire within two weeks.
    ExpiringKeys(Vec<String>),
    /// Names of keys of which a former member knows a secret.
    KnownToFormerMember(Vec<String>),
    /// Names of keys that hold less than their roles, because who vouches for them or knows their secret does.
    LimitedKeys(Vec<String>),
    /// Names of keys that are Owners and never expire.
    OwnerKeysWithoutExpiry(Vec<String>),
    /// The number of pending invitations whose mail could not be delivered.
    Undelivered(i64),
    /// The number of invoices that should have been paid by now.
    OverdueInvoices(i64),
    /// Slugs and names of roles that nobody has.
    UnusedRoles(Vec<(String, String)>),
    /// The number of members who have not been active for 90 days.
    Inactive(i64),
}

impl NeedsAttention {
    /// What it is, with what is new about it: what was put off comes back once that changes.
    pub fn key(&self) -> String {
        let of = |parts: &[String]| role::fingerprint(b"attention", parts);
        match self {
            Self::SingleOwner => "single-owner".to_owned(),
            Self::OutsideAdmins(names) => format!("outside-admins.{}", of(std::slice::from_ref(names))),
            Self::AccessRequests(count, latest) => {
                format!("access-requests.{count}.{}", latest.as_millis())
            }
            Self::SupportAccess(count, latest) => {
                format!("support-access.{count}.{}", latest.as_millis())
            }
            Self::Destructive(permission, roles) => {
                format!("destructive.{}.{}", permission.scope(), of(roles))
            }
            Self::OnlyOwners(permissions) => {
                let scopes: Vec<String> = permissions.iter().map(|one| one.scope().to_owned()).collect();
                format!("only-owners.{}", of(&scopes))
            }
            Self::Left(user, _, at) => format!("left.{user}.{}", at.as_millis()),
            Self::RolesChanged(member, _, at) => format!("roles-changed.{member}.{}", at.as_millis()),
            Self::EndingSoon(count) => format!("ending-soon.{count}"),
            Self::ExpiringKeys(names) => format!("expiring-keys.{}", of(names)),
            Self::KnownToFormerMember(names) => format!("known-to-former-member.{}", of(names)),
            Self::LimitedKeys(names) => format!("limited-keys.{}", of(names)),
            Self::OwnerKeysWithoutExpiry(names) => format!("owner-keys.{}", of(names)),
            Self::Undelivered(count) => format!("undelivered.{count}"),
            Self::OverdueInvoices(count) => format!("overdue-invoices.{count}"),
            Self::UnusedRoles(roles) => {
                let slugs: Vec<String> = roles.iter().map(|(slug, _)| slug.clone()).collect();
                format!("unused-roles.{}", of(&slugs))
            }
            Self::Inactive(count) => format!("inactive.{count}"),
        }
    }
}

/// What needs the viewer's attention.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    pub items: Vec<NeedsAttention>,
    /// How much else there is, which the viewer put off.
    pub put_off: usize,
}

const DESTRUCTIVE: [Permission; 3] =
    [Permission::DeleteOrganization, Permission::DeleteTeams, Permission::UpdatePermissions];

#[derive(FromQueryResult)]
struct Counts {
    owners: i64,
    inactive: i64,
    undelivered: i64,
    overdue: i64,
    outside_admins: Option<String>,
    access_requests: i64,
    latest_request: Option<Timestamp>,
    support_access: i64,
    latest_support: Option<Timestamp>,
    ending: i64,
}

/// How long after it a departure or a change of roles is worth a look, in milliseconds.
const RECENT: i64 = 14 * DAY;

/// A role that is younger is not missed by anybody yet, in milliseconds.
const NEW_ROLE: i64 = 30 * DAY;

/// The most departures, and changes of roles, that are shown one by one.
const MAX_EVENTS: usize = 3;

/// Loads what needs the viewer's attention. `keys` is the number of active API keys.
///
/// # Errors
/// The database's own.
pub async fn get(scope: &ReadScope<perm::Membership>, keys: i64) -> Result<Attention, Refused> {
    let mut attention = Attention::default();
    if !scope.actor().holdings.has(Permission::ReadMembers) {
        return Ok(attention);
    }
    let put_off = put_off(scope).await?;
    for item in all(scope, keys).await? {
        match put_off.contains(&item.key()) {
            true => attention.put_off += 1,
            false => attention.items.push(item),
        }
    }
    Ok(attention)
}

async fn all(scope: &ReadScope<perm::Membership>, keys: i64) -> Result<Vec<NeedsAttention>, Refused> {
    let counts = counts(scope).await?;
    let holdings = &scope.actor().holdings;
    let mut items = of_roles(scope.actor(), &counts);
    if holdings.has(Permission::ReadAudit) && holdings.has(Permission::UpdateMemberRoles) {
        items.extend(to_review(scope).await?);
    }
    if counts.ending > 0 && holdings.has(Permission::UpdateMemberRoles) {
        items.push(NeedsAttention::EndingSoon(counts.ending));
    }
    if holdings.has(Permission::ReadApiKeys) && holdings.has(Permission::ManageApiKeys) && keys > 0 {
        items.extend(of_keys(scope).await?);
    }
    if counts.undelivered > 0 && holdings.has(Permission::InviteMembers) {
        items.push(NeedsAttention::Undelivered(counts.undelivered));
    }
    if counts.overdue > 0 && holdings.has(Permission::ReadBilling) {
        items.push(NeedsAttention::OverdueInvoices(counts.overdue));
    }
    if holdings.has(Permission::ManageRoles) {
        let unused = unused_roles(scope).await?;
        items.extend((!unused.is_empty()).then_some(NeedsAttention::UnusedRoles(unused)));
    }
    let may_end = holdings.has(Permission::SuspendMembers) || holdings.has(Permission::RemoveMembers);
    if counts.inactive > 0 && may_end {
        items.push(NeedsAttention::Inactive(counts.inactive));
    }
    Ok(items)
}

async fn counts(scope: &ReadScope<perm::Membership>) -> Result<Counts, Refused> {
    let now = scope.now();
    // Put together, the status is found by no index: those who were not seen are the fewer.
    let sql = "SELECT
            (SELECT COUNT(*) FROM active_owners o WHERE o.workspace_id = $1) AS owners,
            (SELECT COUNT(*) FROM members m WHERE m.workspace_id = $1 AND m.status || '' = 'active'
                AND COALESCE(m.last_active_at, m.joined_at) < $3) AS inactive,
            (SELECT COUNT(*) FROM outbox o CROSS JOIN invitations i WHERE o.about_workspace = $1
                AND o.failed_at IS NOT NULL AND i.workspace_id = $1 AND i.id = o.about AND i.status = 'pending'
                AND i.mail_id = o.id) AS undelivered,
            (SELECT COUNT(*) FROM invoices v WHERE v.workspace_id = $1 AND v.paid_at IS NULL AND v.due_at < $2) AS overdue,
            (SELECT string_agg(a.name, ', ') FROM (SELECT u.name FROM account_people p CROSS JOIN users u
                WHERE p.account_id = $4 AND p.is_admin AND u.id = p.user_id AND NOT EXISTS (SELECT 1 FROM members m
                    WHERE m.workspace_id = $1 AND m.user_id = p.user_id AND m.status = 'active')
                ORDER BY u.name LIMIT 3) AS a) AS outside_admins,
            (SELECT COUNT(*) FROM access_requests r WHERE r.workspace_id = $1 AND r.status = 'pending'
                AND r.expires_at > $2 AND r.member_id <> $5) AS access_requests,
            (SELECT MAX(r.created_at) FROM access_requests r WHERE r.workspace_id = $1 AND r.status = 'pending'
                AND r.expires_at > $2 AND r.member_id <> $5) AS latest_request,
            (SELECT COUNT(*) FROM support_grants g WHERE g.workspace_id = $1 AND g.status || '' = 'pending'
                AND g.expires_at > $2) AS support_access,
            (SELECT MAX(g.created_at) FROM support_grants g WHERE g.workspace_id = $1 AND g.status || '' = 'pending'
                AND g.expires_at > $2) AS latest_support,
            (SELECT COUNT(*) FROM members m WHERE m.workspace_id = $1 AND m.status || '' = 'active'
                AND m.next_end_at > $2 AND m.next_end_at <= $6 AND m.id <> $5) AS ending";
    let actor = scope.actor();
    let values = vec![
        now.into(),
        (now - 90 * DAY).into(),
        actor.workspace.account_id.into(),
        actor.member_id.into(),
        (now + 7 * DAY).into(),
    ];
    scope.first(sql, values).await?.ok_or(Refused::NotFound)
}

/// What follows from who holds what, and what waits for an answer.
fn of_roles(viewer: &Actor, counts: &Counts) -> Vec<NeedsAttention> {
    let (all, holdings) = (&viewer.all_roles, &viewer.holdings);
    let mut items = Vec::new();
    // Only an Owner can appoint another.
    if counts.owners == 1 && holdings.is_owner() {
        items.push(NeedsAttention::SingleOwner);
    }
    if let Some(names) = counts.outside_admins.clone().filter(|_| holdings.is_owner()) {
        items.push(NeedsAttention::OutsideAdmins(names));
    }
    if let Some(latest) = counts.latest_request.filter(|_| holdings.has(Permission::UpdateMemberRoles)) {
        items.push(NeedsAttention::AccessRequests(counts.access_requests, latest));
    }
    if let Some(latest) = counts.latest_support.filter(|_| holdings.has(Permission::ManageSupportAccess)) {
        items.push(NeedsAttention::SupportAccess(counts.support_access, latest));
    }
    if !holdings.has(Permission::UpdatePermissions) {
        return items;
    }
    for permission in DESTRUCTIVE {
        // Nobody edits a role that holds more than they do.
        let holders = all.iter().filter(|role| !role.is_owner && role.holdings.has(permission));
        let holders: Vec<&Role> =
            holders.filter(|role| holdings.may_toggle(&role.holdings, permission).is_ok()).collect();
        if !holders.is_empty() {
            items.push(NeedsAttention::Destructive(permission, role::names(&holders)));
        }
    }
    let mut alone = owners_alone(all);
    alone.retain(|permission| holdings.has(*permission));
    if !alone.is_empty() {
        items.push(NeedsAttention::OnlyOwners(alone));
    }
    items
}

/// Everyday permissions that no role but Owner has.
fn owners_alone(all: &Roles) -> Vec<Permission> {
    let alone = |permission: &Permission| {
        permission.is_built()
            && !permission.defaults().is_empty()
            && !all.iter().any(|role| !role.is_owner && role.holdings.has(*permission))
    };
    Permission::ALL.iter().copied().filter(alone).collect()
}

async fn of_keys(scope: &ReadScope<perm::Membership>) -> Result<Vec<NeedsAttention>, Refused> {
    let concerns = api_keys::concerns(scope).await?;
    let of_keys = [
        (concerns.expiring, NeedsAttention::ExpiringKeys as fn(_) -> _),
        (concerns.known_to_former_member, NeedsAttention::KnownToFormerMember),
        (concerns.limited, NeedsAttention::LimitedKeys),
        (concerns.owner_without_expiry, NeedsAttention::OwnerKeysWithoutExpiry),
    ];
    Ok(of_keys.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, item)| item(names)).collect())
}

#[derive(FromQueryResult)]
struct Happened {
    kind: String,
    at: Timestamp,
    actor_id: Option<Uuid>,
    target_id: Option<Uuid>,
    target_subject: Option<Uuid>,
    target_name: String,
    /// Empty for a key, and for somebody whose name was erased.
    target_email: String,
    /// The roles of the membership, if it is still there, and the one that the person has now.
    present: Option<String>,
    own: Option<Uuid>,
}

/// Whoever left or was removed lately, and whose roles somebody else changed: what they could reach is worth a look.
async fn to_review(scope: &ReadScope<perm::Membership>) -> Result<Vec<NeedsAttention>, Refused> {
    let kinds = [MemberLeft::KIND, MemberRemoved::KIND, MemberRolesChanged::KIND];
    let latest = |nth: usize| {
        let record = audit_record!();
        // In a range of one kind, so that PostgreSQL goes along that kind, and not back through all that happened.
        format!(
            "SELECT * FROM (SELECT e.kind, e.at, e.actor_id, e.target_id, e.target_subject, e.target_name, e.target_email,
                (SELECT t.role_set FROM members t WHERE t.workspace_id = $1 AND t.id = e.target_id) AS present,
                (SELECT b.id FROM members b WHERE b.workspace_id = $1 AND b.user_id = e.target_subject) AS own
                FROM {record} e WHERE e.workspace_id = $1 AND e.kind >= ${kind} AND e.kind <= ${kind}
                ORDER BY e.kind DESC, e.seq DESC LIMIT {MAX_EVENTS}) AS of_{nth}",
            kind = nth + 2
        )
    };
    let sql = (0..kinds.len()).map(latest).collect::<Vec<_>>().join(" UNION ALL ");
    let events: Vec<Happened> = scope.all(&sql, kinds.iter().map(|kind| (*kind).into()).collect()).await?;
    let (since, viewer) = (scope.now() - RECENT, scope.actor().principal.id());
    // Of somebody whose roles the viewer may not change, others review it.
    let Actor { all_roles, holdings, .. } = scope.actor();
    let may_manage =
        |roles: &str| holdings.may_manage(&role::holdings(&all_roles.parse_slugs(roles))).is_ok();
    let (mut seen, mut items) = (BTreeSet::new(), Vec::new());
    for event in events {
        let is_departure = event.kind != MemberRolesChanged::KIND;
        let is_own_change = !is_departure && event.actor_id == Some(viewer);
        let Some(subject) = event.target_subject.filter(|_| !event.target_email.is_empty()) else { continue };
        if event.at < since || is_own_change || subject == viewer || !seen.insert(subject) {
            continue;
        }
        items.extend(match (is_departure, event.target_id) {
            (true, _) if event.own.is_none() => {
                Some(NeedsAttention::Left(subject, event.target_name, event.at))
            }
            (false, Some(member)) if event.present.as_deref().is_some_and(may_manage) => {
                Some(NeedsAttention::RolesChanged(member, event.target_name, event.at))
            }
            _ => None,
        });
    }
    Ok(items)
}

#[derive(FromQueryResult)]
struct UnusedRole {
    id: Uuid,
    slug: String,
    name: String,
}

/// Roles of the workspace's own that nobody has, no team carries and no offer to join names.
async fn unused_roles(scope: &ReadScope<perm::Membership>) -> Result<Vec<(String, String)>, Refused> {
    // Counted, because PostgreSQL may answer EXISTS from a list of everybody.
    let sql = "SELECT r.id, r.slug, r.name FROM roles r WHERE r.workspace_id = $1 AND NOT r.built_in
            AND (SELECT COUNT(*) FROM (SELECT mr.role_id FROM member_roles mr
                WHERE mr.workspace_id = r.workspace_id AND mr.role_id = r.id LIMIT 1) AS held) = 0
            AND (SELECT COUNT(*) FROM (SELECT tr.role_id FROM team_roles tr
                WHERE tr.workspace_id = r.workspace_id AND tr.role_id = r.id LIMIT 1) AS carried) = 0
            AND r.id NOT IN (SELECT ir.role_id FROM invitations i CROSS JOIN invitation_roles ir
                WHERE i.workspace_id = $1 AND i.status = 'pending' AND ir.workspace_id = i.workspace_id
                    AND ir.invitation_id = i.id)
            AND (SELECT COUNT(*) FROM (SELECT lr.role_id FROM join_link_roles lr CROSS JOIN join_links l
                WHERE lr.workspace_id = r.workspace_id AND lr.role_id = r.id AND l.workspace_id = lr.workspace_id
                    AND l.id = lr.link_id AND l.revoked_at IS NULL AND l.expires_at > $2 LIMIT 1) AS linked) = 0
            AND (SELECT COUNT(*) FROM (SELECT d.role_id FROM join_domains d
                WHERE d.workspace_id = r.workspace_id AND d.role_id = r.id LIMIT 1) AS named) = 0
        ORDER BY r.name, r.id LIMIT 64";
    let rows: Vec<UnusedRole> = scope.all(sql, vec![scope.now().into()]).await?;
    let until = scope.now() - NEW_ROLE;
    let holdings = &scope.actor().holdings;
    let may_edit = |row: &UnusedRole| {
        let role = scope.actor().all_roles.by_slug(&row.slug);
        role.is_some_and(|role| holdings.may_assign(&role.holdings).is_ok())
    };
    let rows = rows.into_iter().filter(|row| created_at(row.id) <= until && may_edit(row));
    Ok(rows.map(|row| (row.slug, row.name)).collect())
}

/// The moment that is in an id.
fn created_at(id: Uuid) -> Timestamp {
    let moment = id.get_timestamp().map(|at| at.to_unix());
    let millis = |(seconds, nanos): (u64, u32)| {
        i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000) + i64::from(nanos / 1_000_000)
    };
    Timestamp::from_millis(moment.map_or(0, millis))
}

// ---- putting it off --------------------------------------------------------------------------

/// How long something is put off, in milliseconds.
const PUT_OFF: i64 = 7 * DAY;

#[derive(FromQueryResult)]
struct Snooze {
    item: String,
}

async fn put_off(scope: &ReadScope<perm::Membership>) -> Result<BTreeSet<String>, Refused> {
    let sql = "SELECT s.item FROM attention_snoozes s WHERE s.workspace_id = $1 AND s.member_id = $2 AND s.until > $3
        LIMIT 200";
    let values = vec![scope.actor().member_id.into(), scope.now().into()];
    let rows: Vec<Snooze> = scope.all(sql, values).await?;
    Ok(rows.into_iter().map(|row| row.item).collect())
}

/// Puts one thing off for a week, for the actor alone. What needs no attention any more is not put off.
///
/// # Errors
/// The database's own, and that of an admission that ended.
pub async fn put_off_item(scope: ReadScope<perm::Membership>, item: &str) -> Result<(), Refused> {
    let keys = Headcounts::load(&scope).await?.total().1;
    let is_there = all(&scope, keys).await?.iter().any(|one| one.key() == item);
    if !is_there {
        return Ok(());
    }
    scope
        .write(async |s| {
            let sql =
                "INSERT INTO attention_snoozes (workspace_id, member_id, item, until) VALUES ($1, $2, $3, $4)
                ON CONFLICT (workspace_id, member_id, item) DO UPDATE SET until = $4";
            let until = s.now() + PUT_OFF;
            s.run(sql, vec![s.actor().member_id.into(), item.into(), until.into()]).await?;
            Ok(Recorded::unchanged(()))
        })
        .await
}

/// Shows the actor everything again that they put off.
///
/// # Errors
/// The database's own, and that of an admission that ended.
pub async fn show_all(scope: ReadScope<perm::Membership>) -> Result<(), Refused> {
    scope
        .write(async |s| {
            let sql = "DELETE FROM attention_snoozes WHERE workspace_id = $1 AND member_id = $2";
            s.run(sql, vec![s.actor().member_id.into()]).await?;
            Ok(Recorded::unchanged(()))
        })
        .await
}
