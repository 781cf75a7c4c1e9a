//! THE table of routes: method, path, requirement, handler. It is what is mounted and what the tests walk, so
//! a route without a row does not exist.

pub(crate) mod access_requests;
pub(crate) mod accounts;
pub(crate) mod activity;
pub(crate) mod api_docs;
pub(crate) mod api_keys;
pub(crate) mod attention;
pub(crate) mod billing;
pub(crate) mod credits;
pub(crate) mod decisions;
pub(crate) mod deliveries;
pub(crate) mod destinations;
pub(crate) mod exports;
pub(crate) mod first_request;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod invitations;
pub(crate) mod joining;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod mount;
pub(crate) mod organization;
pub(crate) mod overview;
pub(crate) mod own_data;
pub(crate) mod own_deletion;
pub(crate) mod ownership;
pub(crate) mod quick_start;
pub(crate) mod recovery;
pub(crate) mod resources;
pub(crate) mod roles;
pub(crate) mod security;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod stripe_webhook;
pub(crate) mod support;
mod tags;
pub(crate) mod teams;
pub(crate) mod traffic;
pub(crate) mod unsubscribe;
pub(crate) mod users;
pub(crate) mod workspaces;

use self::{
    decisions::schema,
    exports::{ledger, lists},
};
pub use crate::web::{access::Requirement, route::Route};
use crate::{
    policy::perm::*,
    web::{
        access::{AdminOfAccount, AnyKey, AnyUser, Anyone},
        face::{Face, RateLimit},
        guard::{MemberBySession, account::AdminBySession},
        route::{call, gateway, get, noun, post},
    },
};
use actix_web::http::Method;

/// The pages of the table, and the forms on them.
pub fn page_rows() -> Vec<Route> {
    table().into_iter().filter(|row| row.face == Face::Page).collect()
}

/// The rows of the table that are for services.
pub fn call_rows() -> Vec<Route> {
    table().into_iter().filter(|row| matches!(row.face, Face::Api | Face::Decision)).collect()
}

/// The rows of the gateway.
pub fn gateway_rows() -> Vec<Route> {
    table().into_iter().filter(|row| row.face == Face::Gateway).collect()
}

