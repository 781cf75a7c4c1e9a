//! Changing members: their roles, suspension, removal.

use crate::{
    domain::{
        Conflict, Event, Recorded, Refused, RoleIds, Target, TargetKind, api_keys,
        db::Sql,
        invitations::ended,
        ownership,
        roles::{self, Role, Roles},
        scope::{Scoped, Transaction, WriteScope},
        values::folded,
    },
    entity::{invitation, member, member_role, user},
    policy::{Holdings, perm},
    random,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

/// The member that a change is about, as it stands under the lock.
pub(in crate::domain) struct Subject {
    pub id: Uuid,
    /// Of a person; a key has an `api_key_id`, and no address.
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub name: String,
    pub email: String,
    pub is_active: bool,
    /// Everything held, through teams too: what a ceiling compares.
    pub roles: Vec<Role>,
    /// The member's own, which alone are given and taken one by one.
    pub own: Vec<Role>,
    /// What the customer's own applications call them.
    pub external_id: Option<String>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    user_id: Option<Uuid>,
    api_key_id: Option<Uuid>,
    name: String,
    email: String,
    status: String,
    role_set: String,
    own: Option<String>,
    external_id: Option<String>,
}

/// The slugs of the own roles of a member `m`, as a column.
pub(in crate::domain) const OWN_ROLES: &str = "(SELECT string_agg(r.slug, ' ') FROM member_roles mr
        JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
        WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id)";

impl Subject {
    /// # Errors
    /// [`Refused::Hidden`] where this workspace has no such member.
    pub(in crate::domain) async fn load(scope: &impl Scoped, all: &Roles, id: Uuid) -> Result<Self, Refused> {
        let sql = format!(
            "SELECT m.id, m.user_id, m.api_key_id, COALESCE(u.name, k.name) AS name,
                COALESCE(u.email, '') AS email, m.status, m.role_set, m.external_id, {OWN_ROLES} AS own
            FROM members m LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
            WHERE m.workspace_id = $1 AND m.id = $2"
        );
        let row: Row = scope.first(&sql, vec![id.into()]).await?.ok_or(Refused::Hidden)?;
        let these = |slugs: &str| all.joined(slugs).into_iter().cloned().collect();
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            api_key_id: row.api_key_id,
            name: row.name,
            email: row.email,
            is_active: row.status == "active",
            roles: these(&row.role_set),
            own: these(row.own.as_deref().unwrap_or_default()),
            external_id: row.external_id,
        })
    }

    pub(in crate::domain) fn holdings(&self) -> Holdings {
        Holdings::union(self.roles.iter().map(|role| &role.holdings))
    }

    pub(in crate::domain) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }

    /// Stands for the member's own roles and status.
    fn version(&self) -> String {
        version(self.id, self.is_active, self.own.iter().map(|role| role.slug.as_str()))
    }

    pub(in crate::domain) fn is_owner(&self) -> bool {
        self.roles.iter().any(|role| role.is_owner)
    }

    pub(in crate::domain) fn target(&self) -> Target {
        Target::new(TargetKind::Member, self.id, self.name.clone())
    }
}

/// What a change of roles came to.
#[derive(Clone, Debug)]
pub struct RolesChanged {
    pub name: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// Slugs of the roles before, for an Undo, and the version after, which it must name.
    pub undo: Vec<String>,
    pub version: String,
    /// The member had other roles before. Names alone would not tell: two roles may have the same.
    pub is_change: bool,
}

/// Gives the member exactly these roles of their own. What they hold through a team stays.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Invalid`] on the field `role`, [`Refused::Ceiling`] where the
/// present or the new roles go over the actor's head, [`Conflict::LastOwner`].
pub async fn change_roles(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<RolesChanged>, Refused> {
    change_roles_seen(s, id, to, "").await
}

/// The same for somebody who saw the member at this version; empty for any.
///
/// # Errors
/// As [`change_roles`], and [`Conflict::Changed`] where it would take back what somebody else did since.
pub async fn change_roles_seen(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    seen: &str,
) -> Result<Recorded<RolesChanged>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, id).await?;
    let wanted = all.chosen(to)?;
    s.actor().holdings.may_change_roles(&member.holdings(), wanted.iter().map(|role| &role.holdings))?;
    let changed = RolesChanged {
        name: member.name.clone(),
        before: member.own.iter().map(|role| role.name.clone()).collect(),
        after: roles::names(&wanted),
        undo: member.own.iter().map(|role| role.slug.clone()).collect(),
        version: version(id, member.is_active, wanted.iter().map(|role| role.slug.as_str())),
        is_change: !member.own.iter().map(|role| role.id).eq(wanted.iter().map(|role| role.id)),
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    if !seen.is_empty() && seen != member.version() {
        return Err(Conflict::Changed.into());
    }
    // What is new comes first: an Owner who only changes another role is an Owner throughout.
    for role in wanted.iter().filter(|role| member.own.iter().all(|held| held.id != role.id)) {
        give(s, id, role.id).await?;
    }
    for role in member.own.iter().filter(|held| wanted.iter().all(|role| role.id != held.id)) {
        take(s, id, role.id).await?;
    }
    if member.is_owner() && !wanted.iter().any(|role| role.is_owner) {
        ownership::end_of(s, id).await?;
    }
    let ids = RoleIds::of(&member.own, wanted.iter().copied());
    let (before, after) = (changed.before.clone(), changed.after.clone());
    let event = Event::MemberRolesChanged { before, after, ids };
    Ok(Recorded::new(changed, event, member.target()))
}

