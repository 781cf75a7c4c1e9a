//! Exports: lists as files.

mod behaviour;
mod leases;
mod memory;
mod programs;

use crate::walk::*;

pub struct Exports;

/// Downloads of a list from its page, which take its own permission too.
fn download(path: &'static str, call: &'static str) -> Row {
    form(path, one(P::ExportData))
        .sends(|_| fields(&[("format", "csv")]))
        .ticks("format")
        .verdict(|at| at.done_if(reads(at.row.path, |permission| at.has(permission))))
        .offered(|_| true)
        .succeeds_with(200)
        .like(call)
}

fn file(route: &'static str) -> Row {
    call(route, one(P::ExportData))
        .query("format=jsonl")
        .recorded()
        .verdict(|at| at.done_if(reads(at.row.path, |permission| at.has(permission))))
}

/// Whether somebody with these permissions may read the list at the end of the path.
fn reads(path: &str, has: impl Fn(P) -> bool) -> bool {
    match path.rsplit('/').next().unwrap() {
        "members" | "roles" => has(P::ReadMembers),
        "invitations" => has(P::InviteMembers) || has(P::CancelInvitations),
        "teams" => has(P::ReadTeams),
        "api-keys" => has(P::ReadApiKeys),
        "traffic" => has(P::ReadDestinations),
        "activity" => has(P::ReadAudit),
        "credits" => has(P::ReadCredits),
        other => panic!("who reads {other}?"),
    }
}

/// The lists, by the last part of their address.
pub const LISTS: [&str; 8] =
    ["members", "invitations", "teams", "roles", "api-keys", "traffic", "activity", "credits"];

/// Whether somebody with these permissions may read every list, as the whole workspace takes it.
fn reads_all(has: impl Fn(P) -> bool) -> bool {
    LISTS.iter().all(|list| reads(list, &has))
}

