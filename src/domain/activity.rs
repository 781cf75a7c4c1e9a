//! The audit record of a workspace, the latest event first.

use crate::{
    clock::{MINUTE, Timestamp},
    domain::{
        base::{
            event::{self, AuditEvent, EventRow, EventSentence, Outcome},
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
        },
        enforce::{account::AccountScope, audit::audit_record, read::ReadScope, rows::Scoped},
        events,
        nouns::{
            members::like,
            roles::events::{PermissionChanged, RoleScopesChanged},
        },
    },
    policy::perm,
};
use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;
use uuid::Uuid;

/// Which events to list. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of [`events::filter`].
    pub kind: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Part of the name of the actor or the target.
    pub text: String,
    /// Part of the name or the address of the actor, and of the target.
    pub by: String,
    pub on: String,
    pub actor: Option<Uuid>,
    pub target: Option<Uuid>,
    /// The first moment is included, the second is not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// One event as it is shown.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: Uuid,
    pub at: Timestamp,
    pub kind: String,
    pub is_refusal: bool,
    pub actor_id: Option<Uuid>,
    /// The actor as a member, while they are one.
    pub actor_member_id: Option<Uuid>,
    /// The actor's name at that moment.
    pub actor: String,
    /// The actor's e-mail address at that moment; empty for a key, and where it was erased.
    pub actor_email: String,
    /// The actor's name now, if it is another.
    pub actor_now: Option<String>,
    /// The actor's address now, if it is another.
    pub actor_email_now: Option<String>,
    pub target_kind: String,
    pub target_id: Option<Uuid>,
    /// The target as a member, while they are one.
    pub target_member_id: Option<Uuid>,
    pub target: String,
    /// The address of a person at that moment; empty otherwise.
    pub target_email: String,
    /// The name of a person or a key now, if it is another.
    pub target_now: Option<String>,
    /// The address of a person now, if it is another.
    pub target_email_now: Option<String>,
    pub via: String,
    pub address: String,
    pub user_agent: String,
    /// As it is stored.
    pub payload: String,
    /// The number of other changes of what roles hold that were recorded in the same step. Only [`get`]
    /// counts them.
    pub related: i64,
}

impl Entry {
    /// The event in words. Of one that this version can't read, or whose details were erased, it says the kind.
    pub fn sentence(&self) -> EventSentence {
        let row = EventRow { target: &self.target, at: self.at };
        let sentence = events::sentence(&self.kind, &self.payload, &row);
        let label = || events::find(&self.kind).map_or(self.kind.as_str(), |kind| kind.label);
        sentence.unwrap_or_else(|| EventSentence::new(format!("({})", label()), &self.target))
    }

    /// The event's fields; `None` for one that this version can't read.
    pub fn fields(&self) -> Option<serde_json::Value> {
        events::fields(&self.kind, &self.payload)
    }

    /// The event, if it is of this type.
    pub(in crate::domain) fn read<E: AuditEvent>(&self) -> Option<E> {
        if self.kind == E::KIND { event::read(&self.payload) } else { None }
    }
}

#[derive(Clone, Deserialize)]
struct Row {
    id: Uuid,
    seq: i64,
    at: Timestamp,
    kind: String,
    outcome: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    target_kind: String,
    target_id: Option<Uuid>,
    target_name: String,
    via: String,
    address: String,
    user_agent: String,
    payload: String,
    actor_email: String,
    actor_now: Option<String>,
    actor_email_now: Option<String>,
    target_email: String,
    target_now: Option<String>,
    target_email_now: Option<String>,
    actor_member_id: Option<Uuid>,
    target_member_id: Option<Uuid>,
    #[serde(default)]
    related: i64,
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 22] = [
    "id",
    "seq",
    "at",
    "kind",
    "outcome",
    "actor_id",
    "actor_name",
    "target_kind",
    "target_id",
    "target_name",
    "via",
    "address",
    "user_agent",
    "payload",
    "actor_email",
    "actor_now",
    "actor_email_now",
    "target_email",
    "target_now",
    "target_email_now",
    "actor_member_id",
    "target_member_id",
];

