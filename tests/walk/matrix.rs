//! Every route × every caller × every place that its path may lead to: one walk for pages and calls.

use super::{Attempt, Caller, Carries, Entry, Kind, PLACES, Place, Row, Verdict};
use crate::{
    nouns,
    support::{
        product::{BuiltIn, Requirement},
        *,
    },
    world::*,
};
use sea_orm::{ConnectionTrait, Statement};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// The input of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// Valid input.
    Good,
    /// JSON where a form belongs, or no JSON where JSON does.
    Malformed,
    /// A good form without the session's token.
    NoToken,
}

/// The response of a page or a call.
pub struct Answer {
    pub status: u16,
    text: String,
    content_type: Option<String>,
    /// The page, for a request by a browser.
    page: Option<Page>,
}

impl Answer {
    /// What a person reads in it.
    pub fn words(&self) -> String {
        self.page.as_ref().map_or_else(|| self.text.clone(), Page::text)
    }
}

/// How many events a request left, and how many of them are refusals of acme, and of the caller's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Events {
    all: u64,
    refused: u64,
    refused_in_account: u64,
}

/// Fields that a page's form carries along, by the row, the caller and the place.
type CarriedFields = BTreeMap<(&'static str, usize, Place), Vec<(String, String)>>;

pub struct Walk<'a> {
    app: &'a TestApp,
    world: &'a World,
    pub callers: Vec<Caller>,
    carried: CarriedFields,
    /// The answer for what does not exist: of pages, to somebody who is no member.
    nothing: String,
    before: Snapshot,
    elsewhere: Vec<String>,
    pub requests: usize,
    visited: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    /// Everybody and everything is in the database: it stays as it is now.
    pub async fn begin(app: &'a TestApp, world: &'a World, callers: Vec<Caller>) -> Self {
        world.settle(app).await;
        let nothing = match &callers[0].entry {
            Entry::Browser(client) => client.get("/w/nowhere").await.with_status(404).html,
            Entry::Key(api) => api.get("/api/sso/v1/nothing").await.with_status(404).text,
        };
        Self {
            app,
            world,
            callers,
            carried: BTreeMap::new(),
            nothing,
            before: app.tenants().await,
            elsewhere: rows_of(app, world.elsewhere.id).await,
            requests: 0,
            visited: BTreeSet::new(),
        }
    }

    /// Tries each of the rows, by every caller, at every place.
    pub async fn walk(&mut self, rows: &[Row]) {
        for row in rows {
            self.read_carried(row).await;
            for caller in 0..self.callers.len() {
                for place in PLACES {
                    self.try_all(row, caller, place).await;
                }
            }
            if !row.is_of_tenant() {
                // What people do about themselves is in the record of each of their workspaces, and stays there.
                self.elsewhere = rows_of(self.app, self.world.elsewhere.id).await;
            }
        }
        let all: BTreeSet<String> = rows.iter().map(Row::name).collect();
        assert_eq!(self.visited, all, "left: visited, right: the table");
    }

    pub fn attempt<'b>(&'b self, row: &'b Row, caller: usize, place: Place) -> Attempt<'b> {
        let someone = &self.callers[caller];
        let is_other = |other: &&Caller| (other.kind == Kind::Outsider) != (someone.kind == Kind::Outsider);
        let foreign_session = self.callers.iter().find(is_other).map_or(UNKNOWN, |other| other.session);
        Attempt { foreign_session, ..Attempt::new(self.world, row, someone, place) }
    }

    async fn try_all(&mut self, row: &Row, caller: usize, place: Place) {
        let at = self.attempt(row, caller, place);
        let Some(address) = at.address() else { return };
        let sent: &[Sent] = match (&at.caller.entry, row.body_at(&at)) {
            (Entry::Browser(_), _) if row.is_page() => &[Sent::Nothing],
            (Entry::Browser(_), _) => &[Sent::Malformed, Sent::NoToken, Sent::Good],
            (Entry::Key(_), Some(_)) if place == Place::Own => &[Sent::Good, Sent::Malformed],
            (Entry::Key(_), Some(_)) => &[Sent::Good],
            (Entry::Key(_), None) => &[Sent::Nothing],
        };
        for sent in sent {
            let verdict = verdict(&self.attempt(row, caller, place), *sent);
            self.send_and_check(row, caller, place, &address, *sent, verdict).await;
            self.requests += 1;
        }
        self.visited.insert(row.name());
    }

    // ---- sending -------------------------------------------------------------------------------

    /// Reads what the form of this row carries, as each caller sees it who may open its page.
    pub async fn read_carried(&mut self, row: &Row) {
        let Some(carries) = row.carries else { return };
        for place in [Place::Own, Place::Above] {
            for caller in 0..self.callers.len() {
                if let Some(fields) = self.read_hidden(row, carries, caller, place).await {
                    self.carried.insert((row.path, caller, place), fields);
                }
            }
        }
    }

    async fn read_hidden(
        &self,
        row: &Row,
        carries: Carries,
        caller: usize,
        place: Place,
    ) -> Option<Vec<(String, String)>> {
        let page = self.attempt(nouns::page(carries.page), caller, place);
        let at = self.attempt(row, caller, place);
        let (Entry::Browser(client), None, Some(_)) =
            (&at.caller.entry, page.refused_at_the_gate(), at.address())
        else {
            return None;
        };
        let (page, form) = (client.get(&at.fill(carries.page)?).await, at.fill(carries.form)?);
        let fields = page.has_form(&form).then(|| page.form(&form).fields)?;
        Some(fields.into_iter().filter(|(name, _)| carries.fields.contains(&name.as_str())).collect())
    }

    /// What the form carries for this caller here, else for the Owner, else at the Owner's own place.
    fn carried(&self, row: &Row, caller: usize, place: Place) -> Vec<(String, String)> {
        let place = if self.attempt(row, caller, place).address().is_some() { place } else { Place::Own };
        let of = |caller, place| self.carried.get(&(row.path, caller, place));
        let fields = of(caller, place).or_else(|| of(0, place)).or_else(|| of(0, Place::Own));
        assert!(
            row.carries.is_none() || fields.is_some(),
            "no page has the form that POST {} carries",
            row.path
        );
        fields.cloned().unwrap_or_default()
    }

    /// All that the form sends, with what it carries.
    pub fn fields(&self, row: &Row, caller: usize, place: Place) -> Vec<(String, String)> {
        let fields = self.attempt(row, caller, place).fields().into_iter();
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        fields.chain(self.carried(row, caller, place)).collect()
    }

    async fn send(&self, row: &Row, caller: usize, place: Place, address: &str, sent: Sent) -> Answer {
        let at = self.attempt(row, caller, place);
        match &at.caller.entry {
            Entry::Browser(client) => self.send_form(client, &at, caller, address, sent).await,
            Entry::Key(api) => send_call(api, &at, address, sent).await,
        }
    }

    async fn send_form(
        &self,
        client: &Client,
        at: &Attempt<'_>,
        caller: usize,
        address: &str,
        sent: Sent,
    ) -> Answer {
        let fields = self.fields(at.row, caller, at.place);
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = match sent {
            Sent::Nothing => client.get(address).await,
            Sent::Malformed => client.post_raw(address, "{\"not\":\"a form\"}", "application/json").await,
            Sent::NoToken => {
                fields.push(("csrf", "0000"));
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                client.post_raw(address, body, "application/x-www-form-urlencoded").await
            }
            // What may change the session is done on a copy of it.
            Sent::Good => client.twin().post_form(address, &fields).await,
        };
        let content_type = page.header("content-type").map(str::to_owned);
        Answer { status: page.status.as_u16(), text: page.html.clone(), content_type, page: Some(page) }
    }

    /// The response to valid input, even if the place is not a variant for this caller.
    pub async fn send_good(&self, row: &Row, caller: usize, place: Place) -> Answer {
        let address = self.attempt(row, caller, place).address_here().unwrap();
        self.send(row, caller, place, &address, Sent::Good).await
    }

    // ---- checking ------------------------------------------------------------------------------

    async fn send_and_check(
        &self,
        row: &Row,
        caller: usize,
        place: Place,
        address: &str,
        sent: Sent,
        verdict: Verdict,
    ) {
        let someone = &self.callers[caller];
        let request = format!("{:?} {place:?} {sent:?}: {} {address}", someone.kind, row.method);
        let start = self.now_on();
        let answer = self.send(row, caller, place, address, sent).await;
        let status = answer.status;
        match verdict {
            Verdict::Is(wanted) | Verdict::Audited(wanted) => {
                assert_eq!(status, wanted, "{request} ({})\n{}", row.file, answer.words());
            }
            Verdict::Open => {
                assert!(![401, 403, 404].contains(&status) && status < 500, "{request} gave {status}");
            }
        }
        self.check_words(row, someone, place, verdict, &answer, &request).await;
        if status >= 400 {
            self.before.assert_same(&self.app.tenants().await);
            let refused = u64::from(matches!(verdict, Verdict::Audited(_)));
            // So that they are no flood, of which not each is recorded by itself: one user is accountable for the keys of
            // all roles, and has 200 refusals in an hour.
            self.app.clock.advance(Duration::from_secs(19));
            let is_member = matches!(row.requirement, Requirement::Member(_));
            let expected = Events {
                all: refused,
                refused: if is_member { refused } else { 0 },
                refused_in_account: if is_member { 0 } else { refused },
            };
            let events = self.events(someone, start).await;
            assert_eq!(events, expected, "left: events after {request}, right: expected");
        } else if !row.is_page() || row.is_recorded {
            if row.is_of_tenant() {
                assert_untouched(self.app, self.world.elsewhere.id, &self.elsewhere, &request).await;
                let expected = Events { all: row.events, ..Events::default() };
                let events = self.events(someone, start).await;
                assert_eq!(events, expected, "left: events after {request}, right: expected");
            }
            restore(self.app).await;
        } else {
            let events = self.events(someone, start).await;
            assert_eq!(events, Events::default(), "{request} was written down");
        }
    }

    /// Checks what the response may contain, and what it must not.
    async fn check_words(
        &self,
        row: &Row,
        caller: &Caller,
        place: Place,
        verdict: Verdict,
        answer: &Answer,
        request: &str,
    ) {
        if answer.status == 404 {
            let nothing = self.nothing_for(row, caller, place).await;
            assert_eq!(
                without_tokens(&answer.text),
                without_tokens(&nothing),
                "{request} differs from the answer for what does not exist"
            );
        }
        let is_member = matches!(caller.kind, Kind::Role(_) | Kind::Suspended);
        if let (Verdict::Audited(403), Kind::Role(_), Requirement::Member(needs)) =
            (verdict, caller.kind, row.requirement)
            && !caller.holdings.meets(needs)
        {
            let label = needs.permissions()[0].label();
            assert!(answer.words().contains(label), "{request} does not say {label:?}: {}", answer.words());
        }
        assert!(
            !is_member || !answer.text.contains("lsewhere"),
            "{request} shows another workspace: {}",
            answer.text
        );
        if matches!(caller.entry, Entry::Key(_)) && answer.status >= 400 {
            assert_eq!(answer.content_type.as_deref(), Some("application/problem+json"), "{request}");
            let body: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
            assert_eq!(body["status"], answer.status, "{request}");
        }
    }

    /// The answer for what does not exist. In the caller's own workspace or account it has its frame, and
    /// is the same for what is elsewhere and for what is nowhere.
    async fn nothing_for(&self, row: &Row, caller: &Caller, place: Place) -> String {
        let is_home = row.is_of_tenant() && !matches!(place, Place::OtherWorkspace | Place::NoWorkspace);
        match (&caller.entry, caller.kind) {
            (Entry::Browser(client), Kind::Role(_)) if is_home => {
                let address = match row.requirement {
                    Requirement::Account => {
                        format!("/a/{}/people/{UNKNOWN}/removal", self.world.acme.account)
                    }
                    _ => format!("/w/acme/members/{UNKNOWN}"),
                };
                client.get(&address).await.with_status(404).html
            }
            _ => self.nothing.clone(),
        }
    }

    /// The least id of an event that comes after all that there are.
    fn now_on(&self) -> Uuid {
        self.app.clock.advance(Duration::from_millis(1));
        Uuid::from_u128(u128::try_from(self.app.clock.now().as_millis()).unwrap() << 80)
    }

    /// Since this id. Those of the installation, such as the start of a chain, are beside the point.
    async fn events(&self, caller: &Caller, start: Uuid) -> Events {
        let home = if caller.kind == Kind::Outsider { &self.world.elsewhere } else { &self.world.acme };
        let (workspace, account) = (self.app.id(self.world.acme.id), self.app.id(home.account));
        let sql = format!(
            "SELECT count(COALESCE(workspace_id, account_id, user_id)) AS everything,
                count(CASE WHEN workspace_id = {workspace} AND outcome = 'refused' THEN 1 END) AS refused,
                count(CASE WHEN workspace_id IS NULL AND account_id = {account} AND outcome = 'refused' THEN 1 END)
                AS refused_in_account FROM audit_events WHERE id >= $1"
        );
        // The id is no part of the text: a connection keeps a hundred prepared statements, and some are long.
        let db = self.app.db().await;
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [start.into()]);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        let number = |name: &str| u64::try_from(row.try_get::<i64>("", name).unwrap()).unwrap();
        Events {
            all: number("everything"),
            refused: number("refused"),
            refused_in_account: number("refused_in_account"),
        }
    }
}

async fn send_call(api: &Api, at: &Attempt<'_>, address: &str, sent: Sent) -> Answer {
    let body = match sent {
        Sent::Malformed => Some("not JSON".to_owned()),
        _ => at.row.body_at(at).map(|body| body.to_string()),
    };
    let answer = api.send(at.row.method.parse().unwrap(), address, body, &[]).await;
    let content_type = answer.header("content-type").map(str::to_owned);
    Answer { status: answer.status, text: answer.text, content_type, page: None }
}

/// The expected response to this attempt with this input.
fn verdict(at: &Attempt, sent: Sent) -> Verdict {
    if let Some(refused) = at.refused_at_the_gate() {
        return refused;
    }
    match sent {
        _ if at.is_of_closed_set() => Verdict::Is(404),
        Sent::Malformed if at.is_key() => Verdict::Is(400),
        Sent::Malformed => Verdict::Is(415),
        Sent::NoToken => Verdict::Is(403),
        Sent::Nothing | Sent::Good => at.verdict(),
    }
}
