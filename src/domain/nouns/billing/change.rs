//! Another plan, or another number of seats: what it would cost, and the change itself.
//!
//! What costs as much or more for each seat begins at once, what costs less with the next month: the credits of a month come
//! with the plan, and would otherwise be had for the price of a day. Of two plans of one price, the one with more credits
//! begins with the next month too: changing to and fro would bring its credits again and again.

use crate::{
    clock::Timestamp,
    config::plans::{MAX_SEATS, Plans},
    domain::{
        base::{
            conflict::CHANGED, event::Recorded, invalid::Invalid, refused::Refused, role::fingerprint,
            values::Description, words::pluralize,
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::{
                cost::{self, Month, Terms},
                events::{PlanChanged, target},
                profile, seats,
                terms::{self, Agreement},
            },
            credits::{
                Amount, Source,
                book::InTransaction,
                grants::{self, NewGrant},
            },
        },
        records,
    },
    policy::perm,
};

/// What somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The slug of a plan.
    pub plan: String,
    /// How many seats; without it, as many as there are, or as are needed.
    pub seats: Option<i64>,
}

/// A change, with what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub before: Terms,
    /// From [`Terms::starts_at`] on: this moment, or the next month.
    pub after: Terms,
    /// It begins now.
    pub is_immediate: bool,
    /// Something is another than before, or than what was to begin later.
    pub is_change: bool,
    /// What was to begin later, and does not any more.
    pub takes_back: Option<Terms>,
    /// What the present month costs without the change, and with it.
    pub month_before: i64,
    pub month_after: i64,
    /// Credits that come at once.
    pub credits: i64,
    /// Active people, each of whom needs a seat.
    pub people: i64,
    /// Of what this was computed from.
    pub version: String,
}

/// What is agreed now.
///
/// # Errors
/// The database's own.
pub async fn current(scope: &ReadScope<perm::ManageBilling>) -> Result<Terms, Refused> {
    Ok(terms::load(scope, scope.db().plans(), scope.now()).await?.current)
}

/// What a change would cost.
///
/// # Errors
/// [`Refused::Invalid`] on `plan` or `seats`.
pub async fn preview(scope: &ReadScope<perm::ManageBilling>, wanted: &Wanted) -> Result<Proposal, Refused> {
    let now = terms::moment(scope, scope.now()).await?;
    propose(scope, scope.db().plans(), now, wanted).await
}

/// Makes the change, if it is the one of this version; an empty version matches any.
///
/// # Errors
/// As [`preview`]; [`CHANGED`]; [`Refused::Prerequisite`] without a confirmed address, for what costs something.
pub async fn set(
    s: &mut WriteScope<perm::ManageBilling>,
    wanted: &Wanted,
    seen: &str,
) -> Result<Recorded<Proposal>, Refused> {
    let db = s.open().db.clone();
    let now = terms::moment(s, s.now()).await?;
    let proposal = propose(s, db.plans(), now, wanted).await?;
    if !seen.is_empty() && seen != proposal.version {
        return Err(CHANGED.into());
    }
    if !proposal.is_change && proposal.takes_back.is_none() {
        return Ok(Recorded::unchanged(proposal));
    }
    if proposal.after.seat_price > 0 {
        records::mail::may_owe(s.actor())?;
    }
    let at = profile::billed_at(s, now).await?;
    terms::forget_after(s, now).await?;
    if proposal.is_change {
        let at = proposal.after.starts_at.max(at);
        // What begins with a month brings its credits with the invoice of the one before. This brings them itself.
        let is_first_moment = proposal.is_immediate && at == Month::of(at).start();
        let starts_at = if is_first_moment { at + 1 } else { at };
        terms::agree(s, &Terms { starts_at, ..proposal.after.clone() }).await?;
    }
    let (before, after) = (&proposal.before, &proposal.after);
    let event = PlanChanged {
        plan_before: before.plan_name.clone(),
        plan_after: after.plan_name.clone(),
        seats_before: before.seats,
        seats_after: after.seats,
        monthly_before: before.monthly(),
        monthly_after: after.monthly(),
        currency: after.currency.clone(),
        starts_at: after.starts_at,
        takes_back: proposal.takes_back.is_some(),
    };
    let granted = include(s, &after.plan_name, proposal.credits, s.now()).await?;
    Ok(Recorded::new(proposal, event, target()).and(granted.into_parts().1))
}

