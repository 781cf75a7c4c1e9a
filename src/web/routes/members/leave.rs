//! Suspension, removal and leaving.

use crate::{
    clock::HOUR,
    domain::{
        Invalid, Refused,
        base::invariants::LAST_OWNER,
        nouns::{
            administration::Asked,
            destinations::lost_senders::{LosingDestination, LostSender, losing},
            members::{self, AccountStanding, DependentKeys, JoinCounts, TeamMembership},
            offboarding::{self, PendingOffers, Removal},
        },
    },
    policy::{self, perm},
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::members::{
            remaining_keys::{OVERLAPS, RemainingKeys},
            row::Row,
        },
    },
};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "members/confirm.html")]
struct Confirm {
    chrome: Chrome,
    base: String,
    row: Row,
    /// `suspension` or `removal`: the noun of the form's address.
    what: &'static str,
    invitations: i64,
    entries: i64,
    /// Links that others can join by, and domains whose people can, for which they answer.
    joining: JoinCounts,
    /// Those that the viewer may see.
    teams: Vec<TeamMembership>,
    team_count: usize,
    keys: RemainingKeys,
    /// Destinations that lose the key as a sender.
    losing: Vec<LosingDestination>,
    account: AccountStanding,
    /// The viewer may ask for the administration of the account, which the member keeps.
    may_ask: bool,
}

pub async fn suspension(cx: Authorized<perm::SuspendMembers, Target>) -> HandlerResult {
    confirm(cx, "suspension").await
}

pub async fn removal(cx: Authorized<perm::RemoveMembers, Target>) -> HandlerResult {
    confirm(cx, "removal").await
}

/// The confirmation page. A change that would be refused is refused here.
async fn confirm<P: policy::Access>(cx: Authorized<P, Target>, what: &'static str) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let detail = members::detail(&scope, id).await?;
    let (invitations, entries, joining) = (detail.invitations, detail.entries, detail.joining);
    let account = detail.account;
    let is_person = scope.actor().principal.person().is_some_and(|person| person.is_verified);
    let may_ask = scope.actor().holdings.is_owner() && is_person;
    let row = Row::new(&scope, detail.member);
    let keys = RemainingKeys::of(&scope, &row.member).await?;
    if row.member.is_last_owner {
        return Err(scope.refuse(LAST_OWNER).await);
    }
    if row.member.is_you {
        return Ok(view.redirect(view.at("/departure")));
    }
    if let Some(ceiling) = row.member.refused {
        return Err(scope.refuse(ceiling).await);
    }
    let losing = match what == "removal" && row.is_key() {
        true => losing(&scope, LostSender::Member(id)).await?,
        false => Vec::new(),
    };
    Ok(view.html(&Confirm {
        chrome: view.chrome(),
        base: view.at("/members"),
        row,
        what,
        invitations,
        entries,
        joining,
        team_count: detail.team_count,
        teams: detail.teams,
        keys,
        losing,
        may_ask: may_ask && account.is_member_admin && !account.is_viewer_admin,
        account,
    }))
}

pub async fn suspend(cx: Authorized<perm::SuspendMembers, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| members::suspend(s, id).await).await?;
    let undo = view.at(&format!("/members/{id}/reactivation"));
    let flash =
        Flash::good(format!("{name} suspended. No access until reactivated.")).with_undo(undo, Vec::new());
    Ok(view.redirect_with_flash(view.at("/members"), flash))
}

pub async fn reactivate(cx: Authorized<perm::SuspendMembers, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let name = scope.write(async |s| members::reactivate(s, id).await).await?;
    let flash = Flash::good(format!("{name} reactivated with the same roles as before."));
    Ok(view.redirect_with_flash(view.at("/members"), flash))
}

/// What to do with the keys that depend on the leaving member.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RemovalForm {
    /// `end`, the hours for which secrets work, or `revoke`.
    keys: String,
    /// `yes` to ask for the administration of the account, which the member keeps.
    administration: String,
    /// What becomes of invitations, links and domains that they answer for: `end` or `take_over`.
    offers: String,
}

