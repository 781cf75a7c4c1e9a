//! The page of the credits: what there is, what expires when, what was used by day, and the ledger.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        Invalid, Refused,
        base::paging::Position,
        enforce::read::ReadScope,
        nouns::credits::{
            self, Balance, Filter, Grant, LedgerTransfer, MAX_AMOUNT, TransferKind,
            notice::{self, NoticeBelow},
        },
    },
    policy::{Permission, perm},
    web::{
        chart::{BAR_WIDTH, grouped},
        checks::{Checked, Validate, date},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, address},
        rejection::reopen,
        routes::{
            activity::list::id,
            credits::{
                api::{client_id, kind},
                chart::Chart,
            },
        },
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "credits/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/credits`
    base: String,
    available: String,
    held: String,
    grants: Vec<GrantRow>,
    chart: Chart,
    /// Below how many credits people are notified; empty for never.
    below: String,
    may_set_notice: bool,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    /// The name of the key that the list is narrowed to; empty if it is not, or nothing says the name.
    key: String,
    errors: Errors,
}

/// A grant with something left.
struct GrantRow {
    left: String,
    granted: String,
    is_bought: bool,
    note: String,
    expires: When,
}

impl GrantRow {
    fn new(grant: Grant, now: Timestamp) -> Self {
        Self {
            left: grouped(grant.left),
            granted: grouped(grant.granted),
            is_bought: grant.is_bought(),
            expires: When::new(grant.expires_at, now),
            note: grant.note,
        }
    }
}

/// One transfer, as a row of the list.
struct Row {
    transfer: LedgerTransfer,
    label: &'static str,
    tone: &'static str,
    /// With its sign, such as `+1,200`.
    change: String,
    amount: String,
    when: When,
    /// The transfers of the same request; empty if the client gave it no id.
    request: String,
}

impl Row {
    fn new(transfer: LedgerTransfer, base: &str, now: Timestamp) -> Self {
        let kind = transfer.kind();
        let request = transfer.client_ref.as_deref().map(|id| address(base, &[("client_id", id)], &[]));
        Self {
            request: request.unwrap_or_default(),
            label: kind.map(TransferKind::label).unwrap_or_default(),
            tone: match kind {
                Some(TransferKind::Grant | TransferKind::Release) => "good",
                Some(TransferKind::Hold | TransferKind::Reversal) => "warn",
                _ => "off",
            },
            change: match transfer.change {
                0 => String::new(),
                some if some > 0 => format!("+{}", grouped(some)),
                some => grouped(some),
            },
            amount: grouped(transfer.amount),
            when: When::new(transfer.at, now),
            transfer,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    kind: String,
    key: String,
    client_id: String,
    from: String,
    until: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        Ok(Filter {
            kind: kind(&self.kind)?,
            api_key: id("key", &self.key)?,
            client_id: client_id(self.client_id.trim())?,
            from: date("from", &self.from)?,
            until: date("until", &self.until)?.map(|midnight| midnight + DAY),
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("kind", &self.kind),
            ("key", &self.key),
            ("client_id", &self.client_id),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }
}

/// The form of the notice as it was sent, and why it was rejected.
#[derive(Default)]
struct Sent {
    below: Option<String>,
    errors: Errors,
}

pub async fn index(cx: Authorized<perm::ReadCredits, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| credits::transfers(&scope, filter, at).await;
    let (found, list) = list.load(load).await?;
    let neighbours = list.neighbours(&found, &view.at("/credits"));
    let status = list.status();
    draw(&view, &scope, status, (found.rows, list, neighbours), Sent::default()).await
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadCredits>,
    status: StatusCode,
    (rows, list, neighbours): (Vec<LedgerTransfer>, ListState<ListQuery>, Neighbours),
    sent: Sent,
) -> HandlerResult {
    let Balance { available, held } = credits::balance(scope).await?;
    let grants = credits::grants_left(scope).await?;
    let stored = notice::get(scope).await?.get();
    let now = scope.now();
    let base = view.at("/credits");
    let rows: Vec<Row> = rows.into_iter().map(|transfer| Row::new(transfer, &base, now)).collect();
    let first = rows.first().filter(|_| !list.query.key.is_empty());
    let holdings = &scope.actor().holdings;
    let page = Index {
        chrome: view.chrome(),
        base,
        available: grouped(available),
        held: grouped(held),
        grants: grants.into_iter().map(|grant| GrantRow::new(grant, now)).collect(),
        chart: Chart::new(&credits::days(scope).await?),
        below: sent.below.unwrap_or_else(|| stored.map(|below| below.to_string()).unwrap_or_default()),
        may_set_notice: holdings.has(Permission::PurchaseCredits) || holdings.has(Permission::ManageBilling),
        key: first.map(|row| row.transfer.key_name.clone()).unwrap_or_default(),
        rows,
        neighbours,
        list,
        errors: sent.errors,
    };
    Ok(view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeForm {
    /// A number; empty for never.
    below: String,
}

impl Validate for NoticeForm {
    type Valid = NoticeBelow;

    fn validate(&self, invalid: &mut Invalid) -> Option<NoticeBelow> {
        let below = match self.below.trim() {
            "" => Ok(None),
            below => below
                .parse()
                .map(Some)
                .map_err(|_| format!("Enter a whole number from 1 to {MAX_AMOUNT}, or nothing.")),
        };
        let below = invalid.check("below", below)?;
        invalid.check_all(NoticeBelow::parse(below))
    }
}

pub async fn set_notice(cx: Authorized<perm::ReadCredits, Form<Checked<NoticeForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let below = form.valid?;
        let below = scope.write(async |s| notice::set(s, below).await).await?;
        let text = match below.get() {
            Some(below) => {
                format!("Saved. An e-mail is sent when fewer than {} credits are left.", grouped(below))
            }
            None => "Saved. No e-mail is sent.".to_owned(),
        };
        Ok(view.redirect_with_flash(view.at("/credits"), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        let found = credits::transfers(&before, &Filter::default(), &Position::FIRST).await?;
        let list = ListState { is_first: true, ..ListState::default() };
        let neighbours = list.neighbours(&found, &view.at("/credits"));
        let sent = Sent { below: Some(form.sent.below), errors: rejected.errors };
        draw(&view, &before, rejected.status, (found.rows, list, neighbours), sent).await
    })
    .await
}