/// What people are called now comes last: of a person only while the names of the event are not erased.
const COLUMNS: &str = concat!(
    "SELECT e.id, e.seq, e.at, e.kind, e.outcome, e.actor_id, e.actor_name, e.target_kind,
        e.target_id, e.target_name, e.via, e.address, e.user_agent, e.payload,
        e.actor_email, COALESCE(au.name, ak.name) AS actor_now, COALESCE(au.awaited_email, au.email) AS actor_email_now,
        e.target_email, COALESCE(tu.name, tk.name) AS target_now, COALESCE(tu.awaited_email, tu.email) AS target_email_now,
        COALESCE((SELECT m.id FROM members m WHERE m.workspace_id = e.workspace_id AND m.user_id = e.actor_id),
            (SELECT m.id FROM members m WHERE m.workspace_id = e.workspace_id AND m.api_key_id = e.actor_id))
            AS actor_member_id,
        (SELECT m.id FROM members m WHERE m.workspace_id = e.workspace_id AND m.id = e.target_id) AS target_member_id
    FROM ",
    audit_record!(),
    " e
    LEFT JOIN users au ON au.id = e.actor_id AND e.actor_email <> ''
    LEFT JOIN api_keys ak ON ak.id = e.actor_id
    LEFT JOIN users tu ON tu.id = e.target_subject AND e.target_email <> ''
    LEFT JOIN api_keys tk ON tk.id = COALESCE(e.target_subject, e.target_id)
    WHERE e.workspace_id = $1"
);

/// Lists events.
///
/// # Errors
/// The database's own.
pub async fn list(
    scope: &ReadScope<perm::ReadAudit>,
    filter: &Filter,
    at: &Position,
) -> Result<Listing, Refused> {
    if filter.contradicts_itself() {
        return Ok(Listing { page: Page::empty(), has_more: false });
    }
    let (mut sql, mut values) = (String::from(COLUMNS), Vec::new());
    filter.narrow(&mut sql, &mut values);
    let window = match filter.has_text() {
        false => None,
        true => Some(SearchWindow::at(scope, filter, at).await?),
    };
    if let Some(window) = &window {
        window.narrow(&mut sql, &mut values);
    }
    Order { column: "e.seq", is_text: false, id: "", descending: true }.append_to(
        &mut sql,
        &mut values,
        at,
    )?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    let mut page = Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.seq), row.id));
    let has_more = window.is_some_and(|window| window.continue_from(&mut page, at));
    Ok(Listing { page: page.map(Entry::from), has_more })
}

/// One event.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such event.
pub async fn get(scope: &ReadScope<perm::ReadAudit>, id: Uuid) -> Result<Entry, Refused> {
    // One step has one time. Put together, the kind is found by no index: the time's is the one to go along.
    let related = format!(
        ", (SELECT COUNT(*) FROM audit_events o WHERE o.workspace_id = e.workspace_id AND o.at = e.at
            AND o.id <> e.id AND o.actor_id = e.actor_id
            AND o.kind || '' IN ('{}', '{}')) AS related
    FROM {}",
        PermissionChanged::KIND,
        RoleScopesChanged::KIND,
        audit_record!()
    );
    let sql = format!("{} AND e.id = $2", COLUMNS.replace(concat!("\n    FROM ", audit_record!()), &related));
    let fields: Vec<&str> = FIELDS.into_iter().chain(["related"]).collect();
    let rows: Vec<Row> = scope.list(&fields, &sql, vec![id.into()]).await?;
    Ok(rows.into_iter().next().ok_or(Refused::NotFound)?.into())
}

/// One page of events.
pub struct Listing {
    pub page: Page<Entry>,
    /// The text was searched in a part of the record only; the next page, or the previous one, continues the
    /// search.
    pub has_more: bool,
}

/// The number of events that one search covers. No index finds a part of a name, and a search of
/// searches a year of a busy workspace for a name that is not there would keep everybody waiting.
pub const SEARCH_WINDOW: i64 = 20_000;

