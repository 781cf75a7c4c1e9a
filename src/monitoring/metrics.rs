//! Every metric that is read at the moment of a scrape. Those of requests are in `web::metrics`.
//!
//! A new part of the program (a queue, a gateway) adds a function here, and a table in `docs/monitoring/README.md`,
//! which a test compares with what is served.

use crate::{
    domain::base::counters::{HashingState, PoolState, TaskCounters},
    listen::max_connections,
    monitoring::{Monitor, Queues},
};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Names and values that tell the series of a metric apart. All are constants, so that there are few.
type Labels = Vec<(&'static str, &'static str)>;

impl Monitor {
    /// All metrics, as they are now. `queues` is `None` where the database did not answer: then there is nothing about
    /// them, rather than what was true before.
    pub(super) fn registry(&self, queues: Option<&Queues>) -> Registry {
        let mut registry = Registry::with_prefix("bailiwick");
        self.app.metrics.register(&mut registry);
        let mut metrics = Metrics(&mut registry);
        self.program(&mut metrics);
        self.connections(&mut metrics);
        self.database(&mut metrics, queues.is_some());
        hashing(&mut metrics, self.db.hashing(), self.db.hashes().count());
        self.deliveries(&mut metrics);
        self.traffic(&mut metrics);
        self.event_deliveries(&mut metrics);
        if let Some(queues) = queues {
            self.mail_queue(&mut metrics, queues);
            self.event_queue(&mut metrics, queues);
            audit(&mut metrics, queues);
        }
        self.outbound(&mut metrics);
        self.gateway(&mut metrics);
        self.tasks(&mut metrics);
        registry
    }

    fn program(&self, metrics: &mut Metrics<'_>) {
        let labels = vec![("version", env!("CARGO_PKG_VERSION")), ("database", self.db.kind())];
        metrics.gauges(
            "build_info",
            "The version of the program and the kind of its database",
            [(labels, 1)],
        );
        metrics.gauge(
            "start_time_seconds",
            "When the program was started, in seconds since 1970",
            self.started_at.as_seconds(),
        );
    }

    fn connections(&self, metrics: &mut Metrics<'_>) {
        metrics.gauge("connections", "Connections of clients that are open", signed(self.connections.open()));
        metrics.gauge(
            "connections_max",
            "Connections of clients that can be open",
            signed(max_connections() as u64),
        );
        metrics.counter(
            "connections_refused",
            "Connections that were refused because their network had too many",
            self.connections.refused(),
        );
    }

    fn database(&self, metrics: &mut Metrics<'_>, is_up: bool) {
        metrics.gauge("database_up", "1 if the database answered this scrape", is_up.into());
        let pools = [("read", self.db.readers()), ("write", self.db.writers())];
        let of_each = |value: fn(&PoolState) -> u64| {
            pools.map(|(pool, state)| (vec![("pool", pool)], signed(value(&state))))
        };
        let by_state = pools.map(|(pool, state)| {
            [("in_use", state.in_use), ("idle", state.idle)]
                .map(|(word, count)| (vec![("pool", pool), ("state", word)], signed(count)))
        });
        metrics.gauges("database_connections", "Open connections to the database", by_state.concat());
        metrics.gauges(
            "database_connections_max",
            "Connections to the database that can be open",
            of_each(|pool| pool.max),
        );
        metrics.gauges(
            "database_waiting",
            "Requests and tasks that wait for a connection or, to write, for their turn",
            of_each(|pool| pool.waiting),
        );
        metrics.counters(
            "database_timeouts",
            "Requests and tasks that waited for a connection for too long",
            pools.map(|(pool, state)| (vec![("pool", pool)], state.timeouts)),
        );
        metrics.counter(
            "database_statements",
            "SQL statements that requests have sent",
            self.db.statements().count(),
        );
    }

    fn deliveries(&self, metrics: &mut Metrics<'_>) {
        let mail = &self.db.counters().mail;
        let outcomes = [
            ("sent", &mail.sent),
            ("retried", &mail.retried),
            ("given_up", &mail.given_up),
            ("dropped", &mail.dropped),
        ];
        metrics.counters(
            "mail_deliveries",
            "Attempts of this node to deliver a message, by what became of it",
            outcomes.map(|(outcome, count)| (vec![("outcome", outcome)], count.count())),
        );
    }

    fn traffic(&self, metrics: &mut Metrics<'_>) {
        let counters = self.db.traffic().counters();
        let outcomes = [("counted", &counters.unlisted), ("lost", &counters.lost)];
        metrics.counters(
            "traffic_unlisted",
            "Requests through the gateway that are not listed in Traffic, because there were too many at once: \
             counted by day, or lost",
            outcomes.map(|(outcome, count)| (vec![("outcome", outcome)], count.count())),
        );
    }