/// The membership of a user in this workspace.
///
/// # Errors
/// [`Refused::Hidden`] where there is none.
pub async fn of_user_under_lock<P>(s: &WriteScope<P>, user: Uuid) -> Result<Uuid, Refused> {
    of_user(s, user).await
}

pub(in crate::domain) async fn of_user(scope: &impl Scoped, user: Uuid) -> Result<Uuid, Refused> {
    let row = scope.find::<member::Entity>().filter(member::Column::UserId.eq(user));
    Ok(row.one(scope.connection()).await?.ok_or(Refused::Hidden)?.id)
}

/// What the lists of members sort by and search in: the name without case and accents, a line break
/// that nobody can search for, and the address.
pub(in crate::domain) fn listed_as(name: &str, email: &str) -> String {
    format!("{}\n{email}", folded(name))
}

/// Holds the memberships of a person whose address is about to change. A change of their roles holds
/// its member first and then asks for the user, so whoever changes the user's key must do the same.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn hold_listings(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.run("SELECT id FROM members WHERE user_id = $1 ORDER BY id FOR UPDATE", vec![user.into()]).await?;
    }
    Ok(())
}

/// Writes a new name or address into the lists of every workspace and account that the person belongs
/// to.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn relist(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    let Some(person) = user::Entity::find_by_id(user).one(tx).await? else { return Ok(()) };
    let listed_as = listed_as(&person.name, &person.email);
    for table in ["members", "account_people"] {
        let sql = format!("UPDATE {table} SET listed_as = $2 WHERE user_id = $1");
        tx.run(&sql, vec![user.into(), listed_as.as_str().into()]).await?;
    }
    Ok(())
}

/// How a person came to be a member.
pub(in crate::domain) enum Origin {
    Founder,
    /// By an invitation of this user.
    Invitation(Uuid),
    /// By a service whose key this user answers for.
    Service(Uuid),
    /// Added by this user, from the people of the account.
    Account(Uuid),
}

/// Makes a person a member with these roles, without asking who does it. Answers the member's id.
pub(in crate::domain) async fn join(
    open: &Transaction,
    user: Uuid,
    origin: Origin,
    roles: &[Uuid],
) -> Result<Uuid, Refused> {
    // Shared: who changes the name meanwhile waits, and then finds this member to list anew.
    let person = user::Entity::find_by_id(user).lock_shared().one(&open.tx).await?.ok_or(Refused::Hidden)?;
    let (origin, invited_by) = match origin {
        Origin::Founder => ("founder", None),
        Origin::Invitation(inviter) => ("invitation", Some(inviter)),
        Origin::Service(answers) => ("api", Some(answers)),
        Origin::Account(by) => ("account", Some(by)),
    };
    let row = member::ActiveModel {
        kind: Set("user".to_owned()),
        user_id: Set(Some(user)),
        origin: Set(origin.to_owned()),
        invited_by: Set(invited_by),
        listed_as: Set(listed_as(&person.name, &person.email)),
        ..arriving(open)
    };
    enter(open, row, roles).await
}

/// Makes a key a member with these roles, without asking who does it. The workspace is its home, if it
/// has no other. Answers the membership's id.
pub(in crate::domain) async fn join_key(
    open: &Transaction,
    key: Uuid,
    name: &str,
    added_by: Uuid,
    roles: &[Uuid],
) -> Result<Uuid, Refused> {
    let row = member::ActiveModel {
        kind: Set("api_key".to_owned()),
        api_key_id: Set(Some(key)),
        origin: Set("account".to_owned()),
        invited_by: Set(Some(added_by)),
        listed_as: Set(listed_as(name, "")),
        ..arriving(open)
    };
    let id = enter(open, row, roles).await?;
    let sql = "UPDATE api_keys SET home_id = $2 WHERE id = $1 AND home_id IS NULL";
    open.tx.run(sql, vec![key.into(), open.workspace_id().into()]).await?;
    Ok(id)
}

