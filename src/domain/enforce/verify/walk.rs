//! Reads one chain from its start.

use crate::{
    domain::{
        base::{
            event::{self, AuditEvent},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            chain::{self, Chain, Commitments, Head},
            events::{AuditChainStarted, AuditCheckpointSigned, AuditNamesErased},
        },
    },
    entity::{audit_event, audit_identity},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Iden, Iterable, QueryResult};
use std::collections::{BTreeMap, BTreeSet};

/// What reading a chain showed.
#[derive(Default)]
pub(super) struct Walk {
    pub head: Head,
    /// The first event that does not fit, and why.
    pub broken: Option<(i64, &'static str)>,
    /// Names that were erased, as it is recorded.
    pub erased: i64,
    /// The hashes of the events whose numbers were asked for, as they are computed.
    pub hashes: BTreeMap<i64, Vec<u8>>,
    /// What the installation's chain says.
    pub says: Says,
}

/// What the events of the installation's chain say.
#[derive(Default)]
pub(super) struct Says {
    pub started: BTreeSet<Chain>,
    /// By the number of their events, as the erasures.
    pub checkpoints: BTreeMap<i64, AuditCheckpointSigned>,
    pub erasures: BTreeMap<i64, AuditNamesErased>,
}

/// Both rows of an event, and which parts of its names were erased by an erasure.
struct Row {
    event: audit_event::Model,
    names: Option<audit_identity::Model>,
    erased: Erased,
}

#[derive(FromQueryResult)]
struct Erased {
    actor: bool,
    target: bool,
    payload: bool,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            event: audit_event::Model::from_query_result(row, "e_")?,
            names: audit_identity::Model::from_query_result_optional(row, "i_")?,
            erased: Erased::from_query_result(row, "x_")?,
        })
    }
}

/// Events read at a time.
const BATCH: i64 = 1_000;

/// Every column of both tables, under names that tell them apart, and what was erased. In one statement, so that
/// an erasure meanwhile shows in all of them or in none.
fn select(chain: Chain) -> String {
    let of_event = audit_event::Column::iter().map(|column| format!("e.{0} AS e_{0}", column.unquoted()));
    let of_names = audit_identity::Column::iter().map(|column| format!("i.{0} AS i_{0}", column.unquoted()));
    let erased = ["actor", "target", "payload"].map(|part| {
        format!(
            "EXISTS (SELECT 1 FROM audit_erasures x WHERE x.event_id = e.id AND x.part = '{part}') AS x_{part}"
        )
    });
    let columns: Vec<String> = of_event.chain(of_names).chain(erased).collect();
    format!(
        "SELECT {} FROM audit_events e LEFT JOIN audit_identities i ON i.event_id = e.id
        WHERE {} AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq LIMIT $4",
        columns.join(", "),
        chain.condition()
    )
}

/// Reads a chain up to the event with this number. `wanted` are numbers of events whose hashes are returned.
///
/// # Errors
/// The database's own.
pub(super) async fn walk(
    db: &impl ConnectionTrait,
    chain: Chain,
    until: i64,
    wanted: &BTreeSet<i64>,
) -> Result<Walk, Refused> {
    let (sql, mut walk) = (select(chain), Walk::default());
    loop {
        let values = vec![chain.id().into(), walk.head.seq.into(), until.into(), BATCH.into()];
        let rows: Vec<Row> = db.all(&sql, values).await?;
        let is_last = i64::try_from(rows.len()).unwrap_or(0) < BATCH;
        for row in rows {
            walk.step(row, wanted);
        }
        if is_last {
            return Ok(walk);
        }
    }
}

impl Walk {
    /// Takes the next event. After one that does not fit, the rest is read as if it did, so that one alteration
    /// is reported once.
    fn step(&mut self, row: Row, wanted: &BTreeSet<i64>) {
        let Row { event, names, erased } = row;
        let expected = self.head.seq + 1;
        let (hash, fault) = match &names {
            None => (event.hash.clone(), Some("its names are missing")),
            Some(names) => self.judge(&event, names, &erased),
        };
        let fault = if event.seq == expected { fault } else { Some("an event is missing") };
        if let (None, Some(fault)) = (&self.broken, fault) {
            self.broken = Some((expected, fault));
        }
        if wanted.contains(&event.seq) {
            self.hashes.insert(event.seq, hash);
        }
        self.says.hear(&event);
        self.head = Head { seq: event.seq, hash: event.hash };
    }

    fn judge(
        &mut self,
        event: &audit_event::Model,
        names: &audit_identity::Model,
        erased: &Erased,
    ) -> (Vec<u8>, Option<&'static str>) {
        let hash = chain::hash(&self.head.hash, event, names);
        let commitments = Commitments::of(names);
        let is_personal = names.payload_commitment.is_some() || names.payload_subject.is_some();
        let parts = [
            (commitments.actor, Some(&names.actor_commitment), true, erased.actor),
            (commitments.target, Some(&names.target_commitment), true, erased.target),
            (commitments.payload, names.payload_commitment.as_ref(), is_personal, erased.payload),
        ];
        let mut fault = (hash != event.hash).then_some("it was altered, or the one before it");
        for (found, committed, is_there, is_erased) in parts {
            let of_part = match found {
                Some(found) if Some(&found) != committed => Some("its names were altered"),
                Some(_) if is_erased => Some("its names were erased, and put back"),
                None if is_there && !is_erased => Some("its names were erased without a record of it"),
                _ => None,
            };
            self.erased += i64::from(is_erased);
            fault = fault.or(of_part);
        }
        (hash, fault)
    }
}

impl Says {
    fn hear(&mut self, event: &audit_event::Model) {
        match event.kind.as_str() {
            AuditChainStarted::KIND => {
                self.started.extend(event.target_id.and_then(|id| Chain::new(&event.target_kind, id)));
            }
            AuditCheckpointSigned::KIND => {
                if let Some(checkpoint) = event::read(&event.payload) {
                    self.checkpoints.insert(event.seq, checkpoint);
                }
            }
            AuditNamesErased::KIND => {
                if let Some(erasure) = event::read(&event.payload) {
                    self.erasures.insert(event.seq, erasure);
                }
            }
            _ => {}
        }
    }
}
