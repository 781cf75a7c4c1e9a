//! Invitations of a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        Email, Invalid, Message, SearchText, Selection, TextRule,
        nouns::invitations::{self, Batch, Filter, Invitation, MAX_BATCH, Outcome, Previewed, Sent},
    },
    policy::perm,
    visible::is_hidden,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input::{self, Empty},
            operation::Operation,
            reply::{NoContent, Ok200, Secret},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// An invitation, in any state.
#[derive(Serialize, ToSchema)]
pub struct InvitationBody {
    id: Uuid,
    email: String,
    /// The name of the person or API key that last sent it.
    inviter: String,
    /// The e-mail address of that person, which is theirs alone; `null` for an API key.
    inviter_email: Option<String>,
    status: State,
    /// Slugs of the roles in the invitation.
    roles: Vec<String>,
    /// Names of the teams that the invited person comes into.
    teams: Vec<String>,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    sent_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    /// Until when whoever accepts has access, in milliseconds since 1970; `null` without an end.
    access_until: Option<Timestamp>,
    /// Why its e-mail could not be delivered, in the mail server's words. Send it again to try once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_error: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvitationState)]
pub enum State {
    Pending,
    Accepted,
    Declined,
    Cancelled,
    Expired,
}

impl State {
    const ALL: [Self; 5] = [Self::Pending, Self::Accepted, Self::Declined, Self::Cancelled, Self::Expired];

    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl From<Invitation> for InvitationBody {
    fn from(invitation: Invitation) -> Self {
        let state = State::ALL.into_iter().find(|state| state.word() == invitation.status);
        Self {
            id: invitation.id,
            email: invitation.email,
            inviter: invitation.inviter,
            inviter_email: invitation.inviter_email,
            status: state.unwrap_or(State::Expired),
            roles: invitation.role_slugs,
            teams: invitation.teams,
            created_at: invitation.created_at,
            delivery_error: invitation.delivery_error,
            sent_at: invitation.sent_at,
            expires_at: invitation.expires_at,
            ended_at: invitation.ended_at,
            access_until: invitation.access_until,
        }
    }
}

/// Which invitations to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Part of an e-mail address.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// Only those in this state.
    #[param(inline)]
    status: Option<State>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        let status = self.status.map(|status| status.word().to_owned()).unwrap_or_default();
        Ok(Filter { text: input::search(&self.q)?, status })
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadInvitations, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<InvitationBody>>> {
    let query = cx.input.0;
    let filter = query.filter()?;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(invitations::list(&cx.scope, &filter, &at).await?.page.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadInvitations, Target>) -> ApiResult<Ok200<InvitationBody>> {
    let one = Selection::of("invitation", &[cx.input.0])?;
    let invitation = invitations::review(&cx.scope, &one).await?.into_iter().next();
    Ok(Ok200(invitation.ok_or(crate::domain::Refused::NotFound)?.into()))
}

/// Invitations to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitations {
    #[schema(schema_with = spec::emails)]
    emails: Vec<String>,
    /// Slugs of roles. If omitted, Viewer.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
    #[schema(schema_with = spec::maybe_teams)]
    teams: Option<Vec<Uuid>>,
    #[schema(schema_with = spec::maybe_text::<Message>)]
    message: Option<String>,
    /// Until when those who accept have access, in milliseconds since 1970. If omitted, without an end.
    #[serde(default)]
    #[schema(schema_with = spec::maybe_moment, required = false)]
    until: Option<Timestamp>,
}

impl Validate for NewInvitations {
    type Valid = Batch;

