//! Whose resources are: the member to whom each belongs, if it belongs to somebody. Scopes such as `write:own` are
//! about these.

use crate::{
    domain::{
        base::{
            event::{RecordedEvent, Target},
            invalid::Invalid,
            refused::Refused,
            subject::Subject,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::resources::events::ResourceOwnerChanged,
        records::{members::MemberRecord, subjects},
    },
    policy::{Holdings, Scope, perm},
};
use sea_orm::{FromQueryResult, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};
use uuid::Uuid;

/// A change of the owner.
#[derive(Clone, Debug, Default)]
pub enum NewOwner {
    /// It stays as it is; a new resource belongs to nobody.
    #[default]
    Unchanged,
    Nobody,
    Member(Subject),
}

impl NewOwner {
    /// The membership that owns it afterwards.
    ///
    /// # Errors
    /// [`Refused::Invalid`] on `owner` for somebody who is no member of this workspace.
    pub(super) async fn member(
        &self,
        s: &WriteScope<perm::CheckAccess>,
        present: Option<Uuid>,
    ) -> Result<Option<Uuid>, Refused> {
        let subject = match self {
            Self::Unchanged => return Ok(present),
            Self::Nobody => return Ok(None),
            Self::Member(subject) => subject,
        };
        let member = subjects::member_id(s, subject).await?;
        let nobody = || Invalid::field("owner", "No member of this workspace has this ID.");
        Ok(Some(member.ok_or_else(nobody)?))
    }
}

/// Refuses to change whose a resource of this type is to whoever may not do everything with it themselves: roles may
/// hold so much for its owner, now or later.
///
/// # Errors
/// [`Refused::Ceiling`].
pub(super) fn may_change_owner(s: &WriteScope<perm::CheckAccess>, kind: &str) -> Result<(), Refused> {
    let everything = Scope::everything_on(kind);
    s.actor().holdings.may_assign(&Holdings::of(false, [everything.as_str()]))?;
    Ok(())
}

/// The event of a new owner.
///
/// # Errors
/// The database's own.
pub(super) async fn owner_changed(
    s: &WriteScope<perm::CheckAccess>,
    resource: Target,
    owner: Option<Uuid>,
) -> Result<RecordedEvent, Refused> {
    let Some(owner) = owner else {
        let event = ResourceOwnerChanged { owner: String::new() };
        return Ok(RecordedEvent::new(event, resource));
    };
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, owner).await?;
    let event = RecordedEvent::new(ResourceOwnerChanged { owner: member.name }, resource);
    Ok(match member.user_id {
        Some(user) => event.naming(user),
        None => event,
    })
}

#[derive(FromQueryResult)]
struct Owned {
    kind: String,
    id: String,
    member_id: Uuid,
}

/// The most types of resources in one statement.
const MAX_KINDS: usize = 50;

/// The memberships of the owners of registered resources, by type and id: of those of these resources that belong to a
/// member. One SQL statement for each 50 types.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn registered_owners(
    scope: &ReadScope<perm::CheckAccess>,
    ids: BTreeMap<&str, BTreeSet<&str>>,
) -> Result<BTreeMap<String, BTreeMap<String, Uuid>>, Refused> {
    let mut owners: BTreeMap<String, BTreeMap<String, Uuid>> = BTreeMap::new();
    // No type and no id that anybody registered has a zero in it, and PostgreSQL takes none.
    let is_plain = |text: &&str| !text.contains('\0');
    let ids: Vec<(&str, Vec<&str>)> = ids
        .into_iter()
        .filter(|(kind, _)| is_plain(kind))
        .map(|(kind, ids)| (kind, ids.into_iter().filter(is_plain).collect::<Vec<_>>()))
        .filter(|(_, ids)| !ids.is_empty())
        .collect();
    for some in ids.chunks(MAX_KINDS) {
        let (mut values, mut parts): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
        for (kind, ids) in some {
            values.push((*kind).into());
            let kind_at = values.len() + 1;
            // As many as a power of two, so that there are few statements to prepare.
            let padded = ids.iter().chain(iter::repeat(&ids[0])).take(ids.len().next_power_of_two());
            let places: Vec<String> = padded
                .map(|id| {
                    values.push((*id).into());
                    format!("${}", values.len() + 1)
                })
                .collect();
            parts.push(format!(
                "SELECT r.kind, r.id, m.id AS member_id FROM resources r
                JOIN members m ON m.workspace_id = r.workspace_id AND m.id = r.owner_id
                WHERE r.workspace_id = $1 AND r.kind = ${kind_at} AND r.id IN ({})",
                places.join(", ")
            ));
        }
        let rows: Vec<Owned> = scope.all(&parts.join(" UNION ALL "), values).await?;
        for row in rows {
            owners.entry(row.kind).or_default().insert(row.id, row.member_id);
        }
    }
    Ok(owners)
}
