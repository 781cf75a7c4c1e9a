//! Rows of members and of the roles they hold.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{SubjectKind, Target},
            principal::{Actor, Principal},
            refused::Refused,
            role::{self, Role, Roles},
            source::{OwnRole, Source},
            sql::Sql,
            subject::Subject,
            values::folded,
        },
        enforce::{rows::Scoped, transaction::Transaction, write::WriteScope},
        records::{
            entries,
            given_roles::{Gift, OWN_GRANTS, delete_role, insert_role, parse},
            invitations::ended,
            joining::{self, JoinCounts},
        },
    },
    entity::{former_member, invitation, member, user},
    policy::Holdings,
    random,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

pub(in crate::domain) const MEMBER: SubjectKind = SubjectKind::new("member");

/// The member that a change is about, as it is under the lock.
pub(in crate::domain) struct MemberRecord {
    pub id: Uuid,
    /// The user's id. A key has an `api_key_id` instead, and no address.
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub name: String,
    pub email: String,
    pub is_active: bool,
    /// All roles held, including those through teams: what the ceiling compares.
    pub roles: Vec<Role>,
    /// The member's own roles. Only these are assigned and revoked one by one.
    pub own: Vec<Role>,
    /// The member's id in the customer's own applications.
    pub external_id: Option<String>,
    /// A service entered them, and the person with their address has not accepted yet.
    pub is_awaited: bool,
    /// Until when the membership lasts.
    pub access_until: Option<Timestamp>,
    /// The member's own roles, with their sources and ends.
    pub grants: Vec<OwnRole>,
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
    grants: Option<String>,
    access_until: Option<Timestamp>,
    external_id: Option<String>,
    is_awaited: bool,
}

/// The slugs of the own roles of a member `m`, as a column.
pub(in crate::domain) const OWN_ROLES: &str = "(SELECT string_agg(r.slug, ' ') FROM member_roles mr
        JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
        WHERE mr.workspace_id = m.workspace_id AND mr.member_id = m.id)";

impl MemberRecord {
    /// # Errors
    /// [`Refused::NotFound`] where this workspace has no such member.
    pub(in crate::domain) async fn load(scope: &impl Scoped, all: &Roles, id: Uuid) -> Result<Self, Refused> {
        let sql = format!(
            "SELECT m.id, m.user_id, m.api_key_id, COALESCE(u.name, k.name) AS name,
                COALESCE(u.awaited_email, u.email, '') AS email, m.status, m.role_set, m.external_id, u.awaited_email IS NOT NULL AS is_awaited, {OWN_ROLES} AS own,
                {OWN_GRANTS} AS grants, m.access_until
            FROM members m LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
            WHERE m.workspace_id = $1 AND m.id = $2"
        );
        let row: Row = scope.first(&sql, vec![id.into()]).await?.ok_or(Refused::NotFound)?;
        let these = |slugs: &str| all.parse_slugs(slugs).into_iter().cloned().collect();
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
            is_awaited: row.is_awaited,
            access_until: row.access_until,
            grants: parse(row.grants.as_deref().unwrap_or_default()),
        })
    }

    pub(in crate::domain) fn holdings(&self) -> Holdings {
        Holdings::union(self.roles.iter().map(|role| &role.holdings))
    }

    pub(in crate::domain) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }

    /// The version of the member's own roles and status.
    pub(in crate::domain) fn version(&self) -> String {
        version(self.id, self.is_active, self.own.iter().map(|role| role.slug.as_str()))
    }

    /// # Errors
    /// As [`not_behind_key`].
    pub(in crate::domain) fn not_behind_key(&self, actor: &Actor) -> Result<(), Refused> {
        self.user_id.map_or(Ok(()), |user| not_behind_key(actor, user))
    }

    pub(in crate::domain) fn is_owner(&self) -> bool {
        self.roles.iter().any(|role| role.is_owner)
    }

    pub(in crate::domain) fn target(&self) -> Target {
        Target::new(MEMBER, self.id, self.name.clone()).of(self.user_id.or(self.api_key_id), &self.email)
    }
}

