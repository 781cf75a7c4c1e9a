use crate::{
    domain::{Event, activity::Entry},
    policy::Permission,
    web::when::{When, day},
};

/// An event in words.
#[derive(Default)]
pub(in crate::web) struct Told {
    pub(super) verb: String,
    pub(super) target: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    pub(super) detail: String,
    pub(super) rest: String,
    /// What was asked for, where it was refused: method and pattern. What that guards is the target.
    pub(super) route: String,
}

impl Told {
    pub(super) fn of(entry: &Entry) -> Self {
        let target = entry.target.clone();
        let plain = |verb: &str| Self { verb: verb.into(), target: target.clone(), ..Self::default() };
        let with = |verb: &str, detail: String| Self { detail, ..plain(verb) };
        let goes_on = |verb: &str, rest: String| Self { rest, ..plain(verb) };
        let Some(event) = &entry.event else { return plain(&entry.kind) };
        let cancelled = |count: &i64| match count {
            0 => String::new(),
            count => {
                format!(
                    "{} they had sent cancelled",
                    crate::web::words::counted(*count, "invitation", "invitations")
                )
            }
        };
        match event {
            Event::WorkspaceCreated { .. } => plain("founded"),
            Event::OrganizationUpdated { name_before, name_after, slug_before, slug_after } => Self {
                before: vec![name_before.clone(), format!("/w/{slug_before}")],
                after: vec![name_after.clone(), format!("/w/{slug_after}")],
                ..plain("updated")
            },
            Event::OrganizationDeleted { .. } => plain("deleted"),
            Event::MemberRolesChanged { before, after, .. } => {
                Self { before: before.clone(), after: after.clone(), ..plain("changed the roles of") }
            }
            Event::MemberSuspended { roles } => with("suspended", held(roles)),
            Event::MemberReactivated { roles } => with("reactivated", held(roles)),
            Event::MemberRemoved { roles, invitations_cancelled } => {
                Self { before: roles.clone(), ..with("removed", cancelled(invitations_cancelled)) }
            }
            Event::MemberLeft { roles, invitations_cancelled } => Self {
                verb: "left".into(),
                before: roles.clone(),
                detail: cancelled(invitations_cancelled),
                ..Self::default()
            },
            Event::OwnershipOffered { .. } => plain("offered the ownership to"),
            Event::OwnershipOfferWithdrawn {} => plain("took back the ownership offered to"),
            Event::OwnershipOfferDeclined {} => plain("declined the ownership offered by"),
            Event::OwnershipHandedOver { from, before, after, from_before, from_after } => Self {
                detail: format!("{from}: {} became {}", from_before.join(", "), from_after.join(", ")),
                target: from.clone(),
                before: before.clone(),
                after: after.clone(),
                ..plain("took the ownership over from")
            },
            Event::InvitationSent { roles, .. } => with("invited", as_roles(roles)),
            Event::InvitationResent { roles, .. } => with("sent the invitation again to", as_roles(roles)),
            Event::InvitationCancelled { roles } => with("cancelled the invitation of", as_roles(roles)),
            Event::InvitationAccepted { roles, invited_by } => Self {
                verb: "accepted the invitation by".into(),
                target: invited_by.clone(),
                detail: as_roles(roles),
                ..Self::default()
            },
            Event::InvitationDeclined { .. } => {
                Self { verb: "declined the invitation".into(), ..Self::default() }
            }
            Event::InvitationRolesChanged { before, after } => {
                Self { before: before.clone(), after: after.clone(), ..plain("changed the invitation of") }
            }
            Event::RoleCreated { scopes } => Self { after: differing(scopes, &[]), ..plain("made the role") },
            Event::RoleUpdated { name_before, name_after, description_before, description_after } => Self {
                before: named(name_before, description_before),
                after: named(name_after, description_after),
                ..plain("renamed or described the role")
            },
            Event::RoleScopesChanged { before, after } => Self {
                before: differing(before, after),
                after: differing(after, before),
                ..plain("changed the scopes of the role")
            },
            Event::RoleDeleted { scopes, replaced_by, members, invitations } => Self {
                before: differing(scopes, &[]),
                detail: replaced(replaced_by, *members, *invitations),
                ..plain("deleted the role")
            },
            Event::TeamCreated { description } if description.is_empty() => plain("started the team"),
            Event::TeamCreated { description } => with("started the team", format!("“{description}”")),
            Event::TeamUpdated { name_before, name_after, description_before, description_after } => Self {
                before: named(name_before, description_before),
                after: named(name_after, description_after),
                ..plain("renamed or described the team")
            },
            Event::TeamDeleted { roles, people } => {
                Self { before: roles.clone(), ..with("deleted the team", in_it(*people)) }
            }
            Event::TeamRolesChanged { before, after, people, .. } => Self {
                before: before.clone(),
                after: after.clone(),
                ..with("changed the roles that come with the team", in_it(*people))
            },
            Event::TeamMemberAdded { team, roles } => {
                Self { after: roles.clone(), ..goes_on("put", format!("into the team {team}")) }
            }
            Event::TeamMemberRemoved { team, roles } => {
                Self { before: roles.clone(), ..goes_on("took", format!("out of the team {team}")) }
            }
            Event::TeamLeadChanged { team, is_lead: true } => {
                goes_on("made", format!("a lead of the team {team}"))
            }
            Event::TeamLeadChanged { team, is_lead: false } => {
                goes_on("made", format!("no lead any more of the team {team}"))
            }
            Event::ApiKeyCreated { roles, expires_at } => Self {
                after: roles.clone(),
                ..with(
                    "made the API key",
                    match expires_at {
                        0 => "which does not expire".to_owned(),
                        at => format!("which expires on {}", day(*at)),
                    },
                )
            },
            Event::ApiKeyAdded { roles } => Self { after: roles.clone(), ..plain("added the API key") },
            Event::ApiKeyRenamed { name_before, name_after } => Self {
                before: vec![name_before.clone()],
                after: vec![name_after.clone()],
                ..plain("renamed the API key")
            },
            Event::UserProvisioned { roles } => Self { after: roles.clone(), ..plain("entered") },
            Event::ExternalIdChanged { before, after } => Self {
                before: vec![before.clone()].into_iter().filter(|id| !id.is_empty()).collect(),
                after: vec![after.clone()].into_iter().filter(|id| !id.is_empty()).collect(),
                ..plain("changed the external id of")
            },
            Event::ResourceRegistered { name } => with("registered", name.clone()),
            Event::ResourceForgotten {} => plain("forgot"),
            Event::ApiKeyRotated { overlap_ends_at: ends } => with(
                "gave another secret to the API key",
                match *ends > entry.at {
                    true => format!("the one before works until {}", When::new(*ends, entry.at).exact),
                    false => "the one before ended at once".to_owned(),
                },
            ),
            Event::ApiKeyRevoked { roles } => Self { before: roles.clone(), ..plain("revoked the API key") },
            Event::ApiKeyAdminChanged { is_admin: true } => {
                with("changed the API key", "which may create workspaces now".into())
            }
            Event::ApiKeyAdminChanged { is_admin: false } => {
                with("changed the API key", "which may create no workspaces any more".into())
            }
            Event::MemberAdded { roles, was_invited } => Self {
                detail: match was_invited {
                    true => "from the account; the invitation to them is answered by that".into(),
                    false => "from the account".into(),
                },
                after: roles.clone(),
                ..plain("added")
            },
            Event::AccountUpdated { name_before, name_after, creation_before, creation_after } => Self {
                before: account(name_before, creation_before),
                after: account(name_after, creation_after),
                ..plain("updated the account")
            },
            Event::AccountAdminChanged { is_admin: true } => {
                goes_on("made", "an admin of the account".into())
            }
            Event::AccountAdminChanged { is_admin: false } => {
                goes_on("made", "no admin of the account any more".into())
            }
            Event::AccountPersonRemoved { .. } => goes_on("took", "out of the account".into()),
            Event::PermissionChanged { before, after, gained, lost, .. } => Self {
                before: with_owner(before),
                after: with_owner(after),
                detail: crate::web::words::effect(*gained, *lost),
                ..plain("changed who may")
            },
            Event::AccessRefused { route, reason } => Self {
                verb: "was refused".into(),
                detail: refusal(reason).into(),
                route: route.clone(),
                ..Self::default()
            },
            // What people do outside a workspace is told on their own page.
            other => plain(other.kind()),
        }
    }
}

