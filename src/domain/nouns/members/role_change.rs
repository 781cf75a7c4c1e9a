//! Changing the own roles of a member.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            event::Recorded,
            invalid::Invalid,
            refused::Refused,
            role::{self, Role, RoleIds, Roles},
            source::Source,
        },
        enforce::write::WriteScope,
        nouns::members::{events::MemberRolesChanged, notify},
        records::{
            entries,
            members::{MemberRecord, assign_role, revoke_role, set_voucher, version},
            offers,
        },
    },
    policy::{Holdings, Permission, perm},
};
use uuid::Uuid;

/// The result of a change of roles.
#[derive(Clone, Debug)]
pub struct RolesChanged {
    pub name: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// Slugs of the roles after.
    pub slugs: Vec<String>,
    /// Slugs of the roles before, for an Undo, and the version after, which it must name.
    pub undo: Vec<String>,
    pub version: String,
    /// The member had other roles before. Names alone don't show that, because two roles may have the same
    /// name.
    pub is_change: bool,
    /// A role was taken that had an end, which assigning it again would not bring back.
    pub lost_an_end: bool,
    /// How many permissions of the catalogue the member gained and lost by it.
    pub gained: usize,
    pub lost: usize,
}

/// What the page that sent a change had shown.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Nothing that could have changed since.
    Anything,
    /// The member with this version.
    Version(&'a str),
    /// The member with these own roles, as slugs separated by spaces.
    Roles(&'a str),
}

impl Seen<'_> {
    fn is_still(self, member: &MemberRecord, all: &Roles) -> bool {
        match self {
            Self::Anything => true,
            Self::Version(version) => version == member.version(),
            Self::Roles(slugs) => {
                let shown = all.parse_slugs(slugs);
                // A slug that is gone was a role that the member no longer has.
                shown.len() == slugs.split_ascii_whitespace().count()
                    && shown.iter().map(|role| role.id).eq(member.own.iter().map(|role| role.id))
            }
        }
    }
}

/// What a change does with the roles that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleChange {
    Add,
    Remove,
    Replace,
}

impl RoleChange {
    /// The member's own roles after the change, in the workspace's order.
    fn applied<'a>(
        self,
        all: &'a Roles,
        member: &MemberRecord,
        slugs: &[String],
    ) -> Result<Vec<&'a Role>, Invalid> {
        let named: Vec<Uuid> = all.chosen(slugs)?.iter().map(|role| role.id).collect();
        let own: Vec<Uuid> = member.own.iter().map(|role| role.id).collect();
        let is_held_after = |id: &Uuid| match self {
            Self::Add => own.contains(id) || named.contains(id),
            Self::Remove => own.contains(id) && !named.contains(id),
            Self::Replace => named.contains(id),
        };
        let after: Vec<&Role> = all.iter().filter(|role| is_held_after(&role.id)).collect();
        // Whoever has roles of teams alone keeps having none of their own.
        if after.is_empty() && !own.is_empty() {
            let what = format!(
                "{} has no other role. Replace the role instead, or remove them from the workspace.",
                member.name
            );
            return Err(Invalid::field("role", what));
        }
        Ok(after)
    }
}

/// How many permissions of the catalogue `more` has and `less` does not.
fn beyond(more: &Holdings, less: &Holdings) -> usize {
    let is_new = |permission: &&Permission| more.has(**permission) && !less.has(**permission);
    Permission::ALL.iter().filter(is_new).count()
}

/// Sets the member's own roles. Roles through a team stay.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Invalid`] on the field `role`, [`Refused::Ceiling`] if the current or
/// the new roles hold more than the actor may manage, [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER).
pub async fn change_roles(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
) -> Result<Recorded<RolesChanged>, Refused> {
    change_roles_if_unchanged(s, id, to, Seen::Anything).await
}

/// [`change_roles`], for those of the member's own roles that this source gave. The others stay.
///
/// # Errors
/// As [`change_roles`].
pub async fn change_roles_from(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    source: Source,
) -> Result<Recorded<RolesChanged>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    let kept = member.grants.into_iter().filter(|given| given.source() != source).map(|given| given.slug);
    let to: Vec<String> = to.iter().cloned().chain(kept).collect();
    change_roles(s, id, &to).await
}

/// [`change_roles`], if the member still is as the page had shown them.
///
/// # Errors
/// As [`change_roles`], and [`CHANGED`] if they were changed in the meantime.
pub async fn change_roles_if_unchanged(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    seen: Seen<'_>,
) -> Result<Recorded<RolesChanged>, Refused> {
    change_roles_by(s, id, RoleChange::Replace, to, seen).await
}

/// Adds to the member's own roles, takes some away, or replaces them. Roles through a team stay.
///
/// # Errors
/// As [`change_roles_if_unchanged`], and [`Refused::Invalid`] on the field `role` where none would be left.
pub(super) async fn change_roles_by(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    change: RoleChange,
    slugs: &[String],
    seen: Seen<'_>,
) -> Result<Recorded<RolesChanged>, Refused> {
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, id).await?;
    member.not_behind_key(s.actor())?;
    let requested = change.applied(&all, &member, slugs)?;
    s.actor().holdings.may_change_roles(&member.holdings(), requested.iter().map(|role| &role.holdings))?;
    let through_teams = member.roles.iter().filter(|role| member.own.iter().all(|own| own.id != role.id));
    let held_after =
        Holdings::union(through_teams.chain(requested.iter().copied()).map(|role| &role.holdings));
    let held_before = member.holdings();
    let changed = RolesChanged {
        name: member.name.clone(),
        before: member.own.iter().map(|role| role.name.clone()).collect(),
        after: role::names(&requested),
        slugs: requested.iter().map(|role| role.slug.clone()).collect(),
        undo: member.own.iter().map(|role| role.slug.clone()).collect(),
        version: version(id, member.is_active, requested.iter().map(|role| role.slug.as_str())),
        is_change: !member.own.iter().map(|role| role.id).eq(requested.iter().map(|role| role.id)),
        lost_an_end: member
            .grants
            .iter()
            .any(|given| given.ends_at.is_some() && !requested.iter().any(|role| role.slug == given.slug)),
        gained: beyond(&held_after, &held_before),
        lost: beyond(&held_before, &held_after),
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    if !seen.is_still(&member, &all) {
        return Err(CHANGED.into());
    }
    // New roles are assigned first, so that an Owner who only gets another role stays an Owner throughout.
    for role in requested.iter().filter(|role| member.own.iter().all(|held| held.id != role.id)) {
        assign_role(s, id, role.id).await?;
    }
    for role in member.own.iter().filter(|held| requested.iter().all(|role| role.id != held.id)) {
        revoke_role(s, id, role.id).await?;
    }
    if member.is_awaited && s.actor().holdings.may_invite(requested.iter().map(|role| &role.holdings)).is_ok()
    {
        // Whoever gave these roles answers for them until they are accepted.
        let by = &s.actor().principal;
        entries::set_entered_by(s, id, by.accountable_user(), by.key_id()).await?;
    }
    if member.api_key_id.is_some() {
        set_voucher(s, &[id], s.actor().voucher).await?;
    }
    if member.is_owner() && !requested.iter().any(|role| role.is_owner) {
        offers::end_offers_of(s, id).await?;
    }
    notify::roles(s, &member, &changed.before, &changed.after).await?;
    let ids = RoleIds::of(&member.own, requested.iter().copied());
    let (before, after) = (changed.before.clone(), changed.after.clone());
    let event = MemberRolesChanged { before, after, ids };
    Ok(Recorded::new(changed, event, member.target()))
}
