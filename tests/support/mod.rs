//! What every test uses: an application of its own on a database of its own, browsers that visit its pages,
//! the mail it sent, its rows, and a way to send many requests at once.
//!
//! Nothing here knows a rule of the product. `use crate::support::*;` brings all of it.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a toolbox: not every tool is in a hand at every moment"
)]

mod api;
mod app;
mod authority;
mod balancer;
mod browser;
mod catalogue;
mod client;
mod cluster;
mod database;
mod dns;
mod exhibit;
mod flows;
mod form;
mod mailbox;
mod node;
mod page;
mod pgbouncer;
pub mod product;
pub mod program;
mod race;
mod rows;
mod scripted_smtp;
mod smtp;
mod tls;
mod upstream;
mod wire;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

pub use api::{Answer, Api, add_key, workspace_key};
pub use app::{Builder, FromBackend, TestApp};
pub use authority::{Authority, Certificate};
pub use balancer::Balancer;
pub use browser::{Browser, Script};
pub use catalogue::Catalogue;
pub use client::Client;
pub use cluster::Cluster;
pub use database::{Backend, TestDatabase};
pub use dns::Dns;
pub use exhibit::Exhibit;
pub use flows::*;
pub use form::{Button, FormOnPage};
pub use mailbox::{Letter, Mailbox};
pub use page::{Page, without_tokens};
pub use pgbouncer::PgBouncer;
pub use program::{Program, free_port};
pub use race::race;
pub use rows::{AUDIT_RECORD, Snapshot, quoted};
pub use scripted_smtp::{ScriptedSmtp, UNREADABLE};
pub use smtp::SmtpServer;
pub use tls::TlsFront;
pub use upstream::{Received, Reply, Upstream};
pub use wire::Wire;

/// How long a test waits for something that must happen, before it fails. Only a test that fails waits as
/// long, so a busy machine makes none fail.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Repeats the attempt until it succeeds, and returns its value. Its error says what was found instead.
///
/// # Panics
/// After [`WAIT_TIMEOUT`], with the last error.
pub async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(started.elapsed() < WAIT_TIMEOUT, "after {WAIT_TIMEOUT:?}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// After [`WAIT_TIMEOUT`], with this message.
pub async fn until(message: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually(async || if condition().await { Ok(()) } else { Err(message.to_owned()) }).await;
}

/// Runs one test on threads of its own.
///
/// Beside what `#[tokio::test]` does, it does not wait for ever until the last of what the test left
/// behind has ended: a run of all tests ends whatever becomes of one.
pub fn run(test: impl Future<Output = ()>) {
    run_boxed(Box::pin(test));
}

// The runtime is compiled once, and not for the type of each test: that was half of what this program is made of.
fn run_boxed(test: Pin<Box<dyn Future<Output = ()> + '_>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(test)));
    runtime.shutdown_timeout(Duration::from_secs(10));
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Writes each test twice: `name::sqlite` and `name::postgres`.
///
/// The argument is a [`TestApp`], or a [`Backend`] for a test that builds its app itself (see
/// [`TestApp::on`]).
///
/// ```ignore
/// both! {
///     async fn the_only_owner_cannot_leave(app: TestApp) {
///         let owner = new_owner(&app).await;
///         …
///     }
/// }
/// ```
macro_rules! both {
    ($($(#[$note:meta])* async fn $name:ident($on:ident: $kind:ty) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($on: $kind) $body

            $(#[$note])*
            #[test]
            fn sqlite() {
                run(async { body(<$kind as FromBackend>::from_backend(Backend::Sqlite).await).await });
            }

            $(#[$note])*
            #[test]
            fn postgres() {
                run(async { body(<$kind as FromBackend>::from_backend(Backend::Postgres).await).await });
            }
        }
    )+};
}
pub(crate) use both;
