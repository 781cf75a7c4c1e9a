//! The nouns of the product. Each declares, in one file, everything that the walkers need to know: its routes
//! with their requirements, its test data, its forms and bodies, its states in the gallery, its stops on the
//! tour.
//!
//! A new noun: write `tests/nouns/<noun>.rs`, or `tests/nouns/<noun>/mod.rs`, and register it here, in the
//! list of modules and in [`ALL`]. The walkers say what is missing, and in which file.

mod declared;

pub mod access;
pub mod access_requests;
pub mod account_keys;
pub mod accounts;
pub mod activity;
pub mod api_keys;
pub mod billing;
pub mod credits;
pub mod decisions;
pub mod deliveries;
pub mod destinations;
pub mod exports;
pub mod identity;
pub mod invitations;
pub mod joining;
pub mod me;
pub mod members;
pub mod overview;
pub mod ownership;
pub mod purchases;
pub mod quick_start;
pub mod resources;
pub mod roles;
pub mod security;
pub mod selections;
pub mod site;
pub mod support;
pub mod teams;
pub mod traffic;
pub mod workspaces;

use crate::walk::*;
pub use declared::{call, calls, form_at, page, pages, param, row_at};

/// In the order of planting, of the tour and of the gallery. `workspaces` is last: its stops delete the
/// workspace of the tour.
pub const ALL: &[&dyn Noun] = &[
    &site::Site,
    &identity::Identity,
    &me::Me,
    &overview::Overview,
    &roles::Roles,
    &members::Members,
    &access::EffectiveAccess,
    &access_requests::AccessRequests,
    &selections::Selections,
    &invitations::Invitations,
    &teams::Teams,
    &joining::Joining,
    &security::Security,
    &api_keys::ApiKeys,
    &account_keys::AccountKeys,
    &resources::Resources,
    &destinations::Destinations,
    &traffic::Traffic,
    &quick_start::QuickStart,
    &deliveries::Deliveries,
    &credits::Credits,
    &purchases::Purchases,
    &billing::Billing,
    &activity::Activity,
    &exports::Exports,
    &support::Support,
    &decisions::Decisions,
    &accounts::Accounts,
    &ownership::Ownership,
    &workspaces::Workspaces,
];

/// What a noun declares. All but its file and its routes may be left out.
#[async_trait(?Send)]
pub trait Noun: Sync {
    /// The file in `tests/nouns/`, which the walkers name where something is missing: `file!()`.
    fn file(&self) -> &'static str;

    /// Its pages and the targets of their forms, in the order of the product's table.
    fn pages(&self) -> Vec<Row> {
        Vec::new()
    }

    /// Its routes of the API, in the order of the product's table.
    fn calls(&self) -> Vec<Row> {
        Vec::new()
    }

    /// The parameters of its paths, in braces.
    fn params(&self) -> Vec<Param> {
        Vec::new()
    }

    /// Inserts its test data into one workspace of the world, and names it.
    async fn plant(&self, _plot: &mut Plot<'_>) {}

    /// Inserts `n` more into acme: the number of statements of a page must not grow.
    async fn grow(&self, _app: &TestApp, _world: &mut World, _n: usize) {}

    /// Checks that what triggers and tasks derive from its rows equals what counting returns.
    async fn assert_counted(&self, _app: &TestApp) {}

    /// Of a database of an earlier version that was brought up to date: queries for a text, each with
    /// what must come. See `tests/upgrade.rs` for what was there.
    fn upgraded(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Statements that put so many of it into the database of the tour that reading all is never the
    /// cheapest. `{id}`, `{bytes}` and `{then}`, a time far from now, are filled in; `FROM n` is there for
    /// the rows `i` from 1 to 2000.
    fn crowd(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the database may go through, for `tests/plans`.
    fn plans(&self) -> Plans {
        Plans::default()
    }

    /// Each of its routes once, each filter and order of its lists, and what else sends a statement of
    /// its own.
    async fn tour(&self, _tour: &mut Tour<'_>) {}

    /// Its pages as they come, for the gallery.
    async fn pictures(&self, _demo: &Demo, _pictures: &mut Pictures) {}

    /// Its pages once something was sent: after all nouns have their pages as they come.
    async fn pictures_of_changes(&self, _demo: &Demo, _pictures: &mut Pictures) {}
}

/// What the plans of the database are judged by.
#[derive(Default)]
pub struct Plans {
    /// Tables of which a workspace or an account can hold ten thousand rows.
    pub many: &'static [&'static str],
    /// Indices along which a list is read until its page is full, with a count beside it.
    pub list_indices: &'static [&'static str],
    /// Parts of statements that may go through everything, each with the reason.
    pub allowed: &'static [(&'static str, &'static str)],
    /// Those that go through everything on PostgreSQL alone.
    pub allowed_on_postgres: &'static [(&'static str, &'static str)],
}
