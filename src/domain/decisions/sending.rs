//! Whether a subject may send requests to a host through the gateway: `send` on a resource of the type `destination`,
//! whose id is the host.
//!
//! It answers as the gateway would, so that another proxy can enforce it: the permission, then the destination, then
//! what a test key and the workspace have left. What the gateway measures at the moment of a request (its rate, the addresses of the host)
//! is not known here.

use crate::{
    domain::{
        base::{gateway_stage::GatewayStage, refused::Refused, role::Role, text_rule::TextRule},
        decisions::held::{Decision, Held, Why},
        enforce::{read::ReadScope, rows::Scoped},
        gateway::{DestinationProblem, DestinationState, USED_UP, is_used_up},
        nouns::{
            credits,
            destinations::{Host, wildcard_over},
        },
    },
    policy::perm,
};
use sea_orm::{FromQueryResult, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};
use uuid::Uuid;

const TOO_FEW: &str = "The workspace has too few credits for the price of the destination.";

/// What a subject has left beside its roles, as the statement returns it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub member_id: Uuid,
    /// How many more requests a test key may send.
    pub requests_left: Option<i64>,
}

#[derive(Clone, Debug, FromQueryResult)]
struct DestinationRow {
    id: Uuid,
    host: String,
    is_paused: bool,
    allows_requests: bool,
    is_restricted: bool,
    price_credits: i64,
}

#[derive(FromQueryResult)]
struct SenderRow {
    destination_id: Uuid,
    role_id: Option<Uuid>,
    member_id: Option<Uuid>,
}

/// The destinations that some questions are about, with who may send to them.
#[derive(Default)]
pub(super) struct Destinations {
    by_host: BTreeMap<String, DestinationRow>,
    /// The ids of roles and members, by the id of the destination.
    senders: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// The credits of the workspace, if one of them has a price.
    available: i64,
}

/// The host that a text names, in the form that is stored.
fn host_of(text: &str) -> Option<String> {
    Host::parse(text).ok().map(|host| host.to_string())
}

impl Destinations {
    /// Loads what these hosts can match: one SQL statement, a second one if some of it is not for everybody, and a
    /// third one if some of it has a price.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn load<'a>(
        scope: &ReadScope<perm::CheckAccess>,
        hosts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Refused> {
        let names: BTreeSet<String> = hosts.into_iter().filter_map(host_of).collect();
        let wildcards = names.iter().filter_map(|name| wildcard_over(name));
        let all: BTreeSet<String> = wildcards.chain(names.iter().cloned()).collect();
        if all.is_empty() {
            return Ok(Self::default());
        }
        let sql =
            "SELECT d.id, d.host, d.paused_at IS NOT NULL AS is_paused, d.allows_requests, d.is_restricted,
                d.price_credits
            FROM destinations d WHERE d.workspace_id = $1 AND d.host IN ({})";
        let rows: Vec<DestinationRow> = select_among(scope, sql, all).await?;
        let restricted: Vec<Uuid> = rows.iter().filter(|row| row.is_restricted).map(|row| row.id).collect();
        let mut senders: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
        if !restricted.is_empty() {
            let sql = "SELECT s.destination_id, s.role_id, s.member_id FROM destination_senders s
                WHERE s.workspace_id = $1 AND s.destination_id IN ({})";
            let rows: Vec<SenderRow> = select_among(scope, sql, restricted).await?;
            for row in rows {
                senders.entry(row.destination_id).or_default().extend(row.role_id.or(row.member_id));
            }
        }
        let available = match rows.iter().any(|row| row.price_credits > 0) {
            true => credits::available(scope, scope.now()).await?,
            false => 0,
        };
        let by_host = rows.into_iter().map(|row| (row.host.clone(), row)).collect();
        Ok(Self { by_host, senders, available })
    }

    /// The destination that a host belongs to: its own, or the one with the asterisk.
    fn find(&self, host: &str) -> Option<&DestinationRow> {
        let name = host_of(host)?;
        self.by_host.get(&name).or_else(|| self.by_host.get(&wildcard_over(&name)?))
    }

    /// Decides on a host for a subject that holds the permission, as `granted` says.
    pub(super) fn decide(&self, host: &str, held: &Held<'_>, sender: Sender, granted: Decision) -> Decision {
        match self.refusal(host, &held.roles, sender) {
            Some((stage, detail)) => Why::MayNotSend { stage, detail: detail.to_owned() }.into(),
            None => granted,
        }
    }

    /// Whether somebody with these roles, who holds the permission, may send to a host.
    pub(super) fn allow(&self, host: &str, roles: &[&Role], sender: Sender) -> bool {
        self.refusal(host, roles, sender).is_none()
    }

    /// The stage at which the gateway would refuse a host to somebody who holds the permission, and why.
    fn refusal(&self, host: &str, roles: &[&Role], sender: Sender) -> Option<(GatewayStage, &'static str)> {
        let destination = self.find(host);
        let state = destination.map(|destination| DestinationState {
            is_paused: destination.is_paused,
            allows_requests: destination.allows_requests,
            is_sender: !destination.is_restricted || self.is_sender(destination.id, roles, sender.member_id),
        });
        if let Some(problem) = DestinationProblem::of(state) {
            return Some((GatewayStage::Destination, problem.sentence()));
        }
        if is_used_up(sender.requests_left) {
            return Some((GatewayStage::Credits, USED_UP));
        }
        match destination {
            Some(destination) if destination.price_credits > self.available => {
                Some((GatewayStage::Credits, TOO_FEW))
            }
            _ => None,
        }
    }

    fn is_sender(&self, destination: Uuid, roles: &[&Role], member: Uuid) -> bool {
        let Some(senders) = self.senders.get(&destination) else { return false };
        senders.contains(&member) || roles.iter().any(|role| senders.contains(&role.id))
    }
}

#[derive(FromQueryResult)]
struct Name {
    host: String,
}

/// The first hosts of the workspace's destinations after this one, as they are stored, without wildcards.
///
/// # Errors
/// The database's own.
pub(super) async fn names(
    scope: &ReadScope<perm::CheckAccess>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Refused> {
    let sql =
        "SELECT d.host FROM destinations d WHERE d.workspace_id = $1 AND d.host > $2 AND NOT d.is_wildcard
        ORDER BY d.host LIMIT $3";
    let values = vec![after.unwrap_or_default().into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let rows: Vec<Name> = scope.all(sql, values).await?;
    Ok(rows.into_iter().map(|row| row.host).collect())
}

/// Selects the rows whose column is one of the values, where `sql` has `{}`.
async fn select_among<R: FromQueryResult, V: Into<Value>>(
    scope: &ReadScope<perm::CheckAccess>,
    sql: &str,
    values: impl IntoIterator<Item = V>,
) -> Result<Vec<R>, Refused> {
    let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
    // As many as a power of two, so that there are few statements to prepare.
    let missing = values.len().next_power_of_two() - values.len();
    values.extend(values.first().cloned().into_iter().flat_map(|first| iter::repeat_n(first, missing)));
    let places: Vec<String> = (0..values.len()).map(|n| format!("${}", n + 2)).collect();
    Ok(scope.all(&sql.replace("{}", &places.join(", ")), values).await?)
}
