//! Who walks: people in their browsers, and services with their keys.

use super::{Caller, Entry, Kind};
use crate::{
    support::{product::BuiltIn, *},
    world::*,
};
use uuid::Uuid;

/// A key with each built-in role, and those that are not let in: suspended, of another account, revoked,
/// and none at all.
pub async fn key_callers(app: &TestApp) -> Vec<Caller> {
    let mut callers = Vec::new();
    for role in BuiltIn::ALL {
        let api = workspace_key(app, "acme", &[role.slug()]).await;
        callers.push(Caller::of_role(role, Entry::Key(api)));
    }
    let (_, member, secret) = add_key(app, "acme", "Suspended Key", &["admin"]).await;
    suspend(app, member).await;
    let (key, _, revoked) = add_key(app, "acme", "Revoked Key", &["owner"]).await;
    app.execute(&format!("UPDATE api_keys SET revoked_at = 1 WHERE id = {}", app.id(key))).await;
    for (kind, api) in [
        (Kind::Suspended, Api::new(app, &secret)),
        (Kind::Outsider, workspace_key(app, "elsewhere", &["owner"]).await),
        (Kind::Revoked, Api::new(app, &revoked)),
        (Kind::NoKey, Api::new(app, "").with(None)),
    ] {
        callers.push(Caller::without_role(kind, Entry::Key(api)));
    }
    callers
}

/// Everybody of the world, each in their browser, and somebody who is not signed in.
pub async fn people_callers(app: &TestApp, world: &World) -> Vec<Caller> {
    let of_role = |(role, person): &(BuiltIn, Person)| {
        (Caller::of_role(*role, Entry::Browser(person.client.clone())), person.user_id, person.member_id)
    };
    let without_role = |(kind, person): (Kind, &Person)| {
        (Caller::without_role(kind, Entry::Browser(person.client.clone())), person.user_id, person.member_id)
    };
    let others = [(Kind::Suspended, &world.suspended), (Kind::Outsider, &world.outsider)];
    let mut callers = Vec::new();
    for (caller, user, member) in world.people.iter().map(of_role).chain(others.map(without_role)) {
        let session = session_of(app, user).await;
        callers.push(Caller { member: Some(member), session, ..caller });
    }
    callers.push(Caller::without_role(Kind::SignedOut, Entry::Browser(app.client())));
    for caller in &callers {
        if let Entry::Browser(client) = &caller.entry {
            client.csrf().await;
        }
    }
    callers
}

async fn session_of(app: &TestApp, user: Uuid) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM sessions WHERE user_id = {}", app.id(user))).await
}
