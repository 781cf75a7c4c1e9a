//! Twenty at once, repeated: what is spent was there, and each of it once.

use super::{CALLS, findings, grant, grant_for, handle};
use crate::support::{
    product::credits::{self, Source},
    *,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// Twenty keys on connections of their own, half of them at another node where there can be one.
async fn twenty(app: &TestApp) -> (Vec<Api>, Option<TestApp>) {
    let other = match app.backend {
        Backend::Postgres => Some(app.another_node().await),
        Backend::Sqlite => None,
    };
    let (_, _, secret) = add_key(app, "acme", "Spender", &["developer"]).await;
    let at = |n: usize| match &other {
        Some(other) if n % 2 == 1 => Api::new(other, &secret),
        _ => Api::new(app, &secret),
    };
    ((0..20).map(at).collect(), other)
}

fn tally(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        assert!(answer.status < 500, "{}", answer.text);
        *tally.entry(answer.status).or_default() += 1;
    }
    tally
}

async fn assert_sound(app: &TestApp) {
    assert_eq!(findings(app).await, Vec::<String>::new());
    assert_eq!(
        app.scalar_i64("SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM credit_accounts").await,
        0
    );
    let below = "SELECT COUNT(*) FROM credit_accounts WHERE balance < 0 AND kind <> 'issued'";
    assert_eq!(app.scalar_i64(below).await, 0);
}

async fn available(key: &Api) -> i64 {
    key.get(CALLS).await.with_status(200).body["available"].as_i64().unwrap()
}

