//! A page of events for `cargo bench`.

use crate::{
    clock::{HOUR, Timestamp},
    domain::activity::Entry,
    policy::Holdings,
    web::{
        chrome::Chrome,
        list::{ListState, Neighbours},
        route_index::RouteLabels,
        routes::activity::list::{Index, Row, kinds},
    },
};
use askama::Template;
use uuid::Uuid;

pub(in crate::web) fn activity(chrome: Chrome, rows: u8) -> impl Template + use<> {
    let base = "/w/sample/activity".to_owned();
    Index {
        chrome,
        list: ListState::default(),
        kinds: kinds(),
        recent: Vec::new(),
        summary: String::new(),
        rows: (0..rows)
            .map(|number| Row::new(entry(number), NOW, &RouteLabels::default()))
            .map(|row| row.for_viewer(&Holdings::of(true, [])))
            .collect(),
        neighbours: Neighbours::sample(&base),
        searched: None,
        base,
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn entry(number: u8) -> Entry {
    let id = Uuid::from_u128(number.into());
    Entry {
        related: 0,
        id,
        at: NOW - i64::from(number) * HOUR,
        kind: "member.roles-changed".into(),
        is_refusal: false,
        actor_id: Some(id),
        actor_member_id: Some(id),
        actor: "Sample Owner".into(),
        actor_email: "owner@example.com".into(),
        actor_now: None,
        actor_email_now: None,
        target_kind: "member".into(),
        target_id: Some(id),
        target_member_id: Some(id),
        target: format!("Member {number} of Sample"),
        target_email: format!("member-{number}@example.com"),
        target_now: None,
        target_email_now: None,
        via: "browser".into(),
        address: "192.0.2.1".into(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        payload: r#"{"member_roles_changed":{"before":["Viewer"],"after":["Editor"]}}"#.into(),
    }
}
