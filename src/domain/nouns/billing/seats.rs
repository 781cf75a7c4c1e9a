//! Seats: each active person has one, and each pending invitation reserves one. API keys and suspended people have none.
//!
//! [`ensure`] is called at the end of every change that adds a person or an invitation, in its transaction and under the
//! lock of the workspace. So of two at once the second counts what the first left. Where fewer seats begin later, these
//! count already: otherwise people who came in the meantime would have none then.

use crate::{
    clock::Timestamp,
    config::plans::{MAX_SEATS, Plans},
    domain::{
        base::{
            conflict::DetailedConflict,
            event::RecordedEvent,
            principal::Actor,
            refused::Refused,
            role::Role,
            words::{day, pluralize},
        },
        enforce::{read::ReadScope, rows::Scoped, transaction::Transaction},
        nouns::billing::{
            cost::Terms,
            events::{NO_SEAT, SeatsAdded, target},
            profile, terms,
        },
        records::holders,
    },
    policy::Permission,
};
use sea_orm::{DbErr, FromQueryResult};

/// What a refusal for lack of a seat is called.
pub const NO_SEAT_CODE: &str = "no-seat";

/// Seats of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    /// Active people.
    pub active: i64,
    /// Pending invitations.
    pub reserved: i64,
    /// For how many people there are seats; `None` for any number.
    pub limit: Option<i64>,
    /// How many seats can be added by inviting people: up to this number in all.
    pub grow_to: Option<i64>,
    /// The price of one seat and month.
    pub price: i64,
    pub currency: String,
    pub plan: String,
    /// What begins later, where it has fewer.
    pub later: Option<Later>,
}

/// Fewer seats than now, from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    pub starts_at: Timestamp,
    pub plan: String,
    pub limit: i64,
    /// The price of one seat and month.
    pub price: i64,
}

impl Seats {
    pub fn used(&self) -> i64 {
        self.active + self.reserved
    }

    /// For how many people there are seats, now and later; `None` for any number.
    pub fn cap(&self) -> Option<i64> {
        match &self.later {
            Some(later) => Some(later.limit),
            None => self.limit,
        }
    }

    /// How many are free; `None` for any number.
    pub fn free(&self) -> Option<i64> {
        self.cap().map(|cap| (cap - self.used()).max(0))
    }

    /// How many more can be invited; `None` for any number.
    pub fn room(&self) -> Option<i64> {
        let cap = self.cap()?;
        Some((cap.max(self.grow_to.unwrap_or(0)) - self.used()).max(0))
    }
}

#[derive(FromQueryResult)]
struct Row {
    active: i64,
    reserved: i64,
    grow_to: Option<i64>,
    plan: Option<String>,
    plan_name: Option<String>,
    currency: Option<String>,
    seat_price: Option<i64>,
    seats: Option<i64>,
    max_seats: Option<i64>,
    credits: Option<i64>,
    next_at: Option<Timestamp>,
    next_plan: Option<String>,
    next_price: Option<i64>,
    next_seats: Option<i64>,
    next_max: Option<i64>,
}

impl Row {
    /// What begins later, if it has fewer seats than there are now, and for how many people it is at most.
    fn later(&self, limit: Option<i64>) -> (Option<Later>, Option<i64>) {
        let (Some(starts_at), Some(plan), Some(price)) = (self.next_at, &self.next_plan, self.next_price)
        else {
            return (None, None);
        };
        let seats = if price == 0 { self.next_max } else { self.next_seats };
        let fewer = seats.filter(|seats| limit.is_none_or(|limit| *seats < limit));
        let later = fewer.map(|limit| Later { starts_at, plan: plan.clone(), limit, price });
        (later, self.next_max)
    }
}

const SELECT: &str = "SELECT
        CAST((SELECT COALESCE(SUM(h.people), 0) FROM headcounts h
            WHERE h.workspace_id = $1 AND h.status = 'active' AND h.kind = 'user') AS BIGINT) AS active,
        (SELECT COUNT(*) FROM invitations i
            WHERE i.workspace_id = $1 AND i.status = 'pending' AND i.expires_at > $2) AS reserved,
        p.grow_to, t.plan, t.plan_name, t.currency, t.seat_price, t.seats, t.max_seats, t.credits,
        n.starts_at AS next_at, n.plan_name AS next_plan, n.seat_price AS next_price, n.seats AS next_seats,
        n.max_seats AS next_max
    FROM workspaces w
    LEFT JOIN billing_profiles p ON p.workspace_id = w.id
    LEFT JOIN billing_terms t ON t.workspace_id = w.id AND t.starts_at = (SELECT MAX(b.starts_at) FROM billing_terms b
        WHERE b.workspace_id = $1 AND b.starts_at <= $2)
    LEFT JOIN billing_terms n ON n.workspace_id = w.id AND n.starts_at = (SELECT MIN(b.starts_at) FROM billing_terms b
        WHERE b.workspace_id = $1 AND b.starts_at > $2)
    WHERE w.id = $1";

/// The seats, and the terms that they follow from.
pub(in crate::domain) async fn load(
    scope: &impl Scoped,
    plans: &Plans,
    now: Timestamp,
) -> Result<(Seats, Terms), DbErr> {
    let row: Option<Row> = scope.first(SELECT, vec![now.into()]).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the workspace".to_owned()))?;
    let agreed = match (&row.plan, &row.plan_name, &row.currency, row.seat_price) {
        (Some(plan), Some(plan_name), Some(currency), Some(seat_price)) => Terms {
            starts_at: now,
            plan: plan.clone(),
            plan_name: plan_name.clone(),
            currency: currency.clone(),
            seat_price,
            seats: row.seats,
            max_seats: row.max_seats,
            credits: row.credits.unwrap_or(0),
        },
        _ => terms::of_plan(plans, &plans.first(), 1, now),
    };
    let grow_to = row.grow_to.filter(|_| agreed.seat_price > 0);
    let (later, later_most) = row.later(agreed.limit());
    let most = agreed.max_seats.unwrap_or(MAX_SEATS).min(later_most.unwrap_or(MAX_SEATS));
    let seats = Seats {
        active: row.active,
        reserved: row.reserved,
        limit: agreed.limit(),
        grow_to: grow_to.map(|to| to.min(most)),
        price: agreed.seat_price,
        currency: agreed.currency.clone(),
        plan: agreed.plan_name.clone(),
        later,
    };
    Ok((seats, agreed))
}

