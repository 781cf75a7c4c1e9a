//! Random histories of a ledger, against a model that shares no code with it: grants with an expiry, holds that end or
//! expire, use, corrections, and time.

use super::{CALLS, findings, handle};
use crate::support::{
    product::{
        Description, Slug,
        credits::{
            self, Amount, Source,
            grants::{self, NewGrant},
        },
    },
    *,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;
use std::time::Duration;
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;

const SEQUENCES: u32 = 4;
const STEPS: usize = 40;
const HOUR: i64 = 3_600_000;

#[derive(Clone, Debug)]
enum Step {
    Grant {
        amount: i64,
        hours: i64,
        bought: bool,
    },
    Use {
        amount: i64,
    },
    Hold {
        amount: i64,
        minutes: i64,
    },
    Settle {
        hold: Index,
        amount: i64,
    },
    Release {
        hold: Index,
    },
    TakeBack {
        transfer: Index,
    },
    /// A use is given back to the grant that it came from.
    GiveBack {
        used: Index,
    },
    Wait {
        minutes: u64,
    },
    /// The tasks of a node end what is over.
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..40_i64, 1..6_i64, any::<bool>())
            .prop_map(|(amount, hours, bought)| Step::Grant { amount, hours, bought }),
        4 => (1..30_i64).prop_map(|amount| Step::Use { amount }),
        4 => (1..30_i64, 5..120_i64).prop_map(|(amount, minutes)| Step::Hold { amount, minutes }),
        3 => (any::<Index>(), 1..30_i64).prop_map(|(hold, amount)| Step::Settle { hold, amount }),
        2 => any::<Index>().prop_map(|hold| Step::Release { hold }),
        1 => any::<Index>().prop_map(|transfer| Step::TakeBack { transfer }),
        1 => any::<Index>().prop_map(|used| Step::GiveBack { used }),
        3 => (1..90_u64).prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Sweep),
    ]
}

struct Grant {
    left: i64,
    expires_at: i64,
    bought: bool,
}

struct Hold {
    id: String,
    amount: i64,
    /// Which grants it took from, and how much.
    parts: Vec<(usize, i64)>,
    expires_at: i64,
    is_open: bool,
}

/// What the ledger should be.
#[derive(Default)]
struct Model {
    grants: Vec<Grant>,
    holds: Vec<Hold>,
    used: i64,
}

impl Model {
    /// Holds that are over are given back.
    fn at(&mut self, now: i64) {
        for hold in self.holds.iter_mut().filter(|hold| hold.is_open && hold.expires_at <= now) {
            hold.is_open = false;
            for (grant, amount) in &hold.parts {
                self.grants[*grant].left += amount;
            }
        }
    }

    fn available(&self, now: i64) -> i64 {
        self.grants.iter().filter(|grant| grant.expires_at > now).map(|grant| grant.left).sum()
    }

    fn held(&self) -> i64 {
        self.holds.iter().filter(|hold| hold.is_open).map(|hold| hold.amount).sum()
    }

    /// Takes from what expires soonest, the included first.
    fn take(&mut self, amount: i64, now: i64) -> Option<Vec<(usize, i64)>> {
        if self.available(now) < amount {
            return None;
        }
        let mut order: Vec<usize> = (0..self.grants.len())
            .filter(|n| self.grants[*n].left > 0 && self.grants[*n].expires_at > now)
            .collect();
        order.sort_by_key(|n| (self.grants[*n].expires_at, self.grants[*n].bought, *n));
        let (mut parts, mut left) = (Vec::new(), amount);
        for n in order {
            let part = self.grants[n].left.min(left);
            if part > 0 {
                self.grants[n].left -= part;
                left -= part;
                parts.push((n, part));
            }
        }
        Some(parts)
    }
}

