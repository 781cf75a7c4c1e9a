//! How long it takes to match a question against 60 grants in 5 roles, once everything is in memory.
//!
//!     cd bench/matching && cargo bench

use bailiwick::policy::{Holdings, Scope};
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
};
use criterion::{Criterion, criterion_group, criterion_main};
use matching::{HELD, NOT_HELD, ROLES, grants};
use std::{
    collections::{HashMap, HashSet},
    hint::black_box,
};

const QUESTIONS: [(&str, (&str, &str)); 2] = [("held", HELD), ("not held", NOT_HELD)];

fn ours(c: &mut Criterion) {
    let roles: Vec<Holdings> = (0..ROLES)
        .map(|role| {
            let scopes: Vec<String> = grants(role).iter().map(|(a, t)| format!("{a}:{t}")).collect();
            Holdings::of(false, scopes.iter().map(String::as_str))
        })
        .collect();
    let all = Holdings::union(&roles);
    for (name, (action, thing)) in QUESTIONS {
        let scope = Scope::parse(&format!("{action}:{thing}")).expect("a scope");
        assert_eq!(all.allows(&scope), name == "held");
        c.bench_function(&format!("bailiwick, {name}"), |b| {
            b.iter(|| black_box(&all).allows(black_box(&scope)))
        });
        // As a decision does it: the text becomes a scope, and the role that grants it is named.
        c.bench_function(&format!("bailiwick, {name}, from the text, with the role"), |b| {
            b.iter(|| {
                let text = format!("{}:{}", black_box(action), black_box(thing));
                let scope = Scope::parse(&text).ok()?;
                black_box(&roles).iter().position(|role| role.allows(&scope))
            })
        });
    }
}

const MODEL: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.act == p.act && (p.obj == \"*\" || r.obj == p.obj)
";

fn casbin(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let enforcer = runtime.block_on(async {
        let model = DefaultModel::from_str(MODEL).await.expect("a model");
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
        for role in 0..ROLES {
            let name = format!("role-{role}");
            for (action, thing) in grants(role) {
                enforcer.add_policy(vec![name.clone(), thing, action]).await.expect("a policy");
            }
            enforcer.add_grouping_policy(vec!["alice".to_owned(), name]).await.expect("a role");
        }
        enforcer
    });
    for (name, (action, thing)) in QUESTIONS {
        assert_eq!(enforcer.enforce(("alice", thing, action)).expect("a verdict"), name == "held");
        c.bench_function(&format!("casbin, {name}"), |b| {
            b.iter(|| black_box(&enforcer).enforce((black_box("alice"), thing, action)))
        });
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().expect("an id")
}

fn cedar(c: &mut Criterion) {
    let mut text = String::new();
    for role in 0..ROLES {
        for (action, thing) in grants(role) {
            let resource =
                if thing == "*" { "resource".to_owned() } else { format!("resource == Thing::\"{thing}\"") };
            text.push_str(&format!(
                "permit(principal in Role::\"role-{role}\", action == Action::\"{action}\", {resource});\n"
            ));
        }
    }
    let policies: PolicySet = text.parse().expect("policies");
    let roles: HashSet<EntityUid> = (0..ROLES).map(|role| uid("Role", &format!("role-{role}"))).collect();
    let alice = Entity::new(uid("User", "alice"), HashMap::new(), roles).expect("alice");
    let mut all = vec![alice];
    for role in 0..ROLES {
        all.push(Entity::new_no_attrs(uid("Role", &format!("role-{role}")), HashSet::new()));
    }
    let entities = Entities::from_entities(all, None).expect("entities");
    let authorizer = Authorizer::new();
    for (name, (action, thing)) in QUESTIONS {
        let request =
            Request::new(uid("User", "alice"), uid("Action", action), uid("Thing", thing), Context::empty(), None)
                .expect("a request");
        let verdict = authorizer.is_authorized(&request, &policies, &entities).decision();
        assert_eq!(verdict == Decision::Allow, name == "held");
        c.bench_function(&format!("cedar-policy, {name}"), |b| {
            b.iter(|| authorizer.is_authorized(black_box(&request), black_box(&policies), black_box(&entities)))
        });
    }
}

criterion_group!(matching_benches, ours, casbin, cedar);
criterion_main!(matching_benches);