impl RemovalForm {
    fn asks(&self) -> Result<bool, Invalid> {
        match self.administration.as_str() {
            "" => Ok(false),
            "yes" => Ok(true),
            _ => Err(Invalid::field("administration", "Choose yes, or leave it out.")),
        }
    }

    fn read(&self) -> Result<DependentKeys, Refused> {
        read_keys(&self.keys)
    }
}

/// What was chosen of invitations, links and domains that somebody answers for who goes.
pub(super) fn read_offers(chosen: &str) -> Result<PendingOffers, Refused> {
    match chosen {
        "" | "end" => Ok(PendingOffers::End),
        "take_over" => Ok(PendingOffers::TakenOver),
        _ => Err(Invalid::field("offers", "Choose whether they end, or you take them over.").into()),
    }
}

/// What was chosen of the keys that depend on somebody who goes.
pub(super) fn read_keys(chosen: &str) -> Result<DependentKeys, Refused> {
    match chosen {
        "" | "end" => Ok(DependentKeys::SecretsEnd),
        "revoke" => Ok(DependentKeys::Revoked),
        hours => {
            let offered = OVERLAPS.iter().find(|(offered, ..)| offered.to_string() == hours);
            let sentence = "Choose what happens to secrets they know.";
            let (hours, ..) = offered.ok_or_else(|| Invalid::field("keys", sentence))?;
            Ok(DependentKeys::SecretsEndAfter(hours * HOUR))
        }
    }
}

/// The sentence about the keys that were revoked.
pub(super) fn revoked(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 API key revoked.".to_owned(),
        count => format!(" {count} API keys revoked."),
    }
}

pub async fn remove(cx: Authorized<perm::RemoveMembers, (Target, Form<RemovalForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let removal = Removal { keys: form.read()?, offers: read_offers(&form.offers)?, asks: form.asks()? };
    let offboarding::Removed { name, keys, taken_over, asked } =
        offboarding::remove(scope, id, removal).await?;
    let asked = match asked {
        None => String::new(),
        Some(Asked::Requested) => " You asked to become an account admin.".to_owned(),
        Some(Asked::Refused(why)) => format!(" You did not ask to become an account admin. {why}"),
    };
    let taken = match taken_over.sum() {
        0 => String::new(),
        1 => " You answer for 1 of their offers now.".to_owned(),
        count => format!(" You answer for {count} of their offers now."),
    };
    let flash = Flash::good(format!("{name} removed from the workspace.{}{taken}{asked}", revoked(keys)));
    Ok(view.redirect_with_flash(view.at("/members"), flash))
}

#[derive(Template)]
#[template(path = "members/departure.html")]
struct Departure {
    chrome: Chrome,
    action: String,
    /// The only Owner cannot leave; the page says what to do first.
    is_last_owner: bool,
    roles: Vec<String>,
    invitations: i64,
    entries: i64,
    joining: JoinCounts,
    /// How many teams the person is in.
    teams: usize,
    keys: RemainingKeys,
    account: AccountStanding,
}

pub async fn departure(cx: Authorized<perm::Membership>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let detail = members::detail(&scope, scope.actor().member_id).await?;
    let keys = RemainingKeys::of(&scope, &detail.member).await?;
    let page = Departure {
        chrome: view.chrome(),
        action: view.at("/departure"),
        is_last_owner: detail.member.is_last_owner,
        roles: detail.member.roles.into_iter().map(|role| role.name).collect(),
        invitations: detail.invitations,
        entries: detail.entries,
        joining: detail.joining,
        teams: detail.team_count,
        keys,
        account: detail.account,
    };
    Ok(view.html(&page))
}

pub async fn leave(cx: Authorized<perm::Membership, Form<RemovalForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let name = scope.actor().workspace.name.clone();
    let keys = form.read()?;
    let count = members::leave_with(scope, keys).await?;
    Ok(view.redirect_with_flash("/workspaces", Flash::good(format!("You left {name}.{}", revoked(count)))))
}