/// The membership of a user, who may also be named by the id that they had when a service entered them.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn of_user(scope: &impl Scoped, user: Uuid) -> Result<Uuid, Refused> {
    use member::Column;
    let known = scope.find::<member::Entity>().filter(Column::UserId.eq(user));
    if let Some(member) = known.one(scope.connection()).await? {
        return Ok(member.id);
    }
    let entered = scope.find::<member::Entity>().filter(Column::ProvisionedAs.eq(user));
    Ok(entered.one(scope.connection()).await?.ok_or(Refused::NotFound)?.id)
}

/// The membership of a user, by their id or by their id in the customer's own applications.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn of_subject(scope: &impl Scoped, subject: &Subject) -> Result<Uuid, Refused> {
    let external_id = match subject {
        Subject::User(user) => return of_user(scope, *user).await,
        Subject::External(id) => id,
        Subject::Email(_) | Subject::ApiKey(_) | Subject::Nobody => return Err(Refused::NotFound),
    };
    let known = scope.find::<member::Entity>().filter(member::Column::ExternalId.eq(external_id));
    Ok(known.one(scope.connection()).await?.ok_or(Refused::NotFound)?.id)
}

/// The key that lists of members sort by and search in: the name without case and accents, a line break
/// that nobody can search for, and the address.
pub(in crate::domain) fn sort_key(name: &str, email: &str) -> String {
    format!("{}\n{email}", folded(name))
}

/// The address of a user, also of one whom a service entered.
pub(in crate::domain) fn address_of(user: &user::Model) -> &str {
    user.awaited_email.as_deref().unwrap_or(&user.email)
}

/// Locks the memberships of a person whose name or address is about to change. A change of their roles locks
/// its member first and then the user, so a change of the user's row must lock in that order too.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn lock_memberships(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.run("SELECT id FROM members WHERE user_id = $1 ORDER BY id FOR UPDATE", vec![user.into()]).await?;
    }
    Ok(())
}

/// Writes the sort key of a new name or address, in every workspace and account that the person belongs
/// to.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn refresh_sort_key(tx: &DatabaseTransaction, user: Uuid) -> Result<(), DbErr> {
    let Some(person) = user::Entity::find_by_id(user).one(tx).await? else { return Ok(()) };
    let sort_key = sort_key(&person.name, address_of(&person));
    for table in ["members", "account_people"] {
        let sql = format!("UPDATE {table} SET listed_as = $2 WHERE user_id = $1");
        tx.run(&sql, vec![user.into(), sort_key.as_str().into()]).await?;
    }
    Ok(())
}

/// How a person became a member.
pub(in crate::domain) enum MemberOrigin {
    Founder,
    /// Invited by this user.
    Invitation(Uuid),
    /// Added by a service whose key this user is accountable for.
    Service(Uuid),
    /// Added by this user, from the people of the account.
    Account(Uuid, Source),
}

impl MemberOrigin {
    /// How roles are given to somebody who becomes a member so.
    fn gift(&self, user: Uuid) -> Gift {
        let (source, by) = match self {
            Self::Founder => (Source::Hand, user),
            Self::Invitation(inviter) => (Source::Hand, *inviter),
            Self::Service(answers) => (Source::Api, *answers),
            Self::Account(by, source) => (*source, *by),
        };
        Gift { source, by, ends_at: None }
    }
}

/// Makes a person a member with these roles, without a permission check. Returns the member's id.
pub(in crate::domain) async fn join(
    open: &Transaction,
    user: Uuid,
    origin: MemberOrigin,
    roles: &[Uuid],
) -> Result<Uuid, Refused> {
    let gift = origin.gift(user);
    let gifts: Vec<(Uuid, Gift)> = roles.iter().map(|role| (*role, gift)).collect();
    join_as(open, random::id(open.now), user, origin, &gifts).await
}