fn arriving(open: &Transaction) -> member::ActiveModel {
    member::ActiveModel {
        workspace_id: Set(open.workspace_id()),
        status: Set("active".to_owned()),
        joined_at: Set(open.now),
        ..Default::default()
    }
}

async fn enter(open: &Transaction, row: member::ActiveModel, roles: &[Uuid]) -> Result<Uuid, Refused> {
    let id = random::id(open.now);
    open.insert(member::ActiveModel { id: Set(id), ..row }).await?;
    for role in roles {
        hold(open, id, *role).await?;
    }
    Ok(id)
}

/// Puts a role on a member, without asking who does it.
pub(in crate::domain) async fn give<P>(s: &WriteScope<P>, member: Uuid, role: Uuid) -> Result<(), Refused> {
    hold(s.open(), member, role).await
}

async fn hold(open: &Transaction, member: Uuid, role: Uuid) -> Result<(), Refused> {
    let row = member_role::ActiveModel {
        workspace_id: Set(open.workspace_id()),
        member_id: Set(member),
        role_id: Set(role),
    };
    Ok(open.insert(row).await?)
}

/// Takes a role from a member, without asking who does it.
pub(in crate::domain) async fn take<P>(s: &WriteScope<P>, member: Uuid, role: Uuid) -> Result<(), Refused> {
    use member_role::Column;
    let held = s.open().delete::<member_role::Entity>().filter(Column::MemberId.eq(member));
    s.open().apply_to_one(held.filter(Column::RoleId.eq(role))).await
}

/// Why nobody suspends or removes themselves.
pub const OWN_MEMBERSHIP: &str = "This is your own membership. To step away from the workspace, leave it.";

/// Nobody ends their own membership by the tools for others: leaving says what it means.
async fn not_oneself<P>(s: &WriteScope<P>, member: &Subject) -> Result<(), Refused> {
    if member.id != s.actor().member_id {
        return Ok(());
    }
    if member.is_owner() && member.user_id.is_some() && only_owner(s).await? {
        return Err(Conflict::LastOwner.into());
    }
    Err(Refused::NotAllowed(OWN_MEMBERSHIP))
}

#[derive(FromQueryResult)]
struct OwnerCount {
    owners: i64,
}

async fn only_owner(scope: &impl Scoped) -> Result<bool, Refused> {
    let sql = "SELECT COUNT(*) AS owners FROM active_owners o WHERE o.workspace_id = $1";
    let count: Option<OwnerCount> = scope.first(sql, Vec::new()).await?;
    Ok(count.is_some_and(|count| count.owners <= 1))
}

/// Shuts the member out, from the next request on. They keep their roles. Answers their name.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Ceiling`], [`Conflict::AlreadySuspended`],
/// [`Conflict::LastOwner`].
pub async fn suspend(
    s: &mut WriteScope<perm::SuspendMembers>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    not_oneself(s, &member).await?;
    if !member.is_active {
        return Err(Conflict::AlreadySuspended.into());
    }
    set_status(s, id, "suspended", "active").await?;
    if member.is_owner() {
        ownership::end_of(s, id).await?;
    }
    let event = Event::MemberSuspended { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// Lets a suspended member in again, with the roles they had. Answers their name.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Ceiling`], [`Conflict::AlreadyActive`].
pub async fn reactivate(
    s: &mut WriteScope<perm::SuspendMembers>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    if member.is_active {
        return Err(Conflict::AlreadyActive.into());
    }
    set_status(s, id, "active", "suspended").await?;
    let event = Event::MemberReactivated { roles: member.role_names() };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// Stands for what a program is told of a member, as it is under the lock.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such member.
pub async fn tag_under_lock<P>(s: &WriteScope<P>, id: Uuid) -> Result<String, Refused> {
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, id).await?;
    Ok(tag(&member.version(), &member.roles, member.external_id.as_deref()))
}

/// Stands for a member's own roles and status. The roles come in the workspace's order.
pub(super) fn version<'a>(id: Uuid, is_active: bool, own: impl Iterator<Item = &'a str>) -> String {
    let status = if is_active { "active" } else { "suspended" };
    roles::fingerprint(id.as_bytes(), std::iter::once(status).chain(own))
}

/// Stands for a version, for everything held, through teams too, and for the external id.
pub(super) fn tag(version: &str, roles: &[Role], external_id: Option<&str>) -> String {
    let slugs = roles.iter().map(|role| role.slug.as_str());
    // No slug is empty.
    roles::fingerprint(version.as_bytes(), slugs.chain(["", external_id.unwrap_or_default()]))
}

/// What a member is called.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such member.
pub(super) async fn name<P>(s: &WriteScope<P>, id: Uuid) -> Result<String, Refused> {
    let all = s.actor().all_roles.clone();
    Ok(Subject::load(s, &all, id).await?.name)
}

async fn set_status<P>(s: &WriteScope<P>, id: Uuid, to: &str, from: &str) -> Result<(), Refused> {
    use member::Column;
    let row = s.open().update::<member::Entity>().filter(Column::Id.eq(id)).filter(Column::Status.eq(from));
    s.open().apply_to_one(row.col_expr(Column::Status, Expr::value(to))).await
}

/// Ends the membership. Invitations that the member sent are cancelled. Answers their name.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Ceiling`], [`Conflict::LastOwner`].
pub async fn remove(s: &mut WriteScope<perm::RemoveMembers>, id: Uuid) -> Result<Recorded<String>, Refused> {
    let member = manageable(s, id).await?;
    not_oneself(s, &member).await?;
    let invitations_cancelled = end(s, &member, s.now_ms()).await?;
    let event = Event::MemberRemoved { roles: member.role_names(), invitations_cancelled };
    Ok(Recorded::new(member.name.clone(), event, member.target()))
}

/// What becomes of the keys that somebody made who goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeysMade {
    /// They belong to the account, and go on.
    #[default]
    Stay,
    /// Those that are members here are revoked, all of them.
    Revoked,
}

