//! The page of all exports.

use crate::{
    clock::Timestamp,
    domain::nouns::exports::{
        self, MAX_COUNTED,
        archives::{self, Archive},
    },
    policy::{Access, Holdings, Permission, perm},
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        routes::exports::{
            ledger::Ledger,
            list::ExportedList,
            lists::{Activity, ApiKeys, Invitations, Members, Roles, Teams, Traffic},
        },
        routes::traffic::figures::size,
        when::When,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "exports/index.html")]
struct Index {
    chrome: Chrome,
    rows: Vec<Row>,
    archives: Vec<ArchiveRow>,
    /// The permissions that the viewer lacks to export everything, as a text; empty if none.
    lacking: String,
    /// An archive is being made.
    is_making: bool,
}

/// An archive.
struct ArchiveRow {
    archive: Archive,
    created: When,
    expires: When,
    /// Percent, of what is expected.
    percent: i64,
    size: String,
}

impl ArchiveRow {
    fn new(archive: Archive, now: Timestamp) -> Self {
        Self {
            created: When::new(archive.created_at, now),
            expires: When::new(archive.expires_at, now),
            percent: (archive.rows_done * 100 / archive.rows_total.max(1)).clamp(0, 99),
            size: size(archive.size),
            archive,
        }
    }
}

/// A list.
struct Row {
    list: &'static str,
    label: &'static str,
    count: String,
    /// The permission that the viewer lacks to read it; empty if none.
    needs: String,
}

impl Row {
    fn of<L: ExportedList>(viewer: &Holdings, count: i64) -> Self {
        let needs = L::Reads::NEEDS;
        let labels: Vec<&str> = needs.permissions().iter().map(|permission| permission.label()).collect();
        let may = viewer.meets(needs);
        Self {
            list: L::NAME,
            label: L::LABEL,
            count: match count {
                _ if !may => String::new(),
                count if count > MAX_COUNTED && !L::IS_COUNTED => format!("More than {MAX_COUNTED}"),
                count => count.to_string(),
            },
            needs: if may { String::new() } else { labels.join(" or ") },
        }
    }
}

pub async fn show(cx: Authorized<perm::ExportData>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let counts = exports::counts(&scope).await?;
    let (viewer, roles) = (&scope.actor().holdings, scope.actor().all_roles.iter().count());
    let rows = vec![
        Row::of::<Members>(viewer, counts.members),
        Row::of::<Teams>(viewer, counts.teams),
        Row::of::<Invitations>(viewer, counts.invitations),
        Row::of::<Roles>(viewer, i64::try_from(roles).unwrap_or(i64::MAX)),
        Row::of::<ApiKeys>(viewer, counts.api_keys),
        Row::of::<Traffic>(viewer, counts.traffic),
        Row::of::<Activity>(viewer, counts.events),
        Row::of::<Ledger>(viewer, counts.transfers),
    ];
    let sees_people = viewer.has(Permission::ReadMembers);
    let row = |mut archive: Archive| {
        if !sees_people {
            archive.creator.clear();
        }
        ArchiveRow::new(archive, scope.now())
    };
    let archives: Vec<ArchiveRow> = archives::list(&scope).await?.into_iter().map(row).collect();
    let page = Index {
        chrome: view.chrome(),
        rows,
        lacking: archives::lacking(&scope).join(", "),
        is_making: archives.iter().any(|row| !row.archive.is_ready() && !row.archive.has_failed()),
        archives,
    };
    Ok(view.html(&page))
}
