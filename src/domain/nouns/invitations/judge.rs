//! What would become of each person of a list, and why nothing can come of some of them. The preview shows it, and sending
//! does it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            invalid::Invalid,
            principal::Actor,
            refused::Refused,
            role::{self, Role},
            values::{Email, folded},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::{
            invitations::{
                batch::{Batch, MAX_BATCH, Outcome},
                parse::{Line, read},
                spend_preview,
            },
            members::check_end,
        },
        records::offered_teams::{self, OfferedTeam, may_offer},
    },
    policy::{BuiltIn, Permission, perm},
};
use sea_orm::FromQueryResult;
use std::collections::BTreeSet;

/// The people of a list.
///
/// # Errors
/// [`Refused::Invalid`] on `emails`, if there is none, if there are too many, or if none has an address.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, Invalid> {
    let lines = read(text);
    if lines.is_empty() {
        return Err(Invalid::field("emails", "Enter at least one e-mail address."));
    }
    if lines.len() > MAX_BATCH {
        return Err(Invalid::field("emails", format!("Enter at most {MAX_BATCH} addresses at a time.")));
    }
    if lines.iter().all(|line| Email::parse(&line.email).is_err()) {
        return Err(Invalid::field("emails", "Enter e-mail addresses such as name@example.com."));
    }
    Ok(lines)
}

/// If no role is chosen, Viewer. If the actor may not assign Viewer, because it holds more than they do, they
/// have to choose a role.
pub(super) fn default_roles(
    actor: &Actor,
    lines: &[Line],
    chosen: &[String],
) -> Result<Vec<String>, Invalid> {
    if !chosen.is_empty() || lines.iter().all(|line| !line.roles.is_empty()) {
        return Ok(chosen.to_vec());
    }
    let viewer = role::assignable_roles(&actor.all_roles, &actor.holdings)
        .into_iter()
        .find(|role| role.slug == BuiltIn::Viewer.slug());
    match viewer.filter(|role| role.refused.is_none()) {
        Some(viewer) => Ok(vec![viewer.slug]),
        None => Err(Invalid::field("role", "Choose at least one role.")),
    }
}

/// What everybody of a list gets of whom the list says nothing else.
pub(super) struct Defaults<'a> {
    actor: &'a Actor,
    roles: Vec<&'a Role>,
    teams: Vec<OfferedTeam>,
    /// The teams that a list can name.
    known_teams: Vec<OfferedTeam>,
}

/// Somebody to invite.
pub(super) struct Guest<'a> {
    pub email: Email,
    pub roles: Vec<&'a Role>,
    pub teams: Vec<OfferedTeam>,
}

impl<'a> Defaults<'a> {
    /// # Errors
    /// [`Refused::Invalid`] on `role` and `team`, [`Refused::Ceiling`] for what the actor may not offer.
    pub(super) async fn load(
        scope: &impl Scoped,
        actor: &'a Actor,
        lines: &[Line],
        batch: &Batch,
    ) -> Result<Self, Refused> {
        let roles = default_roles(actor, lines, &batch.roles)?;
        let roles = if roles.is_empty() { Vec::new() } else { actor.all_roles.chosen(&roles)? };
        let teams = offered_teams::chosen(scope, &batch.teams, &actor.all_roles).await?;
        may_offer(&actor.holdings, &roles, &teams)?;
        let names_teams = lines.iter().any(|line| !line.teams.is_empty());
        let known_teams = match names_teams && actor.holdings.has(Permission::ReadTeams) {
            true => offered_teams::all(scope, &actor.all_roles).await?,
            false => Vec::new(),
        };
        Ok(Self { actor, roles, teams, known_teams })
    }

    /// Who each line is about, or why nothing can come of it.
    pub(super) fn guests(&self, lines: &[Line]) -> Vec<Result<Guest<'a>, Outcome>> {
        let mut seen = BTreeSet::new();
        lines.iter().map(|line| self.guest(line, &mut seen)).collect()
    }

    fn guest(&self, line: &Line, seen: &mut BTreeSet<String>) -> Result<Guest<'a>, Outcome> {
        let email = Email::parse(&line.email).map_err(|_| Outcome::NotValid)?;
        if !seen.insert(email.to_string()) {
            return Err(Outcome::ListedTwice);
        }
        let roles = match line.roles.as_slice() {
            [] => self.roles.clone(),
            some => some.iter().map(|word| self.role(word)).collect::<Result<Vec<_>, Outcome>>()?,
        };
        let teams = match line.teams.as_slice() {
            [] => self.teams.clone(),
            some => some.iter().map(|word| self.team(word)).collect::<Result<Vec<_>, Outcome>>()?,
        };
        match may_offer(&self.actor.holdings, &roles, &teams) {
            Ok(()) => Ok(Guest { email, roles, teams }),
            Err(ceiling) => Err(Outcome::NotAllowed(ceiling.to_string())),
        }
    }

    fn role(&self, word: &str) -> Result<&'a Role, Outcome> {
        let is_meant = |role: &&Role| role.slug == word || folded(&role.name) == folded(word);
        let unknown = || Outcome::UnknownRole(shortened(word));
        self.actor.all_roles.iter().find(is_meant).ok_or_else(unknown)
    }

    fn team(&self, word: &str) -> Result<OfferedTeam, Outcome> {
        let is_meant = |team: &&OfferedTeam| folded(&team.name) == folded(word);
        let unknown = || Outcome::UnknownTeam(shortened(word));
        self.known_teams.iter().find(is_meant).cloned().ok_or_else(unknown)
    }
}