    fn event_deliveries(&self, metrics: &mut Metrics<'_>) {
        let events = &self.db.counters().events;
        let outcomes =
            [("delivered", &events.delivered), ("retried", &events.retried), ("given_up", &events.given_up)];
        metrics.counters(
            "event_deliveries",
            "Attempts of this node to deliver an event to a destination, by what became of it",
            outcomes.map(|(outcome, count)| (vec![("outcome", outcome)], count.count())),
        );
    }

    fn outbound(&self, metrics: &mut Metrics<'_>) {
        let counts = self.app.outbound.counts();
        metrics.counter(
            "outbound_connections",
            "Connections to destinations that were opened, or tried to",
            counts.connections(),
        );
        metrics.counters(
            "outbound_refusals",
            "Requests to destinations that were refused for the address that they lead to",
            counts.refusals().map(|(class, count)| (vec![("class", class)], count)),
        );
    }

    fn gateway(&self, metrics: &mut Metrics<'_>) {
        let gate = &self.app.gate;
        metrics.gauge(
            "gateway_in_progress",
            "Requests that this node is sending to destinations",
            signed(gate.sending()),
        );
        metrics.gauge(
            "gateway_waiting",
            "Requests to destinations that wait for their turn on this node",
            signed(gate.waiting()),
        );
    }

    fn event_queue(&self, metrics: &mut Metrics<'_>, queues: &Queues) {
        let events = &queues.events;
        let states = [("waiting", events.waiting), ("retrying", events.retrying)];
        metrics.gauges(
            "event_queue_messages",
            "Messages that are to be delivered to destinations, which all nodes share",
            states.map(|(state, count)| (vec![("state", state)], count)),
        );
        let age = events.oldest.map_or(0, |since| (self.db.now() - since).max(0) / 1_000);
        metrics.gauge(
            "event_queue_oldest_seconds",
            "How long the oldest message to a destination has been waiting",
            age,
        );
    }

    fn mail_queue(&self, metrics: &mut Metrics<'_>, queues: &Queues) {
        let mail = &queues.mail;
        let states =
            [("waiting", mail.waiting), ("retrying", mail.retrying), ("undeliverable", mail.undeliverable)];
        metrics.gauges(
            "mail_queue_messages",
            "Messages in the queue of mail, which all nodes share",
            states.map(|(state, count)| (vec![("state", state)], count)),
        );
        let age = mail.oldest.map_or(0, |since| (self.db.now() - since).max(0) / 1_000);
        metrics.gauge(
            "mail_queue_oldest_seconds",
            "How long the oldest message that is to be sent has been waiting",
            age,
        );
    }

    fn tasks(&self, metrics: &mut Metrics<'_>) {
        let counters = self.db.counters();
        let tasks = [("housekeeping", &counters.housekeeping), ("checkpoints", &counters.checkpoints)];
        let outcomes = |(task, TaskCounters { succeeded, failed }): (&'static str, &TaskCounters)| {
            [("success", succeeded.count()), ("failure", failed.count())]
                .map(|(outcome, count)| (vec![("task", task), ("outcome", outcome)], count))
        };
        metrics.counters(
            "task_runs",
            "Runs of the tasks that come back, by how they ended",
            tasks.map(outcomes).concat(),
        );
    }
}

fn hashing(metrics: &mut Metrics<'_>, state: HashingState, hashes: u64) {
    metrics.counter("password_hashes", "Passwords that were hashed, to be stored or compared", hashes);
    metrics.gauge("password_hashing", "Passwords that are being hashed", signed(state.running));
    metrics.gauge("password_hashing_max", "Passwords that are hashed at a time, at most", signed(state.max));
    let lanes = [("known", state.waiting_known), ("stranger", state.waiting_strangers)];
    metrics.gauges(
        "password_hash_queue",
        "Requests that wait for their turn to hash a password",
        lanes.map(|(lane, waiting)| (vec![("lane", lane)], signed(waiting))),
    );
    metrics.counter(
        "password_hash_timeouts",
        "Requests that waited for their turn to hash a password for too long",
        state.timeouts,
    );
}

fn audit(metrics: &mut Metrics<'_>, queues: &Queues) {
    let audit = &queues.audit;
    metrics.gauge(
        "audit_checkpoint_timestamp_seconds",
        "When the latest checkpoint of the audit record was signed, in seconds since 1970; 0 if none was",
        audit.latest.map_or(0, |latest| latest.as_seconds()),
    );
    metrics.gauge(
        "audit_unsigned_chains",
        "Chains of the audit record whose newest event no checkpoint commits to",
        audit.unsigned_chains,
    );
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Where metrics are put.
struct Metrics<'a>(&'a mut Registry);

impl Metrics<'_> {
    fn gauge(&mut self, name: &'static str, help: &'static str, value: i64) {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, i64)>,
    ) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    /// `_total` is added to the name.
    fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    /// `_total` is added to the name.
    fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }
}
