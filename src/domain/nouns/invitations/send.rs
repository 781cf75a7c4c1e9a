//! Sending invitations: many addresses at once, their links, sending one again.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            limits,
            outbox::Mail,
            refused::Refused,
            role,
            tokens::{Purpose, Token},
            values::Email,
            words::{exact, inert},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::seats::{self, Asker},
            invitations::{
                ACCESS_OVER, LIFETIME, NOT_PENDING,
                batch::{Batch, Invited, Outcome, Sent},
                events::{InvitationResent, InvitationSent, target},
                existing,
                judge::{Defaults, Guest, default_roles, lines, recipient_status, shortened},
                mail::InvitationMail,
                parse::Line,
            },
            members::check_end,
        },
        records::{
            self,
            invitations::{ended, spend},
            members::{BEHIND_KEY, addresses_behind_key},
            offered_teams::{self, OfferKind, may_offer},
        },
    },
    entity::{invitation, invitation_role, invitation_team, invitation_token},
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

/// When an invitation expires that is sent now: before the access that it offers ends.
fn expiry(now: Timestamp, access_until: Option<Timestamp>) -> Timestamp {
    let latest = now + LIFETIME;
    access_until.map_or(latest, |until| until.min(latest))
}

/// Invites many addresses at once; each gets its own result.
///
/// # Errors
/// [`Refused::Invalid`] on `emails`, `role`, `team` or `until`, [`Refused::Ceiling`] for a role or a team that the actor may
/// not offer, [`Refused::RateLimited`]; a conflict where there are too few seats.
pub async fn send(scope: ReadScope<perm::InviteMembers>, batch: Batch) -> Result<Invited, Refused> {
    let lines = lines(&batch.emails)?;
    // What may not be offered does not count against the limit.
    let roles = default_roles(scope.actor(), &lines, &batch.roles)?;
    if !roles.is_empty() {
        scope.actor().all_roles.chosen(&roles)?;
    }
    check_end(batch.access_until, scope.now())?;
    spend(&scope, lines.len()).await?;
    scope.write(async |s| invite_all(s, &lines, &batch).await).await
}

