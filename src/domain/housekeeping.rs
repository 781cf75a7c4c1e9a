//! Periodic work: what was collected in memory is written, and what has expired is deleted.
//!
//! [`TABLES`] is the one place that says of each table why it does not grow without end.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{db::Db, idempotency, limits, sql::Sql},
        digest,
        enforce::{presence, refusal},
        nouns::{
            api_keys,
            billing::issue,
            credits,
            identity::unconfirmed,
            members::{ends, ends_notice},
            organization::deletion,
            own_deletion::erasure,
            support::grants,
            traffic,
        },
    },
};
use sea_orm::DbErr;

/// What bounds a table.
#[derive(Clone, Copy, Debug)]
pub enum Growth {
    /// Its rows expire, and are deleted by [`sweep`] so long after the time in this column, in milliseconds. The
    /// sentence says what bounds them until then.
    Expires { column: &'static str, after: i64, until_then: &'static str },
    /// The content of a tenant, kept until they delete it. The sentence says what bounds it.
    Content(&'static str),
    /// Rows that belong to those of another table, and are deleted with them.
    With(&'static str),
    /// Users, with their accounts and workspaces: those who never confirmed their address, and whose workspaces are
    /// empty, are deleted where mail is delivered.
    SignUps(&'static str),
    /// The audit record, which is append-only. The sentence says what bounds how fast it grows.
    Record(&'static str),
    /// The schema's own.
    Schema,
}

/// Every table, by its name. A test compares this list with the catalogue of the database.
pub const TABLES: &[(&str, Growth)] = {
    use Growth::{Content, Expires, Record, Schema, SignUps, With};
    &[
        (
            "access_requests",
            Expires {
                column: "expires_at",
                after: 90 * DAY,
                until_then: "20 of each member an hour; one that waits for each thing that is asked for",
            },
        ),
        ("account_people", With("users")),
        ("accounts", SignUps("one for each sign-up, then 30 workspaces a person and hour")),
        (
            "administration_requests",
            Expires { column: "expires_at", after: 30 * DAY, until_then: "one for each Owner and account" },
        ),
        (
            "api_key_consents",
            Expires {
                column: "expires_at",
                after: 30 * DAY,
                until_then: "one for each API key and workspace",
            },
        ),
        ("allowed_origins", Content("20 in a workspace")),
        ("api_key_secrets", With("api_keys")),
        ("api_keys", Content("1,000 in an account, made by people with a confirmed address")),
        (
            "attention_snoozes",
            Expires {
                column: "until",
                after: 0,
                until_then: "one for each member and thing that needs their attention",
            },
        ),
        ("audit_chains", Record("one for each workspace, account and user")),
        ("audit_erasures", Record("at most three for each event")),
        ("audit_checkpoint_heads", Record("one for each chain that changed since the checkpoint before")),
        ("audit_checkpoints", Record("one an hour, if anything was recorded")),
        (
            "audit_events",
            Record("sign-ins, sign-ups and resets are limited; a flood of refusals is one event"),
        ),
        ("audit_identities", With("audit_events")),
        ("billing_profiles", Content("one for each workspace")),
        ("billing_terms", Content("one for each change of a plan or of seats, kept as a record")),
        ("credit_accounts", With("credit_transfers")),
        ("credit_days", Content("one for each day on which a workspace used credits")),
        ("credit_holds", With("credit_transfers")),
        ("credit_ledgers", With("workspaces")),
        (
            "credit_purchases",
            Content("kept as a record; what is not paid for is limited, and 20 requests wait at a time"),
        ),
        ("credit_requests", With("credit_transfers")),
        (
            "credit_transfers",
            Content(
                "a ledger, kept whole; each moves credits that whoever runs the installation granted, within the rate of calls",
            ),
        ),
        (
            "destination_credentials",
            Expires { column: "ends_at", after: 0, until_then: "two for each destination" },
        ),
        ("destination_senders", With("destinations")),
        ("destinations", Content("500 in a workspace")),
        (
            "email_tokens",
            Expires {
                column: "expires_at",
                after: DAY,
                until_then: "one for each person and purpose; 30 to reset a password",
            },
        ),
        ("event_attempts", With("event_deliveries")),
        (
            "event_deliveries",
            Expires {
                column: "expires_at",
                after: 0,
                until_then: "one for each audit event and receiver, of which a workspace has 20, for 30 days; 7 if it is held",
            },
        ),
        ("event_endpoints", With("destinations")),
        ("export_parts", With("exports")),
        (
            "exports",
            Expires { column: "expires_at", after: 0, until_then: "three in a workspace, of 4 GiB at most" },
        ),
        ("first_person", Content("one row")),
        (
            "first_sign_ups",
            Expires {
                column: "ended_at",
                after: 30 * DAY,
                until_then: "one for each unconfirmed sign-up by the link for the first person",
            },
        ),
        ("former_members", Content("one for each person who left a workspace; a key may know them")),
        (
            "gateway_leases",
            Expires {
                column: "expires_at",
                after: 0,
                until_then: "one for each limit that is in use, and node",
            },
        ),
        ("grants", With("roles")),
        ("headcounts", With("members")),
        (
            "idempotency_keys",
            Expires {
                column: "created_at",
                after: idempotency::LIFETIME,
                until_then: "20,000 for each API key and day",
            },
        ),
        ("invoice_lines", With("invoices")),
        ("invoice_numbers", Content("one row")),
        ("invoices", Content("one for each workspace and month, kept as a record")),
        ("invitation_roles", With("invitations")),
        ("invitation_teams", With("invitations")),
        ("invitation_tokens", With("invitations")),
        ("invitations", Content("1,000 for each confirmed person and hour; kept as a record")),
        ("join_domains", Content("10 in a workspace")),
        ("join_link_roles", With("join_links")),
        ("join_link_teams", With("join_links")),
        ("join_link_uses", With("join_links")),
        (
            "join_links",
            Content("50 open ones in a workspace, 100 for each person and hour; kept as a record"),
        ),
        ("mail_choices", Content("one for each person and kind of mail")),
        ("member_roles", With("members")),
        ("members", Content("invited or added by other members")),
        (
            "notices",
            Expires { column: "expires_at", after: 0, until_then: "20 for each session, for an hour" },
        ),
        (
            "outbox",
            Expires {
                column: "created_at",
                after: MAX_MAIL_AGE,
                until_then: "sent mail is deleted at once; each kind has its limits by network and recipient",
            },
        ),
        ("payments", With("invoices")),
        ("provider_customers", With("workspaces")),
        (
            "provider_events",
            Expires {
                column: "received_at",
                after: 30 * DAY,
                until_then: "one for each signed message of the payment provider, which repeats none after three days",
            },
        ),
        ("provider_invoices", With("invoices")),
        ("purchase_ceilings", With("roles")),
        ("ownership_offers", Content("one pending in a workspace; kept as a record")),
        (
            "rate_limits",
            Expires {
                column: "window_start",
                after: limits::MAX_WINDOW,
                until_then: "one for each subject; a network that reached a limit adds none",
            },
        ),
        ("resources", Content("made by the workspace's own API keys")),
        ("roles", Content("64 custom ones in a workspace, with 200 scopes each")),
        ("seaql_migrations", Schema),
        (
            "sessions",
            Expires { column: "expires_at", after: 0, until_then: "50 for each person; the oldest one ends" },
        ),
        ("support_answers", With("support_requests")),
        ("support_grants", Content("asked for by whoever runs the installation; kept as a record")),
        ("support_requests", Content("20 for each person and day; kept as a record")),
        ("support_views", With("support_grants")),
        ("team_members", With("teams")),
        ("team_roles", With("teams")),
        ("teams", Content("made by members with a permission")),
        (
            "traffic",
            Expires {
                column: "at",
                after: traffic::LIFETIME,
                until_then: "the latest 100,000 of each workspace; of 2,000 in a second the others are counted",
            },
        ),
        (
            "traffic_days",
            Expires {
                column: "day",
                after: traffic::LIFETIME,
                until_then: "one for each day and workspace, key and destination",
            },
        ),
        ("user_choices", Content("one for each person and workspace")),
        (
            "users",
            SignUps(
                "200 sign-ups for each network and hour; the unconfirmed and unused go after 30 days, and of one that was deleted a row without a name stays",
            ),
        ),
        ("workspaces", SignUps("as accounts; one that was deleted goes 30 days later")),
    ]
};

/// Mail that could not be sent for so long is given up, in milliseconds: its links have expired.
const MAX_MAIL_AGE: i64 = 7 * DAY;

/// Writes who was active since the last call, and the floods of refusals that are over; takes away what has ended, and
/// sends mail before more does. Notes when the database is back.
///
/// # Errors
/// The database's own.
pub async fn housekeeping(db: &Db) -> Result<(), DbErr> {
    refusal::flush(db, false).await;
    presence::flush(db).await?;
    grants::end_overdue(db).await?;
    ends::take_away_overdue(db).await?;
    ends_notice::send_due(db).await?;
    db.note_recovery().await;
    Ok(())
}

/// [`housekeeping`] before the program ends: what is in memory would be lost.
///
/// # Errors
/// The database's own.
pub async fn last_housekeeping(db: &Db) -> Result<(), DbErr> {
    refusal::flush(db, true).await;
    // Neither is lost because the other fails.
    let (traffic, presence) = (traffic::flush(db).await, presence::flush(db).await);
    traffic.and(presence)
}

/// Deletes what has expired, as [`TABLES`] says.
///
/// # Errors
/// The database's own.
pub async fn sweep(db: &Db) -> Result<(), DbErr> {
    let now = db.now();
    for (table, growth) in TABLES {
        if let Growth::Expires { column, after, .. } = growth {
            delete(db, &format!("DELETE FROM {table} WHERE {column} <= $1"), now - *after).await?;
        }
    }
    limits::sweep(db).await?;
    api_keys::mail::notify_expiring(db).await?;
    digest::send_due(db).await?;
    credits::sweep(db).await?;
    issue::issue_due(db).await?;
    deletion::purge(db).await?;
    erasure::erase_waiting(db).await?;
    unconfirmed::sweep(db).await
}

async fn delete(db: &Db, sql: &str, until: Timestamp) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run(sql, vec![until.into()]).await?;
    tx.commit().await
}
