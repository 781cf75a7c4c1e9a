//! Enforcement: every request about a workspace or an account passes through this module.
//!
//! ```text
//! session or key ─ admit ─→ ReadScope<P> ─ write(change) ─→ WriteScope<P> ─→ Recorded ─→ commit
//!                    │           │              │                │             │
//!                 identity    reads of      transaction       writes of     invariant,
//!                 belonging   this          lock              this          record,
//!                 P is met    boundary      admit again       boundary      attempt
//! ```
//!
//! A **boundary** is what requests are admitted to and changes stay inside of. There are two: a
//! workspace and an account. One engine serves every boundary:
//!
//! 1. [`ReadScope::admit`](read::ReadScope::admit) *is* the check: who the session or the key belongs to,
//!    whether they belong to the boundary, and whether they meet the requirement `P`, by one SQL
//!    statement. A refusal is explained and audited.
//! 2. The [`ReadScope<P>`](read::ReadScope) reads rows of this boundary and of no other: its id is `$1` in
//!    every statement.
//! 3. [`ReadScope::write`](read::ReadScope::write) opens a transaction, locks the boundary, reads the time
//!    and admits again, because everything may have changed since; then it runs the change with a
//!    [`WriteScope<P>`](write::WriteScope).
//! 4. The change returns a [`Recorded`](super::Recorded), which only `domain` makes: the result together
//!    with its audit events. Without one there is no commit.
//! 5. Under the same lock the invariant is checked (an active Owner or admin remains), the events are
//!    written, the attempt under an Idempotency-Key is marked as done, and the transaction commits. What
//!    was refused on the way is rolled back, and audited in a transaction of its own.
//!
//! Two more functions admit a person who is not a member of the workspace yet, and end in the same commit:
//! `enter_by_invitation` and `create_workspace`, both in [`workspace`].
//!
//! | file | what it does |
//! |---|---|
//! | `boundary.rs` | the traits: what a boundary says about itself, and how it admits under `P` |
//! | `read.rs` | the handle that reads: `admit`, `refuse`, `duplicate` |
//! | `write.rs` | the handle that changes: `write` |
//! | `transaction.rs` | the open transaction: begin and lock; invariant, record, attempt, commit or roll back |
//! | `locked.rs` | the lock of a workspace, and of others that a change reaches into, with what each records |
//! | `refusal.rs` | audit events of refusals; a flood of them is one event with a count |
//! | `rows.rs` | the statements of a handle, which carry the boundary's id |
//! | `workspace/` | the boundary of a workspace: its admission, Owners, roles, and the two other entry points |
//! | `account/` | the boundary of an account, and the change that reaches into workspaces |
//! | `audit.rs`, `chain.rs` | how the record is written, and what its chains cover |
//! | `receivers.rs` | queues recorded events for the destinations that receive them |
//! | `checkpoint.rs`, `verify/`, `erasure.rs` | signed checkpoints, whether the record is whole, and how names are erased from it |
//! | `presence.rs` | when somebody was last active |
//!
//! # What must not compile
//!
//! What a handle was admitted for is in its type. A change under the wrong permission does not compile:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope, nouns::members}, policy::perm};
//! async fn handler(scope: ReadScope<perm::InviteMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! Under the right one it does:
//! ```
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope, nouns::members}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! A handle that only reads does not write:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope, nouns::members}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     members::suspend(&mut scope, id).await.map(drop)
//! }
//! ```
//! A change that leaves no audit event behind does not commit:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>) -> Result<(), Refused> {
//!     scope.write(async |_| Ok(())).await
//! }
//! ```
//! Outside `domain` there is no connection to query:
//! ```compile_fail,E0624
//! use bailiwick::{domain::{Db, Refused}};
//! async fn handler(db: &Db) { let _ = db.read(); }
//! ```
//! A handle on an account gives no access to a workspace, whatever it was admitted for:
//! ```compile_fail,E0308
//! use bailiwick::domain::{Refused, nouns::{accounts::AccountScope, members}};
//! async fn handler(scope: AccountScope, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! Nor does a handle on a workspace change its account:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope, nouns::accounts}, policy::perm};
//! async fn handler(scope: ReadScope<perm::DeleteOrganization>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| accounts::appoint(s, id, true).await).await.map(drop)
//! }
//! ```
//! Each in its own boundary does:
//! ```
//! use bailiwick::domain::{Refused, nouns::accounts::{self, AccountScope}};
//! async fn handler(scope: AccountScope, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| accounts::appoint(s, id, true).await).await.map(drop)
//! }
//! ```
//! An account admits its admins alone, and nobody under a permission of workspaces:
//! ```compile_fail,E0599
//! use bailiwick::{domain::{base::account::Account, enforce::read::ReadScope, Recorded, Refused}, policy::perm};
//! async fn handler(scope: ReadScope<perm::DeleteOrganization, Account>) -> Result<(), Refused> {
//!     scope.write(async |_| -> Result<Recorded<()>, Refused> { unimplemented!() }).await
//! }
//! ```
//! Outside this module nobody declares a boundary:
//! ```compile_fail,E0603
//! use bailiwick::domain::enforce::boundary::Boundary;
//! ```

pub(in crate::domain) mod account;
pub(in crate::domain) mod audit;
mod boundary;
pub mod chain;
pub mod checkpoint;
pub mod erasure;
pub mod events;
mod locked;
pub(in crate::domain) mod presence;
pub mod read;
pub mod receivers;
pub(in crate::domain) mod refusal;
pub(in crate::domain) mod rows;
pub(in crate::domain) mod transaction;
pub mod verify;
pub mod workspace;
pub mod write;