/// Every route, by noun: pages and forms, then operations of the API. Nouns are in the order of the sidebar.
/// If two paths match a request, the first one gets it.
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    let nouns = [
        noun("installation", vec![
            get("/healthz", Anyone, health::alive).quiet(),
            get("/readyz", Anyone, health::ready).quiet(),
            get("/", Anyone, workspaces::pages::home),
        ]),
        noun("auth", vec![
            get("/sign-up", Anyone, sign_up::show),
            post("/sign-up", Anyone, sign_up::submit),
            get("/first-sign-up/{token}", Anyone, sign_up::follow_first),
            get("/check-mail", Anyone, sign_up::check_mail),
            get("/sign-in", Anyone, sign_in::show),
            post("/sign-in", Anyone, sign_in::submit),
            post("/sign-out", AnyUser, sign_in::sign_out),
            get("/forgot-password", Anyone, recovery::forgot),
            post("/forgot-password", Anyone, recovery::send_reset),
            get("/reset-password/{token}", Anyone, recovery::follow_reset),
            get("/reset-password", Anyone, recovery::reset),
            post("/reset-password", Anyone, recovery::choose_password),
            get("/email-verification/{token}", Anyone, recovery::follow_verification),
            get("/email-verification", Anyone, recovery::verification),
            post("/email-verification", Anyone, recovery::verify),
        ]),
        noun("me", vec![
            get("/me", AnyUser, me::show),
            post("/me/profile", AnyUser, me::rename),
            post("/me/password", AnyUser, me::change_password),
            post("/me/email", AnyUser, me::change_email),
            post("/me/verification", AnyUser, me::resend_verification),
            post("/me/mail", AnyUser, me::choose_mail),
            get("/unsubscribe/{unsubscribe_code}", Anyone, unsubscribe::ask),
            post("/unsubscribe/{unsubscribe_code}", Anyone, unsubscribe::stop),
            post("/me/export", AnyUser, own_data::download),
            get("/me/deletion", AnyUser, own_deletion::show),
            post("/me/deletion", AnyUser, own_deletion::delete),
            post("/me/drafts", AnyUser, sign_in::restore_draft),
            post("/me/choices/first-steps", AnyUser, overview::hide_first_steps),
            post("/me/sessions/revocation", AnyUser, me::revoke_others),
            post("/me/sessions/{session}/revocation", AnyUser, me::revoke),
        ]),
        noun("workspaces", vec![
            get("/workspaces", AnyUser, workspaces::pages::index),
            post("/workspaces", AnyUser, workspaces::pages::create),
            post("/workspaces/waiting/{membership}/acceptance", AnyUser, workspaces::waiting::accept),
            post("/workspaces/waiting/{membership}/decline", AnyUser, workspaces::waiting::decline),
            post("/workspaces/joinable/{join_domain}/membership", AnyUser, joining::recipient::join_by_domain),
            post("/workspaces/deleted/{deleted_workspace}/restoration", AnyUser, workspaces::deleted::restore),
            call("listWorkspaces", GET, "/api/sso/v1/workspaces", AnyKey, workspaces::api::index)
                .summary("List the workspaces the key is a member of"),
            call("createWorkspace", POST, "/api/sso/v1/workspaces", AnyKey, workspaces::api::create)
                .summary("Create a workspace (for keys that can create workspaces in their account)"),
            call("getWorkspace", GET, "/api/sso/v1/workspaces/{workspace}", Membership, workspaces::api::show)
                .summary("Get a workspace"),
            call("updateWorkspace", PATCH, "/api/sso/v1/workspaces/{workspace}", UpdateOrganization, workspaces::api::update)
                .summary("Change the name or slug of a workspace"),
            call("deleteWorkspace", DELETE, "/api/sso/v1/workspaces/{workspace}", DeleteOrganization, workspaces::api::delete)
                .summary("Delete a workspace and everything in it")
                .details("For 30 days an Owner can restore it, on the page with their workspaces. Then it is gone."),
            call("getAllowedOrigins", GET, "/api/sso/v1/workspaces/{workspace}/origins", Membership, workspaces::origins::show)
                .summary("Get the websites whose pages can call the API for the workspace"),
            call("setAllowedOrigins", PUT, "/api/sso/v1/workspaces/{workspace}/origins", UpdateOrganization, workspaces::origins::set)
                .summary("Set the websites whose pages can call the API for the workspace"),
        ]),
        noun("account", vec![
            get("/a/{account}", AdminOfAccount, accounts::detail::show).nav("", "building", "Workspaces"),
            post("/a/{account}/details", AdminOfAccount, accounts::detail::update),
            post("/a/{account}/administration-requests/{request}/acceptance", AdminOfAccount, accounts::requests::accept),
            post("/a/{account}/administration-requests/{request}/decline", AdminOfAccount, accounts::requests::decline),
        ]),
        noun("account people", vec![
            get("/a/{account}/people", AdminOfAccount, accounts::people::people).nav("", "users", "People"),
            get("/a/{account}/people/{user}/admin", AdminOfAccount, accounts::people::stepping_down),
            post("/a/{account}/people/{user}/admin", AdminOfAccount, accounts::people::appoint),
            get("/a/{account}/people/{user}/removal", AdminOfAccount, accounts::people::removal),
            post("/a/{account}/people/{user}/removal", AdminOfAccount, accounts::people::remove),
        ]),
        noun("account keys", vec![
            get("/a/{account}/api-keys", AdminOfAccount, api_keys::list::index::<AdminBySession>).nav("", "key", "API keys"),
            post("/a/{account}/api-keys", AdminOfAccount, api_keys::new::create::<AdminBySession>),
            get("/a/{account}/api-keys/new", AdminOfAccount, api_keys::new::new::<AdminBySession>),
            // Before `{key}`, which would take it for an id.
            post("/a/{account}/api-keys/search", AdminOfAccount, api_keys::search::search::<AdminBySession>),
            get("/a/{account}/api-keys/{key}", AdminOfAccount, api_keys::detail::show::<AdminBySession>),
            post("/a/{account}/api-keys/{key}/details", AdminOfAccount, api_keys::detail::rename::<AdminBySession>),
            post("/a/{account}/api-keys/{key}/administration", AdminOfAccount, api_keys::administration::administer),
            post("/a/{account}/api-keys/{key}/rotation", AdminOfAccount, api_keys::detail::rotate::<AdminBySession>),
            get("/a/{account}/api-keys/{key}/revocation", AdminOfAccount, api_keys::revocation::revocation::<AdminBySession>),
            post("/a/{account}/api-keys/{key}/revocation", AdminOfAccount, api_keys::revocation::revoke::<AdminBySession>),
        ]),
        noun("overview", vec![
            get("/w/{workspace}", Membership, overview::show).nav("", "layout-dashboard", "Overview"),
            post("/w/{workspace}/attention/snooze", Membership, attention::put_off),
            post("/w/{workspace}/attention/restoration", Membership, attention::show_all),
        ]),
        noun("departure", vec![
            get("/w/{workspace}/departure", Membership, members::leave::departure),
            post("/w/{workspace}/departure", Membership, members::leave::leave),
            call("leaveWorkspace", POST, "/api/sso/v1/departure", Membership, members::api::leave)
                .summary("Leave the workspace (as the key itself)"),
        ]),
        noun("members", vec![
            get("/w/{workspace}/members", ReadMembers, members::list::index).nav("People", "users", "Members"),
            post("/w/{workspace}/members", InviteMembers, members::new::add),
            // Before `{member}`, which would take these for an id.
            get("/w/{workspace}/members/new", InviteMembers, members::new::show),
            get("/w/{workspace}/members/selection/roles", UpdateMemberRoles, members::selection::roles),
            post("/w/{workspace}/members/selection/roles", UpdateMemberRoles, members::selection::change_roles),
            get("/w/{workspace}/members/selection/suspension", SuspendMembers, members::selection::suspension),
            post("/w/{workspace}/members/selection/suspension", SuspendMembers, members::selection::suspend),
            get("/w/{workspace}/members/selection/removal", RemoveMembers, members::selection::removal),
            post("/w/{workspace}/members/selection/removal", RemoveMembers, members::selection::remove),
            get("/w/{workspace}/members/{member}", ReadMembers, members::detail::show),
            get("/w/{workspace}/members/{member}/access", ReadMembers, members::effective_access::show),
            post("/w/{workspace}/members/{member}/roles", UpdateMemberRoles, members::detail::change_roles),
            get("/w/{workspace}/members/{member}/roles/preview", UpdateMemberRoles, members::detail::preview_roles),
            post("/w/{workspace}/members/{member}/end", UpdateMemberRoles, members::end::change),
            get("/w/{workspace}/members/{member}/suspension", SuspendMembers, members::leave::suspension),
            post("/w/{workspace}/members/{member}/suspension", SuspendMembers, members::leave::suspend),
            post("/w/{workspace}/members/{member}/reactivation", SuspendMembers, members::leave::reactivate),
            get("/w/{workspace}/members/{member}/api-keys", ManageApiKeys, members::keys::show),
            post("/w/{workspace}/members/{member}/api-keys/revocation", ManageApiKeys, members::keys::revoke),
            get("/w/{workspace}/members/{member}/offboarding", RemoveMembers, members::offboarding::show),
            post("/w/{workspace}/members/{member}/offboarding", RemoveMembers, members::offboarding::offboard),
            get("/w/{workspace}/members/{member}/removal", RemoveMembers, members::leave::removal),
            post("/w/{workspace}/members/{member}/removal", RemoveMembers, members::leave::remove),
            call("listMembers", GET, "/api/sso/v1/members", ReadMembers, members::api::index)
                .summary("List the members of the workspace: people and API keys"),
            call("getMember", GET, "/api/sso/v1/members/{member}", ReadMembers, members::api::show)
                .summary("Get a member"),
            call("setMemberRoles", PATCH, "/api/sso/v1/members/{member}", UpdateMemberRoles, members::api::update)
                .summary("Set the roles of a member"),
            call("setMemberEnd", PUT, "/api/sso/v1/members/{member}/end", UpdateMemberRoles, members::end_api::set)
                .summary("Set until when a member has access, or one of their roles"),
            call("removeMember", DELETE, "/api/sso/v1/members/{member}", RemoveMembers, members::api::remove)
                .summary("Remove a member"),
            call("suspendMember", POST, "/api/sso/v1/members/{member}/suspension", SuspendMembers, members::api::suspend)
                .summary("Suspend a member"),
            call("offboardMember", POST, "/api/sso/v1/members/{member}/offboarding", RemoveMembers, members::api::offboard)
                .summary("End everything that a person has in the workspace, and say what it was")
                .details("What they have in other workspaces, and in the account, is ended by people on the page of the member."),
            call("revokeApiKeysOfMember", POST, "/api/sso/v1/members/{member}/apikeys/revocation", ManageApiKeys, members::api::revoke_keys)
                .summary("Revoke every API key of the workspace that a person vouches for or knows a secret of"),
            call("reactivateMember", POST, "/api/sso/v1/members/{member}/reactivation", SuspendMembers, members::api::reactivate)
                .summary("Reactivate a suspended member"),
        ]),
        noun("access-requests", vec![
            get("/w/{workspace}/access-requests", Membership, access_requests::list::index)
                .nav("Access", "badge-check", "Access requests"),
            post("/w/{workspace}/access-requests", Membership, access_requests::new::create),
            get("/w/{workspace}/access-requests/new", Membership, access_requests::new::new),
            get("/w/{workspace}/access-requests/{access_request}", Membership, access_requests::detail::show),
            post("/w/{workspace}/access-requests/{access_request}/acceptance", UpdateMemberRoles, access_requests::detail::accept),
            post("/w/{workspace}/access-requests/{access_request}/decline", UpdateMemberRoles, access_requests::detail::decline),
            post("/w/{workspace}/access-requests/{access_request}/withdrawal", Membership, access_requests::detail::withdraw),
            call("listAccessRequests", GET, "/api/sso/v1/access-requests", UpdateMemberRoles, access_requests::api::index)
                .summary("List members' requests for access, newest first"),
            call("getAccessRequest", GET, "/api/sso/v1/access-requests/{access_request}", UpdateMemberRoles, access_requests::api::show)
                .summary("Get a request for access"),
            call("acceptAccessRequest", POST, "/api/sso/v1/access-requests/{access_request}/acceptance", UpdateMemberRoles, access_requests::api::accept)
                .summary("Accept a request for access")
                .details("Gives the member a role in addition to those they have, until when they asked for or sooner."),
            call("declineAccessRequest", POST, "/api/sso/v1/access-requests/{access_request}/decline", UpdateMemberRoles, access_requests::api::decline)
                .summary("Decline a request for access"),
        ]),
        noun("ownership-offers", vec![
            post("/w/{workspace}/members/{member}/ownership-offer", UpdateMemberRoles, ownership::pages::offer),
            post("/w/{workspace}/ownership-offers/{offer}/acceptance", Membership, ownership::pages::accept),
            post("/w/{workspace}/ownership-offers/{offer}/decline", Membership, ownership::pages::decline),
            post("/w/{workspace}/ownership-offers/{offer}/withdrawal", Membership, ownership::pages::withdraw),
            call("listOwnershipOffers", GET, "/api/sso/v1/ownership-offers", ReadMembers, ownership::api::index)
                .summary("Get the pending ownership offer, if there is one"),
            call("withdrawOwnershipOffer", DELETE, "/api/sso/v1/ownership-offers/{offer}", Membership, ownership::api::withdraw)
                .summary("Withdraw an ownership offer (Owners only)")
                .refused_with(410),
        ]),
        noun("users", vec![
            call("listUsers", GET, "/api/sso/v1/users", ReadMembers, users::directory::index)
                .summary("List the users of the workspace, with their other workspaces"),
            call("provisionUser", POST, "/api/sso/v1/users", InviteMembers, users::provision::create)
                .summary("Add a user without an invitation")
                .described(users::provision::example),
            call("getUser", GET, "/api/sso/v1/users/{user}", ReadMembers, users::directory::show)
                .summary("Get a user"),
            call("updateUser", PATCH, "/api/sso/v1/users/{user}", UpdateMemberRoles, users::provision::update)
                .summary("Change the roles or external ID of a user"),
        ]),
        noun("teams", vec![
            get("/w/{workspace}/teams", ReadTeams, teams::list::index).nav("People", "users-round", "Teams"),
            post("/w/{workspace}/teams", CreateTeams, teams::detail::create),
            // Before `{team}`, which would take `new` for an id.
            get("/w/{workspace}/teams/new", CreateTeams, teams::detail::new),
            get("/w/{workspace}/teams/{team}", ReadTeams, teams::detail::show),
            // A team's leads edit it without a permission: `domain/nouns/teams` checks who else may.
            post("/w/{workspace}/teams/{team}/details", Membership, teams::detail::update),
            get("/w/{workspace}/teams/{team}/members", ReadMembers, teams::people::candidates),
            post("/w/{workspace}/teams/{team}/members", Membership, teams::people::add),
            post("/w/{workspace}/teams/{team}/members/{member}/removal", Membership, teams::people::remove),
            post("/w/{workspace}/teams/{team}/members/{member}/lead", UpdateTeams, teams::people::appoint),
            post("/w/{workspace}/teams/{team}/roles", UpdateTeams, teams::detail::set_roles),
            get("/w/{workspace}/teams/{team}/roles/preview", UpdateTeams, teams::detail::preview_roles),
            get("/w/{workspace}/teams/{team}/deletion", DeleteTeams, teams::detail::deletion),
            post("/w/{workspace}/teams/{team}/deletion", DeleteTeams, teams::detail::delete),
            call("listTeams", GET, "/api/sso/v1/teams", ReadTeams, teams::api::index)
                .summary("List teams"),
            call("createTeam", POST, "/api/sso/v1/teams", CreateTeams, teams::api::create)
                .summary("Create a team"),
            call("getTeam", GET, "/api/sso/v1/teams/{team}", ReadTeams, teams::api::show)
                .summary("Get a team"),
            call("updateTeam", PATCH, "/api/sso/v1/teams/{team}", Membership, teams::api::update)
                .summary("Change the name or description of a team (requires Update teams)"),
            call("deleteTeam", DELETE, "/api/sso/v1/teams/{team}", DeleteTeams, teams::api::delete)
                .summary("Delete a team"),
            call("setTeamRoles", PUT, "/api/sso/v1/teams/{team}/roles", UpdateTeams, teams::api::set_roles)
                .summary("Set the roles of a team"),
            call("listTeamMembers", GET, "/api/sso/v1/teams/{team}/members", ReadTeams, teams::api::people)
                .summary("List the people in a team, newest first"),
            call("addTeamMembers", POST, "/api/sso/v1/teams/{team}/members", Membership, teams::api::add)
                .summary("Add members to a team (requires Update teams)"),
            call("removeTeamMember", DELETE, "/api/sso/v1/teams/{team}/members/{member}", Membership, teams::api::remove)
                .summary("Remove a member from a team (requires Update teams)"),
            call("setTeamLead", PUT, "/api/sso/v1/teams/{team}/members/{member}/lead", UpdateTeams, teams::api::appoint)
                .summary("Make a member a lead of a team, or remove them as a lead"),
        ]),
        noun("invitations", vec![
            get("/invitations/{token}", Anyone, invitations::recipient::follow),
            get("/invitation", Anyone, invitations::recipient::show),
            post("/invitation/acceptance", AnyUser, invitations::recipient::accept),
            post("/invitation/decline", Anyone, invitations::recipient::decline),
            get("/w/{workspace}/invitations", ReadInvitations, invitations::list::index).nav("People", "mail", "Invitations"),
            post("/w/{workspace}/invitations", InviteMembers, invitations::list::send),
            post("/w/{workspace}/invitations/preview", InviteMembers, invitations::list::preview),
            get("/w/{workspace}/invitations/selection/resend", InviteMembers, invitations::selection::resend_review),
            post("/w/{workspace}/invitations/selection/resend", InviteMembers, invitations::selection::resend),
            get("/w/{workspace}/invitations/selection/cancellation", CancelInvitations, invitations::selection::cancellation),
            post("/w/{workspace}/invitations/selection/cancellation", CancelInvitations, invitations::selection::cancel),
            post("/w/{workspace}/invitations/{invitation}/resend", InviteMembers, invitations::list::resend),
            get("/w/{workspace}/invitations/{invitation}/cancellation", CancelInvitations, invitations::list::cancellation),
            post("/w/{workspace}/invitations/{invitation}/cancellation", CancelInvitations, invitations::list::cancel),
            call("listInvitations", GET, "/api/sso/v1/invitations", ReadInvitations, invitations::api::index)
                .summary("List invitations in every state"),
            call("sendInvitations", POST, "/api/sso/v1/invitations", InviteMembers, invitations::api::send)
                .summary("Invite people by e-mail, with a result for each address")
                .described(invitations::api::example),
            call("previewInvitations", POST, "/api/sso/v1/invitations/preview", InviteMembers, invitations::api::preview)
                .summary("See what would become of each address if it were invited now")
                .details("Nothing is sent.")
                .described(invitations::api::example),
            call("getInvitation", GET, "/api/sso/v1/invitations/{invitation}", ReadInvitations, invitations::api::show)
                .summary("Get an invitation"),
            call("cancelInvitation", DELETE, "/api/sso/v1/invitations/{invitation}", CancelInvitations, invitations::api::cancel)
                .summary("Cancel a pending invitation"),
            call("resendInvitation", POST, "/api/sso/v1/invitations/{invitation}/resend", InviteMembers, invitations::api::resend)
                .summary("Send an invitation again with new links"),
        ]),
        noun("joining", vec![
            get("/join-links/{token}", Anyone, joining::recipient::follow),
            get("/join", Anyone, joining::recipient::show),
            post("/join/acceptance", AnyUser, joining::recipient::accept),
            get("/w/{workspace}/joining", ReadInvitations, joining::list::index),
            post("/w/{workspace}/joining/links", InviteMembers, joining::links::create),
            get("/w/{workspace}/joining/links/{join_link}", ReadInvitations, joining::links::show),
            post("/w/{workspace}/joining/links/{join_link}/revocation", CancelInvitations, joining::links::revoke),
            post("/w/{workspace}/joining/domains", UpdateOrganization, joining::domains::add),
            post("/w/{workspace}/joining/domains/{join_domain}/verification", UpdateOrganization, joining::domains::verify),
            get("/w/{workspace}/joining/domains/{join_domain}/removal", UpdateOrganization, joining::domains::removal),
            post("/w/{workspace}/joining/domains/{join_domain}/removal", UpdateOrganization, joining::domains::remove),
            call("listJoinLinks", GET, "/api/sso/v1/join-links", ReadInvitations, joining::api::index)
                .summary("List the links by which several people can join, newest first"),
            call("createJoinLink", POST, "/api/sso/v1/join-links", InviteMembers, joining::api::create)
                .summary("Create a link by which several people can join (it is returned only once)")
                .described(joining::api::example),
            call("getJoinLink", GET, "/api/sso/v1/join-links/{join_link}", ReadInvitations, joining::api::show)
                .summary("Get a join link"),
            call("listJoinLinkUses", GET, "/api/sso/v1/join-links/{join_link}/uses", ReadInvitations, joining::api::uses)
                .summary("List who joined by a link, newest first"),
            call("revokeJoinLink", DELETE, "/api/sso/v1/join-links/{join_link}", CancelInvitations, joining::api::revoke)
                .summary("Revoke a join link"),
            call("listJoinDomains", GET, "/api/sso/v1/join-domains", ReadInvitations, joining::api::domains)
                .summary("List the domains whose people can join by themselves"),
            call("addJoinDomain", POST, "/api/sso/v1/join-domains", UpdateOrganization, joining::api::add_domain)
                .summary("Add a domain whose people can join by themselves (requires Invite members too)")
                .details("Nobody joins by it before it is verified: DNS must have the text that the response names.")
                .described(joining::api::domain_example),
            call("getJoinDomain", GET, "/api/sso/v1/join-domains/{join_domain}", ReadInvitations, joining::api::show_domain)
                .summary("Get a join domain"),
            call("verifyJoinDomain", POST, "/api/sso/v1/join-domains/{join_domain}/verification", UpdateOrganization, joining::api::verify_domain)
                .summary("Look in DNS whether a domain is the workspace's")
                .details("`verified_at` stays `null` as long as the text isn't there."),
            call("removeJoinDomain", DELETE, "/api/sso/v1/join-domains/{join_domain}", UpdateOrganization, joining::api::remove_domain)
                .summary("Remove a domain. Its people stay members"),
        ]),
        noun("roles", vec![
            get("/w/{workspace}/roles", ReadMembers, roles::list::index).nav("Access", "tags", "Roles"),
            post("/w/{workspace}/roles", ManageRoles, roles::new::create),
            // Before `{role}`, which would take them for a role.
            get("/w/{workspace}/roles/new", ManageRoles, roles::new::new),
            get("/w/{workspace}/roles/comparison", ReadMembers, roles::comparison::comparison),
            get("/w/{workspace}/roles/{role}", ReadMembers, roles::detail::show),
            post("/w/{workspace}/roles/{role}/details", ManageRoles, roles::detail::describe),
            post("/w/{workspace}/roles/{role}/scopes", UpdatePermissions, roles::detail::set_scopes),
            get("/w/{workspace}/roles/{role}/scopes/preview", UpdatePermissions, roles::detail::preview_scopes),
            get("/w/{workspace}/roles/{role}/deletion", ManageRoles, roles::deletion::deletion),
            post("/w/{workspace}/roles/{role}/deletion", ManageRoles, roles::deletion::delete),
            call("listRoles", GET, "/api/sso/v1/roles", ReadMembers, roles::api::index)
                .summary("List the roles of the workspace"),
            call("createRole", POST, "/api/sso/v1/roles", ManageRoles, roles::api::create)
                .summary("Create a role, or set the application scopes of a built-in role")
                .described(roles::api::example),
            call("getRole", GET, "/api/sso/v1/roles/{role}", ReadMembers, roles::api::show)
                .summary("Get a role"),
            call("updateRole", PATCH, "/api/sso/v1/roles/{role}", ManageRoles, roles::api::update)
                .summary("Change the name or description of a role"),
            call("deleteRole", DELETE, "/api/sso/v1/roles/{role}", ManageRoles, roles::api::delete)
                .summary("Delete a role and replace it with another"),
            call("setRoleScopes", PUT, "/api/sso/v1/roles/{role}/scopes", UpdatePermissions, roles::api::set_scopes)
                .summary("Set all permissions and scopes of a role"),
        ]),
        noun("permissions", vec![
            get("/w/{workspace}/security", ReadMembers, security::pages::index).nav("Access", "shield", "Security"),
            get("/w/{workspace}/security/separation", UpdatePermissions, security::separation::show),
            post("/w/{workspace}/security/separation", UpdatePermissions, security::separation::set),
            post("/w/{workspace}/security/{permission}", UpdatePermissions, security::pages::set),
            get("/w/{workspace}/security/{permission}/preview", UpdatePermissions, security::pages::preview_set),
            call("listPermissions", GET, "/api/sso/v1/permissions", ReadMembers, security::api::index)
                .summary("List permissions and the roles that have them"),
            call("getPermission", GET, "/api/sso/v1/permissions/{permission}", ReadMembers, security::api::show)
                .summary("Get a permission"),
            call("setPermissionRoles", PUT, "/api/sso/v1/permissions/{permission}", UpdatePermissions, security::api::set)
                .summary("Set the roles that have a permission"),
        ]),
        noun("API keys", vec![
            get("/w/{workspace}/api-keys", ReadApiKeys, api_keys::list::index::<MemberBySession<_>>).nav("Services", "key", "API keys"),
            post("/w/{workspace}/api-keys", ManageApiKeys, api_keys::new::create::<MemberBySession<_>>),
            // Before `{key}`, which would take them for an id.
            get("/w/{workspace}/api-keys/new", ManageApiKeys, api_keys::new::new::<MemberBySession<_>>),
            get("/w/{workspace}/api-keys/addition", ManageApiKeys, api_keys::add::addition),
            post("/w/{workspace}/api-keys/addition", ManageApiKeys, api_keys::add::add),
            post("/w/{workspace}/api-keys/search", ReadApiKeys, api_keys::search::search::<MemberBySession<_>>),
            get("/w/{workspace}/api-keys/{key}", ReadApiKeys, api_keys::detail::show::<MemberBySession<_>>),
            post("/w/{workspace}/api-keys/{key}/details", ManageApiKeys, api_keys::detail::rename::<MemberBySession<_>>),
            post("/w/{workspace}/api-keys/{key}/rotation", ManageApiKeys, api_keys::detail::rotate::<MemberBySession<_>>),
            post("/w/{workspace}/api-keys/{key}/voucher", ManageApiKeys, api_keys::voucher::vouch),
            get("/w/{workspace}/api-keys/{key}/removal", ManageApiKeys, api_keys::placement::removal),
            post("/w/{workspace}/api-keys/{key}/removal", ManageApiKeys, api_keys::placement::remove),
            post("/w/{workspace}/api-keys/{key}/home", ManageApiKeys, api_keys::placement::change_home),
            post("/w/{workspace}/api-keys/{key}/consents", ManageApiKeys, api_keys::placement::give_consent),
            post("/w/{workspace}/api-keys/{key}/consents/{consent}/withdrawal", ManageApiKeys, api_keys::placement::withdraw_consent),
            get("/w/{workspace}/api-keys/{key}/revocation", ManageApiKeys, api_keys::revocation::revocation::<MemberBySession<_>>),
            post("/w/{workspace}/api-keys/{key}/revocation", ManageApiKeys, api_keys::revocation::revoke::<MemberBySession<_>>),
            call("listApiKeys", GET, "/api/sso/v1/apikeys", ReadApiKeys, api_keys::api::index)
                .summary("List the API keys that are members of the workspace"),
            call("createApiKey", POST, "/api/sso/v1/apikeys", ManageApiKeys, api_keys::api::create)
                .summary("Create an API key (its secret is returned only once)")
                .described(api_keys::api::example),
            // Before `{key}`, which would take them for an id.
            call("getOwnApiKey", GET, "/api/sso/v1/apikeys/self", AnyKey, api_keys::api::own)
                .summary("Get the API key making the request"),
            call("verifyApiKey", POST, "/api/sso/v1/apikeys/verify", Anyone, api_keys::api::verify)
                .summary("Verify an API key that a service received, and get its scopes")
                .counted_as(RateLimit::VERIFICATIONS)
                .refused_with(401),
            call("listAddableApiKeys", GET, "/api/sso/v1/apikeys/waiting", ManageApiKeys, api_keys::api::addable)
                .summary("List API keys in the account that can be added"),
            call("findApiKeys", POST, "/api/sso/v1/apikeys/search", ReadApiKeys, api_keys::api::find)
                .summary("Find API keys of the workspace by a secret, or by its last four characters")
                .details("The secret is stored nowhere. The list is empty if no key that is a member of the workspace has it."),
            call("getApiKey", GET, "/api/sso/v1/apikeys/{key}", ReadApiKeys, api_keys::api::show)
                .summary("Get an API key"),
            call("updateApiKey", PATCH, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::api::update)
                .summary("Rename an API key"),
            call("revokeApiKey", DELETE, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::api::revoke)
                .summary("Revoke an API key everywhere"),
            call("rotateApiKey", POST, "/api/sso/v1/apikeys/{key}/rotation", ManageApiKeys, api_keys::api::rotate)
                .summary("Rotate the secret of an API key (the new one is returned only once)"),
            call("vouchForApiKey", POST, "/api/sso/v1/apikeys/{key}/voucher", ManageApiKeys, api_keys::api::vouch)
                .summary("Vouch for the roles of an API key in the workspace"),
            call("removeApiKey", POST, "/api/sso/v1/apikeys/{key}/removal", ManageApiKeys, api_keys::api::remove)
                .summary("Remove an API key from the workspace, whatever it can do in others"),
            call("addApiKey", POST, "/api/sso/v1/apikeys/{key}/addition", ManageApiKeys, api_keys::api::add)
                .summary("Add an API key of the account to the workspace"),
        ]),
        noun("resources", vec![
            get("/w/{workspace}/resources", CheckAccess, resources::list::index).nav("Services", "box", "Resources"),
            call("listResources", GET, "/api/sso/v1/resources", CheckAccess, resources::api::index)
                .summary("List the registered resources of your applications")
                .details("With a `type` and an `id`, the list has that resource alone. If it isn't registered, you get 404."),
            call("registerResource", POST, "/api/sso/v1/resources", CheckAccess, resources::api::register)
                .summary("Register a resource")
                .details("If it is registered already, it gets the new name and owner, and you get 200. To change the owner, the key needs every scope of the type itself, such as `*:record`.")
                .described(resources::api::example),
            call("removeResource", DELETE, "/api/sso/v1/resources", CheckAccess, resources::api::forget)
                .summary("Remove a resource")
                .details("The query names the resource by its `type` and `id`, because an ID can contain any character, also a slash. If it isn't registered, you get 404. To remove one that belongs to a member, the key needs every scope of the type itself."),
        ]),
        noun("destinations", vec![
            get("/w/{workspace}/destinations", ReadDestinations, destinations::list::index).nav("Services", "send", "Destinations"),
            post("/w/{workspace}/destinations", ManageDestinations, destinations::new::create),
            // Before `{destination}`, which would take `new` for an id.
            get("/w/{workspace}/destinations/new", ManageDestinations, destinations::new::new),
            get("/w/{workspace}/destinations/{destination}", ReadDestinations, destinations::detail::show),
            post("/w/{workspace}/destinations/{destination}/details", ManageDestinations, destinations::detail::update),
            post("/w/{workspace}/destinations/{destination}/requests", ManageDestinations, destinations::detail::update_requests),
            get("/w/{workspace}/destinations/{destination}/senders", ManageDestinations, destinations::senders::show),
            post("/w/{workspace}/destinations/{destination}/senders", ManageDestinations, destinations::senders::set),
            get("/w/{workspace}/destinations/{destination}/credential", ManageDestinations, destinations::credential::show),
            post("/w/{workspace}/destinations/{destination}/credential", ManageDestinations, destinations::credential::set),
            post("/w/{workspace}/destinations/{destination}/credential/restoration", ManageDestinations, destinations::credential::restore),
            post("/w/{workspace}/destinations/{destination}/credential/previous-deletion", ManageDestinations, destinations::credential::delete_previous),
            get("/w/{workspace}/destinations/{destination}/credential/removal", ManageDestinations, destinations::credential::removal),
            post("/w/{workspace}/destinations/{destination}/credential/removal", ManageDestinations, destinations::credential::remove),
            post("/w/{workspace}/destinations/{destination}/pause", ManageDestinations, destinations::detail::pause),
            post("/w/{workspace}/destinations/{destination}/resumption", ManageDestinations, destinations::detail::resume),
            get("/w/{workspace}/destinations/{destination}/deletion", ManageDestinations, destinations::deletion::deletion),
            post("/w/{workspace}/destinations/{destination}/deletion", ManageDestinations, destinations::deletion::delete),
            call("listDestinations", GET, "/api/sso/v1/destinations", ReadDestinations, destinations::api::index)
                .summary("List destinations"),
            call("createDestination", POST, "/api/sso/v1/destinations", ManageDestinations, destinations::api::create)
                .summary("Add a destination"),
            call("getDestination", GET, "/api/sso/v1/destinations/{destination}", ReadDestinations, destinations::api::show)
                .summary("Get a destination"),
            call("updateDestination", PATCH, "/api/sso/v1/destinations/{destination}", ManageDestinations, destinations::api::update)
                .summary("Change the description or rate of a destination, switch requests on or off, pause or resume it"),
            call("deleteDestination", DELETE, "/api/sso/v1/destinations/{destination}", ManageDestinations, destinations::api::delete)
                .summary("Delete a destination"),
            call("getDestinationSenders", GET, "/api/sso/v1/destinations/{destination}/senders", ManageDestinations, destinations::api_parts::show_senders)
                .summary("Get who may send requests to a destination"),
            call("setDestinationSenders", PUT, "/api/sso/v1/destinations/{destination}/senders", ManageDestinations, destinations::api_parts::set_senders)
                .summary("Set who may send requests to a destination"),
            call("getDestinationCredential", GET, "/api/sso/v1/destinations/{destination}/credential", ReadDestinations, destinations::api_parts::show_credential)
                .summary("Get what is known of the credential of a destination")
                .details("Its value is never returned."),
            call("setDestinationCredential", PUT, "/api/sso/v1/destinations/{destination}/credential", ManageDestinations, destinations::api_parts::set_credential)
                .summary("Store the credential of a destination, or replace it")
                .details("It is sent to this host alone, in this header, over whatever the caller sent there."),
            call("removeDestinationCredential", DELETE, "/api/sso/v1/destinations/{destination}/credential", ManageDestinations, destinations::api_parts::remove_credential)
                .summary("Remove the credential of a destination"),
            call("restoreDestinationCredential", POST, "/api/sso/v1/destinations/{destination}/credential/restoration", ManageDestinations, destinations::api_parts::restore_credential)
                .summary("Bring the previous credential of a destination back"),
            call("deletePreviousDestinationCredential", DELETE, "/api/sso/v1/destinations/{destination}/credential/previous", ManageDestinations, destinations::api_parts::delete_previous_credential)
                .summary("Delete the previous credential of a destination"),
            call("checkSending", GET, "/api/sso/v1/sending", SendDestinations, first_request::sending::check)
                .summary("Check whether the key making the request can send to a host")
                .details("You get 204 if the gateway would send a request of this key to the host, and otherwise the refusal. Nothing is sent. A proxy can ask this before it sends a request by itself.")
                .refused_with(402),
            gateway("/w/{workspace}/out/{host}", SendDestinations),
            gateway("/w/{workspace}/out/{host}/{path}", SendDestinations),
        ]),
        noun("quick start", vec![
            get("/w/{workspace}/quick-start", ReadDestinations, first_request::page::show).nav("Services", "play", "Quick start"),
            post("/w/{workspace}/quick-start/key", ManageApiKeys, first_request::page::create_key),
            post("/w/{workspace}/quick-start/echo", ManageDestinations, first_request::page::add_echo),
            post("/w/{workspace}/quick-start/request", ReadDestinations, first_request::page::send_request),
        ]),
        noun("traffic", vec![
            get("/w/{workspace}/traffic", ReadDestinations, traffic::list::index).nav("Services", "activity", "Traffic"),
            call("listTraffic", GET, "/api/sso/v1/traffic", ReadDestinations, traffic::api::index)
                .summary("List the requests that went through the gateway, newest first"),
        ]),
        noun("events", vec![
            get("/w/{workspace}/destinations/{destination}/events", ReadDestinations, deliveries::page::index),
            post("/w/{workspace}/destinations/{destination}/events", ManageDestinations, deliveries::settings::set),
            post("/w/{workspace}/destinations/{destination}/events/secret", ManageDestinations, deliveries::settings::rotate),
            post("/w/{workspace}/destinations/{destination}/events/test", ManageDestinations, deliveries::actions::test),
            post("/w/{workspace}/destinations/{destination}/events/replay", ManageDestinations, deliveries::actions::replay_range),
            // Before `{delivery}`, which would take it for an id.
            get("/w/{workspace}/destinations/{destination}/events/deactivation", ManageDestinations, deliveries::settings::deactivation),
            post("/w/{workspace}/destinations/{destination}/events/deactivation", ManageDestinations, deliveries::settings::turn_off),
            get("/w/{workspace}/destinations/{destination}/events/{delivery}", ReadDestinations, deliveries::detail::show),
            post("/w/{workspace}/destinations/{destination}/events/{delivery}/replay", ManageDestinations, deliveries::actions::replay),
            call("getEvents", GET, "/api/sso/v1/destinations/{destination}/events", ReadDestinations, deliveries::api::show)
                .summary("Get whether a destination receives events, and how that goes"),
            call("setEvents", PUT, "/api/sso/v1/destinations/{destination}/events", ManageDestinations, deliveries::api::set)
                .summary("Turn on events for a destination, or change them (a new secret is returned only once)")
                .details("It takes View activity too: messages say what the audit events say. Another path has a new secret. Events that were stopped are sent again."),
            call("turnOffEvents", DELETE, "/api/sso/v1/destinations/{destination}/events", ManageDestinations, deliveries::api::turn_off)
                .summary("Turn off events for a destination, and drop what was not delivered"),
            call("rotateEventSecret", POST, "/api/sso/v1/destinations/{destination}/events/rotation", ManageDestinations, deliveries::api::rotate)
                .summary("Rotate the secret that messages are signed with (the new one is returned only once)"),
            call("sendTestEvent", POST, "/api/sso/v1/destinations/{destination}/events/test", ManageDestinations, deliveries::api::test)
                .summary("Send a test message to a destination"),
            call("replayEvents", POST, "/api/sso/v1/destinations/{destination}/events/replay", ManageDestinations, deliveries::api::replay_range)
                .summary("Send the events of a span of time again")
                .details("At most 10,000 at once, the earliest first. Each keeps the ID that it was sent under."),
            call("listDeliveries", GET, "/api/sso/v1/destinations/{destination}/events/deliveries", ReadDestinations, deliveries::api::index)
                .summary("List the messages to a destination, newest first"),
            call("getDelivery", GET, "/api/sso/v1/destinations/{destination}/events/deliveries/{delivery}", ReadDestinations, deliveries::api::get)
                .summary("Get a message to a destination, with its attempts"),
            call("replayDelivery", POST, "/api/sso/v1/destinations/{destination}/events/deliveries/{delivery}/replay", ManageDestinations, deliveries::api::replay)
                .summary("Send an event again"),
        ]),
        noun("credits", vec![
            get("/w/{workspace}/credits", ReadCredits, credits::page::index).nav("Workspace", "coins", "Credits"),
            // Who may is checked in `domain/nouns/credits/notice.rs`: whoever can purchase credits, or manage billing.
            post("/w/{workspace}/credits/notice", ReadCredits, credits::page::set_notice),
            call("getCredits", GET, "/api/sso/v1/credits", ReadCredits, credits::api::show)
                .summary("Get the credits of the workspace"),
            call("setCreditNotice", PUT, "/api/sso/v1/credits/notice", ReadCredits, credits::api::set_notice)
                .summary("Set below how many credits those who can buy are notified (requires Purchase credits or Manage billing)"),
            call("listCreditTransfers", GET, "/api/sso/v1/credits/transfers", ReadCredits, credits::api::transfers)
                .summary("List the transfers of the ledger, newest first"),
            call("holdCredits", POST, "/api/sso/v1/credits/holds", SpendCredits, credits::api::reserve)
                .summary("Reserve credits")
                .details("They are available to nobody else until the hold is settled or released, or expires. Without enough credits you get 402, which names who can buy.")
                .refused_with(402),
            call("getCreditHold", GET, "/api/sso/v1/credits/holds/{hold}", ReadCredits, credits::api::hold)
                .summary("Get a hold"),
            call("settleCreditHold", POST, "/api/sso/v1/credits/holds/{hold}/settlement", SpendCredits, credits::api::settle)
                .summary("Use what is held, or a part of it")
                .details("The rest is available again. You get 409 if the hold has ended."),
            call("releaseCreditHold", POST, "/api/sso/v1/credits/holds/{hold}/release", SpendCredits, credits::api::release)
                .summary("Give back what is held"),
            call("useCredits", POST, "/api/sso/v1/credits/usage", SpendCredits, credits::api::use_now)
                .summary("Use credits at once")
                .details("Without enough credits you get 402, which names who can buy.")
                .refused_with(402),
        ]),
        noun("purchases", vec![
            get("/w/{workspace}/credits/purchases", PurchaseCredits, credits::purchases::index),
            post("/w/{workspace}/credits/purchases", PurchaseCredits, credits::purchases::purchase),
            get("/w/{workspace}/credits/purchases/new", PurchaseCredits, credits::purchases::confirm),
            post("/w/{workspace}/credits/purchases/{purchase}/approval", PurchaseCredits, credits::purchases::approve),
            post("/w/{workspace}/credits/purchases/{purchase}/decline", PurchaseCredits, credits::purchases::decline),
            post("/w/{workspace}/credits/purchases/{purchase}/withdrawal", PurchaseCredits, credits::purchases::withdraw),
            post("/w/{workspace}/billing/limits", ManageBilling, billing::page::set_limits),
            call("listCreditPacks", GET, "/api/sso/v1/credits/packs", PurchaseCredits, credits::purchases_api::packs)
                .summary("List the packs of credits that can be bought"),
            call("listCreditPurchases", GET, "/api/sso/v1/credits/purchases", PurchaseCredits, credits::purchases_api::index)
                .summary("List purchases and requests for them, newest first"),
            call("purchaseCredits", POST, "/api/sso/v1/credits/purchases", PurchaseCredits, credits::purchases_api::purchase)
                .summary("Buy a pack of credits")
                .details("What is bought stands on the invoice of the month. You get 409 where the price needs approval, for which only a person can ask, and where it is beyond a limit."),
            call("getCreditPurchase", GET, "/api/sso/v1/credits/purchases/{purchase}", PurchaseCredits, credits::purchases_api::show)
                .summary("Get a purchase"),
            call("getPurchaseLimits", GET, "/api/sso/v1/billing/limits", ReadBilling, credits::purchases_api::limits)
                .summary("Get the limits of purchases"),
            call("setPurchaseLimits", PUT, "/api/sso/v1/billing/limits", ManageBilling, credits::purchases_api::set_limits)
                .summary("Set the limits of purchases, as a whole"),
        ]),
        noun("billing", vec![
            get("/w/{workspace}/billing", ReadBilling, billing::page::index).nav("Workspace", "credit-card", "Billing"),
            get("/w/{workspace}/billing/change", ManageBilling, billing::change::show),
            post("/w/{workspace}/billing/change", ManageBilling, billing::change::set),
            post("/w/{workspace}/billing/details", ManageBilling, billing::page::set_details),
            post("/w/{workspace}/billing/growth", ManageBilling, billing::page::set_growth),
            post("/w/{workspace}/billing/payment-methods", ManageBilling, billing::payment::open),
            get("/w/{workspace}/billing/invoices/{invoice}", ReadBilling, billing::invoice::show),
            call("getBilling", GET, "/api/sso/v1/billing", ReadBilling, billing::api::show)
                .summary("Get the plan, the seats, and what the month costs"),
            call("listPlans", GET, "/api/sso/v1/billing/plans", ReadBilling, billing::api::plans)
                .summary("List the plans that can be chosen"),
            call("previewPlan", GET, "/api/sso/v1/billing/preview", ManageBilling, billing::api::preview)
                .summary("Get what another plan, or another number of seats, would cost")
                .details("Nothing is changed."),
            call("setPlan", PUT, "/api/sso/v1/billing/plan", ManageBilling, billing::api::set_plan)
                .summary("Change the plan or the number of seats")
                .details("A plan that costs as much or more for each seat begins at once, one that costs less, or brings more credits for the same price, with the next month. The present plan takes back what was to begin then."),
            call("setBillingDetails", PUT, "/api/sso/v1/billing/details", ManageBilling, billing::api::set_details)
                .summary("Set what stands on invoices, and where they are mailed to"),
            call("setSeatGrowth", PUT, "/api/sso/v1/billing/growth", ManageBilling, billing::api::set_growth)
                .summary("Set up to how many seats in all inviting people can add some"),
            call("listInvoices", GET, "/api/sso/v1/billing/invoices", ReadBilling, billing::api::invoices)
                .summary("List invoices with their payments, newest first"),
            call("getInvoice", GET, "/api/sso/v1/billing/invoices/{invoice}", ReadBilling, billing::api::invoice)
                .summary("Get an invoice with each item"),
        ]),
        noun("decisions", vec![
            call("evaluateAccess", POST, "/access/v1/evaluation", CheckAccess, decisions::evaluation::evaluation)
                .summary("Check whether a subject can do an action on a resource")
                .described(schema::evaluation),
            call("evaluateAccessBatch", POST, "/access/v1/evaluations", CheckAccess, decisions::evaluation::evaluations)
                .summary("Check many at once")
                .described(schema::evaluations),
            call("searchSubjects", POST, "/access/v1/search/subject", CheckAccess, decisions::search::search_subjects)
                .summary("Find the subjects that can do an action on a resource")
                .described(schema::subject_search),
            call("searchResources", POST, "/access/v1/search/resource", CheckAccess, decisions::search::search_resources)
                .summary("Find the resources a subject can do an action on")
                .described(schema::resource_search),
            call("searchActions", POST, "/access/v1/search/action", CheckAccess, decisions::search::search_actions)
                .summary("Find the actions a subject can do on a resource")
                .described(schema::action_search),
            call("getAuthzenConfiguration", GET, "/.well-known/authzen-configuration", Anyone, decisions::evaluation::configuration)
                .summary("Get the addresses for access decisions"),
        ]),
        noun("API document", vec![
            get("/docs/api", Anyone, api_docs::show).nav("Services", "book-open", "The API"),
            get("/docs/quick-start", Anyone, quick_start::show),
            call("getApiDocument", GET, "/openapi.json", Anyone, api_docs::document)
                .summary("Get this document"),
        ]),
        noun("audit", vec![
            get("/w/{workspace}/activity", ReadAudit, activity::list::index).nav("Workspace", "history", "Activity"),
            get("/w/{workspace}/activity/{event}/undo", ReadAudit, activity::undo::show),
            call("listAuditEvents", GET, "/api/sso/v1/audit", ReadAudit, activity::api::index)
                .summary("List audit events, newest first"),
        ]),
        noun("exports", vec![
            get("/w/{workspace}/export", ExportData, exports::page::show).nav("Workspace", "download", "Export"),
            post("/w/{workspace}/export/archives", ExportData, exports::archives::request),
            post("/w/{workspace}/export/archives/{archive}/download", ExportData, exports::archives::download),
            post("/w/{workspace}/export/archives/{archive}/deletion", ExportData, exports::archives::delete),
            post("/w/{workspace}/export/members", ExportData, exports::download::from_page::<lists::Members>),
            post("/w/{workspace}/export/invitations", ExportData, exports::download::from_page::<lists::Invitations>),
            post("/w/{workspace}/export/teams", ExportData, exports::download::from_page::<lists::Teams>),
            post("/w/{workspace}/export/roles", ExportData, exports::download::from_page::<lists::Roles>),
            post("/w/{workspace}/export/api-keys", ExportData, exports::download::from_page::<lists::ApiKeys>),
            post("/w/{workspace}/export/traffic", ExportData, exports::download::from_page::<lists::Traffic>),
            post("/w/{workspace}/export/activity", ExportData, exports::download::from_page::<lists::Activity>),
            post("/w/{workspace}/export/credits", ExportData, exports::download::from_page::<ledger::Ledger>),
            call("listArchives", GET, "/api/sso/v1/exports/archives", ExportData, exports::archives_api::index)
                .summary("List the archives of the whole workspace, newest first"),
            call("requestArchive", POST, "/api/sso/v1/exports/archives", ExportData, exports::archives_api::create)
                .summary("Request an archive of the whole workspace (requires the permissions of all lists too)")
                .details("It is created in the background, and kept for a day. Get it until its state is ready."),
            call("getArchive", GET, "/api/sso/v1/exports/archives/{archive}", ExportData, exports::archives_api::show)
                .summary("Get an archive and its state (requires the permissions of all lists too)"),
            call("downloadArchive", GET, "/api/sso/v1/exports/archives/{archive}/file", ExportData, exports::archives_api::download)
                .summary("Download an archive as a zip (requires the permissions of all lists too)")
                .details("You get 404 until it is ready, and once it has expired. All permissions are checked again for each part of the file: if one of them is gone, the response breaks off."),
            call("deleteArchive", DELETE, "/api/sso/v1/exports/archives/{archive}", ExportData, exports::archives_api::delete)
                .summary("Delete an archive"),
            call("exportMembers", GET, "/api/sso/v1/exports/members", ExportData, exports::download::by_call::<lists::Members>)
                .summary("Download members as CSV or JSON Lines (requires View members too)"),
            call("exportInvitations", GET, "/api/sso/v1/exports/invitations", ExportData, exports::download::by_call::<lists::Invitations>)
                .summary("Download invitations as CSV or JSON Lines (requires Invite members or Cancel invitations too)"),
            call("exportTeams", GET, "/api/sso/v1/exports/teams", ExportData, exports::download::by_call::<lists::Teams>)
                .summary("Download teams as CSV or JSON Lines (requires View teams too)"),
            call("exportRoles", GET, "/api/sso/v1/exports/roles", ExportData, exports::download::by_call::<lists::Roles>)
                .summary("Download roles as CSV or JSON Lines (requires View members too)"),
            call("exportApiKeys", GET, "/api/sso/v1/exports/api-keys", ExportData, exports::download::by_call::<lists::ApiKeys>)
                .summary("Download API keys as CSV or JSON Lines (requires View API keys too)"),
            call("exportTraffic", GET, "/api/sso/v1/exports/traffic", ExportData, exports::download::by_call::<lists::Traffic>)
                .summary("Download the requests that went through the gateway as CSV or JSON Lines (requires View destinations too)"),
            call("exportActivity", GET, "/api/sso/v1/exports/activity", ExportData, exports::download::by_call::<lists::Activity>)
                .summary("Download the audit events as CSV or JSON Lines (requires View activity too)"),
            call("exportCredits", GET, "/api/sso/v1/exports/credits", ExportData, exports::download::by_call::<ledger::Ledger>)
                .summary("Download the ledger of credits as CSV or JSON Lines (requires View credits too)"),
        ]),
        noun("support", vec![
            get("/w/{workspace}/support", ReadSupport, support::list::index).nav("Workspace", "headset", "Support"),
            post("/w/{workspace}/support", CreateSupportRequests, support::new::create),
            get("/w/{workspace}/support/new", CreateSupportRequests, support::new::new),
            get("/w/{workspace}/support/access/{support_grant}", ManageSupportAccess, support::access::show),
            post("/w/{workspace}/support/access/{support_grant}/acceptance", ManageSupportAccess, support::access::accept),
            post("/w/{workspace}/support/access/{support_grant}/decline", ManageSupportAccess, support::access::decline),
            post("/w/{workspace}/support/access/{support_grant}/end", ManageSupportAccess, support::access::end),
            get("/w/{workspace}/support/{support_request}", ReadSupport, support::detail::show),
            get("/support-access/{support_link}", Anyone, support::link::follow),
            call("listSupportRequests", GET, "/api/sso/v1/support-requests", ReadSupport, support::api::index)
                .summary("List requests for support, newest first"),
            call("createSupportRequest", POST, "/api/sso/v1/support-requests", CreateSupportRequests, support::api::create)
                .summary("Ask the people who run this installation for support"),
            call("getSupportRequest", GET, "/api/sso/v1/support-requests/{support_request}", ReadSupport, support::api::show)
                .summary("Get a request for support with its answers"),
        ]),
        noun("organization", vec![
            get("/w/{workspace}/organization", Membership, organization::show).nav("Workspace", "building", "Organization"),
            post("/w/{workspace}/organization", UpdateOrganization, organization::update),
            post("/w/{workspace}/organization/origins", UpdateOrganization, organization::set_origins),
            post("/w/{workspace}/organization/administration-request", Membership, organization::request_administration),
            get("/w/{workspace}/organization/deletion", DeleteOrganization, organization::deletion),
            post("/w/{workspace}/organization/deletion", DeleteOrganization, organization::delete),
        ]),
    ];
    nouns.into_iter().flatten().collect()
}
