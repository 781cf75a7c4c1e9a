//! Another plan, or another number of seats: a form to choose, what it would cost, and the form that does it.

use crate::{
    config::plans::Plan,
    domain::{
        CHANGED, Invalid, Refused,
        base::money::money,
        enforce::read::ReadScope,
        nouns::billing::{
            change::{self as changes, Proposal, Wanted},
            list as billings,
        },
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        rejection::{on, reopen_on},
        routes::billing::{
            page::back,
            parts::{included, monthly},
        },
        when::day,
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "billing/change.html")]
struct Change {
    chrome: Chrome,
    /// `/w/{slug}/billing`
    base: String,
    back: String,
    choices: Vec<Choice>,
    form: ChangeForm,
    preview: Option<Preview>,
    errors: Errors,
    /// Why the change was refused, if the page is the response to one; empty otherwise.
    problem: String,
}

/// A plan that can be chosen.
struct Choice {
    plan: Plan,
    price: String,
    is_current: bool,
}

/// What a change would do.
struct Preview {
    before: String,
    after: String,
    monthly_before: String,
    monthly_after: String,
    /// From when on.
    starts: String,
    /// What the present month costs without it, and with it.
    month_before: String,
    month_after: String,
    /// Credits that come at once; empty for none.
    credits: String,
    /// What was to begin later and would not; empty for nothing.
    takes_back: String,
    has_effect: bool,
    version: String,
}

impl Preview {
    fn new(proposal: Proposal) -> Self {
        let Proposal { before, after, .. } = &proposal;
        let takes_back = proposal.takes_back.as_ref();
        Self {
            before: before.plan_name.clone(),
            after: after.plan_name.clone(),
            monthly_before: monthly(before),
            monthly_after: monthly(after),
            starts: match proposal.is_immediate {
                true => "Immediately".to_owned(),
                false => format!("On {}", day(after.starts_at)),
            },
            month_before: money(proposal.month_before, &before.currency),
            month_after: money(proposal.month_after, &after.currency),
            credits: included(proposal.credits),
            takes_back: takes_back
                .map(|next| format!("{} from {}", next.plan_name, day(next.starts_at)))
                .unwrap_or_default(),
            has_effect: proposal.is_change || proposal.takes_back.is_some(),
            version: proposal.version,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeForm {
    /// The slug of a plan; empty as long as none is chosen.
    plan: String,
    /// A number; empty for as many as there are.
    seats: String,
    /// Of the preview, where the form has been looked at.
    version: String,
}

impl ChangeForm {
    fn read(&self) -> Result<Wanted, Invalid> {
        let seats = match self.seats.trim() {
            "" => None,
            seats => Some(seats.parse().map_err(|_| Invalid::field("seats", "Enter a whole number."))?),
        };
        Ok(Wanted { plan: self.plan.clone(), seats })
    }
}

/// What a page is drawn with beside what was typed.
#[derive(Default)]
struct State {
    errors: Errors,
    problem: String,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ManageBilling>,
    status: StatusCode,
    form: ChangeForm,
    state: State,
) -> HandlerResult {
    let current = changes::current(scope).await?;
    let State { mut errors, problem } = state;
    let mut status = status;
    let proposal = match (form.plan.is_empty(), form.read()) {
        (true, Ok(_)) => Ok(None),
        (false, Ok(wanted)) => changes::preview(scope, &wanted).await.map(Some),
        (_, Err(invalid)) => Err(invalid.into()),
    };
    let preview = match proposal {
        Ok(proposal) => proposal.map(Preview::new),
        Err(Refused::Invalid(invalid)) => {
            errors = invalid.into();
            status = StatusCode::UNPROCESSABLE_ENTITY;
            None
        }
        Err(other) => return Err(other),
    };
    let currency = billings::currency(scope);
    let choice = |plan: Plan| Choice {
        price: match plan.seat_price {
            0 => "Free".to_owned(),
            price => format!("{} for each seat and month", money(price, &currency)),
        },
        is_current: plan.slug == current.plan,
        plan,
    };
    let form = match (form.plan.as_str(), form.seats.as_str()) {
        ("", "") => ChangeForm { plan: current.plan.clone(), seats: seats(current.seats), ..form },
        ("", _) => ChangeForm { plan: current.plan.clone(), ..form },
        _ => form,
    };
    let page = Change {
        chrome: view.chrome(),
        base: view.at("/billing"),
        back: back(view),
        choices: billings::plans(scope).into_iter().map(choice).collect(),
        form,
        preview,
        errors,
        problem,
    };
    Ok(view.html_as(status, &page))
}

fn seats(count: Option<i64>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

/// The query of the page. It has no version: that is in the form.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeQuery {
    plan: String,
    seats: String,
}

pub async fn show(cx: Authorized<perm::ManageBilling, Query<ChangeQuery>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    let form = ChangeForm { plan: query.plan, seats: query.seats, version: String::new() };
    draw(&view, &scope, StatusCode::OK, form, State::default()).await
}

pub async fn set(cx: Authorized<perm::ManageBilling, Form<ChangeForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = async {
        let wanted = form.read()?;
        let done = scope.write(async |s| changes::set(s, &wanted, &form.version).await).await?;
        let plan = &done.after.plan_name;
        let text = match (done.is_change, done.is_immediate, done.takes_back.is_some()) {
            (false, _, false) => "No changes to save.".to_owned(),
            (false, _, true) => format!("Saved. The plan stays {plan}."),
            (true, false, _) => format!("Saved. The plan is {plan} from {}.", day(done.after.starts_at)),
            (true, true, _) => match done.after.seats {
                Some(count) => {
                    format!("Saved. The plan is {plan}, with {}.", pluralize(count, "seat", "seats"))
                }
                None => format!("Saved. The plan is {plan}."),
            },
        };
        Ok(view.redirect_with_flash(back(&view), Flash::good(text)))
    };
    reopen_on(done.await, on(CHANGED), async |rejected| {
        let state = State { errors: rejected.errors, problem: rejected.problem };
        draw(&view, &duplicate, rejected.status, form, state).await
    })
    .await
}