/// Grants credits that come with a plan, until the end of the month.
pub(super) async fn include<S: InTransaction>(
    s: &S,
    plan: &str,
    credits: i64,
    now: Timestamp,
) -> Result<Recorded<()>, Refused> {
    if credits <= 0 {
        return Ok(Recorded::unchanged(()));
    }
    let month = Month::of(now);
    let note = format!("{plan}, {}", month.label());
    let new = NewGrant {
        amount: Amount::parse("amount", credits)?,
        source: Source::Included,
        expires_at: month.end(),
        note: Description::parse(&note).unwrap_or_default(),
    };
    Ok(grants::grant(s, now, &new).await?.map(drop))
}

async fn propose(
    scope: &impl Scoped,
    plans: &Plans,
    now: Timestamp,
    wanted: &Wanted,
) -> Result<Proposal, Refused> {
    let Agreement { current: before, next } = terms::load(scope, plans, now).await?;
    let (seats, _) = seats::load(scope, plans, now).await?;
    let mut after = match plans.plan(&wanted.plan) {
        // Its price stays as it was agreed.
        _ if wanted.plan == before.plan => Terms { starts_at: now, ..before.clone() },
        Some(plan) => terms::of_plan(plans, plan, 1, now),
        None => return Err(Invalid::field("plan", "Choose one of the plans.").into()),
    };
    after.seats = number_of_seats(&after, &before, &seats, wanted.seats)?;
    let month = Month::of(now);
    let is_immediate = match after.seat_price == before.seat_price {
        true => after.credits <= before.credits,
        false => after.seat_price > before.seat_price,
    };
    if !is_immediate {
        after.starts_at = month.end();
    }
    let differs = |other: &Terms| (&other.plan, other.seats) != (&after.plan, after.seats);
    let is_change = match (&next, is_immediate) {
        (Some(next), false) => differs(next),
        _ => differs(&before),
    };
    let takes_back = next.filter(|_| is_immediate || is_change);
    let history = terms::of_month(scope, month).await?;
    // The terms of somebody who chose none cost nothing.
    let mut changed: Vec<Terms> = history.iter().filter(|terms| terms.starts_at <= now).cloned().collect();
    if is_immediate && is_change {
        changed.push(after.clone());
    }
    let credits = match is_immediate && is_change {
        true => cost::credits_at_once(before.credits, after.credits, now),
        false => 0,
    };
    let version = fingerprint(
        scope.boundary_id().as_bytes(),
        [
            format!("{before:?}"),
            format!("{takes_back:?}"),
            format!("{:?}", (&after.plan, after.seats, after.seat_price, &after.currency, is_immediate)),
        ],
    );
    Ok(Proposal {
        month_before: cost::total(&history, month),
        month_after: cost::total(&changed, month),
        people: seats.active,
        before,
        after,
        is_immediate,
        is_change,
        takes_back,
        credits,
        version,
    })
}

/// How many seats the terms have then.
fn number_of_seats(
    after: &Terms,
    before: &Terms,
    seats: &seats::Seats,
    wanted: Option<i64>,
) -> Result<Option<i64>, Invalid> {
    let people = pluralize(seats.active, "person is", "people are");
    let most = after.max_seats.unwrap_or(MAX_SEATS);
    if seats.active > most {
        let sentence = format!("{} is for at most {most} people, and {people} active.", after.plan_name);
        return Err(Invalid::field("plan", sentence));
    }
    if after.seat_price == 0 {
        return Ok(None);
    }
    let seats_now = before.seats.unwrap_or(0).max(seats.used()).clamp(1, most);
    match wanted.unwrap_or(seats_now) {
        few if few < seats.active.max(1) => {
            Err(Invalid::field("seats", format!("{people} active, and each needs a seat.")))
        }
        many if many > most => {
            Err(Invalid::field("seats", format!("Enter a whole number of at most {most}.")))
        }
        some => Ok(Some(some)),
    }
}
