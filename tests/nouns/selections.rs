//! Selections: many members or invitations, changed at once.

use super::members::{managed, may_shut_out, with_first_role};
use crate::walk::*;

pub struct Selections;

#[async_trait(?Send)]
impl Noun for Selections {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        // What may be done to a selection of one is what may be done to that one. The pages name everyone,
        // and say to whom it can't be done; a call of its own does it to each.
        vec![
            page("/w/{workspace}/members/selection/roles", one(P::UpdateMemberRoles))
                .selects("member")
                .statements(3),
            form("/w/{workspace}/members/selection/roles", one(P::UpdateMemberRoles))
                .selects("member")
                .sends(|_| fields(&[("role", "viewer"), ("role", "support")]))
                .verdict(managed)
                .offered(|at| at.my().may_manage(&at.member().holdings).is_ok())
                .types(with_first_role)
                .like("PATCH /api/sso/v1/users/{user}"),
            page("/w/{workspace}/members/selection/suspension", one(P::SuspendMembers))
                .selects("member")
                .statements(3),
            form("/w/{workspace}/members/selection/suspension", one(P::SuspendMembers))
                .selects("member")
                .verdict(managed)
                .offered(|at| may_shut_out(at) && at.member().is_active)
                .like("POST /api/sso/v1/members/{member}/suspension"),
            page("/w/{workspace}/members/selection/removal", one(P::RemoveMembers))
                .selects("member")
                .statements(3),
            form("/w/{workspace}/members/selection/removal", one(P::RemoveMembers))
                .selects("member")
                .verdict(managed)
                .offered(may_shut_out)
                .like("DELETE /api/sso/v1/members/{member}"),
            page("/w/{workspace}/invitations/selection/resend", one(P::InviteMembers))
                .selects("invitation")
                .statements(2),
            form("/w/{workspace}/invitations/selection/resend", one(P::InviteMembers))
                .selects("invitation")
                .verdict(super::invitations::may_invite)
                .offered(super::invitations::may_resend)
                .like("POST /api/sso/v1/invitations/{invitation}/resend"),
            page("/w/{workspace}/invitations/selection/cancellation", one(P::CancelInvitations))
                .selects("invitation")
                .statements(2),
            form("/w/{workspace}/invitations/selection/cancellation", one(P::CancelInvitations))
                .selects("invitation")
                .offered(super::invitations::is_open)
                .like("DELETE /api/sso/v1/invitations/{invitation}"),
        ]
    }

    async fn tour(&self, tour: &mut Tour<'_>) {
        let owner = tour.owner.clone();
        let members: Vec<String> = tour.take_members(3).iter().map(Uuid::to_string).collect();
        let roles = [("role", "viewer"), ("role", "support")];
        for (noun, more) in [("roles", &roles[..]), ("suspension", &[]), ("removal", &[])] {
            tour_of_selection(tour, &owner, &format!("members/selection/{noun}"), ("member", &members), more)
                .await;
        }
        let invitations = tour.invitations().await;
        for noun in ["resend", "cancellation"] {
            let path = format!("invitations/selection/{noun}");
            tour_of_selection(tour, &owner, &path, ("invitation", &invitations), &[]).await;
        }
    }

    async fn pictures_of_changes(&self, demo: &Demo, pictures: &mut Pictures) {
        let owner = &demo.owner;
        let of = |noun: &str, roles: &[&str]| {
            let ids: Vec<String> =
                roles.iter().map(|role| format!("member={}", demo.members[role])).collect();
            demo.at(&format!("/members/selection/{noun}?{}", ids.join("&")))
        };
        let both = ["support", "editor"];
        let page = owner.get(&of("roles", &both)).await;
        pictures.add("selected-roles-refused", 422, owner.submit(&page, "/selection/roles", &[]).await);
        pictures.add("selected-roles", 200, page);
        pictures.add("selected-suspension", 200, owner.get(&of("suspension", &both)).await);
        pictures.add("selected-suspended", 200, owner.get(&of("suspension", &["former"])).await);
        pictures.add("selected-removal", 200, owner.get(&of("removal", &both)).await);
        pictures.add("selected-above", 200, demo.admin.get(&of("removal", &["owner", "viewer"])).await);
        let page = owner.get(&of("roles", &["editor", "viewer"])).await;
        let changed = [("role", "viewer"), ("role", "support")];
        pictures.add("members-results", 200, submit(owner, &page, "/selection/roles", &changed).await);

        let page = owner.get(&demo.at("/invitations?status=pending")).await;
        let ids = page.attributes("input[name=invitation]", "value");
        let ids: Vec<String> = ids.iter().map(|id| format!("invitation={id}")).collect();
        let path = |noun: &str| demo.at(&format!("/invitations/selection/{noun}?{}", ids.join("&")));
        pictures.add("selected-resend", 200, owner.get(&path("resend")).await);
        pictures.add("selected-cancellation", 200, owner.get(&path("cancellation")).await);
        pictures.open("members-selected", "members-of-admin", &["input[name=member]:enabled"]);
    }
}

/// The page that names everyone, and its form.
async fn tour_of_selection(
    tour: &mut Tour<'_>,
    client: &Client,
    path: &str,
    (name, ids): (&str, &[String]),
    more: &[(&str, &str)],
) {
    let fields: Vec<_> = ids.iter().map(|id| (name, id.as_str())).chain(more.iter().copied()).collect();
    let query = ids.iter().map(|id| format!("{name}={id}")).collect::<Vec<_>>().join("&");
    tour.get(client, &format!("{HOME}/{path}?{query}"), 200).await;
    tour.post(client, &format!("{HOME}/{path}"), &fields, 303).await;
}
