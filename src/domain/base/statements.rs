//! Who observes the statements that are sent: a counter, and a transcript for tests.

use sea_orm::Statement;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// Counts what costs something, such as SQL statements, so that nobody adds one to a page unseen.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// How many there were since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(in crate::domain) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Which SQL statements were sent, of requests and beside them. They are kept from when somebody
/// first asks, which only the test does that has the database explain each of them.
#[derive(Clone, Default)]
pub struct Transcript(Arc<OnceLock<Mutex<Vec<Statement>>>>);

impl Transcript {
    /// Those since this was asked last.
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

/// Who is told of each statement.
#[derive(Clone, Default)]
pub(in crate::domain) struct StatementObserver {
    /// Of what requests send, and of nothing else.
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