/// Those of the scopes that the other side does not have, permissions by their labels; and how many
/// more there are, or are as before.
fn differing(scopes: &[String], other: &[String]) -> Vec<String> {
    const SHOWN: usize = 12;
    let only: Vec<&String> = scopes.iter().filter(|scope| !other.contains(scope)).collect();
    let label =
        |scope: &&String| Permission::of_scope(scope).map_or((*scope).clone(), |p| p.label().to_owned());
    let mut told: Vec<String> = only.iter().take(SHOWN).map(label).collect();
    if only.len() > SHOWN {
        told.push(format!("{} more", only.len() - SHOWN));
    }
    if scopes.len() > only.len() {
        told.push(format!("{} as before", scopes.len() - only.len()));
    }
    if told.is_empty() { vec!["nothing".into()] } else { told }
}

fn named(name: &str, description: &str) -> Vec<String> {
    [name, description].iter().filter(|text| !text.is_empty()).map(|text| (*text).to_owned()).collect()
}

fn replaced(by: &str, members: i64, invitations: i64) -> String {
    let people = crate::web::words::counted(members, "person", "people");
    match (members, invitations) {
        (0, 0) => String::new(),
        (_, 0) => format!("{people} got {by} instead"),
        (0, _) => format!(
            "{} got {by} instead",
            crate::web::words::counted(invitations, "invitation", "invitations")
        ),
        _ => format!(
            "{people} and {} got {by} instead",
            crate::web::words::counted(invitations, "invitation", "invitations")
        ),
    }
}

/// What an account is called, and who may create workspaces in it.
fn account(name: &str, creation: &str) -> Vec<String> {
    let who = if creation == "people" { "Everybody creates workspaces" } else { "Admins create workspaces" };
    vec![name.to_owned(), who.to_owned()]
}

fn in_it(people: i64) -> String {
    match people {
        0 => "with nobody in it".to_owned(),
        people => format!("with {} in it", crate::web::words::counted(people, "person", "people")),
    }
}

fn held(roles: &[String]) -> String {
    format!("keeps {}", roles.join(", "))
}

fn as_roles(roles: &[String]) -> String {
    format!("as {}", roles.join(", "))
}

fn with_owner(roles: &[String]) -> Vec<String> {
    std::iter::once("Owner".to_owned()).chain(roles.iter().cloned()).collect()
}

fn refusal(reason: &str) -> &'static str {
    match reason {
        "suspended" => "suspended",
        "permission" => "the permission is missing",
        "ceiling" => "more than their own roles hold",
        "lock-out" => "asked to confirm that it locks them out",
        "unverified" => "the address is not confirmed",
        "wrong-address" => "signed in with another address",
        "last-owner" => "an Owner must remain",
        "last-admin" => "an admin must remain",
        "in-workspaces" => "still a member of a workspace",
        "not-admin" => "no admin of the account",
        "role-in-use" => "somebody has the role, or is invited with it",
        "conflict" => "somebody was faster",
        _ => "not allowed",
    }
}
