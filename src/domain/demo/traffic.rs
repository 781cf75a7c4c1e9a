//! A month of requests through the gateway, as its log keeps them.

use crate::{
    clock::{DAY, HOUR, MINUTE, SECOND},
    domain::{
        base::{
            db::Db, gateway_stage::GatewayStage, refused::Refused, sql::Sql,
            traffic_log::entry::TrafficEntry, values::Slug,
        },
        nouns::traffic,
    },
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Named {
    workspace_id: Uuid,
    id: Uuid,
    name: String,
}

/// Methods, paths and how large requests and responses are.
const REQUESTS: [(&str, &str, u64, u64); 6] = [
    ("GET", "/v1/forecast", 0, 2_412),
    ("POST", "/v1/charges", 318, 1_104),
    ("GET", "/v1/charges/ch_1042", 0, 1_377),
    ("POST", "/v1/messages", 1_966, 84),
    ("PUT", "/v1/customers/cu_77", 540, 612),
    ("GET", "/v1/export", 0, 1_840_233),
];

/// What came of some of the requests, by their number; the others were answered.
fn outcome(n: i64) -> (u16, Option<GatewayStage>, Option<&'static str>) {
    match n {
        n if n % 41 == 7 => (404, None, None),
        n if n % 67 == 11 => (503, None, None),
        n if n % 89 == 13 => {
            (504, Some(GatewayStage::Upstream), Some("It did not begin to answer within 15 seconds."))
        }
        n if n % 53 == 17 => (429, Some(GatewayStage::Rate), None),
        n if n % 97 == 19 => (403, Some(GatewayStage::Permission), None),
        n if n % 5 == 3 => (201, None, None),
        _ => (200, None, None),
    }
}

/// Notes a month of requests by the workspace's keys to its destinations, and writes them. To be called once the
/// clock is at the present.
///
/// # Errors
/// The database's own.
pub(super) async fn fill(db: &Db, slug: &Slug) -> Result<(), Refused> {
    let keys = "SELECT m.workspace_id, k.id, k.name FROM members m JOIN api_keys k ON k.id = m.api_key_id
        JOIN workspaces w ON w.id = m.workspace_id WHERE w.slug = $1 ORDER BY k.created_at, k.id";
    let keys: Vec<Named> = db.read().all(keys, vec![slug.as_str().into()]).await?;
    let hosts = "SELECT d.workspace_id, d.id, d.host AS name FROM destinations d
        JOIN workspaces w ON w.id = d.workspace_id
        WHERE w.slug = $1 AND d.paused_at IS NULL AND d.host NOT LIKE '*%' ORDER BY d.host";
    let hosts: Vec<Named> = db.read().all(hosts, vec![slug.as_str().into()]).await?;
    let now = db.now();
    for day in 0..traffic::CHART_DAYS {
        let day = i64::try_from(day).unwrap_or_default();
        // Fewer on every sixth and seventh day.
        let count = if day % 7 > 4 { 6 } else { 18 + day * 5 % 13 };
        for n in 0..count {
            let number = day * 31 + n;
            let (Some(key), Some(request)) = (pick(&keys, n / 5), pick(&REQUESTS, number)) else { continue };
            let host = pick(&hosts, number / 2);
            let (status, stage, error) = match host {
                Some(_) => outcome(number),
                None => (403, Some(GatewayStage::Destination), None),
            };
            let is_answered = stage.is_none();
            db.traffic().note(TrafficEntry {
                workspace_id: key.workspace_id,
                api_key_id: Some(key.id),
                key_name: key.name.clone(),
                destination_id: host.map(|host| host.id),
                host: host.map_or_else(|| "api.example.com".to_owned(), |host| host.name.clone()),
                method: request.0.to_owned(),
                path: request.1.to_owned(),
                status: Some(status),
                stage,
                error: error.map(str::to_owned),
                bytes_in: if is_answered { request.2 } else { 0 },
                bytes_out: if is_answered { request.3 } else { 212 },
                started_at: now - day * DAY - n * (HOUR / 2) - n * 13 * SECOND - 7 * MINUTE,
                duration_ms: u64::try_from(38 + number * 37 % 211).unwrap_or_default()
                    + if stage == Some(GatewayStage::Upstream) { 15_000 } else { 0 },
            });
        }
    }
    Ok(traffic::flush(db).await?)
}

fn pick<T>(of: &[T], n: i64) -> Option<&T> {
    let n = usize::try_from(n).unwrap_or_default();
    of.get(n % of.len().max(1))
}