#[async_trait(?Send)]
impl Noun for Exports {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/w/{workspace}/export", one(P::ExportData)).statements(3),
            form("/w/{workspace}/export/archives", one(P::ExportData))
                .verdict(|at| at.done_if(reads_all(|permission| at.has(permission))))
                .offered(|at| reads_all(|permission| at.has(permission)))
                .like("POST /api/sso/v1/exports/archives"),
            form("/w/{workspace}/export/archives/{archive}/download", one(P::ExportData))
                .verdict(|at| at.done_if(reads_all(|permission| at.has(permission))))
                .offered(|at| reads_all(|permission| at.has(permission)))
                .succeeds_with(200)
                .like("GET /api/sso/v1/exports/archives/{archive}/file"),
            form("/w/{workspace}/export/archives/{archive}/deletion", one(P::ExportData))
                .like("DELETE /api/sso/v1/exports/archives/{archive}"),
            download("/w/{workspace}/export/members", "GET /api/sso/v1/exports/members")
                .offered(|at| reads("members", |permission| at.has(permission))),
            download("/w/{workspace}/export/invitations", "GET /api/sso/v1/exports/invitations")
                .offered(|at| reads("invitations", |permission| at.has(permission))),
            download("/w/{workspace}/export/teams", "GET /api/sso/v1/exports/teams")
                .offered(|at| reads("teams", |permission| at.has(permission))),
            download("/w/{workspace}/export/roles", "GET /api/sso/v1/exports/roles")
                .offered(|at| reads("roles", |permission| at.has(permission))),
            download("/w/{workspace}/export/api-keys", "GET /api/sso/v1/exports/api-keys")
                .offered(|at| reads("api-keys", |permission| at.has(permission))),
            download("/w/{workspace}/export/traffic", "GET /api/sso/v1/exports/traffic")
                .offered(|at| reads("traffic", |permission| at.has(permission))),
            download("/w/{workspace}/export/activity", "GET /api/sso/v1/exports/activity")
                .offered(|at| reads("activity", |permission| at.has(permission))),
            download("/w/{workspace}/export/credits", "GET /api/sso/v1/exports/credits")
                .offered(|at| reads("credits", |permission| at.has(permission))),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/exports/archives", one(P::ExportData)),
            call("POST /api/sso/v1/exports/archives", one(P::ExportData))
                .verdict(|at| at.done_if(reads_all(|permission| at.has(permission)))),
            call("GET /api/sso/v1/exports/archives/{archive}", one(P::ExportData))
                .verdict(|at| at.done_if(reads_all(|permission| at.has(permission)))),
            call("GET /api/sso/v1/exports/archives/{archive}/file", one(P::ExportData))
                .recorded()
                .verdict(|at| at.done_if(reads_all(|permission| at.has(permission)))),
            call("DELETE /api/sso/v1/exports/archives/{archive}", one(P::ExportData)),
            file("GET /api/sso/v1/exports/members"),
            file("GET /api/sso/v1/exports/invitations"),
            file("GET /api/sso/v1/exports/teams"),
            file("GET /api/sso/v1/exports/roles"),
            file("GET /api/sso/v1/exports/api-keys"),
            file("GET /api/sso/v1/exports/traffic"),
            file("GET /api/sso/v1/exports/activity"),
            file("GET /api/sso/v1/exports/credits"),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("archive").every(|facts| facts.ids("exports"))]
    }

    /// One archive that is ready, and holds nothing.
    async fn plant(&self, plot: &mut Plot<'_>) {
        let id = add_archive(plot.app, plot.slug(), plot.owner.user_id).await;
        plot.put("archive", id);
    }

    fn crowd(&self) -> &'static [&'static str] {
        &[
            "INSERT INTO exports (id, workspace_id, created_by, created_at, state, expires_at)
                SELECT {id}, w.id, (SELECT id FROM users LIMIT 1), 0, 'ready', {then} FROM workspaces w",
            "INSERT INTO export_parts (workspace_id, export_id, n, sealed)
                SELECT e.workspace_id, e.id, 0, {bytes} FROM exports e",
        ]
    }

    fn plans(&self) -> Plans {
        Plans {
            allowed: &[("FROM traffic r WHERE r.workspace_id", "it counts a thousand of each list at most")],
            ..Plans::default()
        }
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        tour.get(&owner, &format!("{HOME}/export"), 200).await;
        for list in LISTS {
            tour.post(&owner, &format!("{HOME}/export/{list}"), &[("format", "csv")], 200).await;
            tour.call(&format!("exports/{list}?format=jsonl")).await;
        }
        for (list, field, value) in [
            ("members", "role", "viewer"),
            ("members", "q", "member"),
            ("members", "sort", "-active"),
            ("invitations", "status", "expired"),
            ("traffic", "stage", "any"),
            ("activity", "outcome", "refused"),
            ("activity", "q", "member"),
            ("credits", "kind", "grant"),
            ("credits", "from", "1970-01-01"),
            ("credits", "client_id", "none"),
        ] {
            tour.post(&owner, &format!("{HOME}/export/{list}"), &[(field, value)], 200).await;
        }
        let archives = format!("{HOME}/export/archives");
        tour.post(&owner, &archives, &[], 303).await;
        let id = tour.app.scalar_uuid("SELECT id FROM exports WHERE state IN ('waiting', 'running')").await;
        let ready =
            format!("SELECT count(*) FROM exports WHERE state = 'ready' AND id = {}", tour.app.id(id));
        until("the archive is made", async || tour.app.scalar_i64(&ready).await == 1).await;
        tour.keep("making an archive");
        tour.call("exports/archives").await;
        tour.call(&format!("exports/archives/{id}")).await;
        tour.post(&owner, &format!("{archives}/{id}/download"), &[], 200).await;
        tour.post(&owner, &format!("{archives}/{id}/deletion"), &[], 303).await;
        let viewer = tour.viewer.clone();
        tour.get(&viewer, &format!("{HOME}/export"), 403).await;
    }

    async fn pictures(&self, demo: &Demo, pictures: &mut Pictures) {
        pictures.add("export", 200, demo.owner.get(&demo.at("/export")).await);
        pictures.add("empty-export", 200, demo.founder.client.get("/w/acme/export").await);
        pictures.add("export-not-yours", 403, demo.viewer.get(&demo.at("/export")).await);
    }
}

/// An archive that is ready, without a part.
pub async fn add_archive(app: &TestApp, workspace: &str, creator: Uuid) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let sql = format!(
        "INSERT INTO exports (id, workspace_id, created_by, created_at, state, rows_done, rows_total, parts, size,
            expires_at)
         SELECT {}, w.id, {}, {now}, 'ready', 10, 10, 0, 0, {} FROM workspaces w WHERE w.slug = {}",
        app.id(id),
        app.id(creator),
        now + 30 * DAY,
        quoted(workspace),
    );
    assert_eq!(app.execute(&sql).await, 1);
    id
}
