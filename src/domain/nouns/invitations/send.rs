//! Sending invitations: many addresses at once, their links, sending one again.

use crate::{
    clock::DAY,
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            limits,
            outbox::Mail,
            refused::Refused,
            role::{self, Role},
            tokens::{Purpose, Token},
            values::{Email, Message},
            words::inert,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::invitations::{
            LIFETIME, NOT_PENDING,
            events::{InvitationResent, InvitationSent, target},
            existing,
            mail::InvitationMail,
        },
        records::{
            self,
            invitations::{ended, spend},
            members::{BEHIND_KEY, addresses_behind_key},
        },
    },
    entity::{invitation, invitation_role, invitation_token},
    policy::{BuiltIn, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter, sea_query::Expr};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most addresses in one form.
pub const MAX_BATCH: usize = 200;

/// The invitations that a form sends.
pub struct Batch {
    /// As typed: addresses separated by commas, semicolons, spaces or line breaks.
    pub emails: String,
    /// Slugs of the roles to offer. If empty, Viewer.
    pub roles: Vec<String>,
    pub message: Message,
}

/// The result for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The link is shown to the inviter only once, so that invitations work without a mail server.
    Sent {
        link: String,
    },
    /// It is invited, but has had too many e-mails within the hour to get another one. The inviter can pass
    /// the link on.
    NotMailed {
        link: String,
    },
    AlreadyMember,
    AlreadyInvited,
    NotValid,
    /// It was to be sent again, but had already ended.
    NotPending,
}

impl Outcome {
    /// There is a new link.
    pub fn is_invited(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::NotMailed { .. })
    }
}

/// One address of a batch and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub email: String,
    pub outcome: Outcome,
}