/// A part of the record, by the numbers of its events, both included.
struct SearchWindow {
    from: i64,
    until: i64,
    /// All of the record, as far as the filter's days let it count.
    oldest: i64,
    newest: i64,
}

#[derive(FromQueryResult)]
struct SequenceRange {
    oldest: i64,
    newest: i64,
}

impl SearchWindow {
    async fn at(scope: &ReadScope<perm::ReadAudit>, filter: &Filter, at: &Position) -> Result<Self, Refused> {
        let mut values: Vec<Value> = Vec::new();
        let mut bound = |moment: Timestamp| {
            values.push(moment.into());
            format!("${}", values.len() + 1)
        };
        let oldest = filter.from.map(|from| first_since(&bound(from - CLOCKS_DIFFER)));
        let newest = filter.until.map(|until| last_before(&bound(until + CLOCKS_DIFFER)));
        let sql = format!(
            "SELECT {} AS oldest, {} AS newest FROM audit_chains c WHERE c.kind = 'workspace' AND c.id = $1",
            oldest.as_deref().unwrap_or("CAST(1 AS BIGINT)"),
            newest.as_deref().unwrap_or("c.seq")
        );
        let SequenceRange { oldest, newest } = scope.first(&sql, values).await?.ok_or(Refused::NotFound)?;
        let (from, until) = match at.number() {
            Some(number) if at.is_backwards() => {
                (number.saturating_add(1), number.saturating_add(SEARCH_WINDOW))
            }
            Some(number) => (number.saturating_sub(SEARCH_WINDOW), number.saturating_sub(1)),
            None if at.is_backwards() => (oldest, oldest.saturating_add(SEARCH_WINDOW - 1)),
            None => (newest.saturating_sub(SEARCH_WINDOW - 1), newest),
        };
        Ok(Self { from: from.max(oldest), until: until.min(newest), oldest, newest })
    }

    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        values.extend([self.from.into(), self.until.into()]);
        let n = values.len();
        sql.push_str(&format!(" AND e.seq >= ${n} AND e.seq <= ${}", n + 1));
    }

    /// Where the page was not filled, its neighbours begin where the window ends. Returns whether
    /// that is so, and something is left to be searched.
    fn continue_from<T>(&self, page: &mut Page<T>, at: &Position) -> bool {
        let cursor = |number: i64| Some(Cursor::new(Key::Number(number), Uuid::nil()).encode());
        let (has_older, has_newer) = (self.from > self.oldest, self.until < self.newest);
        let has_more = match at.is_backwards() {
            true => page.before.is_none() && has_newer,
            false => page.after.is_none() && has_older,
        };
        if page.after.is_none() && has_older {
            page.after = cursor(self.from);
        }
        if page.before.is_none() && has_newer {
            page.before = cursor(self.until);
        }
        has_more
    }
}

/// The number of the first event since a moment; after all there are, if there is none.
fn first_since(moment: &str) -> String {
    format!(
        "COALESCE((SELECT f.seq FROM audit_events f
            WHERE f.workspace_id = $1 AND f.at >= {moment} ORDER BY f.at, f.seq LIMIT 1), 9223372036854775807)"
    )
}

/// The number of the last event before a moment, or 0.
fn last_before(moment: &str) -> String {
    format!(
        "COALESCE((SELECT f.seq FROM audit_events f
            WHERE f.workspace_id = $1 AND f.at < {moment} ORDER BY f.at DESC, f.seq DESC LIMIT 1), 0)"
    )
}

/// The most by which the clocks of two nodes are expected to differ, in milliseconds.
const CLOCKS_DIFFER: i64 = 10 * MINUTE;

impl Filter {
    /// It looks for parts of names, by which no index finds anything.
    fn has_text(&self) -> bool {
        !(self.text.is_empty() && self.by.is_empty() && self.on.is_empty())
    }

