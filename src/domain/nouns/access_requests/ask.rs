//! Asking for access, and taking that back.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::Conflict,
            event::{Recorded, Target},
            invalid::Invalid,
            limits,
            mail_choice::MailChoice,
            refused::Refused,
            values::Description,
            words::{exact, inert},
        },
        enforce::{rows::Scoped, workspace::granters, write::WriteScope},
        nouns::access_requests::{
            events::{ACCESS_REQUEST, AccessRequestWithdrawn, AccessRequested},
            list::{AccessRequest, State, load},
            mail::AccessRequestedMail,
            wanted::Wanted,
        },
        records::mail::notify,
    },
    entity::access_request,
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, FromQueryResult};
use uuid::Uuid;

/// How long a request can be answered, in milliseconds.
const LIFETIME: i64 = 14 * DAY;

/// The furthest end that can be asked for, in milliseconds from now.
pub const MAX_SPAN: i64 = 366 * DAY;

pub const ALREADY_HELD: Conflict = Conflict::new("access-held", "You already have this access.");

pub const ALREADY_ASKED: Conflict = Conflict::new(
    "access-requested",
    "You already asked for this. Wait for an answer, or withdraw that request first.",
)
.link("/access-requests", "Access requests");

pub const ANSWERED: Conflict = Conflict::new(
    "access-request-answered",
    "Someone answered this request already, or it was withdrawn, or it expired. Check the current state.",
)
.link("/access-requests", "Access requests");

const PEOPLE_ALONE: &str = "Only people can ask for access. To give an API key other roles, open its page.";

/// What somebody asks for.
pub struct NewAccessRequest {
    pub wanted: Wanted,
    pub reason: Description,
    /// Until when; `None` for no end.
    pub until: Option<Timestamp>,
}

/// Asks those who can give it. Returns the request.
///
/// # Errors
/// [`Refused::NotAllowed`] for an API key, [`Refused::RateLimited`], [`ALREADY_HELD`], [`ALREADY_ASKED`];
/// [`Refused::Invalid`] on `wanted`, `reason` or `until`.
pub async fn ask(
    s: &mut WriteScope<perm::Membership>,
    new: NewAccessRequest,
) -> Result<Recorded<AccessRequest>, Refused> {
    let (actor, now) = (s.actor().clone(), s.now());
    let Some(person) = actor.principal.person() else { return Err(Refused::NotAllowed(PEOPLE_ALONE)) };
    let budget = [limits::ASK_ACCESS.of(&actor.member_id.to_string())];
    limits::spend_in(&s.open().tx, &budget, 1, now).await??;
    let all = &actor.all_roles;
    let mut invalid = Invalid::default();
    if let Wanted::Role(slug) = &new.wanted
        && all.by_slug(slug).is_none_or(|role| role.is_owner)
    {
        invalid.add("wanted", "Choose one of the workspace's roles, other than Owner.");
    }
    if new.reason.as_str().is_empty() {
        invalid.add("reason", "Say what you need it for.");
    }
    if new.until.is_some_and(|until| until <= now || until > now + MAX_SPAN) {
        invalid.add("until", "Choose a day within a year from now, or none.");
    }
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    if new.wanted.is_held(&actor.holdings, &actor.roles) {
        return Err(ALREADY_HELD.into());
    }
    let (scope, role) = match &new.wanted {
        Wanted::Scope(scope) => (scope.to_string(), String::new()),
        Wanted::Role(slug) => (String::new(), slug.clone()),
    };
    make_room(s, &scope, &role).await?;
    let id = random::id(now);
    let row = access_request::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        member_id: Set(actor.member_id),
        scope: Set(scope),
        role: Set(role),
        reason: Set(new.reason.to_string()),
        ends_at: Set(new.until),
        status: Set("pending".to_owned()),
        created_at: Set(now),
        expires_at: Set(now + LIFETIME),
        answered_by: Set(None),
        answered_at: Set(None),
        answer: Set(String::new()),
        given_role: Set(String::new()),
        given_until: Set(None),
    };
    s.open().insert(row).await?;
    let wanted = new.wanted.label(all);
    let givers = granters::of_any(s, all, &actor.holdings, &new.wanted.asked_roles(all)).await?;
    let page = format!("{}/w/{}/access-requests/{id}", s.open().db.public_url(), actor.workspace.slug);
    let mail = AccessRequestedMail {
        by: &inert(&person.name),
        signature: &actor.principal.signature(),
        workspace: &inert(&actor.workspace.name),
        wanted: &inert(&wanted),
        reason: &inert(new.reason.as_str()),
        until: &new.until.map_or_else(|| "no end".to_owned(), exact),
        page: &page,
    };
    for giver in &givers.people {
        notify(s, giver.user_id, MailChoice::Requests, &mail).await?;
    }
    let event = AccessRequested { until: new.until };
    Ok(Recorded::new(load(s, id).await?, event, Target::new(ACCESS_REQUEST, id, wanted)))
}

/// Refuses a second request for the same thing while the first one waits; one that has expired makes room.
async fn make_room(s: &WriteScope<perm::Membership>, scope: &str, role: &str) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Pending {
        id: Uuid,
        is_over: bool,
    }
    let sql = "SELECT r.id, r.expires_at <= $5 AS is_over FROM access_requests r
        WHERE r.workspace_id = $1 AND r.member_id = $2 AND r.scope = $3 AND r.role = $4 AND r.status = 'pending'";
    let values = vec![s.actor().member_id.into(), scope.into(), role.into(), s.now().into()];
    match s.first::<Pending>(sql, values).await? {
        None => Ok(()),
        Some(Pending { is_over: false, .. }) => Err(ALREADY_ASKED.into()),
        Some(Pending { id, .. }) => close(s, id, "withdrawn").await,
    }
}

/// Ends a request that nobody answered.
async fn close(s: &WriteScope<perm::Membership>, id: Uuid, status: &str) -> Result<(), Refused> {
    let sql = "UPDATE access_requests SET status = $3, answered_at = $4
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    match s.run(sql, vec![id.into(), status.into(), s.now().into()]).await? {
        1 => Ok(()),
        _ => Err(ANSWERED.into()),
    }
}

/// Takes one's own request back.
///
/// # Errors
/// [`Refused::NotFound`] for somebody else's, [`ANSWERED`].
pub async fn withdraw(
    s: &mut WriteScope<perm::Membership>,
    id: Uuid,
) -> Result<Recorded<AccessRequest>, Refused> {
    let request = load(s, id).await?;
    if request.member_id != s.actor().member_id {
        return Err(Refused::NotFound);
    }
    if request.state(s.now()) != State::Waiting {
        return Err(ANSWERED.into());
    }
    close(s, id, "withdrawn").await?;
    let target = request.target(&s.actor().all_roles);
    Ok(Recorded::new(request, AccessRequestWithdrawn {}, target))
}