/// Splits what was pasted into addresses, each once, in their order. Beside an address in pointed
/// brackets, words without an @ are the name it belongs to.
fn split(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    unquoted(text)
        .split([',', ';', '\n', '\r'])
        .flat_map(|entry| {
            let named = entry.contains('<');
            entry
                .split(|c: char| c.is_whitespace() || c == '<' || c == '>')
                .filter(move |word| !named || word.contains('@'))
        })
        .filter(|word| !word.is_empty())
        .filter(|word| seen.insert(word.to_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// The text without its quoted parts: names, which may contain a comma.
fn unquoted(text: &str) -> String {
    match text.matches('"').count() % 2 {
        0 => text.split('"').step_by(2).collect::<Vec<_>>().join(" "),
        _ => text.to_owned(),
    }
}

/// Invites many addresses at once; each gets its own result.
///
/// # Errors
/// [`Refused::Invalid`] on `emails` or `role`, [`Refused::Ceiling`] for a role that holds more than
/// the actor, [`Refused::RateLimited`].
pub async fn send(scope: ReadScope<perm::InviteMembers>, mut batch: Batch) -> Result<Vec<Sent>, Refused> {
    if batch.roles.is_empty() {
        batch.roles = default_roles(&scope)?;
    }
    let addresses = split(&batch.emails);
    if addresses.is_empty() {
        return Err(Invalid::field("emails", "Enter at least one e-mail address.").into());
    }
    if addresses.len() > MAX_BATCH {
        let sentence = format!("Enter at most {MAX_BATCH} addresses at a time.");
        return Err(Invalid::field("emails", sentence).into());
    }
    if addresses.iter().all(|address| Email::parse(address).is_err()) {
        let sentence = "Enter e-mail addresses such as name@example.com.";
        return Err(Invalid::field("emails", sentence).into());
    }
    // A role that may not be assigned does not count against the limit.
    let all = scope.actor().all_roles.clone();
    all.chosen(&batch.roles)?;
    spend(&scope, addresses.len()).await?;
    scope.write(async |s| invite_all(s, &addresses, &batch).await).await
}

/// If no role is chosen, Viewer. If the actor may not assign Viewer, because it holds more than they do, they
/// have to choose a role.
fn default_roles(scope: &ReadScope<perm::InviteMembers>) -> Result<Vec<String>, Invalid> {
    let viewer = role::assignable_roles(&scope.actor().all_roles, &scope.actor().holdings)
        .into_iter()
        .find(|role| role.slug == BuiltIn::Viewer.slug());
    match viewer.filter(|role| role.refused.is_none()) {
        Some(viewer) => Ok(vec![viewer.slug]),
        None => Err(Invalid::field("role", "Choose at least one role.")),
    }
}

async fn invite_all(
    s: &mut WriteScope<perm::InviteMembers>,
    addresses: &[String],
    batch: &Batch,
) -> Result<Recorded<Vec<Sent>>, Refused> {
    let all = s.actor().all_roles.clone();
    let offered = all.chosen(&batch.roles)?;
    s.actor().holdings.may_invite(offered.iter().map(|role| &role.holdings))?;
    let behind_key = addresses_behind_key(s).await?;
    let parsed = addresses.iter().map(|address| Email::parse(address).ok());
    let mut recipients: Vec<(usize, Option<Email>)> = parsed.enumerate().collect();
    // In one order, whatever was typed: each address has a budget of mail, whose row is locked, and two who invite
    // the same people must not wait for each other in a circle.
    recipients.sort_by(|(_, a), (_, b)| a.as_ref().map(Email::as_str).cmp(&b.as_ref().map(Email::as_str)));
    let mut each = Vec::new();
    for (place, email) in recipients {
        let Some(email) = email else {
            let email = addresses[place].chars().take(80).collect();
            each.push((place, Sent { email, outcome: Outcome::NotValid }, None));
            continue;
        };
        let (outcome, event) = match recipient_status(s, &email).await? {
            Some(outcome) => (outcome, None),
            None if behind_key.iter().any(|own| own == email.as_str()) => {
                return Err(Refused::NotAllowed(BEHIND_KEY));
            }
            None => {
                let (id, outcome) = invite(s, &email, &offered, &batch.message).await?;
                let event = InvitationSent { roles: role::names(&offered), expires_at: s.now() + LIFETIME };
                (outcome, Some(RecordedEvent::new(event, target(id, email.as_str()))))
            }
        };
        each.push((place, Sent { email: email.to_string(), outcome }, event));
    }
    // Shown and recorded as they were typed.
    each.sort_by_key(|(place, ..)| *place);
    let (results, events): (Vec<_>, Vec<_>) = each.into_iter().map(|(_, sent, event)| (sent, event)).unzip();
    Ok(Recorded::many(results, events.into_iter().flatten().collect()))
}

#[derive(FromQueryResult)]
struct RecipientStatus {
    is_member: bool,
    is_invited: bool,
    awaited_status: Option<String>,
    awaited_roles: Option<String>,
}

/// Whether the address is already a member or invited. What a service entered for it counts as a membership if it is
/// suspended, or if the actor could not remove it: the invitation would take its place. A pending invitation that has
/// expired is closed here, so that a new one can take its place.
async fn recipient_status(
    s: &WriteScope<perm::InviteMembers>,
    email: &Email,
) -> Result<Option<Outcome>, Refused> {
    use invitation::Column;
    let stale = s.open().update::<invitation::Entity>().filter(Column::Email.eq(email.as_str()));
    // Written out, the status leads to the index of what is pending, as a parameter does not.
    let stale = stale.filter(Column::ExpiresAt.lte(s.now())).filter(Expr::cust("status = 'pending'"));
    s.open().apply(ended(stale, "expired", s.now())).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM members m JOIN users u ON u.id = m.user_id
                WHERE m.workspace_id = $1 AND u.email = $2) AS is_member,
            EXISTS (SELECT 1 FROM invitations i
                WHERE i.workspace_id = $1 AND i.email = $2 AND i.status = 'pending') AS is_invited,
            (SELECT m.status FROM users p JOIN members m ON m.user_id = p.id AND m.workspace_id = $1
                WHERE p.awaited_email = $2 ORDER BY m.id LIMIT 1) AS awaited_status,
            (SELECT m.role_set FROM users p JOIN members m ON m.user_id = p.id AND m.workspace_id = $1
                WHERE p.awaited_email = $2 ORDER BY m.id LIMIT 1) AS awaited_roles";
    let status: Option<RecipientStatus> = s.first(sql, vec![email.as_str().into()]).await?;
    let stays = |status: &RecipientStatus| {
        let held = s.actor().all_roles.parse_slugs(status.awaited_roles.as_deref().unwrap_or_default());
        let may_remove = s.actor().holdings.may_manage(&role::holdings(&held)).is_ok();
        status.awaited_status.as_deref().is_some_and(|status| status != "active" || !may_remove)
    };
    Ok(match status {
        Some(status) if status.is_member || stays(&status) => Some(Outcome::AlreadyMember),
        Some(RecipientStatus { is_invited: true, .. }) => Some(Outcome::AlreadyInvited),
        _ => None,
    })
}

async fn invite(
    s: &WriteScope<perm::InviteMembers>,
    email: &Email,
    offered: &[&Role],
    message: &Message,
) -> Result<(Uuid, Outcome), Refused> {
    let (id, now) = (random::id(s.now()), s.now());
    let row = invitation::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        email: Set(email.to_string()),
        message: Set(message.to_string()),
        status: Set("pending".to_owned()),
        inviter_id: Set(s.actor().principal.accountable_user()),
        created_at: Set(now),
        sent_at: Set(now),
        expires_at: Set(now + LIFETIME),
        ended_at: Set(None),
        inviter_key_id: Set(s.actor().principal.key_id()),
        mail_id: Set(None),
    };
    s.open().insert(row).await?;
    for role in offered {
        let row = invitation_role::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            role_id: Set(role.id),
        };
        s.open().insert(row).await?;
    }
    let outcome = issue(s, id, email.as_str(), &role::names(offered), message.as_str()).await?;
    Ok((id, outcome))
}