/// One history.
async fn run_one(app: &TestApp, slug: &str, key: &Api, steps: &[Step]) -> Result<(), TestCaseError> {
    let (workspace, mut model) = (Slug::parse(slug).unwrap(), Model::default());
    // The transfers of grants, whose taking back is simple to say: nothing of the grant is used.
    let mut transfers: Vec<(Uuid, usize, i64)> = Vec::new();
    // Those of uses that were not given back, with the grant and how much of it.
    let mut uses: Vec<(Uuid, usize, i64)> = Vec::new();
    let call = |path: &str| format!("{CALLS}{path}?workspace={slug}");
    for (n, step) in steps.iter().enumerate() {
        app.clock.advance(Duration::from_millis(3));
        let id = format!("{n}");
        let now = app.clock.now().as_millis();
        model.at(now);
        match step {
            Step::Grant { amount, hours, bought } => {
                let expires_at = app.clock.now() + hours * HOUR;
                let new = NewGrant {
                    amount: Amount::parse("amount", *amount).unwrap(),
                    source: if *bought { Source::Bought } else { Source::Included },
                    expires_at,
                    note: Description::parse("").unwrap(),
                };
                let db = handle(app).await;
                let made = grants::grant_by_operator(&db, &workspace, &new).await.unwrap();
                db.close().await;
                transfers.push((made.transfer, model.grants.len(), *amount));
                model.grants.push(Grant {
                    left: *amount,
                    expires_at: expires_at.as_millis(),
                    bought: *bought,
                });
            }
            Step::Use { amount } => {
                let answer = key.post(&call("/usage"), &json!({"id": id, "amount": amount})).await;
                let expected = model.take(*amount, now);
                prop_assert_eq!(answer.status, if expected.is_some() { 200 } else { 402 }, "{}", answer.text);
                if let Some(parts) = expected {
                    model.used += amount;
                    let made = answer.body["transfers"].as_array().unwrap();
                    prop_assert_eq!(made.len(), parts.len(), "{}", answer.text);
                    uses.extend(
                        made.iter()
                            .zip(parts)
                            .map(|(id, (grant, part))| (id.as_str().unwrap().parse().unwrap(), grant, part)),
                    );
                }
            }
            Step::Hold { amount, minutes } => {
                let body = json!({"id": id, "amount": amount, "expires_in": minutes * 60});
                let answer = key.post(&call("/holds"), &body).await;
                let expected = model.take(*amount, now);
                prop_assert_eq!(answer.status, if expected.is_some() { 201 } else { 402 }, "{}", answer.text);
                if let Some(parts) = expected {
                    let hold = &answer.body["hold"];
                    model.holds.push(Hold {
                        id: hold["id"].as_str().unwrap().to_owned(),
                        amount: *amount,
                        parts,
                        expires_at: hold["expires_at"].as_i64().unwrap(),
                        is_open: true,
                    });
                }
            }
            Step::Settle { .. } | Step::Release { .. } if model.holds.is_empty() => {}
            Step::Settle { hold, amount } => {
                let at = hold.index(model.holds.len());
                let path = call(&format!("/holds/{}/settlement", model.holds[at].id));
                let answer = key.post(&path, &json!({"id": id, "amount": amount})).await;
                let hold = &mut model.holds[at];
                let expected = match () {
                    () if !hold.is_open => 409,
                    () if *amount > hold.amount => 422,
                    () => 200,
                };
                prop_assert_eq!(answer.status, expected, "{}", answer.text);
                if expected == 200 {
                    hold.is_open = false;
                    let mut left = *amount;
                    for (grant, part) in &hold.parts {
                        let used = left.min(*part);
                        left -= used;
                        model.grants[*grant].left += part - used;
                    }
                    model.used += amount;
                }
            }
            Step::Release { hold } => {
                let at = hold.index(model.holds.len());
                let path = call(&format!("/holds/{}/release", model.holds[at].id));
                let answer = key.post(&path, &json!({"id": id})).await;
                let hold = &mut model.holds[at];
                prop_assert_eq!(answer.status, if hold.is_open { 200 } else { 409 }, "{}", answer.text);
                if std::mem::take(&mut hold.is_open) {
                    for (grant, part) in &hold.parts {
                        model.grants[*grant].left += part;
                    }
                }
            }
            Step::TakeBack { transfer } => {
                if transfers.is_empty() {
                    continue;
                }
                let (transfer, grant, amount) = transfers[transfer.index(transfers.len())];
                let grant = &mut model.grants[grant];
                // What has expired may have been written off already.
                if grant.expires_at <= now + 10 {
                    continue;
                }
                let db = handle(app).await;
                // Whether holds that are over were given back is not for this to say.
                credits::sweep(&db).await.unwrap();
                let note = Description::parse("A mistake").unwrap();
                let done = grants::reverse_by_operator(&db, &workspace, transfer, &note).await;
                db.close().await;
                prop_assert_eq!(done.is_ok(), grant.left == amount, "{:?}", done);
                if done.is_ok() {
                    grant.left = 0;
                    transfers.retain(|(id, ..)| *id != transfer);
                }
            }
            Step::GiveBack { used } => {
                if uses.is_empty() {
                    continue;
                }
                let (transfer, grant, part) = uses.swap_remove(used.index(uses.len()));
                let db = handle(app).await;
                let note = Description::parse("Counted twice").unwrap();
                let done = grants::reverse_by_operator(&db, &workspace, transfer, &note).await;
                db.close().await;
                prop_assert!(done.is_ok(), "{:?}", done);
                model.grants[grant].left += part;
                model.used -= part;
            }
            Step::Wait { minutes } => app.clock.advance(Duration::from_secs(minutes * 60)),
            Step::Sweep => {
                let db = handle(app).await;
                credits::sweep(&db).await.unwrap();
                db.close().await;
            }
        }
        app.clock.advance(Duration::from_millis(1));
        let body = key.get(&call("")).await.with_status(200).body;
        let now = app.clock.now().as_millis();
        model.at(now);
        let found = (body["available"].as_i64().unwrap(), body["held"].as_i64().unwrap());
        prop_assert_eq!(found, (model.available(now), model.held()), "after {:?}", step);
    }
    let used = format!(
        "SELECT CAST(COALESCE(SUM(d.used), 0) AS BIGINT) FROM credit_days d JOIN workspaces w ON w.id = d.workspace_id
        WHERE w.slug = '{slug}'"
    );
    prop_assert_eq!(app.scalar_i64(&used).await, model.used);
    prop_assert_eq!(findings(app).await, Vec::<String>::new());
    Ok(())
}

both! {
    async fn histories_are_as_the_model_says(app: TestApp) {
        new_owner(&app).await;
        let mut runner = TestRunner::new(Config {
            cases: SEQUENCES,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..Config::default()
        });
        let number = std::cell::Cell::new(0);
        let played = runner.run(&vec(step(), STEPS), |steps| {
            number.set(number.get() + 1);
            block_in_place(|| Handle::current().block_on(async {
                let slug = format!("history-{}", number.get());
                let email = format!("owner-{}@example.com", number.get());
                new_owner_of(&app, "Another Owner", &email, &slug).await;
                let key = workspace_key(&app, &slug, &["developer"]).await;
                run_one(&app, &slug, &key, &steps).await
            }))
        });
        played.unwrap_or_else(|error| panic!("{error}"));
    }
}
