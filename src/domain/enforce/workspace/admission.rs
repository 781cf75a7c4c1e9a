//! Admission to a workspace: session or key, active membership, permission.

use crate::{
    clock::{HOUR, Timestamp},
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            key_limits::{KeyLimits, key_admin, key_limits},
            principal::{
                Actor, ApiKey, Credential, CredentialKind, Person, Principal, SupportVisitor, Workspace,
            },
            refused::{MissingPermission, Refused},
            role::{self, Role, Roles},
            sql::Sql,
        },
        enforce::{
            boundary::{Denied, Judged},
            rows::Unadmitted,
            workspace::granters,
        },
    },
    policy::{GRANTABLE, Holdings, Needs, Permission},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Value};
use std::borrow::Cow;
use uuid::Uuid;

/// How a request selects a workspace: only among the principal's own memberships.
#[derive(Clone, Copy, Debug)]
pub enum WorkspaceSelector<'a> {
    BySlug(&'a str),
    ById(Uuid),
    /// The home workspace of a key.
    Home,
    /// One that is deleted and can be restored: nobody else looks among these.
    Deleted(Uuid),
}

impl From<Uuid> for WorkspaceSelector<'_> {
    fn from(id: Uuid) -> Self {
        Self::ById(id)
    }
}

/// Everything that admission needs, as one row. `principal_id` is the id of a user or a key.
#[derive(FromQueryResult)]
struct Row {
    /// The id of the session, or of the key.
    proof_id: Uuid,
    last_seen_at: Timestamp,
    principal_id: Uuid,
    principal_name: String,
    /// `None` for a key.
    email: Option<String>,
    is_verified: bool,
    /// `None` for a person.
    key_account_id: Option<Uuid>,
    shown_to: Option<Uuid>,
    vouched_by: Option<Uuid>,
    is_key_admin: Option<bool>,
    key_expires_at: Option<Timestamp>,
    is_outgoing: Option<bool>,
    requests_left: Option<i64>,
    workspace_id: Option<Uuid>,
    account_id: Option<Uuid>,
    slug: Option<String>,
    workspace_name: Option<String>,
    is_closed: Option<bool>,
    owner_idle_hours: Option<i64>,
    support_until: Option<Timestamp>,
    has_ends_due: Option<bool>,
    /// What was granted for support; `None` for a member.
    support_scopes: Option<String>,
    member_id: Option<Uuid>,
    status: Option<String>,
    role_set: Option<String>,
    voucher_roles: Option<String>,
    reader_roles: Option<String>,
    only_scope: Option<String>,
    roles_version: Option<Uuid>,
}

/// What is read beside an admission, in its statement: further columns, the joins that they need, what follows the
/// condition, and the values of `$4` and so on. In them `w` is the workspace, `m` the membership and `$3` the time.
pub(in crate::domain) struct Beside<'a> {
    pub columns: Cow<'a, str>,
    pub joins: &'a str,
    pub tail: &'a str,
    pub values: Vec<Value>,
}

/// The row of an admission, and what was read beside it.
struct With<T> {
    row: Row,
    beside: T,
}

impl<T: FromQueryResult> FromQueryResult for With<T> {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let row = Row::from_query_result(result, prefix)?;
        Ok(Self { row, beside: T::from_query_result(result, prefix)? })
    }
}

/// Nothing is read beside an admission.
#[derive(FromQueryResult)]
struct Nothing {}

/// The value of `about`, which the caller of [`admit`] passed.
#[derive(FromQueryResult)]
struct SubjectRoles {
    subject_roles: Option<String>,
}

