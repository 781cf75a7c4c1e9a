//! The ledger of credits as a list that can be downloaded.

use crate::{
    domain::{
        Refused,
        base::paging::{Page, Position},
        enforce::read::ReadScope,
        nouns::credits::{self, Filter, LedgerTransfer, TransferKind},
    },
    policy::perm,
    web::{
        csv::Cells,
        routes::{
            credits::{api, page},
            exports::list::{CallFilters, ExportedList},
        },
    },
};

impl CallFilters for api::ListQuery {
    type Filter = Filter;

    fn filter(&self) -> Result<Filter, Refused> {
        Self::filter(self)
    }
}

pub enum Ledger {}

impl ExportedList for Ledger {
    type Reads = perm::ReadCredits;
    type Filter = Filter;
    type OnPage = page::ListQuery;
    type InCall = api::ListQuery;
    type Row = LedgerTransfer;
    type Line = api::TransferBody;

    const NAME: &'static str = "credits";
    const LABEL: &'static str = "Ledger";
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "id",
        "at",
        "kind",
        "amount",
        "change",
        "hold_id",
        "reverses_id",
        "client_id",
        "api_key_id",
        "api_key",
        "note",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        credits::transfers(scope, filter, at).await
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.number(row.seq);
        cells.id(Some(row.id));
        cells.moment(Some(row.at));
        cells.maybe(row.kind().map(TransferKind::word));
        cells.number(row.amount);
        cells.number(row.change);
        cells.id(row.hold_id);
        cells.id(row.reverses_id);
        cells.maybe(row.client_ref.as_deref());
        cells.id(row.api_key_id);
        cells.text(&row.key_name);
        cells.text(&row.note);
    }
}
