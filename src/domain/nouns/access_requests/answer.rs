//! Answering a request for access. To accept it is to change the member's roles, under the rules for that.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            mail_choice::MailChoice,
            refused::Refused,
            role::Role,
            values::Description,
            words::inert,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::{
            access_requests::{
                ask::ANSWERED,
                events::{AccessRequestAccepted, AccessRequestDeclined},
                list::{AccessRequest, State, load},
                mail::AccessDeclinedMail,
            },
            members,
        },
        records::{mail::notify, members::MemberRecord},
    },
    policy::perm,
};
use sea_orm::Value;
use uuid::Uuid;

const OWN_REQUEST: &str = "This is your own request. Someone else has to answer it.";

/// What is given.
pub struct Acceptance {
    /// The slug of the role; empty for the one that was asked for, or the only one that gives what was asked for.
    pub role: String,
    /// Until when; `None` for no end.
    pub until: Option<Timestamp>,
}

/// Gives the member a role, until when they asked for or sooner. The change of their roles is recorded as any other.
///
/// # Errors
/// [`Refused::NotAllowed`] for one's own request, [`ANSWERED`], [`Refused::Invalid`] on `role` or `until`; as
/// [`members::change_roles`].
pub async fn accept(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    given: &Acceptance,
) -> Result<Recorded<AccessRequest>, Refused> {
    let request = waiting(s, id).await?;
    let all = s.actor().all_roles.clone();
    let mut invalid = Invalid::default();
    let candidates = request.wanted().map(|wanted| wanted.roles(&all)).unwrap_or_default();
    let role: Option<Role> = match (candidates.as_slice(), given.role.as_str()) {
        ([one], "") => Some((*one).clone()),
        (some, slug) => some.iter().find(|role| role.slug == slug).map(|role| (*role).clone()),
    };
    if role.is_none() {
        invalid.add("role", "Choose one of the roles that give what was asked for.");
    }
    let is_longer = match (request.ends_at, given.until) {
        (Some(asked), Some(until)) => until > asked,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if is_longer {
        invalid.add("until", "Choose the day that was asked for, or an earlier one.");
    } else if given.until.is_some_and(|until| until <= s.now()) {
        invalid.add("until", "Choose a day that isn't over yet.");
    }
    let Some(role) = role.filter(|_| invalid.is_empty()) else { return Err(invalid.into()) };
    let member = MemberRecord::load(s, &all, request.member_id).await?;
    let mut to: Vec<String> = member.own.iter().map(|own| own.slug.clone()).collect();
    // Who has the role for as long already keeps it so: an answer takes nothing away.
    let had_it = member.grants.iter().find(|own| own.slug == role.slug);
    let keeps_it = had_it
        .is_some_and(|own| own.ends_at.is_none_or(|ends| given.until.is_some_and(|until| ends >= until)));
    if had_it.is_none() {
        to.push(role.slug.clone());
    }
    let (_, mut events) = members::change_roles(s, member.id, &to).await?.into_parts();
    if !keeps_it {
        let of = members::Ending::Role(role.slug.clone());
        events.extend(members::set_end(s, member.id, &of, given.until, None).await?.into_parts().1);
    }
    let by = s.actor().principal.accountable_user();
    let sql =
        "UPDATE access_requests SET status = 'accepted', answered_by = $3, answered_at = $4, given_role = $5,
            given_until = $6
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let values: Vec<Value> =
        vec![id.into(), by.into(), s.now().into(), role.slug.as_str().into(), given.until.into()];
    if s.run(sql, values).await? != 1 {
        return Err(ANSWERED.into());
    }
    let event = AccessRequestAccepted { role: role.name, until: given.until };
    events.push(RecordedEvent::new(event, request.target(&all)));
    Ok(Recorded::many(load(s, id).await?, events))
}

/// Declines it. `answer` is for whoever asked, and may be empty.
///
/// # Errors
/// [`Refused::NotAllowed`] for one's own request, [`ANSWERED`].
pub async fn decline(
    s: &mut WriteScope<perm::UpdateMemberRoles>,
    id: Uuid,
    answer: &Description,
) -> Result<Recorded<AccessRequest>, Refused> {
    let request = waiting(s, id).await?;
    let sql =
        "UPDATE access_requests SET status = 'declined', answered_by = $3, answered_at = $4, answer = $5
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let by = s.actor().principal.accountable_user();
    if s.run(sql, vec![id.into(), by.into(), s.now().into(), answer.as_str().into()]).await? != 1 {
        return Err(ANSWERED.into());
    }
    let actor = s.actor();
    let url = s.open().db.public_url();
    let mail = AccessDeclinedMail {
        signature: &actor.principal.signature(),
        workspace: &inert(&actor.workspace.name),
        wanted: &inert(&request.label(&actor.all_roles)),
        answer: &inert(answer.as_str()),
        page: &format!("{url}/w/{}/access-requests/{id}", actor.workspace.slug),
    };
    notify(s, request.user_id, MailChoice::Requests, &mail).await?;
    let target = request.target(&s.actor().all_roles);
    Ok(Recorded::new(load(s, id).await?, AccessRequestDeclined {}, target))
}

/// The request, if the actor may answer it now.
async fn waiting(s: &WriteScope<perm::UpdateMemberRoles>, id: Uuid) -> Result<AccessRequest, Refused> {
    let request = load(s, id).await?;
    if request.member_id == s.actor().member_id {
        return Err(Refused::NotAllowed(OWN_REQUEST));
    }
    match request.state(s.now()) {
        State::Waiting => Ok(request),
        _ => Err(ANSWERED.into()),
    }
}
