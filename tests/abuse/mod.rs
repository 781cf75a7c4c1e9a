//! What real products got wrong: every line of the list of abuse cases that concerns what exists,
//! as a test named after it, and its neighbours. Races stand in `races/`.
//!
//! A refusal is its status, no row changed, and, where a workspace is known, one audited refusal.

mod audit;
mod availability;
mod fairness;
mod input;
mod invitations;
mod last_owner;
mod lockouts;
mod names;
mod programs;
mod roles;
mod secrets;
mod sessions;
mod staleness;
mod tenancy;
mod transport;

use crate::support::*;
use std::future::Future;

/// How many refusals the record of this workspace holds.
async fn refusals(app: &TestApp, slug: &str) -> i64 {
    let sql = "SELECT count(*) FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
        WHERE e.outcome = 'refused' AND w.slug = ";
    app.scalar_i64(&format!("{sql}{}", quoted(slug))).await
}

/// Does `work`: it is refused with this status, changes no row, and is written down once.
pub async fn refused(app: &TestApp, slug: &str, status: u16, work: impl Future<Output = Page>) -> Page {
    let before = refusals(app, slug).await;
    let page = app.unchanged_by(work).await.with_status(status);
    let after = refusals(app, slug).await;
    assert_eq!(after - before, 1, "audited refusals of {} {}", page.method, page.url);
    page
}

/// Does `work`: it is answered with this status, changes no row, and leaves no trace in the record.
async fn ignored(app: &TestApp, status: u16, work: impl Future<Output = Page>) -> Page {
    let before = app.scalar_i64("SELECT count(*) FROM audit_events").await;
    let page = app.unchanged_by(work).await.with_status(status);
    let after = app.scalar_i64("SELECT count(*) FROM audit_events").await;
    assert_eq!(after, before, "audited events of {} {}", page.method, page.url);
    page
}

/// Another Owner of the workspace: invited as Viewer, then made one.
async fn second_owner(app: &TestApp, owner: &Person) -> Person {
    let second = invite_and_join(app, &owner.client, "acme", "owner-two@example.com", &["viewer"]).await;
    assign_roles(owner, &second, &["owner"]).await.assert_status(303);
    second
}

async fn assign_roles(by: &Person, to: &Person, roles: &[&str]) -> Page {
    let fields: Vec<_> = roles.iter().map(|role| ("role", *role)).collect();
    by.client.post_form(&roles_of(to), &fields).await
}

fn roles_of(member: &Person) -> String {
    at(member, "roles")
}

/// The address of something about a member.
fn at(member: &Person, what: &str) -> String {
    format!("/w/{}/members/{}/{what}", member.workspace, member.member_id)
}

/// Adds or takes this role in the row of a permission on the Security page.
pub async fn toggle(by: &Person, permission: &str, role: &str, on: bool) -> Page {
    let page = by.client.visit(&format!("/w/{}/security", by.workspace)).await;
    let form = page.form(&format!("#f-{}", permission.replace(':', "-")));
    let mut roles: Vec<String> = form.values("role").into_iter().map(str::to_owned).collect();
    roles.retain(|slug| slug != role);
    if on {
        roles.push(role.to_owned());
    }
    let fields: Vec<_> = roles.iter().map(|role| ("role", role.as_str())).collect();
    by.client.send(&page, &form.without("role").fill(&fields)).await
}

/// The version that the row of a permission has now.
async fn version(reader: &Person, permission: &str) -> String {
    let page = reader.client.visit(&format!("/w/{}/security", reader.workspace)).await;
    page.form(&format!("#f-{}", permission.replace(':', "-"))).values("version")[0].to_owned()
}

/// The one invitation to this address that is pending.
async fn pending(app: &TestApp, email: &str) -> uuid::Uuid {
    let sql = "SELECT id FROM invitations WHERE status = 'pending' AND email = ";
    app.scalar_uuid(&format!("{sql}{}", quoted(email))).await
}

/// Somebody with an account and a workspace of their own, verified and signed in.
async fn outsider(app: &TestApp) -> Person {
    new_owner_of(app, "Outsider One", "outsider-one@example.com", "elsewhere").await
}