    /// No event is of this kind and has this outcome, which only going through all of them would show.
    fn contradicts_itself(&self) -> bool {
        let outcome = events::find(&self.kind).map(|kind| kind.outcome.word());
        !self.outcome.is_empty() && outcome.is_some_and(|outcome| outcome != self.outcome)
    }

    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        // `$1` is the workspace.
        let mut add = |clause: &str, value: Value| {
            values.push(value);
            sql.push_str(&clause.replace('?', &format!("${}", values.len() + 1)));
        };
        if !self.kind.is_empty() {
            add(" AND e.kind = ?", self.kind.as_str().into());
        }
        // A kind has one outcome.
        if !self.outcome.is_empty() && self.kind.is_empty() {
            add(" AND e.outcome = ?", self.outcome.as_str().into());
        }
        if !self.text.is_empty() {
            let clause =
                " AND (lower(e.actor_name) LIKE ? ESCAPE '!' OR lower(e.target_name) LIKE ? ESCAPE '!')";
            add(clause, like(&self.text).into());
        }
        for (text, name, email) in
            [(&self.by, "e.actor_name", "e.actor_email"), (&self.on, "e.target_name", "e.target_email")]
        {
            if !text.is_empty() {
                let clause =
                    format!(" AND (lower({name}) LIKE ? ESCAPE '!' OR lower({email}) LIKE ? ESCAPE '!')");
                add(&clause, like(text).into());
            }
        }
        if let Some(actor) = self.actor {
            add(" AND e.actor_id = ?", actor.into());
        }
        if let Some(target) = self.target {
            add(" AND e.target_id = ?", target.into());
        }
        // Numbers and times grow together, but for the little by which the clocks of nodes differ. So
        // the times are looked up once, and the list goes along its numbers from there. Added to, a time
        // is found by no index, which would otherwise fetch a year to sort it by number.
        if let Some(from) = self.from {
            add(&format!(" AND e.seq >= {}", first_since("?")), (from - CLOCKS_DIFFER).into());
            add(" AND e.at + 0 >= ?", from.into());
        }
        if let Some(until) = self.until {
            add(&format!(" AND e.seq <= {}", last_before("?")), (until + CLOCKS_DIFFER).into());
            add(" AND e.at + 0 < ?", until.into());
        }
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            kind: row.kind,
            is_refusal: row.outcome == Outcome::Refused.word(),
            actor_id: row.actor_id,
            actor_member_id: row.actor_member_id,
            actor_now: row.actor_now.filter(|now| *now != row.actor_name),
            actor: row.actor_name,
            actor_email_now: row.actor_email_now.filter(|now| *now != row.actor_email),
            actor_email: row.actor_email,
            target_kind: row.target_kind,
            target_id: row.target_id,
            target_member_id: row.target_member_id,
            target_now: row.target_now.filter(|now| *now != row.target_name),
            target: row.target_name,
            target_email_now: row.target_email_now.filter(|now| *now != row.target_email),
            target_email: row.target_email,
            via: row.via,
            address: row.address,
            user_agent: row.user_agent,
            payload: row.payload,
            related: row.related,
        }
    }
}

/// Events on the page of an account.
const LATEST_OF_ACCOUNT: usize = 8;

/// The latest events of an account's own record that changed something.
///
/// # Errors
/// The database's own.
pub async fn latest_of_account(scope: &AccountScope) -> Result<Vec<Entry>, Refused> {
    let columns = COLUMNS.replace("e.workspace_id = $1", "e.account_id = $1");
    let sql =
        format!("{columns} AND e.outcome = 'done' ORDER BY e.at DESC, e.id DESC LIMIT {LATEST_OF_ACCOUNT}");
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, Vec::new()).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The latest events that changed something, for the overview of a viewer who may read them.
pub(super) async fn latest(scope: &impl Scoped, max: usize) -> Result<Vec<Entry>, Refused> {
    let sql = format!("{COLUMNS} AND e.outcome = 'done' ORDER BY e.seq DESC LIMIT {max}");
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, Vec::new()).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
