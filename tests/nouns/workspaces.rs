//! Workspaces: one's list of them, the name, slug and deletion of one.

use crate::walk::*;

pub struct Workspaces;

#[async_trait(?Send)]
impl Noun for Workspaces {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/", PUBLIC).answers(303).statements(0),
            page("/workspaces", SIGNED_IN).reads(&[]).statements(3),
            form("/workspaces", SIGNED_IN)
                .sends(|_| fields(&[("name", "Another"), ("slug", "another")]))
                .also_reads(&["account"])
                .types(|_, form| form.fill(&[("name", "Another One")])),
            page("/w/{workspace}/organization", MEMBER).statements(2),
            form("/w/{workspace}/organization", one(P::UpdateOrganization))
                .sends(|_| fields(&[("name", "Renamed"), ("slug", "renamed")]))
                .like("PATCH /api/sso/v1/workspaces/{workspace}"),
            page("/w/{workspace}/organization/deletion", one(P::DeleteOrganization)).statements(2),
            form("/w/{workspace}/organization/deletion", one(P::DeleteOrganization))
                .sends(|at| fields(&[("confirm", at.workspace())]))
                .types(|_, form| form.fill(&[("confirm", "acme")]))
                .like("DELETE /api/sso/v1/workspaces/{workspace}"),
        ]
    }

    fn calls(&self) -> Vec<Row> {
        vec![
            call("GET /api/sso/v1/workspaces", KEY),
            call("POST /api/sso/v1/workspaces", KEY)
                .body(|_| json!({"name": "Another", "slug": "another"}))
                // No key of the walk administers its account.
                .verdict(|_| Verdict::Audited(403)),
            call("GET /api/sso/v1/workspaces/{workspace}", MEMBER),
            call("PATCH /api/sso/v1/workspaces/{workspace}", one(P::UpdateOrganization))
                .body(|_| json!({"name": "Renamed", "slug": "renamed"})),
            call("DELETE /api/sso/v1/workspaces/{workspace}", one(P::DeleteOrganization))
                .query("confirm={workspace}"),
        ]
    }
}
