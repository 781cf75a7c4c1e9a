//! Admission to send: key, membership, permission and destination in one statement.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            db::Db,
            ends::held_roles,
            gateway_stage::ADDRESS,
            principal::{Actor, Credential, Origin, Principal},
            refused::Refused,
            text_rule::TextRule,
        },
        enforce::{
            read::ReadScope,
            workspace::admission::{Beside, WorkspaceSelector},
        },
        gateway::conditions::{DestinationProblem, DestinationState, is_used_up},
        nouns::{
            credits::charge::{self, Charge},
            destinations::{Host, credential, wildcard_over},
        },
    },
    policy::perm,
};
use sea_orm::{DbErr, FromQueryResult};
use secrecy::SecretString;
use std::{borrow::Cow, time::Duration};
use uuid::Uuid;

/// What is read beside the admission of a member `m`: the destination `d`, and whether `m` is among its senders.
const COLUMNS: &str = concat!(
    "d.id AS destination_id, d.host AS destination_host, d.allows_requests,
        d.paused_at IS NOT NULL AS is_paused, d.requests_per_minute, d.price_credits,
        CASE WHEN d.is_restricted THEN EXISTS (SELECT 1 FROM destination_senders ds LEFT JOIN roles dr
                ON dr.workspace_id = ds.workspace_id AND dr.id = ds.role_id
                WHERE ds.workspace_id = d.workspace_id AND ds.destination_id = d.id AND (ds.member_id = m.id
                    OR ' ' || ",
    held_roles!("m", "$3"),
    " || ' ' LIKE '% ' || dr.slug || ' %'))
            ELSE TRUE END AS is_sender, dc.header_name, dc.sealed"
);

/// The destination with this very host, or the wildcard that covers it, and its current credential.
const JOINS: &str = " LEFT JOIN destinations d ON d.workspace_id = w.id AND d.host IN ($4, $5)
    LEFT JOIN destination_credentials dc
        ON dc.workspace_id = d.workspace_id AND dc.destination_id = d.id AND dc.ends_at IS NULL";

/// The exact host wins, whatever the wildcard would allow.
const EXACT_FIRST: &str = " ORDER BY d.is_wildcard LIMIT 1";

#[derive(FromQueryResult)]
struct Row {
    destination_id: Option<Uuid>,
    destination_host: Option<String>,
    allows_requests: Option<bool>,
    is_paused: Option<bool>,
    requests_per_minute: Option<i64>,
    price_credits: Option<i64>,
    is_sender: Option<bool>,
    header_name: Option<String>,
    sealed: Option<String>,
}

/// The destination that a request is sent to.
#[derive(Clone)]
pub struct SendDestination {
    pub id: Uuid,
    /// The host that the request names, in the one form that [`Host`] has.
    pub host: String,
    /// As the destination is stored: the same, or the wildcard that covers it.
    pub stored_host: String,
    /// The most requests in a minute; `None` for the default of the installation.
    pub requests_per_minute: Option<u32>,
    /// What a request costs; 0 for nothing.
    pub price: i64,
    /// The name of a header, and its sealed value.
    credential: Option<(String, String)>,
}

/// A request that may be sent to its destination.
pub struct SendScope {
    scope: ReadScope<perm::SendDestinations>,
    destination: SendDestination,
}

/// Why a request is not sent.
#[derive(Debug)]
pub enum GatewayRefusal {
    /// The key, its membership or its permission.
    NotAdmitted(Refused),
    /// The destination; by whom it was asked for, by which name, and which one it is.
    Destination { problem: DestinationProblem, actor: Box<Actor>, host: String, destination: Option<Uuid> },
}

impl From<Refused> for GatewayRefusal {
    fn from(refused: Refused) -> Self {
        Self::NotAdmitted(refused)
    }
}

/// Admits a key to send to a host, however its name is written. Refusals of the destination are audited, as those of the
/// permission are.
///
/// # Errors
/// [`GatewayRefusal`]; a host of another workspace is one that is not known.
pub async fn admit(
    db: &Db,
    credential: Credential,
    selector: WorkspaceSelector<'_>,
    host: &str,
    origin: Origin,
) -> Result<SendScope, GatewayRefusal> {
    let named = Host::parse(host).ok();
    let name = named.as_ref().map_or("", Host::as_str);
    let beside = Beside {
        columns: Cow::Borrowed(COLUMNS),
        joins: JOINS,
        tail: EXACT_FIRST,
        values: vec![name.into(), wildcard_over(name).unwrap_or_default().into()],
    };
    let (scope, row): (ReadScope<perm::SendDestinations>, Row) =
        ReadScope::admit_beside(db, credential, selector, origin, &beside).await?;
    let problem = row.problem();
    let destination = row.destination(name);
    match (problem, destination) {
        (None, Some(destination)) => Ok(SendScope { scope, destination }),
        (problem, destination) => {
            let problem = problem.unwrap_or(DestinationProblem::Unknown);
            scope.refuse(problem.conflict()).await;
            let destination = destination.map(|destination| destination.id);
            let actor = Box::new(scope.actor().clone());
            let host = named.map_or_else(|| host.to_owned(), |named| named.to_string());
            Err(GatewayRefusal::Destination { problem, actor, host, destination })
        }
    }
}

impl Row {
    fn problem(&self) -> Option<DestinationProblem> {
        let is = |flag: Option<bool>| flag.unwrap_or_default();
        DestinationProblem::of(self.destination_id.map(|_| DestinationState {
            is_paused: is(self.is_paused),
            allows_requests: is(self.allows_requests),
            is_sender: is(self.is_sender),
        }))
    }

    fn destination(self, host: &str) -> Option<SendDestination> {
        let (id, stored_host) = self.destination_id.zip(self.destination_host)?;
        let requests_per_minute = self.requests_per_minute.and_then(|most| u32::try_from(most).ok());
        let credential = self.header_name.zip(self.sealed);
        let price = self.price_credits.unwrap_or_default();
        Some(SendDestination {
            id,
            host: host.to_owned(),
            stored_host,
            requests_per_minute,
            price,
            credential,
        })
    }
}

impl SendScope {
    pub fn actor(&self) -> &Actor {
        self.scope.actor()
    }

    pub fn scope(&self) -> &ReadScope<perm::SendDestinations> {
        &self.scope
    }

    pub fn destination(&self) -> &SendDestination {
        &self.destination
    }

    /// Whether it is by a test key that has sent all of its requests.
    pub fn is_used_up(&self) -> bool {
        match &self.actor().principal {
            Principal::ApiKey(key) => is_used_up(key.requests_left),
            Principal::User(_) | Principal::Support(_) => false,
        }
    }

    /// The header and the secret that the destination's requests carry, if it has one.
    ///
    /// # Errors
    /// [`DbErr::Custom`] if it can't be opened.
    pub fn credential(&self) -> Result<Option<(String, SecretString)>, DbErr> {
        let SendDestination { id, stored_host, credential, .. } = &self.destination;
        let Some((header, sealed)) = credential else { return Ok(None) };
        let workspace = self.actor().workspace.id;
        let secret = credential::unseal(self.scope.db(), workspace, *id, stored_host, sealed)?;
        Ok(Some((header.clone(), secret)))
    }

    /// Holds the price of the request, for longer than it may take; `None` for one that costs nothing.
    ///
    /// # Errors
    /// [`Refused::NoCredit`], which names who can buy.
    pub async fn charge(&self, takes: Duration) -> Result<Option<Charge>, Refused> {
        let SendDestination { price, host, .. } = &self.destination;
        if *price <= 0 {
            return Ok(None);
        }
        charge::hold(self.scope.db(), self.actor(), host, *price, takes).await.map(Some)
    }

    /// Checks that the workspace has the price of a request. Nothing is held.
    ///
    /// # Errors
    /// As [`SendScope::charge`].
    pub async fn ensure_credit(&self) -> Result<(), Refused> {
        match self.destination.price {
            ..=0 => Ok(()),
            price => charge::check(self.scope.db(), self.actor(), price).await,
        }
    }

    /// Audits that the host led to an address that is not public.
    pub async fn refuse_address(&self) {
        const NOT_PUBLIC: Conflict =
            Conflict::new("address", "The host leads to an address that isn't public.")
                .with_audit_reason(ADDRESS);
        self.scope.refuse(NOT_PUBLIC).await;
    }
}