async fn invite_all(
    s: &mut WriteScope<perm::InviteMembers>,
    lines: &[Line],
    batch: &Batch,
) -> Result<Recorded<Invited>, Refused> {
    let defaults = Defaults::load(s, s.actor(), lines, batch).await?;
    let behind_key = addresses_behind_key(s).await?;
    let mut guests: Vec<(usize, Result<Guest<'_>, Outcome>)> =
        defaults.guests(lines).into_iter().enumerate().collect();
    // In one order, whatever was typed: each address has a budget of mail, whose row is locked, and two who invite
    // the same people must not wait for each other in a circle.
    guests.sort_by(|(_, a), (_, b)| address(a).cmp(&address(b)));
    let mut each = Vec::new();
    for (place, guest) in guests {
        let guest = match guest {
            Ok(guest) => guest,
            Err(outcome) => {
                let email = lines.get(place).map(|line| shortened(&line.email)).unwrap_or_default();
                each.push((place, Sent { email, outcome }, None));
                continue;
            }
        };
        close_stale(s, &guest.email).await?;
        let (outcome, event) = match recipient_status(s, s.actor(), &guest.email, s.now()).await? {
            Some(outcome) => (outcome, None),
            None if behind_key.iter().any(|own| own == guest.email.as_str()) => {
                return Err(Refused::NotAllowed(BEHIND_KEY));
            }
            None => {
                let (id, outcome) = invite(s, &guest, batch).await?;
                let event = InvitationSent {
                    roles: role::names(&guest.roles),
                    expires_at: expiry(s.now(), batch.access_until),
                    access_until: batch.access_until,
                    teams: offered_teams::names(&guest.teams),
                };
                (outcome, Some(RecordedEvent::new(event, target(id, guest.email.as_str()))))
            }
        };
        each.push((place, Sent { email: guest.email.to_string(), outcome }, event));
    }
    // Shown and recorded as they were typed.
    each.sort_by_key(|(place, ..)| *place);
    let (each, events): (Vec<_>, Vec<_>) = each.into_iter().map(|(_, sent, event)| (sent, event)).unzip();
    let mut events: Vec<RecordedEvent> = events.into_iter().flatten().collect();
    // Whoever was invited already takes no further seat.
    let grown =
        if events.is_empty() { None } else { seats::ensure(s.open(), Asker::Member(s.actor())).await? };
    let (added, more) = grown.unzip();
    events.extend(more);
    Ok(Recorded::many(Invited { each, added }, events))
}

fn address<'a>(guest: &'a Result<Guest<'_>, Outcome>) -> Option<&'a str> {
    guest.as_ref().ok().map(|guest| guest.email.as_str())
}

/// A pending invitation that has expired is closed, so that a new one can take its place.
async fn close_stale(s: &WriteScope<perm::InviteMembers>, email: &Email) -> Result<(), Refused> {
    use invitation::Column;
    let stale = s.open().update::<invitation::Entity>().filter(Column::Email.eq(email.as_str()));
    // Written out, the status leads to the index of what is pending, as a parameter does not.
    let stale = stale.filter(Column::ExpiresAt.lte(s.now())).filter(Expr::cust("status = 'pending'"));
    s.open().apply(ended(stale, "expired", s.now())).await?;
    Ok(())
}

async fn invite(
    s: &WriteScope<perm::InviteMembers>,
    guest: &Guest<'_>,
    Batch { message, access_until, .. }: &Batch,
) -> Result<(Uuid, Outcome), Refused> {
    let (id, now) = (random::id(s.now()), s.now());
    let row = invitation::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        email: Set(guest.email.to_string()),
        message: Set(message.to_string()),
        status: Set("pending".to_owned()),
        inviter_id: Set(s.actor().principal.accountable_user()),
        created_at: Set(now),
        sent_at: Set(now),
        expires_at: Set(expiry(now, *access_until)),
        ended_at: Set(None),
        inviter_key_id: Set(s.actor().principal.key_id()),
        mail_id: Set(None),
        access_until: Set(*access_until),
    };
    s.open().insert(row).await?;
    for role in &guest.roles {
        let row = invitation_role::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            role_id: Set(role.id),
        };
        s.open().insert(row).await?;
    }
    for team in &guest.teams {
        let row = invitation_team::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            invitation_id: Set(id),
            team_id: Set(team.id),
        };
        s.open().insert(row).await?;
    }
    let roles = role::names(&guest.roles);
    let outcome = issue(s, id, guest.email.as_str(), &roles, message.as_str(), *access_until).await?;
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
    access_until: Option<Timestamp>,
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
        days: (expiry(s.now(), access_until) - s.now() + DAY - 1) / DAY,
        until: &access_until.map(exact).unwrap_or_default(),
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
/// [`Refused::NotFound`], [`Refused::Ceiling`], [`NOT_PENDING`], [`Refused::RateLimited`]; a conflict where one that had
/// expired finds no seat.
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
    let teams = offered_teams::of(s, OfferKind::Invitation, id, &all).await?;
    may_offer(&s.actor().holdings, &offered, &teams)?;
    if addresses_behind_key(s).await?.contains(&invitation.email) {
        return Err(Refused::NotAllowed(BEHIND_KEY));
    }
    if invitation.access_until.is_some_and(|until| until <= s.now()) {
        return Err(ACCESS_OVER.into());
    }
    let (now, expires_at) = (s.now(), expiry(s.now(), invitation.access_until));
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
    // One that had expired reserved none any more.
    let grown = seats::ensure(s.open(), Asker::Member(s.actor())).await?;
    let names = role::names(&offered);
    let (message, until) = (&invitation.message, invitation.access_until);
    let outcome = issue(s, id, &invitation.email, &names, message, until).await?;
    let sent = Sent { email: invitation.email.clone(), outcome };
    let target = target(id, &invitation.email);
    let event = InvitationResent { roles: names, expires_at, teams: offered_teams::names(&teams) };
    Ok(Recorded::new(sent, event, target).and(grown.map(|(_, event)| event)))
}