/// The seats, as whoever invites may see them.
///
/// # Errors
/// The database's own.
pub async fn get<P>(scope: &ReadScope<P>) -> Result<Seats, Refused> {
    Ok(load(scope, scope.db().plans(), scope.now()).await?.0)
}

/// Who is told that there is no seat.
#[derive(Clone, Copy)]
pub(in crate::domain) enum Asker<'a> {
    /// Who invites or adds somebody: the seats of pending invitations are taken.
    Member(&'a Actor),
    /// Who accepts an invitation of this person: whoever comes first takes a seat.
    Newcomer { inviter: &'a str, workspace: &'a str },
    /// Who joins by a link or by the domain of their address.
    Joiner { workspace: &'a str },
}

/// Seats that were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub seats: i64,
    /// What they cost a month.
    pub monthly: i64,
    pub currency: String,
    /// From when on; `None` for at once.
    pub later: Option<Timestamp>,
}

/// Makes sure that there is a seat for everybody who has or reserves one by now. Adds seats, as far as billing lets them be
/// added; what was added comes with its event.
///
/// # Errors
/// A conflict, which says whom to ask.
pub(in crate::domain) async fn ensure(
    open: &Transaction,
    asker: Asker<'_>,
) -> Result<Option<(Added, RecordedEvent)>, Refused> {
    let (seats, agreed) = load(open, open.db.plans(), open.now).await?;
    let needed = match asker {
        Asker::Member(_) => seats.used(),
        Asker::Newcomer { .. } | Asker::Joiner { .. } => seats.active,
    };
    let Some(cap) = seats.cap().filter(|cap| needed > *cap) else { return Ok(None) };
    if seats.grow_to.is_none_or(|most| needed > most) {
        return Err(refusal(open, &seats, needed, cap, asker).await?);
    }
    grow(open, &seats, agreed, needed).await.map(Some)
}

async fn grow(
    open: &Transaction,
    seats: &Seats,
    agreed: Terms,
    after: i64,
) -> Result<(Added, RecordedEvent), Refused> {
    // There are enough now, and too few later.
    let later = seats.later.as_ref().filter(|_| seats.limit.is_none_or(|limit| after <= limit));
    let (plan, before, price) = match later {
        Some(later) => (&later.plan, later.limit, later.price),
        None => (&seats.plan, seats.limit.unwrap_or(after), seats.price),
    };
    let event = SeatsAdded { plan: plan.clone(), before, after };
    let added = Added {
        seats: after - before,
        monthly: (after - before).saturating_mul(price),
        currency: agreed.currency.clone(),
        later: later.map(|later| later.starts_at),
    };
    let at = profile::billed_at(open, open.now).await?;
    if later.is_none() {
        terms::agree(open, &Terms { starts_at: at, seats: Some(after), ..agreed }).await?;
    }
    terms::grow_later(open, after, at).await?;
    Ok((added, RecordedEvent::new(event, target())))
}

async fn refusal(
    open: &Transaction,
    seats: &Seats,
    needed: i64,
    cap: i64,
    asker: Asker<'_>,
) -> Result<Refused, DbErr> {
    let mut conflict = DetailedConflict {
        code: NO_SEAT_CODE,
        sentence: String::new(),
        notes: Vec::new(),
        links: Vec::new(),
        reason: NO_SEAT,
    };
    match asker {
        Asker::Newcomer { inviter, workspace } => {
            conflict.sentence = format!(
                "You can't join {workspace} yet, because all its seats are taken. Ask {inviter}, or someone there who \
                 manages billing, to add a seat. Your invitation stays as it is."
            );
        }
        Asker::Joiner { workspace } => {
            conflict.sentence = format!(
                "You can't join {workspace} yet, because all its seats are taken. Ask someone there who manages billing to \
                 add a seat, then try again."
            );
        }
        Asker::Member(actor) => {
            let seat = pluralize(cap, "seat", "seats");
            let (plan, from) = match &seats.later {
                Some(later) => (&later.plan, format!(" from {} on", day(later.starts_at))),
                None => (&seats.plan, String::new()),
            };
            conflict.sentence = format!(
                "There is no free seat: the plan {plan} has {seat} here{from}, and this would take {needed}."
            );
            if actor.holdings.has(Permission::ManageBilling) {
                conflict.notes.push("You can add seats on the page Billing.".to_owned());
                conflict.links.push(("/billing/change".to_owned(), "Add seats".to_owned()));
            } else {
                let holds = |role: &&Role| role.is_owner || role.holdings.has(Permission::ManageBilling);
                let roles: Vec<&str> =
                    actor.all_roles.iter().filter(holds).take(20).map(|role| role.name.as_str()).collect();
                conflict.notes.push(format!("Roles that can add seats: {}.", roles.join(", ")));
                if actor.holdings.has(Permission::ReadMembers) {
                    let people =
                        holders::names(open, &actor.all_roles, Permission::ManageBilling).await?.join(", ");
                    conflict.notes.push(format!("People who can: {people}."));
                }
            }
        }
    }
    Ok(conflict.into())
}