    fn validate(&self, invalid: &mut Invalid) -> Option<Batch> {
        let message = self.message.as_deref().unwrap_or_default();
        let message = invalid.check("message", Message::parse_exact(message));
        if self.roles.as_ref().is_some_and(Vec::is_empty) {
            invalid.add("roles", "Choose at least one role.");
        }
        let emails = invalid.check_all(addresses(&self.emails));
        Some(Batch {
            emails: emails?,
            roles: self.roles.clone().unwrap_or_default(),
            teams: self.teams.clone().unwrap_or_default(),
            message: message?,
            access_until: self.until,
        })
    }
}

/// The result for each address, in the same order.
#[derive(Serialize, ToSchema)]
pub struct InvitationResults {
    results: Vec<SentBody>,
}

/// The result for one address.
#[derive(Serialize, ToSchema)]
pub struct SentBody {
    email: String,
    outcome: OutcomeWord,
    /// Shown only once. Anyone who has the link can accept the invitation, like the one in the e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvitationOutcome)]
pub enum OutcomeWord {
    Sent,
    /// Invited, but not e-mailed: the address had too many e-mails this hour.
    NotMailed,
    AlreadyMember,
    AlreadyInvited,
    NotValid,
    NotPending,
    /// It is in the list a second time.
    ListedTwice,
    /// In a preview: it would be sent.
    Ready,
}

impl OutcomeWord {
    /// The word, and the link if there is a new one.
    fn of(outcome: Outcome) -> (Self, Option<String>) {
        match outcome {
            Outcome::Sent { link } => (Self::Sent, Some(link)),
            Outcome::NotMailed { link } => (Self::NotMailed, Some(link)),
            Outcome::AlreadyMember => (Self::AlreadyMember, None),
            Outcome::AlreadyInvited => (Self::AlreadyInvited, None),
            // Roles and teams are named in lists that people paste, and not here.
            Outcome::NotValid
            | Outcome::UnknownRole(_)
            | Outcome::UnknownTeam(_)
            | Outcome::NotAllowed(_) => (Self::NotValid, None),
            Outcome::NotPending => (Self::NotPending, None),
            Outcome::ListedTwice => (Self::ListedTwice, None),
            Outcome::Ready => (Self::Ready, None),
        }
    }
}

impl From<Sent> for SentBody {
    fn from(sent: Sent) -> Self {
        let (outcome, link) = OutcomeWord::of(sent.outcome);
        Self { email: sent.email, outcome, link }
    }
}

impl From<Previewed> for SentBody {
    fn from(previewed: Previewed) -> Self {
        let (outcome, link) = OutcomeWord::of(previewed.outcome);
        Self { email: previewed.email, outcome, link }
    }
}

/// Each entry must be one address. A page splits what was pasted; a program must do that itself.
fn addresses(emails: &[String]) -> Result<String, Invalid> {
    let fits = |email: &String| {
        email.chars().count() <= Email::MAX
            && email
                .split_once('@')
                .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
            && !email.contains(|c: char| c.is_whitespace() || ",;<>\"".contains(c))
    };
    if emails.len() > MAX_BATCH {
        return Err(Invalid::field("emails", format!("Send at most {MAX_BATCH} addresses at a time.")));
    }
    match emails.iter().find(|email| !fits(email)) {
        None => Ok(emails.join("\n")),
        Some(email) => {
            let email: String = email.chars().filter(|c| !is_hidden(*c)).take(60).collect();
            Err(Invalid::field(
                "emails",
                format!("“{email}” is not an e-mail address such as name@example.com."),
            ))
        }
    }
}

/// Two people to invite.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example = Some(
        json!({"emails": ["ada@example.com", "grace@example.com"], "roles": ["viewer"], "message": "Welcome!"}),
    );
}

pub async fn send(
    cx: ApiRequest<perm::InviteMembers, Json<Checked<NewInvitations>>>,
) -> ApiResult<Secret<Ok200<InvitationResults>>> {
    let invited = invitations::send(cx.scope, cx.input.0.valid?).await?;
    Ok(Secret(Ok200(InvitationResults { results: invited.each.into_iter().map(SentBody::from).collect() })))
}

/// What would become of each address. Nothing is sent.
pub async fn preview(
    cx: ApiRequest<perm::InviteMembers, Json<Checked<NewInvitations>>>,
) -> ApiResult<Ok200<InvitationResults>> {
    let results = invitations::preview(&cx.scope, &cx.input.0.valid?).await?;
    Ok(Ok200(InvitationResults { results: results.into_iter().map(SentBody::from).collect() }))
}

pub async fn resend(
    cx: ApiRequest<perm::InviteMembers, (Target, Empty)>,
) -> ApiResult<Secret<Ok200<SentBody>>> {
    let (Target(id), _) = cx.input;
    Ok(Secret(Ok200(invitations::resend(cx.scope, id).await?.into())))
}

pub async fn cancel(cx: ApiRequest<perm::CancelInvitations, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| invitations::cancel(s, id).await).await?;
    Ok(NoContent)
}
