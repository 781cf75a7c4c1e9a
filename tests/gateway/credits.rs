//! Requests with a price: held before the host is connected to, settled when it was reached.

use super::{HOST, Sending, add_destination, assert_stage, send};
use crate::{
    deletion::sweep,
    nouns::credits::{findings, grant},
    support::*,
};
use reqwest::Method;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinHandle};

const CREDITS: &str = "/api/sso/v1/credits";

/// A gateway whose destination takes three credits a request.
async fn priced(backend: Backend) -> Sending {
    let sending = Sending::on(backend).await;
    price(&sending, &sending.destination, 3).await;
    sending
}

async fn price(sending: &Sending, destination: &str, price: i64) {
    let change = format!("/api/sso/v1/destinations/{destination}");
    sending.key.patch(&change, &json!({ "price_credits": price })).await.with_status(200);
}

async fn balance(sending: &Sending) -> (i64, i64) {
    let body = sending.key.get(CREDITS).await.with_status(200).body;
    (body["available"].as_i64().unwrap(), body["held"].as_i64().unwrap())
}

async fn kinds(sending: &Sending) -> Vec<String> {
    let body = sending.key.get(&format!("{CREDITS}/transfers")).await.with_status(200).body;
    body["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|one| one["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// A request of which nobody waits for the answer.
fn begin(sending: &Sending) -> JoinHandle<Answer> {
    let key = sending.key.clone();
    tokio::spawn(async move { send(&key, Method::GET, &format!("/w/acme/out/{HOST}/"), None, &[]).await })
}

both! {
    async fn a_request_that_reaches_the_host_is_paid(backend: Backend) {
        let sending = priced(backend).await;
        let refused = sending.get("/").await;
        assert_stage(&refused, 402, "credits");
        for words in ["3 credits", "none are available", "Owner", "Billing"] {
            assert!(refused.text.contains(words), "{words}: {}", refused.text);
        }
        assert!(sending.upstream.requests().is_empty());
        let sent = sending.key.get(&format!("/api/sso/v1/sending?host={HOST}")).await;
        assert_eq!(sent.status, 402, "{}", sent.text);
        grant(&sending.app, "acme", 7).await;
        sending.key.get(&format!("/api/sso/v1/sending?host={HOST}")).await.with_status(204);
        sending.get("/").await.with_status(200);
        // Whatever the host answers.
        sending.upstream.answer(|_| Reply::new(500, &[], "theirs"));
        sending.get("/").await.with_status(500);
        assert_eq!(balance(&sending).await, (1, 0));
        assert_stage(&sending.get("/").await, 402, "credits");
        assert_eq!(sending.upstream.requests().len(), 2);
        assert_eq!(kinds(&sending).await, ["grant", "hold", "settlement", "hold", "settlement"]);
        let body = sending.key.get(&format!("{CREDITS}/transfers?kind=settlement")).await.body;
        assert_eq!((&body["items"][0]["note"], &body["items"][0]["amount"]), (&json!(HOST), &json!(3)));
        let page = sending.owner.client.visit("/w/acme/credits").await;
        page.assert_says(HOST).assert_says("Key developer");
        // Without a price there is no transfer.
        price(&sending, &sending.destination, 0).await;
        sending.get("/").await.with_status(500);
        assert_eq!(kinds(&sending).await.len(), 5);
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn a_request_that_does_not_reach_the_host_is_free(backend: Backend) {
        let sending = priced(backend).await;
        grant(&sending.app, "acme", 10).await;
        let gone = add_destination(&sending.key, &json!({ "host": "gone.example.com" })).await;
        price(&sending, &gone, 4).await;
        let refused = send(&sending.key, Method::GET, "/w/acme/out/gone.example.com/", None, &[]).await;
        assert_stage(&refused, 502, "upstream");
        sending.upstream.dns.set("inside.example.com", &["10.0.0.1"]);
        let inside = add_destination(&sending.key, &json!({ "host": "inside.example.com" })).await;
        price(&sending, &inside, 4).await;
        let refused = send(&sending.key, Method::GET, "/w/acme/out/inside.example.com/", None, &[]).await;
        assert_stage(&refused, 403, "address");
        assert_eq!(balance(&sending).await, (10, 0));
        assert_eq!(kinds(&sending).await, ["grant", "hold", "release", "hold", "release"]);
        // The host had it, and then broke off.
        sending.upstream.answer(|_| Reply::raw("no HTTP at all\r\n\r\n").and_close());
        assert_stage(&sending.get("/").await, 502, "upstream");
        assert_eq!(balance(&sending).await, (7, 0));
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn of_twenty_at_once_as_many_are_sent_as_are_paid(backend: Backend) {
        let sending = priced(backend).await;
        for round in 0..3 {
            // Four requests, and a rest of two, beside that of the rounds before.
            grant(&sending.app, "acme", 12).await;
            let answers = race(20, async |_| sending.get("/").await).await;
            let done = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(done, 4, "round {round}");
            assert_eq!(answers.iter().filter(|answer| answer.status == 402).count(), 16, "round {round}");
            assert_eq!(balance(&sending).await, (0, 0), "round {round}");
        }
        assert_eq!(sending.upstream.requests().len(), 12);
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn the_hold_of_a_request_is_ended_by_it_alone(backend: Backend) {
        let sending = priced(backend).await;
        grant(&sending.app, "acme", 10).await;
        let go_on = Arc::new(Notify::new());
        let wait = Arc::clone(&go_on);
        sending.upstream.answer(move |_| {
            Reply::default().wait_for(&wait).then("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        });
        let request = begin(&sending);
        sending.upstream.has_requests(1).await;
        assert_eq!(balance(&sending).await, (7, 3));
        let body = sending.key.get(&format!("{CREDITS}/transfers?kind=hold")).await.with_status(200).body;
        let hold = format!("{CREDITS}/holds/{}", body["items"][0]["hold_id"].as_str().unwrap());
        for (path, body) in [
            ("release", json!({ "id": "a" })),
            ("settlement", json!({ "id": "b", "amount": 1 })),
        ] {
            let ended = sending.app.unchanged_by(sending.key.post(&format!("{hold}/{path}"), &body)).await;
            assert_eq!(ended.status, 409, "{}", ended.text);
            assert!(ended.text.contains("through the gateway"), "{}", ended.text);
        }
        go_on.notify_one();
        request.await.unwrap().with_status(200);
        assert_eq!(balance(&sending).await, (7, 0));
        let body = sending.key.get(&hold).await.with_status(200).body;
        assert_eq!((&body["status"], &body["settled"]), (&json!("settled"), &json!(3)));
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn a_caller_who_hangs_up_pays_once(backend: Backend) {
        let sending = priced(backend).await;
        grant(&sending.app, "acme", 10).await;
        sending.upstream.answer(|_| Reply::hang());
        let request = begin(&sending);
        sending.upstream.has_requests(1).await;
        request.abort();
        until("it is paid", async || balance(&sending).await == (7, 0)).await;
        assert_eq!(kinds(&sending).await, ["grant", "hold", "settlement"]);
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn a_hold_ends_although_its_request_does_not(backend: Backend) {
        let sending = priced(backend).await;
        grant(&sending.app, "acme", 10).await;
        sending.upstream.answer(|_| Reply::hang());
        let request = begin(&sending);
        sending.upstream.has_requests(1).await;
        assert_eq!(balance(&sending).await, (7, 3));
        // Longer than any request takes: as if its node had been killed.
        sending.app.clock.advance(Duration::from_secs(3_600));
        assert_eq!(balance(&sending).await, (10, 0));
        sweep(&sending.app).await;
        assert_eq!(kinds(&sending).await, ["grant", "hold", "release"]);
        // It was there after all, and is paid of what is there now.
        request.abort();
        until("it is paid", async || balance(&sending).await == (7, 0)).await;
        assert_eq!(kinds(&sending).await, ["grant", "hold", "release", "usage"]);
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }

    async fn requests_and_use_by_the_api_share_what_there_is(backend: Backend) {
        let sending = priced(backend).await;
        let mut sent = 0;
        for round in 0..3 {
            // Four times the price, whoever comes first.
            grant(&sending.app, "acme", 12).await;
            let answers = race(20, async |n| match n % 2 {
                0 => sending.get("/").await,
                _ => {
                    let body = json!({ "id": format!("{round}-{n}"), "amount": 3 });
                    sending.key.post(&format!("{CREDITS}/usage"), &body).await
                }
            }).await;
            let done = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
            assert_eq!((done(200), done(402)), (4, 16), "round {round}");
            sent += answers.iter().step_by(2).filter(|answer| answer.status == 200).count();
            assert_eq!(balance(&sending).await, (0, 0), "round {round}");
        }
        assert_eq!(sending.upstream.requests().len(), sent);
        assert_eq!(findings(&sending.app).await, Vec::<String>::new());
    }
}
