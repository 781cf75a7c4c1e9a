//! A row of the members' list.

use crate::{
    domain::{
        base::source::Source,
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
    /// The soonest end, of their access or of a role.
    pub(super) ends: Option<When>,
    /// What ends then: "Access", or the names of roles.
    pub(super) what_ends: String,
    /// By which roles they hold what the list is narrowed to, each with its source; empty if it isn't.
    pub(super) through: String,
}

/// What ends at the soonest end of a member.
fn what_ends(member: &Member) -> String {
    if member.access_until == member.next_end_at {
        return "Access".to_owned();
    }
    let ending = member.grants.iter().filter(|own| own.ends_at == member.next_end_at);
    let named = ending.filter_map(|own| member.roles.iter().find(|role| role.slug == own.slug));
    named.map(|role| role.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Row {
    pub(super) fn is_key(&self) -> bool {
        self.member.api_key_id.is_some()
    }

    /// The row, with those of the roles named that are among these.
    pub(super) fn with_givers(self, givers: &[String]) -> Self {
        let giving = self.member.roles.iter().filter(|role| givers.contains(&role.slug));
        let named = giving.map(|role| {
            let own = self.member.grants.iter().find(|own| own.slug == role.slug);
            let source = own.map_or(Source::Team, |own| own.source());
            format!("{}, {}", role.name, source.label())
        });
        let through = named.collect::<Vec<_>>().join("; ");
        Self { through, ..self }
    }

    /// Their roles are changed in the list. Whoever changes their own does it on their page, which warns.
    pub(super) fn has_role_menu(&self) -> bool {
        self.may_change_roles && !self.member.is_you
    }

    pub(super) fn has_menu(&self) -> bool {
        self.may_change_roles || self.may_suspend || self.may_remove
    }

    /// Slugs of the member's own roles.
    pub(super) fn own(&self) -> String {
        self.member.own.join(" ")
    }

    /// Slugs of the roles that they hold through teams alone.
    pub(super) fn of_teams(&self) -> String {
        let others = self.member.roles.iter().filter(|role| !self.member.own.contains(&role.slug));
        others.map(|role| role.slug.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The entries of the row's menu, by the names that the template of menus gives them.
    pub(super) fn menu(&self) -> String {
        let suspension = if self.member.is_active { "suspend" } else { "reactivate" };
        let removal = if self.is_key() { "remove-key" } else { "remove" };
        let may_end = self.has_role_menu() && !self.member.is_last_owner;
        let entries = [
            ("roles", self.may_change_roles),
            ("end", may_end),
            (suspension, self.may_suspend),
            (removal, self.may_remove),
        ];
        let shown: Vec<&str> = entries.iter().filter(|(_, may)| *may).map(|(name, _)| *name).collect();
        shown.join(" ")
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
            ends: member.next_end_at.map(|at| When::new(at, now)),
            what_ends: what_ends(&member),
            through: String::new(),
            // The viewer is active now; the database has it a little later.
            seen: if member.is_you { Some(now) } else { member.last_active_at }.map(|at| When::new(at, now)),
            origin: match (member.origin.as_str(), &member.invited_by) {
                _ if member.is_awaited => "Added by a service; they haven't accepted yet".to_owned(),
                ("founder", _) => "Created the workspace".to_owned(),
                ("invitation", Some(name)) => format!("Invited by {name}"),
                ("invitation", None) => "Invited".to_owned(),
                ("account", Some(name)) if member.kind == "api_key" => format!("Added by {name}"),
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