both! {
    async fn the_last_credit_is_spent_once(app: TestApp) {
        new_owner(&app).await;
        let (keys, _other) = twenty(&app).await;
        for round in 0..4 {
            // Seven, in grants of four and three.
            grant_for(&app, "acme", 4, 10, Source::Included, "").await;
            grant_for(&app, "acme", 3, 20, Source::Bought, "").await;
            let answers = race(20, async |n| {
                let body = json!({"id": format!("{round}-{n}"), "amount": 1});
                match n % 3 {
                    0 => keys[n].post(&format!("{CALLS}/holds"), &body).await,
                    _ => keys[n].post(&format!("{CALLS}/usage"), &body).await,
                }
            }).await;
            let tally = tally(&answers);
            let done = tally.get(&200).unwrap_or(&0) + tally.get(&201).unwrap_or(&0);
            assert_eq!((done, tally.get(&402)), (7, Some(&13)), "round {round}: {tally:?}");
            assert_eq!(available(&keys[0]).await, 0);
            assert_sound(&app).await;
        }
    }

    async fn a_hold_ends_once(app: TestApp) {
        new_owner(&app).await;
        let (keys, _other) = twenty(&app).await;
        grant(&app, "acme", 1_000).await;
        let mut left = 1_000;
        for round in 0..5 {
            let body = json!({"id": format!("hold-{round}"), "amount": 10});
            let held = keys[0].post(&format!("{CALLS}/holds"), &body).await.with_status(201);
            let hold = held.body["hold"]["id"].as_str().unwrap().to_owned();
            let answers = race(20, async |n| {
                let id = format!("end-{round}-{n}");
                match (n + round) % 2 {
                    0 => keys[n].post(&format!("{CALLS}/holds/{hold}/settlement"), &json!({"id": id, "amount": 4})).await,
                    _ => keys[n].post(&format!("{CALLS}/holds/{hold}/release"), &json!({"id": id})).await,
                }
            }).await;
            assert_eq!(tally(&answers), BTreeMap::from([(200, 1), (409, 19)]), "round {round}");
            let status = keys[0].get(&format!("{CALLS}/holds/{hold}")).await.body["status"].clone();
            if status == "settled" {
                left -= 4;
            }
            assert_eq!(available(&keys[0]).await, left, "round {round}: {status}");
            assert_sound(&app).await;
        }
    }

    async fn a_hold_ends_while_others_spend_and_nothing_is_there_twice(app: TestApp) {
        new_owner(&app).await;
        let (keys, _other) = twenty(&app).await;
        let (mut granted, mut used, mut held) = (0, 0, 0);
        for round in 0..5 {
            grant(&app, "acme", 12).await;
            granted += 12;
            let body = json!({"id": format!("hold-{round}"), "amount": 10});
            let hold = keys[0].post(&format!("{CALLS}/holds"), &body).await.with_status(201);
            let hold = hold.body["hold"]["id"].as_str().unwrap().to_owned();
            let answers = race(20, async |n| {
                let id = format!("{round}-{n}");
                let (path, body) = match n % 4 {
                    0 => (format!("holds/{hold}/settlement"), json!({"id": id, "amount": 4})),
                    1 => (format!("holds/{hold}/release"), json!({"id": id})),
                    2 => ("usage".to_owned(), json!({"id": id, "amount": 3})),
                    _ => ("holds".to_owned(), json!({"id": id, "amount": 3})),
                };
                keys[n].post(&format!("{CALLS}/{path}"), &body).await
            }).await;
            tally(&answers);
            let done = |of: usize, status: u16| {
                let of = answers.iter().enumerate().filter(|(n, _)| n % 4 == of);
                i64::try_from(of.filter(|(_, answer)| answer.status == status).count()).unwrap()
            };
            assert_eq!((done(0, 200) + done(1, 200), done(0, 409) + done(1, 409)), (1, 9), "round {round}");
            assert_eq!((done(2, 200) + done(2, 402), done(3, 201) + done(3, 402)), (5, 5), "round {round}");
            used += 4 * done(0, 200) + 3 * done(2, 200);
            held += 3 * done(3, 201);
            let body = keys[0].get(CALLS).await.with_status(200).body;
            let found = (body["available"].as_i64().unwrap(), body["held"].as_i64().unwrap());
            assert_eq!(found, (granted - used - held, held), "round {round}");
            let counted = "SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM credit_days";
            assert_eq!(app.scalar_i64(counted).await, used);
            assert_sound(&app).await;
        }
    }

    async fn what_a_hold_that_is_over_had_is_spent_once(app: TestApp) {
        new_owner(&app).await;
        let (keys, _other) = twenty(&app).await;
        for round in 0..3 {
            grant(&app, "acme", 10).await;
            let body = json!({"id": format!("hold-{round}"), "amount": 10, "expires_in": 60});
            keys[0].post(&format!("{CALLS}/holds"), &body).await.with_status(201);
            app.clock.advance(Duration::from_secs(61));
            // The task of a node ends it while others need it.
            let db = handle(&app).await;
            let spend = race(20, async |n| {
                keys[n].post(&format!("{CALLS}/usage"), &json!({"id": format!("{round}-{n}"), "amount": 1})).await
            });
            let (answers, swept) = tokio::join!(spend, credits::sweep(&db));
            swept.unwrap();
            db.close().await;
            assert_eq!(tally(&answers), BTreeMap::from([(200, 10), (402, 10)]), "round {round}");
            assert_eq!(available(&keys[0]).await, 0);
            assert_sound(&app).await;
        }
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_transfers WHERE kind = 'release'").await, 3);
    }

    async fn one_id_is_done_once(app: TestApp) {
        new_owner(&app).await;
        let (keys, _other) = twenty(&app).await;
        grant(&app, "acme", 1_000).await;
        for (round, path) in ["usage", "holds", "usage"].into_iter().enumerate() {
            let body = json!({"id": format!("one-{round}"), "amount": 10, "note": "The same"});
            let answers = race(20, async |n| keys[n].post(&format!("{CALLS}/{path}"), &body).await).await;
            let first: &Value = &answers[0].body;
            assert!(answers.iter().all(|answer| answer.status < 300 && &answer.body == first), "{path}");
            assert_eq!(available(&keys[0]).await, 1_000 - 10 * (i64::try_from(round).unwrap() + 1));
            assert_sound(&app).await;
        }
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_requests").await, 3);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM credit_transfers WHERE kind <> 'grant'").await, 3);
    }
}
