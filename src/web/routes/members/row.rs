//! A row of the members' list.

use crate::{
    domain::{
        enforce::read::ReadScope,
        nouns::members::{Member, may_act},
    },
    policy::{self, Ceiling, Permission},
    web::{
        chrome::{hue, initials},
        when::When,
    },
};

/// What to do before the last Owner of a workspace can leave or be removed.
pub(in crate::web) const ONLY_OWNER: &str = "This is the only Owner. Make someone else an Owner first.";

/// A member as a row or as the head of a page.
pub(in crate::web) struct Row {
    pub(super) member: Member,
    pub(super) initials: String,
    pub(super) hue: u8,
    pub(super) joined: When,
    pub(super) seen: Option<When>,
    /// "founder", "invited by …"
    pub(super) origin: String,
    pub(super) may_change_roles: bool,
    pub(super) may_suspend: bool,
    pub(super) may_remove: bool,
    /// Why the viewer may not change this member; empty if they may, or if they don't have a permission for
    /// it anyway.
    pub(super) why_not: String,
    /// Why the row can't be ticked; empty where it can.
    pub(super) not_selectable: String,
    /// `why_not` in short, for the list.
    pub(super) why_not_short: &'static str,
}

impl Row {
    pub(super) fn is_key(&self) -> bool {
        self.member.api_key_id.is_some()
    }

    pub(super) fn new<P: policy::Access>(scope: &ReadScope<P>, member: Member) -> Self {
        let (actor, now) = (scope.actor(), scope.now());
        let others = !member.is_you && !member.is_last_owner;
        let allowed = |permission| may_act(actor, &member, permission);
        let holds_any =
            [Permission::UpdateMemberRoles, Permission::SuspendMembers, Permission::RemoveMembers]
                .into_iter()
                .any(|permission| actor.holdings.has(permission));
        let (why_not_short, why_not) = match &member.refused {
            _ if !holds_any => ("", String::new()),
            _ if member.is_last_owner => ("Only Owner", ONLY_OWNER.to_owned()),
            Some(_) if member.is_you => ("", String::new()),
            Some(Ceiling::OwnerOnly) => ("Managed by Owners", Ceiling::OwnerOnly.to_string()),
            Some(ceiling) => ("Has as much access as you", ceiling.to_string()),
            None => ("", String::new()),
        };
        let may_change_roles = allowed(Permission::UpdateMemberRoles);
        let may_suspend = allowed(Permission::SuspendMembers) && others;
        let may_remove = allowed(Permission::RemoveMembers) && others;
        let not_selectable = match may_change_roles || may_suspend || may_remove {
            true => String::new(),
            false if why_not.is_empty() => "To change your own membership, open your own page.".to_owned(),
            false => why_not.clone(),
        };
        Self {
            initials: initials(&member.name),
            hue: hue(member.user_id.unwrap_or(member.id)),
            joined: When::new(member.joined_at, now),
            // The viewer is active now; the database has it a little later.
            seen: if member.is_you { Some(now) } else { member.last_active_at }.map(|at| When::new(at, now)),
            origin: match (member.origin.as_str(), &member.invited_by) {
                _ if member.is_awaited => "Added by a service; they haven't accepted yet".to_owned(),
                ("founder", _) => "Created the workspace".to_owned(),
                ("invitation", Some(name)) => format!("Invited by {name}"),
                ("invitation", None) => "Invited".to_owned(),
                ("account", Some(name)) => format!("Added from the account by {name}"),
                ("account", _) => "Added from the account".to_owned(),
                _ => "Added through the API".to_owned(),
            },
            may_change_roles,
            may_suspend,
            may_remove,
            why_not,
            not_selectable,
            why_not_short,
            member,
        }
    }
}