/// [`join`], with this id as a member, and each role given in its own way.
pub(in crate::domain) async fn join_as(
    open: &Transaction,
    id: Uuid,
    user: Uuid,
    origin: MemberOrigin,
    roles: &[(Uuid, Gift)],
) -> Result<Uuid, Refused> {
    // Shared: a concurrent change of the name waits, and then refreshes the sort key of this member too.
    let person =
        user::Entity::find_by_id(user).lock_shared().one(&open.tx).await?.ok_or(Refused::NotFound)?;
    // Whoever was suspended, or deleted their sign-in, since they were admitted.
    if person.suspended_at.is_some() {
        return Err(Refused::Unauthenticated);
    }
    let (origin, invited_by) = match origin {
        MemberOrigin::Founder => ("founder", None),
        MemberOrigin::Invitation(inviter) => ("invitation", Some(inviter)),
        MemberOrigin::Service(answers) => ("api", Some(answers)),
        MemberOrigin::Account(by, _) => ("account", Some(by)),
    };
    let row = member::ActiveModel {
        kind: Set("user".to_owned()),
        user_id: Set(Some(user)),
        origin: Set(origin.to_owned()),
        invited_by: Set(invited_by),
        sort_key: Set(sort_key(&person.name, address_of(&person))),
        ..new_row(open)
    };
    let former = open.delete::<former_member::Entity>().filter(former_member::Column::UserId.eq(user));
    open.apply(former).await?;
    insert(open, id, row, roles).await
}

/// Makes a key a member with these roles, for which `voucher` vouches, without a permission check. The workspace becomes its home, if it
/// has no other. Returns the membership's id.
pub(in crate::domain) async fn join_key(
    open: &Transaction,
    key: Uuid,
    name: &str,
    added_by: Uuid,
    voucher: Uuid,
    (source, roles): (Source, &[Uuid]),
) -> Result<Uuid, Refused> {
    let gift = Gift { source, by: added_by, ends_at: None };
    let roles: Vec<(Uuid, Gift)> = roles.iter().map(|role| (*role, gift)).collect();
    let row = member::ActiveModel {
        kind: Set("api_key".to_owned()),
        api_key_id: Set(Some(key)),
        origin: Set("account".to_owned()),
        invited_by: Set(Some(added_by)),
        vouched_by: Set(Some(voucher)),
        sort_key: Set(sort_key(name, "")),
        ..new_row(open)
    };
    let id = insert(open, random::id(open.now), row, &roles).await?;
    let sql = "UPDATE api_keys SET home_id = $2 WHERE id = $1 AND home_id IS NULL";
    open.tx.run(sql, vec![key.into(), open.workspace_id().into()]).await?;
    Ok(id)
}

fn new_row(open: &Transaction) -> member::ActiveModel {
    member::ActiveModel {
        workspace_id: Set(open.workspace_id()),
        status: Set("active".to_owned()),
        joined_at: Set(open.now),
        ..Default::default()
    }
}

async fn insert(
    open: &Transaction,
    id: Uuid,
    row: member::ActiveModel,
    roles: &[(Uuid, Gift)],
) -> Result<Uuid, Refused> {
    open.insert(member::ActiveModel { id: Set(id), ..row }).await?;
    for (role, gift) in roles {
        insert_role(open, id, *role, *gift).await?;
    }
    Ok(id)
}

/// Sets until when a membership lasts, without a permission check. Mail before it ends is due again.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn set_access_until(
    open: &Transaction,
    member: Uuid,
    until: Option<Timestamp>,
    by: Option<Uuid>,
) -> Result<(), Refused> {
    use member::Column;
    let row = open.update::<member::Entity>().filter(Column::Id.eq(member));
    let row = row.col_expr(Column::AccessUntil, Expr::value(until));
    open.apply_to_one(row.col_expr(Column::AccessSetBy, Expr::value(by))).await
}

