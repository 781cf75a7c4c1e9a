//! The page of billing: the plan, what the month costs so far, the details for invoices, and the invoices.

use crate::{
    clock::Timestamp,
    config::plans::MAX_SEATS,
    domain::{
        Email, Invalid, TextRule,
        base::{money::money, paging::Position},
        enforce::read::ReadScope,
        nouns::{
            billing::{
                customers,
                list::{self as billings, Billing, Invoice},
                profile::{self, Details, GrowTo, PostalAddress, TaxNumber},
                provider::PaymentProvider,
            },
            purchases::rules,
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::{List, ListState, Neighbours, Unfiltered},
        rejection::reopen,
        routes::billing::{
            limits::{Limits, LimitsForm},
            parts::{ChargeRow, included, monthly, taken},
        },
        when::{When, day},
        words::pluralize,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "billing/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/billing`
    base: String,
    plan: String,
    monthly: String,
    taken: String,
    /// Credits that come with each month; empty for none.
    included: String,
    /// What begins later, in a sentence; empty for nothing.
    next: String,
    month: String,
    charges: Vec<ChargeRow>,
    month_total: String,
    details: DetailsForm,
    growth: GrowthForm,
    limits: Limits,
    currency: String,
    /// What the credits cost that were bought this month; empty for none.
    bought: String,
    /// The plan has a price for each seat.
    has_price: bool,
    /// Stripe collects what invoices amount to.
    is_collected: bool,
    /// A payment method is saved there.
    has_method: bool,
    list: ListState<Unfiltered>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    errors: Errors,
}

/// An invoice, as a row of the list.
struct Row {
    invoice: Invoice,
    total: String,
    issued: String,
    due: String,
    paid: Option<When>,
    /// How it was paid.
    how: &'static str,
    is_overdue: bool,
}

impl Row {
    fn new(invoice: Invoice, now: Timestamp) -> Self {
        Self {
            total: money(invoice.total, &invoice.currency),
            issued: day(invoice.issued_at),
            due: day(invoice.due_at),
            paid: invoice.paid_at.map(|at| When::new(at, now)),
            how: PaymentProvider::label(invoice.provider.as_deref().unwrap_or_default()),
            is_overdue: invoice.paid_at.is_none() && invoice.due_at < now,
            invoice,
        }
    }
}

/// The forms as they were sent, if the page answers one that was rejected.
#[derive(Default)]
struct Sent {
    details: Option<DetailsForm>,
    growth: Option<GrowthForm>,
    limits: Option<LimitsForm>,
    errors: Errors,
}

pub async fn index(cx: Authorized<perm::ReadBilling, List<Unfiltered>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let (found, list) = list.load(async |(), at| billings::invoices(&scope, at).await).await?;
    let neighbours = list.neighbours(&found, &view.at("/billing"));
    let status = list.status();
    draw(&view, &scope, status, (found.rows, list, neighbours), Sent::default()).await
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadBilling>,
    status: StatusCode,
    (rows, list, neighbours): (Vec<Invoice>, ListState<Unfiltered>, Neighbours),
    sent: Sent,
) -> HandlerResult {
    let found = billings::billing(scope).await?;
    let now = scope.now();
    let total = found.month_total();
    let rules = rules::get(scope).await?;
    let is_collected = view.app.stripe.is_some();
    let saved = if is_collected { customers::get(scope).await? } else { None };
    let Billing { current, next, seats, profile, month, charges, bought } = found;
    let next =
        next.map(|next| format!("{} from {}: {}.", next.plan_name, day(next.starts_at), monthly(&next)));
    let page = Index {
        chrome: view.chrome(),
        base: view.at("/billing"),
        monthly: monthly(&current),
        taken: taken(&seats),
        included: included(current.credits),
        next: next.unwrap_or_default(),
        month: month.label(),
        charges: charges.iter().map(|charge| ChargeRow::of_charge(charge, &current.currency)).collect(),
        month_total: money(total, &current.currency),
        details: sent.details.unwrap_or(DetailsForm {
            contact: profile.contact,
            address: profile.address,
            tax_number: profile.tax_number,
        }),
        growth: sent.growth.unwrap_or_else(|| GrowthForm {
            grow_to: profile.grow_to.map(|seats| seats.to_string()).unwrap_or_default(),
        }),
        limits: Limits::new(scope, &rules, sent.limits.as_ref()),
        currency: billings::currency(scope),
        bought: if bought > 0 { money(bought, &current.currency) } else { String::new() },
        has_price: current.seat_price > 0,
        is_collected,
        has_method: saved.is_some_and(|saved| saved.has_method),
        plan: current.plan_name,
        rows: rows.into_iter().map(|invoice| Row::new(invoice, now)).collect(),
        list,
        neighbours,
        errors: sent.errors,
    };
    Ok(view.html_as(status, &page))
}

/// The page again, with a form that was rejected. Who may not view billing gets the refusal itself.
async fn again(
    view: &View,
    scope: ReadScope<perm::ManageBilling>,
    status: StatusCode,
    sent: Sent,
    refused: crate::domain::Refused,
) -> HandlerResult {
    let Some(scope) = scope.narrow::<perm::ReadBilling>() else { return Err(refused) };
    let found = billings::invoices(&scope, &Position::FIRST).await?;
    let list = ListState { is_first: true, ..ListState::default() };
    let neighbours = list.neighbours(&found, &view.at("/billing"));
    draw(view, &scope, status, (found.rows, list, neighbours), sent).await
}

/// Where somebody goes who changed something: to the page, if they may view it.
pub(super) fn back(view: &View) -> String {
    if view.chrome().can.read_billing { view.at("/billing") } else { view.at("") }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DetailsForm {
    /// Empty for none.
    contact: String,
    address: String,
    tax_number: String,
}

impl Validate for DetailsForm {
    type Valid = Details;

    fn validate(&self, invalid: &mut Invalid) -> Option<Details> {
        let contact = match self.contact.trim() {
            "" => Ok(None),
            contact => Email::parse(contact).map(Some),
        };
        let contact = invalid.check("contact", contact);
        let address = invalid.check("address", PostalAddress::parse(&self.address));
        let tax_number = invalid.check("tax_number", TaxNumber::parse(&self.tax_number));
        Some(Details { contact: contact?, address: address?, tax_number: tax_number? })
    }
}

pub async fn set_details(cx: Authorized<perm::ManageBilling, Form<Checked<DetailsForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let details = form.valid?;
        scope.write(async |s| profile::set_details(s, &details).await).await?;
        let flash = Flash::good("Saved. The next invoices have these details.");
        Ok(view.redirect_with_flash(back(&view), flash))
    };
    reopen(saved.await, async |rejected| {
        let sent = Sent { details: Some(form.sent), errors: rejected.errors, ..Sent::default() };
        again(&view, duplicate, rejected.status, sent, rejected.refused).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct GrowthForm {
    /// A number; empty for not at all.
    grow_to: String,
}

impl Validate for GrowthForm {
    type Valid = GrowTo;

    fn validate(&self, invalid: &mut Invalid) -> Option<GrowTo> {
        let seats = match self.grow_to.trim() {
            "" => Ok(None),
            seats => seats
                .parse()
                .map(Some)
                .map_err(|_| format!("Enter a whole number from 1 to {MAX_SEATS}, or nothing.")),
        };
        let seats = invalid.check("grow_to", seats)?;
        invalid.check_all(GrowTo::parse(seats))
    }
}

pub async fn set_growth(cx: Authorized<perm::ManageBilling, Form<Checked<GrowthForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let to = form.valid?;
        let to = scope.write(async |s| profile::set_growth(s, to).await).await?;
        let text = match to.get() {
            Some(seats) => {
                let seats = pluralize(seats, "seat", "seats");
                format!("Saved. Inviting people can add seats, up to {seats} in all.")
            }
            None => "Saved. Inviting people adds no seats.".to_owned(),
        };
        Ok(view.redirect_with_flash(back(&view), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        let sent = Sent { growth: Some(form.sent), errors: rejected.errors, ..Sent::default() };
        again(&view, duplicate, rejected.status, sent, rejected.refused).await
    })
    .await
}

pub async fn set_limits(cx: Authorized<perm::ManageBilling, Form<LimitsForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let to = form.read(&billings::currency(&scope))?;
        scope.write(async |s| rules::set(s, &to).await).await?;
        Ok(view.redirect_with_flash(back(&view), Flash::good("Saved. The limits count from now on.")))
    };
    reopen(saved.await, async |rejected| {
        let errors = rejected.errors.renamed("role", "ceiling");
        let sent = Sent { limits: Some(form), errors, ..Sent::default() };
        again(&view, duplicate, rejected.status, sent, rejected.refused).await
    })
    .await
}