/// [`remove`], or the same with the keys that the member made. Answers the name, and how many keys it was.
///
/// # Errors
/// As [`remove`]; [`Refused::Forbidden`], [`Refused::Ceiling`] or [`Refused::NotAllowed`] where one of the
/// keys is not the actor's to revoke.
pub async fn remove_with(
    s: &mut WriteScope<perm::RemoveMembers>,
    id: Uuid,
    keys: KeysMade,
) -> Result<Recorded<(String, usize)>, Refused> {
    let member = manageable(s, id).await?;
    let revoked = revoke_keys(s, &member, keys).await?;
    Ok(after(revoked, remove(s, id).await?))
}

/// [`leave`], or the same with the keys that the actor made. Answers how many those were.
///
/// # Errors
/// As [`leave`] and [`remove_with`].
pub async fn leave_with(
    s: &mut WriteScope<perm::Membership>,
    keys: KeysMade,
) -> Result<Recorded<usize>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, s.actor().member_id).await?;
    let revoked = revoke_keys(s, &member, keys).await?;
    Ok(after(revoked, leave(s).await?).map(|((), count)| count))
}

async fn revoke_keys<P>(
    s: &WriteScope<P>,
    member: &Subject,
    keys: KeysMade,
) -> Result<Recorded<Vec<String>>, Refused> {
    match (keys, member.user_id) {
        (KeysMade::Revoked, Some(user)) => api_keys::revoke_made_by(s, user).await,
        _ => Ok(Recorded::unchanged(Vec::new())),
    }
}

fn after<T>(first: Recorded<Vec<String>>, second: Recorded<T>) -> Recorded<(T, usize)> {
    let ((names, mut entries), (value, more)) = (first.into_parts(), second.into_parts());
    entries.extend(more);
    Recorded::many((value, names.len()), entries)
}

/// The actor leaves.
///
/// # Errors
/// [`Conflict::LastOwner`].
pub async fn leave(s: &mut WriteScope<perm::Membership>) -> Result<Recorded<()>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, s.actor().member_id).await?;
    let invitations_cancelled = end(s, &member, s.now_ms()).await?;
    let event = Event::MemberLeft { roles: member.role_names(), invitations_cancelled };
    Ok(Recorded::new((), event, member.target()))
}

/// The member, if the actor may manage them.
async fn manageable<P>(s: &WriteScope<P>, id: Uuid) -> Result<Subject, Refused> {
    let all = s.actor().all_roles.clone();
    let member = Subject::load(s, &all, id).await?;
    if member.id != s.actor().member_id {
        s.actor().holdings.may_manage(&member.holdings())?;
    }
    Ok(member)
}

/// Deletes the membership and cancels what it sent. Answers how many invitations that were.
pub(in crate::domain) async fn end(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: &Subject,
    now: i64,
) -> Result<i64, Refused> {
    use invitation::Column;
    let sent = at.update::<invitation::Entity>();
    let sent = match (member.user_id, member.api_key_id) {
        (Some(user), _) => sent.filter(Column::InviterId.eq(user)).filter(Column::InviterKeyId.is_null()),
        (None, key) => sent.filter(Column::InviterKeyId.eq(key)),
    };
    let cancelled = at.apply(ended(sent, "cancelled", now)).await?;
    at.apply_to_one(at.delete::<member::Entity>().filter(member::Column::Id.eq(member.id))).await?;
    Ok(i64::try_from(cancelled).unwrap_or(0))
}