/// Assigns a role to a member, as the actor's gift and without an end. Without a permission check.
pub(in crate::domain) async fn assign_role<P>(
    s: &WriteScope<P>,
    member: Uuid,
    role: Uuid,
) -> Result<(), Refused> {
    insert_role(s.open(), member, role, Gift::by(&s.actor().principal)).await
}

/// Revokes a role of a member, without a permission check.
pub(in crate::domain) async fn revoke_role<P>(
    s: &WriteScope<P>,
    member: Uuid,
    role: Uuid,
) -> Result<(), Refused> {
    delete_role(s.open(), member, role).await
}

/// The version of a member's own roles and status. The roles must be in the workspace's order.
pub(in crate::domain) fn version<'a>(
    id: Uuid,
    is_active: bool,
    own: impl Iterator<Item = &'a str>,
) -> String {
    let status = if is_active { "active" } else { "suspended" };
    role::fingerprint(id.as_bytes(), std::iter::once(status).chain(own))
}

/// The version of a member for programs (ETag): of their [`version()`], all roles held, the external id, and what ends
/// when.
pub(in crate::domain) fn tag(
    version: &str,
    roles: &[Role],
    external_id: Option<&str>,
    access_until: Option<Timestamp>,
    grants: &[OwnRole],
) -> String {
    let slugs = roles.iter().map(|role| role.slug.clone());
    let of_roles = grants.iter().filter_map(|role| Some(format!("{} {}", role.slug, role.ends_at?)));
    let ends = access_until.map(|at| at.to_string()).into_iter().chain(of_roles);
    // No slug is empty.
    let rest = [String::new(), external_id.unwrap_or_default().to_owned()];
    role::fingerprint(version.as_bytes(), slugs.chain(rest).chain(ends))
}

/// The name of a member.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such member.
pub(in crate::domain) async fn name<P>(s: &WriteScope<P>, id: Uuid) -> Result<String, Refused> {
    let all = s.actor().all_roles.clone();
    Ok(MemberRecord::load(s, &all, id).await?.name)
}

pub(in crate::domain) async fn set_status<P>(
    s: &WriteScope<P>,
    id: Uuid,
    to: &str,
    from: &str,
) -> Result<(), Refused> {
    use member::Column;
    let row = s.open().update::<member::Entity>().filter(Column::Id.eq(id)).filter(Column::Status.eq(from));
    s.open().apply_to_one(row.col_expr(Column::Status, Expr::value(to))).await
}

/// The member signs in again: sessions that began before now do not open the workspace any more. In other
/// workspaces, which had no part in it, they go on.
pub(in crate::domain) async fn refuse_sessions_before<P>(s: &WriteScope<P>, id: Uuid) -> Result<(), Refused> {
    use member::Column;
    let row = s.open().update::<member::Entity>().filter(Column::Id.eq(id));
    s.open().apply_to_one(row.col_expr(Column::SessionsFrom, Expr::value(s.now()))).await
}

/// Refuses an API key that would change, invite or add the person who vouches for it or was shown its secret:
/// through it they could otherwise do to themselves what they can't do by signing in.
///
/// # Errors
/// [`Refused::NotAllowed`].
pub(in crate::domain) fn not_behind_key(actor: &Actor, user: Uuid) -> Result<(), Refused> {
    match &actor.principal {
        Principal::ApiKey(key) if user == key.shown_to || user == actor.voucher => {
            Err(Refused::NotAllowed(BEHIND_KEY))
        }
        _ => Ok(()),
    }
}

pub(in crate::domain) const BEHIND_KEY: &str =
    "An API key can't change, invite or add the person who vouches for it or knows its secret.";

