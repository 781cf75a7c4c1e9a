//! What costs no I/O: the rules, and drawing pages. `cargo bench --features bench`

use askama::Template;
use bailiwick::{
    policy::{BuiltIn, Holdings, Needs, Permission, Scope},
    web::samples,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn policy(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    let (admin, developer) = (BuiltIn::Admin.grants(), BuiltIn::Developer.grants());
    // The database joins a member's scopes with spaces; so do we read them.
    let stored = admin.join(" ");
    group.bench_function("read an Admin's holdings", |b| {
        b.iter(|| Holdings::of(false, black_box(&stored).split_ascii_whitespace()))
    });
    let above = Holdings::of(false, admin.iter().copied());
    let below = Holdings::of(false, developer.iter().copied());
    group.bench_function("is the permission held", |b| {
        b.iter(|| black_box(&above).meets(black_box(Needs::One(Permission::ReadAudit))))
    });
    let asked = Scope::parse("read:users:email");
    group.bench_function("does a scope match", |b| {
        b.iter(|| asked.as_ref().is_ok_and(|asked| black_box(&below).allows(black_box(asked))))
    });
    group.bench_function("may manage a Developer", |b| {
        b.iter(|| black_box(&above).may_manage(black_box(&below)))
    });
    group.bench_function("may assign Developer", |b| {
        b.iter(|| black_box(&above).may_assign(black_box(&below)))
    });
    group.finish();
}

fn templates(c: &mut Criterion) {
    let mut group = c.benchmark_group("templates");
    let members = samples::members();
    group.bench_function("members, 50 rows", |b| b.iter(|| black_box(&members).render()));
    let security = samples::security();
    group.bench_function("security", |b| b.iter(|| black_box(&security).render()));
    let activity = samples::activity();
    group.bench_function("activity, 50 rows", |b| b.iter(|| black_box(&activity).render()));
    group.finish();
}

criterion_group!(pure, policy, templates);
criterion_main!(pure);