/// Creates the two tokens of an invitation, mails one and returns the link of the other. An address that got
/// too many mails gets none, and its inviter learns that.
async fn issue<P>(
    s: &WriteScope<P>,
    id: Uuid,
    email: &str,
    roles: &[String],
    message: &str,
) -> Result<Outcome, Refused> {
    let (mailed, shown) = (Token::new(Purpose::Invitation), Token::new(Purpose::Invitation));
    for (token, proves_address) in [(&mailed, true), (&shown, false)] {
        let row = invitation_token::ActiveModel {
            token_hash: Set(token.hash()),
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            proves_address: Set(proves_address),
            superseded_at: Set(None),
        };
        s.open().insert(row).await?;
    }
    let db = &s.open().db;
    let mail = InvitationMail {
        url: db.public_url(),
        token: mailed.expose(),
        inviter: &inert(s.actor().principal.name()),
        signature: &s.actor().principal.signature(),
        workspace: &inert(&s.actor().workspace.name),
        roles: &inert(&roles.join(", ")),
        message,
        days: LIFETIME / DAY,
    };
    let mail_id = records::mail::queue(s, Mail::new(email, &mail).about(s.workspace_id(), id)).await?;
    let row = s.open().update::<invitation::Entity>().filter(invitation::Column::Id.eq(id));
    s.open().apply(row.col_expr(invitation::Column::MailId, Expr::value(mail_id))).await?;
    let link = format!("{}/invitations/{}", db.public_url(), shown.expose());
    Ok(if mail_id.is_some() { Outcome::Sent { link } } else { Outcome::NotMailed { link } })
}

/// Sends a pending invitation again, with new links. The old links say so. The actor becomes its inviter.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`NOT_PENDING`], [`Refused::RateLimited`].
pub async fn resend(scope: ReadScope<perm::InviteMembers>, id: Uuid) -> Result<Sent, Refused> {
    may_mail(&scope, &[id]).await?;
    scope.write(async |s| renew(s, id).await).await
}

/// Counts one more mail of each of the given invitations. Returns them in the order of their addresses, in which they
/// are to be sent: see [`invite_all`].
pub(in crate::domain) async fn may_mail(
    scope: &ReadScope<perm::InviteMembers>,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Refused> {
    let (mut pending, mut all) = (Vec::new(), Vec::new());
    for id in ids {
        let invitation = existing(scope, *id).await?;
        all.push((invitation.email, *id));
        if invitation.status == "pending" {
            // All are checked before any is counted, so that a refusal costs nothing.
            limits::RESEND.check(scope.db(), &id.to_string()).await?;
            pending.push(id);
        }
    }
    spend(scope, pending.len()).await?;
    for id in pending {
        limits::RESEND.spend(scope.db(), &id.to_string(), 1).await?;
    }
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, id)| id).collect())
}

pub(in crate::domain) async fn renew(
    s: &mut WriteScope<perm::InviteMembers>,
    id: Uuid,
) -> Result<Recorded<Sent>, Refused> {
    let all = s.actor().all_roles.clone();
    let invitation = existing(s, id).await?;
    let offered = all.parse_slugs(invitation.roles.as_deref().unwrap_or_default());
    s.actor().holdings.may_invite(offered.iter().map(|role| &role.holdings))?;
    if addresses_behind_key(s).await?.contains(&invitation.email) {
        return Err(Refused::NotAllowed(BEHIND_KEY));
    }
    let (now, expires_at) = (s.now(), s.now() + LIFETIME);
    use invitation::Column;
    let pending = s
        .open()
        .update::<invitation::Entity>()
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq("pending"));
    let renewed = pending
        .col_expr(Column::SentAt, Expr::value(now))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .col_expr(Column::InviterId, Expr::value(s.actor().principal.accountable_user()))
        .col_expr(Column::InviterKeyId, Expr::value(s.actor().principal.key_id()));
    if s.open().apply(renewed).await? != 1 {
        return Err(NOT_PENDING.into());
    }
    let live =
        s.open().update::<invitation_token::Entity>().filter(invitation_token::Column::InvitationId.eq(id));
    let live = live.filter(invitation_token::Column::SupersededAt.is_null());
    s.open().apply(live.col_expr(invitation_token::Column::SupersededAt, Expr::value(now))).await?;
    let names = role::names(&offered);
    let outcome = issue(s, id, &invitation.email, &names, &invitation.message).await?;
    let sent = Sent { email: invitation.email.clone(), outcome };
    let target = target(id, &invitation.email);
    Ok(Recorded::new(sent, InvitationResent { roles: names, expires_at }, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_are_split_by_comma_space_and_line_each_once() {
        let text =
            "a@x.org, b@x.org;c@x.org\n  e@x.org Some One <d@x.org>\r\nA@x.org \"One, Some\" <f@x.org>, word";
        assert_eq!(split(text), ["a@x.org", "b@x.org", "c@x.org", "e@x.org", "d@x.org", "f@x.org", "word"]);
    }
}