/// The addresses of the people whom [`not_behind_key`] keeps from an API key; none for a person.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn addresses_behind_key<P>(s: &WriteScope<P>) -> Result<Vec<String>, Refused> {
    #[derive(FromQueryResult)]
    struct Address {
        email: String,
    }
    let Principal::ApiKey(key) = &s.actor().principal else { return Ok(Vec::new()) };
    let sql = "SELECT COALESCE(awaited_email, email) AS email FROM users WHERE id IN ($1, $2)";
    let values = vec![key.shown_to.into(), s.actor().voucher.into()];
    let own: Vec<Address> = s.connection().all(sql, values).await?;
    Ok(own.into_iter().map(|own| own.email).collect())
}

/// Makes a person the one who vouches for the roles of these members, which are keys.
pub(in crate::domain) async fn set_voucher<P>(
    s: &WriteScope<P>,
    ids: &[Uuid],
    voucher: Uuid,
) -> Result<(), Refused> {
    vouch_at(s, ids, voucher).await
}

/// [`set_voucher`], in any workspace.
pub(in crate::domain) async fn vouch_at(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    ids: &[Uuid],
    voucher: Uuid,
) -> Result<(), Refused> {
    use member::Column;
    let row = at.update::<member::Entity>().filter(Column::Id.is_in(ids.iter().copied()));
    at.apply(row.col_expr(Column::VouchedBy, Expr::value(voucher))).await?;
    Ok(())
}

/// What ended with a membership.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::domain) struct EndedWith {
    /// Invitations that they sent.
    pub invitations: i64,
    /// Memberships that they entered, and that waited for an answer.
    pub entries: i64,
    /// Links that others could join by, and domains whose people could, for which they answered.
    pub joining: JoinCounts,
}

/// Deletes the membership, and ends what it sent and entered. Secrets that the person knows are worth nothing here
/// any more, or from `secrets_until` on. If it is that of a key at home here, no other workspace may add the key any
/// more.
pub(in crate::domain) async fn delete(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    member: &MemberRecord,
    now: Timestamp,
    secrets_until: Option<Timestamp>,
) -> Result<EndedWith, Refused> {
    if let (true, Some(user)) = (member.is_awaited, member.user_id) {
        // Nobody signed in as them, so they sent nothing and know nothing.
        entries::end(at, member.id, user).await?;
        return Ok(EndedWith::default());
    }
    if let Some(user) = member.user_id {
        let roles: Vec<&str> = member.roles.iter().map(|role| role.slug.as_str()).collect();
        let sql = "INSERT INTO former_members (workspace_id, user_id, left_at, role_set, secrets_until)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (workspace_id, user_id) DO UPDATE SET left_at = excluded.left_at,
                role_set = excluded.role_set, secrets_until = excluded.secrets_until";
        let values = vec![user.into(), now.into(), roles.join(" ").into(), secrets_until.into()];
        at.run(sql, values).await?;
    }
    if let Some(key) = member.api_key_id {
        // Where it is at home, nobody could withdraw them any more.
        let sql = "DELETE FROM api_key_consents WHERE workspace_id = $1 AND api_key_id = $2";
        at.run(sql, vec![key.into()]).await?;
    }
    use invitation::Column;
    let sent = at.update::<invitation::Entity>();
    let sent = match (member.user_id, member.api_key_id) {
        (Some(user), _) => sent.filter(Column::InviterId.eq(user)).filter(Column::InviterKeyId.is_null()),
        (None, key) => sent.filter(Column::InviterKeyId.eq(key)),
    };
    let cancelled = at.apply(ended(sent, "cancelled", now)).await?;
    let entries = entries::end_entered_by(at, member.user_id, member.api_key_id).await?;
    let joining = joining::end_of(at, member.user_id, member.api_key_id, now).await?;
    at.apply_to_one(at.delete::<member::Entity>().filter(member::Column::Id.eq(member.id))).await?;
    Ok(EndedWith { invitations: i64::try_from(cancelled).unwrap_or(0), entries, joining })
}
