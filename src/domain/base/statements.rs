//! Observers of the SQL statements that are sent: a counter, and a transcript for tests.

use sea_orm::Statement;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// Counts expensive operations, such as SQL statements, so that no page gets more of them unnoticed.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// The count since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

/// The SQL statements that were sent, by requests and by background tasks. They are kept once
/// [`Transcript::take`] was called, which only the test of query plans does.
#[derive(Clone, Default)]
pub struct Transcript(Arc<OnceLock<Mutex<Vec<Statement>>>>);

impl Transcript {
    /// The statements since the last call.
    pub fn take(&self) -> Vec<Statement> {
        let log = self.0.get_or_init(Mutex::default);
        log.lock().map(|mut log| std::mem::take(&mut *log)).unwrap_or_default()
    }

    fn note(&self, statement: &Statement) {
        if let Some(Ok(mut log)) = self.0.get().map(Mutex::lock) {
            log.push(statement.clone());
        }
    }
}

/// Observes each statement that is sent.
#[derive(Clone, Default)]
pub(in crate::domain) struct StatementObserver {
    /// Counts the statements of requests alone.
    pub(super) counter: Option<Counter>,
    pub(super) transcript: Transcript,
}

impl StatementObserver {
    pub(in crate::domain) fn observe(&self, statement: &Statement) {
        if let Some(counter) = &self.counter {
            counter.increment();
        }
        self.transcript.note(statement);
    }
}
