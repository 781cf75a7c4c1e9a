//! The list of requests, under the days that they were sent on.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        GatewayStage, Invalid, Refused,
        base::{paging::Position, traffic_log::entry::Ending},
        nouns::traffic::{self, Filter, METHODS, Request, StageFilter},
    },
    policy::perm,
    web::{
        chart::BAR_WIDTH,
        checks::{self, date},
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        list::{Filters, List, ListState, Neighbours, one_of},
        routes::{
            activity::list::id,
            traffic::{
                chart::Chart,
                figures::{duration, size},
            },
        },
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

/// What the list can be narrowed to by status, with the words for it.
const STATUSES: [(&str, &str); 4] = [
    ("2xx", "2xx Success"),
    ("3xx", "3xx Redirection"),
    ("4xx", "4xx Client error"),
    ("5xx", "5xx Server error"),
];

/// Requests that ended at some stage.
const ANY_STAGE: &str = "any";

#[derive(Template)]
#[template(path = "traffic/index.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/traffic`
    base: String,
    list: ListState<ListQuery>,
    rows: Vec<Row>,
    neighbours: Neighbours,
    chart: Chart,
    /// The name of the key that the list is narrowed to; empty if it is not, or nothing says the name.
    key: String,
    /// The host that the list is narrowed to, in the same way.
    destination: String,
}

/// One request, as a row of the list.
struct Row {
    request: Request,
    when: When,
    tone: &'static str,
    /// Such as `200`.
    status: String,
    /// Where Bailiwick itself ended it; empty if it did not.
    ended: String,
    duration: String,
    sent: String,
    received: String,
}

impl Row {
    fn new(request: Request, now: Timestamp) -> Self {
        let ending = request.ending();
        let stage = request.stage().map(GatewayStage::label).unwrap_or_default().to_lowercase();
        Self {
            when: When::new(request.at, now),
            tone: match ending {
                Ending::Answered => "good",
                Ending::ClientError => "warn",
                Ending::Failed => "bad",
                Ending::Refused => "off",
            },
            status: request.status.map_or_else(|| "No answer".to_owned(), |status| status.to_string()),
            ended: match (stage.is_empty(), ending) {
                (true, _) => String::new(),
                (false, Ending::Refused) => format!("Refused: {stage}"),
                (false, _) => format!("Failed: {stage}"),
            },
            duration: duration(request.ms),
            sent: size(request.bytes_in),
            received: size(request.bytes_out),
            request,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    q: String,
    key: String,
    destination: String,
    method: String,
    status: String,
    stage: String,
    from: String,
    until: String,
}

impl Filters for ListQuery {
    type Filter = Filter;

    fn read(&self) -> Result<Filter, Refused> {
        one_of("method", &self.method, &METHODS)?;
        one_of("status", &self.status, &STATUSES.map(|(class, _)| class))?;
        let stage = match self.stage.as_str() {
            "" => None,
            ANY_STAGE => Some(StageFilter::Any),
            word => {
                let stage = GatewayStage::of_word(word);
                let stage =
                    stage.ok_or_else(|| Invalid::field("stage", "Choose one of the listed stages."))?;
                Some(StageFilter::At(stage))
            }
        };
        Ok(Filter {
            text: checks::search(&self.q)?,
            api_key: id("key", &self.key)?,
            destination: id("destination", &self.destination)?,
            method: self.method.clone(),
            status_class: self.status.get(..1).and_then(|digit| digit.parse().ok()),
            stage,
            from: date("from", &self.from)?,
            until: date("until", &self.until)?.map(|midnight| midnight + DAY),
        })
    }

    fn query_pairs(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("q", &self.q),
            ("key", &self.key),
            ("destination", &self.destination),
            ("method", &self.method),
            ("status", &self.status),
            ("stage", &self.stage),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }
}

pub async fn index(cx: Authorized<perm::ReadDestinations, List<ListQuery>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let load = async |filter: &Filter, at: &Position| {
        let subject = filter.destination.or(filter.api_key);
        Ok((traffic::list(&scope, filter, at).await?, subject))
    };
    let ((found, subject), list) = list.load(load).await?;
    let base = view.at("/traffic");
    let neighbours = list.neighbours(&found, &base);
    let rows: Vec<Row> = found.rows.into_iter().map(|request| Row::new(request, scope.now())).collect();
    let first = rows.first().map(|row| &row.request);
    let named = |is_narrowed: bool, name: Option<&String>| match is_narrowed {
        true => name.cloned().unwrap_or_default(),
        false => String::new(),
    };
    let page = Index {
        chrome: view.chrome(),
        key: named(!list.query.key.is_empty(), first.map(|request| &request.key_name)),
        destination: named(!list.query.destination.is_empty(), first.map(|request| &request.host)),
        chart: Chart::new(&traffic::days(&scope, subject).await?),
        rows,
        neighbours,
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}