macro_rules! admission {
    ($principal:expr, $from:literal, $workspace:literal, $state:literal, $member:literal, $live:literal) => {
        concat!(
            "SELECT ",
            $principal,
            ", w.id AS workspace_id, w.account_id, w.slug, w.name AS workspace_name,
                (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed, w.owner_idle_hours,
                w.support_until,
                (SELECT x.id FROM members x WHERE x.workspace_id = w.id AND x.next_end_at <= $3
                    ORDER BY x.next_end_at LIMIT 1) IS NOT NULL AS has_ends_due,
                m.id AS member_id, m.status, ",
            held_roles!("m", "$3"),
            " AS role_set, w.roles_version, NULL AS no_more FROM ",
            $from,
            " LEFT JOIN workspaces w ON ",
            $workspace,
            $state,
            "
            LEFT JOIN accounts a ON a.id = w.account_id
            LEFT JOIN members m ON m.workspace_id = w.id AND ",
            $member,
            " AND ",
            lasts!("m", "$3"),
            " WHERE s.token_hash = $1 AND ",
            $live
        )
    };
    (session, $workspace:literal) => {
        admission!(session, $workspace, " AND w.deleted_at IS NULL")
    };
    (session, $workspace:literal, $state:literal) => {
        admission!(
            "s.id AS proof_id, s.last_seen_at, u.id AS principal_id, u.name AS principal_name, u.email,
                u.email_verified_at IS NOT NULL AS is_verified, NULL AS key_account_id, NULL AS shown_to,
                NULL AS vouched_by, NULL AS voucher_roles, NULL AS reader_roles, NULL AS only_scope,
                NULL AS is_key_admin, NULL AS key_expires_at, NULL AS is_outgoing, NULL AS requests_left,
                NULL AS support_scopes",
            "sessions s JOIN users u ON u.id = s.user_id AND u.suspended_at IS NULL",
            $workspace,
            $state,
            "m.user_id = u.id",
            "s.expires_at > $3 AND (m.sessions_from IS NULL OR s.created_at >= m.sessions_from)"
        )
    };
    // Nobody is a member by it: no membership has the id of a grant.
    (support, $workspace:literal) => {
        admission!(
            "s.id AS proof_id, s.created_at AS last_seen_at, s.id AS principal_id, s.operator AS principal_name,
                NULL AS email, (1 = 0) AS is_verified, NULL AS key_account_id, NULL AS shown_to, NULL AS vouched_by,
                NULL AS voucher_roles, NULL AS reader_roles, NULL AS only_scope, NULL AS is_key_admin,
                NULL AS key_expires_at, NULL AS is_outgoing, NULL AS requests_left,
                s.granted_scopes AS support_scopes",
            "support_grants s",
            $workspace,
            " AND w.id = s.workspace_id AND w.deleted_at IS NULL",
            "m.id = s.id",
            "s.status = 'accepted' AND s.ends_at > $3"
        )
    };
    // The order of the tables is that of the joins: secret, key, who is accountable for what it does.
    (key, $workspace:literal) => {
        admission!(
            concat!(
                "k.id AS proof_id, COALESCE(k.last_used_at, 0) AS last_seen_at, k.id AS principal_id,
                k.name AS principal_name, NULL AS email, u.email_verified_at IS NOT NULL AS is_verified,
                k.account_id AS key_account_id, s.shown_to, ",
                key_admin!("s.shown_to"),
                " AS is_key_admin, k.expires_at AS key_expires_at, s.expires_at IS NOT NULL AS is_outgoing,
                k.requests_left, NULL AS support_scopes,
                m.vouched_by, ",
                key_limits!("m", "s.shown_to", "$3")
            ),
            "api_key_secrets s JOIN api_keys k ON k.id = s.api_key_id JOIN users u ON u.id = s.shown_to",
            $workspace,
            " AND w.deleted_at IS NULL",
            "m.api_key_id = k.id",
            "(s.expires_at IS NULL OR s.expires_at > $3) AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > $3)"
        )
    };
}

/// The column in whose place others are read.
const NOTHING_BESIDE: &str = "NULL AS no_more";

/// Where the condition begins, which joins stand before.
const CONDITION: &str = " WHERE s.token_hash = $1";

/// Reads and judges a membership: one SQL statement, and a second one where the roles of the workspace
/// changed since they were last read. `about` adds a column to the first: its SQL and the value that it
/// binds. Its value is returned beside the verdict.
///
/// # Errors
/// [`Refused::Unauthenticated`], and [`Refused::NotFound`] without a membership.
pub(super) async fn admit(
    db: &Db,
    connection: &impl ConnectionTrait,
    credential: &Credential,
    selector: &WorkspaceSelector<'_>,
    now: Timestamp,
    about: Option<&(String, Value)>,
    needs: Needs,
) -> Result<(Judged<Workspace>, Option<String>), Refused> {
    let Some((column, value)) = about else {
        let (judged, Nothing {}) =
            admit_beside(db, connection, credential, selector, now, None, needs).await?;
        return Ok((judged, None));
    };
    let beside = Beside {
        columns: Cow::Owned(format!("{column} AS subject_roles")),
        joins: "",
        tail: "",
        values: vec![value.clone()],
    };
    let (judged, SubjectRoles { subject_roles }) =
        admit_beside(db, connection, credential, selector, now, Some(&beside), needs).await?;
    Ok((judged, subject_roles))
}

/// [`admit`], with more read beside it in the same statement.
///
/// # Errors
/// As [`admit`].
pub(super) async fn admit_beside<T: FromQueryResult>(
    db: &Db,
    connection: &impl ConnectionTrait,
    credential: &Credential,
    selector: &WorkspaceSelector<'_>,
    now: Timestamp,
    beside: Option<&Beside<'_>>,
    needs: Needs,
) -> Result<(Judged<Workspace>, T), Refused> {
    let load = async || {
        let with: With<T> = Row::load(connection, credential, selector, now, beside)
            .await?
            .ok_or(Refused::Unauthenticated)?;
        let roles = with.row.roles(db, connection).await?;
        Ok::<_, Refused>((with, roles))
    };
    let (mut with, mut roles) = load().await?;
    // Roles that were changed between the two belong to another moment than the membership.
    for _ in 0..3 {
        if !with.row.is_inside() || roles.version() == with.row.roles_version {
            break;
        }
        (with, roles) = load().await?;
    }
    let With { row, beside } = with;
    if row.is_idle_owner(&roles, now) {
        return Err(Refused::Unauthenticated);
    }
    Ok((row.judge(roles, needs)?, beside))
}

impl Row {
    async fn load<T: FromQueryResult>(
        connection: &impl ConnectionTrait,
        credential: &Credential,
        selector: &WorkspaceSelector<'_>,
        now: Timestamp,
        beside: Option<&Beside<'_>>,
    ) -> Result<Option<With<T>>, DbErr> {
        let (sql, workspace): (&str, Value) = match (credential.kind, selector) {
            (CredentialKind::Session, WorkspaceSelector::BySlug(slug)) => {
                (admission!(session, "w.slug = $2"), (*slug).into())
            }
            (CredentialKind::Session, WorkspaceSelector::ById(id)) => {
                (admission!(session, "w.id = $2"), (*id).into())
            }
            (CredentialKind::Session, WorkspaceSelector::Deleted(id)) => (
                admission!(
                    session,
                    "w.id = $2",
                    " AND COALESCE(w.deleted_at, 0) <> 0 AND w.purge_began_at IS NULL"
                ),
                (*id).into(),
            ),
            (CredentialKind::ApiKey, WorkspaceSelector::BySlug(slug)) => {
                (admission!(key, "w.slug = $2"), (*slug).into())
            }
            (CredentialKind::ApiKey, WorkspaceSelector::ById(id)) => {
                (admission!(key, "w.id = $2"), (*id).into())
            }
            // $2 is not used; both databases require each parameter to occur.
            (CredentialKind::ApiKey, WorkspaceSelector::Home) => {
                (admission!(key, "w.id = k.home_id AND $2 = ''"), String::new().into())
            }
            (CredentialKind::SupportAccess, WorkspaceSelector::BySlug(slug)) => {
                (admission!(support, "w.slug = $2"), (*slug).into())
            }
            // Support access names the workspace by its address alone, since it opens pages and nothing else.
            (CredentialKind::SupportAccess, _) => return Ok(None),
            // A browser always names the workspace, and only people restore one.
            (CredentialKind::Session, WorkspaceSelector::Home)
            | (CredentialKind::ApiKey, WorkspaceSelector::Deleted(_)) => return Ok(None),
        };
        let mut values = vec![credential.token_hash().into(), workspace, now.into()];
        let Some(Beside { columns, joins, tail, values: more }) = beside else {
            return connection.first(sql, values).await;
        };
        values.extend(more.iter().cloned());
        let sql = sql.replacen(NOTHING_BESIDE, columns, 1);
        let sql = sql.replacen(CONDITION, &format!("{joins}{CONDITION}"), 1);
        connection.first(&format!("{sql}{tail}"), values).await
    }

    /// The roles of the workspace if there is a membership; without one nothing is read.
    async fn roles(&self, db: &Db, connection: &impl ConnectionTrait) -> Result<Roles, DbErr> {
        match self.workspace_id {
            Some(id) if self.is_inside() => {
                db.roles().at(&Unadmitted(connection, id), self.roles_version).await
            }
            _ => Ok(Roles::default()),
        }
    }

    /// A member, or somebody with support access.
    fn is_inside(&self) -> bool {
        self.member_id.is_some() || self.support_scopes.is_some()
    }

    /// A session of an Owner that was not used for as long as the workspace allows its Owners. The end of a session
    /// moves on with this limit (`base/presence.rs`); here it counts for those who became Owner since, and from
    /// when the limit was set.
    fn is_idle_owner(&self, all_roles: &Roles, now: Timestamp) -> bool {
        let Some(hours) = self.owner_idle_hours.filter(|_| self.shown_to.is_none()) else { return false };
        let held = all_roles.parse_slugs(self.role_set.as_deref().unwrap_or_default());
        now - self.last_seen_at >= hours * HOUR && held.iter().any(|role| role.is_owner)
    }

    /// # Errors
    /// [`Refused::NotFound`] without a membership. Everything else is in the verdict.
    fn judge(self, all_roles: Roles, needs: Needs) -> Result<Judged<Workspace>, Refused> {
        let (Some(id), Some(account_id), Some(slug), Some(name)) =
            (self.workspace_id, self.account_id, self.slug, self.workspace_name)
        else {
            return Err(Refused::NotFound);
        };
        let is_closed = self.is_closed.unwrap_or(true);
        let (owner_idle_hours, support_until) = (self.owner_idle_hours, self.support_until);
        let has_ends_due = self.has_ends_due.unwrap_or_default();
        let workspace =
            Workspace { id, account_id, slug, name, owner_idle_hours, support_until, has_ends_due };
        if let Some(scopes) = self.support_scopes {
            let visitor = SupportVisitor { grant_id: self.principal_id, name: self.principal_name };
            let judged = judge_visitor(visitor, &scopes, workspace, all_roles, is_closed, needs);
            return Ok(Judged { last_seen_at: self.last_seen_at, ..judged });
        }
        let (Some(member_id), Some(status)) = (self.member_id, self.status) else {
            return Err(Refused::NotFound);
        };
        let held = all_roles.parse_slugs(self.role_set.as_deref().unwrap_or_default());
        let Self { voucher_roles, reader_roles, only_scope, .. } = self;
        let limits = KeyLimits { voucher_roles, reader_roles, only_scope };
        let holdings = match self.shown_to {
            Some(_) => limits.holdings(&held, &all_roles),
            None => role::holdings(&held),
        };
        let verdict = if is_closed {
            Err(Denied::Suspended("This workspace"))
        } else if status != "active" {
            Err(Denied::Suspended("Your membership in this workspace"))
        } else if !holdings.meets(needs) {
            Err(Denied::Missing)
        } else {
            Ok(())
        };
        let principal = match (self.key_account_id, self.shown_to) {
            (Some(account_id), Some(shown_to)) => Principal::ApiKey(ApiKey {
                id: self.principal_id,
                name: self.principal_name,
                account_id,
                is_admin: self.is_key_admin.unwrap_or_default(),
                shown_to,
                is_verified: self.is_verified,
                expires_at: self.key_expires_at,
                is_outgoing: self.is_outgoing.unwrap_or_default(),
                requests_left: self.requests_left,
            }),
            _ => Principal::User(Person {
                session_id: self.proof_id,
                user_id: self.principal_id,
                name: self.principal_name,
                email: self.email.unwrap_or_default(),
                is_verified: self.is_verified,
            }),
        };
        let roles = held.iter().map(|role| role.slug.clone()).collect();
        let voucher = self.vouched_by.unwrap_or(principal.accountable_user());
        let actor = Actor { principal, member_id, workspace, roles, holdings, voucher, all_roles };
        Ok(Judged { actor, last_seen_at: self.last_seen_at, verdict })
    }
}

/// Somebody with support access holds what was granted, and is no member: what any member may do, they may not.
fn judge_visitor(
    visitor: SupportVisitor,
    scopes: &str,
    workspace: Workspace,
    all_roles: Roles,
    is_closed: bool,
    needs: Needs,
) -> Judged<Workspace> {
    let granted = scopes.split_ascii_whitespace().filter(|scope| {
        Permission::of_scope(scope).is_some_and(|permission| GRANTABLE.contains(&permission))
    });
    let holdings = Holdings::of(false, granted);
    let verdict = match needs {
        _ if is_closed => Err(Denied::Suspended("This workspace")),
        Needs::One(permission) if holdings.has(permission) => Ok(()),
        _ => Err(Denied::Missing),
    };
    let voucher = visitor.grant_id;
    let principal = Principal::Support(visitor);
    let (member_id, roles) = (Uuid::nil(), Vec::new());
    let actor = Actor { principal, member_id, workspace, roles, holdings, voucher, all_roles };
    Judged { actor, last_seen_at: Timestamp::default(), verdict }
}

/// Whether the actor's roles meet the requirement, which only a key that is limited doesn't hold then.
fn is_held_by_roles(actor: &Actor, needs: Needs) -> bool {
    let own = actor.all_roles.iter().filter(|role| actor.roles.contains(&role.slug));
    role::holdings(&own.collect::<Vec<_>>()).meets(needs)
}

/// The refusal for a missing permission: which roles hold it, and who can grant it.
///
/// # Errors
/// The database's own.
pub(super) async fn forbidden(
    connection: &impl ConnectionTrait,
    actor: &Actor,
    needs: Needs,
) -> Result<Refused, DbErr> {
    if matches!(actor.principal, Principal::Support(_)) {
        return Ok(Refused::NotAllowed("Support access doesn't include this page."));
    }
    let permissions = needs.permissions();
    let holds = |role: &&Role| role.is_owner || role.holdings.meets(needs);
    let roles: Vec<&Role> = actor.all_roles.iter().filter(holds).collect();
    let granters = match actor.holdings.has(Permission::ReadMembers) {
        true => {
            let here = Unadmitted(connection, actor.workspace.id);
            granters::of_any(&here, &actor.all_roles, &actor.holdings, &roles).await?.names()
        }
        false => Vec::new(),
    };
    Ok(Refused::Forbidden(Box::new(MissingPermission {
        permissions: permissions.iter().map(|p| p.label()).collect(),
        roles: roles.iter().take(20).map(|role| role.name.clone()).collect(),
        granters,
        is_limited: is_held_by_roles(actor, needs),
        actor: Some(actor.clone()),
    })))
}
