//! The schema of Bailiwick, one file a step, the same on SQLite and PostgreSQL.
//!
//! Written by hand, because the schema carries rules of its own: composite foreign keys keep every
//! row inside its workspace, partial unique indices keep one pending thing a place, and triggers
//! stand behind the Owner rule and the append-only audit. Steps only go forward; a backup is the
//! way back.

use sea_orm_migration::prelude::*;

pub mod audit_guards;
mod audit_v1;
mod m0001_identity;
mod m0002_workspaces;
mod m0003_invitations;
mod m0004_audit;
mod m0005_outbox;
mod m0006_headcounts;
mod m0007_found_not_passed;
mod m0008_teams;
mod m0009_accounts;
mod m0010_api_keys;
mod m0011_idempotency;
mod m0013_decisions;
mod m0014_awaited;
mod m0015_destinations;
mod m0016_vouching;
mod m0017_browsers_and_sessions;
mod m0018_homes;
mod m0019_audit_chains;
mod m0020_bounds;
mod m0021_mail_that_is_refused;
mod m0024_calls_from_websites;
mod m0025_one_first_person;
mod m0026_destinations_are_used;
mod m0027_traffic;
mod m0028_event_deliveries;
mod m0029_test_keys;
mod m0030_credits;
mod m0031_billing;
mod m0032_purchases;
mod m0033_exports;
mod m0034_support;
mod m0035_deleted_workspaces;
mod m0036_deleted_people;
mod m0037_payment_provider;
mod m0040_access_ends;
mod m0041_joining;
mod m0042_requests_and_mail;
mod m0043_owners_of_resources;
mod m0044_choices;
mod sql;

/// Runs the steps in order, each at most once.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_identity::Migration),
            Box::new(m0002_workspaces::Migration),
            Box::new(m0003_invitations::Migration),
            Box::new(m0004_audit::Migration),
            Box::new(m0005_outbox::Migration),
            Box::new(m0006_headcounts::Migration),
            Box::new(m0007_found_not_passed::Migration),
            Box::new(m0008_teams::Migration),
            Box::new(m0009_accounts::Migration),
            Box::new(m0010_api_keys::Migration),
            Box::new(m0011_idempotency::Migration),
            Box::new(m0013_decisions::Migration),
            Box::new(m0014_awaited::Migration),
            Box::new(m0015_destinations::Migration),
            Box::new(m0016_vouching::Migration),
            Box::new(m0017_browsers_and_sessions::Migration),
            Box::new(m0018_homes::Migration),
            Box::new(m0019_audit_chains::Migration),
            Box::new(m0020_bounds::Migration),
            Box::new(m0021_mail_that_is_refused::Migration),
            Box::new(m0024_calls_from_websites::Migration),
            Box::new(m0025_one_first_person::Migration),
            Box::new(m0026_destinations_are_used::Migration),
            Box::new(m0027_traffic::Migration),
            Box::new(m0028_event_deliveries::Migration),
            Box::new(m0029_test_keys::Migration),
            Box::new(m0030_credits::Migration),
            Box::new(m0031_billing::Migration),
            Box::new(m0032_purchases::Migration),
            Box::new(m0033_exports::Migration),
            Box::new(m0034_support::Migration),
            Box::new(m0035_deleted_workspaces::Migration),
            Box::new(m0036_deleted_people::Migration),
            Box::new(m0037_payment_provider::Migration),
            Box::new(m0040_access_ends::Migration),
            Box::new(m0041_joining::Migration),
            Box::new(m0042_requests_and_mail::Migration),
            Box::new(m0043_owners_of_resources::Migration),
            Box::new(m0044_choices::Migration),
        ]
    }
}

pub use sea_orm_migration::MigratorTrait as MigratorExt;

/// The names of all steps, in their order.
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}