/// A word of a list, for a message about it.
pub(super) fn shortened(word: &str) -> String {
    word.chars().take(80).collect()
}

#[derive(FromQueryResult)]
struct RecipientStatus {
    is_member: bool,
    is_invited: bool,
    awaited_status: Option<String>,
    awaited_roles: Option<String>,
}

/// Whether the address is already a member or invited. What a service entered for it counts as a membership if it is
/// suspended, or if the actor could not remove it: the invitation would take its place.
pub(super) async fn recipient_status(
    scope: &impl Scoped,
    actor: &Actor,
    email: &Email,
    now: Timestamp,
) -> Result<Option<Outcome>, Refused> {
    let sql = "SELECT EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id
                WHERE m.workspace_id = $1 AND u.email = $2) AS is_member,
            EXISTS (SELECT 1 FROM invitations i
                WHERE i.workspace_id = $1 AND i.email = $2 AND i.status = 'pending' AND i.expires_at > $3)
                AS is_invited,
            (SELECT m.status FROM users p JOIN members m ON m.user_id = p.id AND m.workspace_id = $1
                WHERE p.awaited_email = $2 ORDER BY m.id LIMIT 1) AS awaited_status,
            (SELECT m.role_set FROM users p JOIN members m ON m.user_id = p.id AND m.workspace_id = $1
                WHERE p.awaited_email = $2 ORDER BY m.id LIMIT 1) AS awaited_roles";
    let status: Option<RecipientStatus> = scope.first(sql, vec![email.as_str().into(), now.into()]).await?;
    let stays = |status: &RecipientStatus| {
        let held = actor.all_roles.parse_slugs(status.awaited_roles.as_deref().unwrap_or_default());
        let may_remove = actor.holdings.may_manage(&role::holdings(&held)).is_ok();
        status.awaited_status.as_deref().is_some_and(|status| status != "active" || !may_remove)
    };
    Ok(match status {
        Some(status) if status.is_member || stays(&status) => Some(Outcome::AlreadyMember),
        Some(RecipientStatus { is_invited: true, .. }) => Some(Outcome::AlreadyInvited),
        _ => None,
    })
}

/// What would become of one person of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previewed {
    pub email: String,
    pub outcome: Outcome,
    /// Names of roles and teams; empty for whoever would not be invited.
    pub roles: Vec<String>,
    pub teams: Vec<String>,
}

/// What would become of each person, if the list were sent now. Nothing is sent.
///
/// # Errors
/// As [`send`](super::send::send), but for the limit of invitations; [`Refused::RateLimited`].
pub async fn preview(
    scope: &ReadScope<perm::InviteMembers>,
    batch: &Batch,
) -> Result<Vec<Previewed>, Refused> {
    let lines = lines(&batch.emails)?;
    let actor = scope.actor();
    let defaults = match Defaults::load(scope, actor, &lines, batch).await {
        Err(refused @ Refused::Ceiling(_)) => return Err(scope.refuse(refused).await),
        defaults => defaults?,
    };
    check_end(batch.access_until, scope.now())?;
    spend_preview(scope, lines.len()).await?;
    let mut each = Vec::with_capacity(lines.len());
    for (line, guest) in lines.iter().zip(defaults.guests(&lines)) {
        each.push(match guest {
            Err(outcome) => {
                Previewed { email: shortened(&line.email), outcome, roles: Vec::new(), teams: Vec::new() }
            }
            Ok(guest) => {
                let status = recipient_status(scope, actor, &guest.email, scope.now()).await?;
                let (roles, teams) = match status {
                    Some(_) => (Vec::new(), Vec::new()),
                    None => (role::names(&guest.roles), offered_teams::names(&guest.teams)),
                };
                let outcome = status.unwrap_or(Outcome::Ready);
                Previewed { email: guest.email.to_string(), outcome, roles, teams }
            }
        });
    }
    Ok(each)
}
