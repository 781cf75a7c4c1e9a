//! THE table: method, path, who may, handler. What is mounted and what the tests walk is this, so a
//! route without a row does not exist.

pub mod accounts;
pub mod activity;
pub mod api_docs;
pub mod api_keys;
pub mod decisions;
pub mod health;
pub mod invitations;
pub mod me;
pub mod members;
pub mod mount;
pub mod organization;
pub mod overview;
pub mod ownership;
pub mod quick_start;
pub mod recovery;
pub mod resources;
pub mod roles;
pub mod security;
pub mod sign_in;
pub mod sign_up;
pub mod teams;
pub mod users;
pub mod workspaces;

pub use crate::web::{access::Access, route::Route};
use crate::{
    policy::perm,
    web::{
        api::openapi,
        route::{
            account_page, account_post, asking_call, call, keyed_call, open_call, open_page, open_post,
            own_page, own_post, page, post,
        },
    },
};
use actix_web::http::Method;

/// Every route for programs.
pub fn api_table() -> Vec<Route> {
    use perm::*;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        open_call(GET, openapi::DOCUMENT, openapi::show).says("This document"),
        keyed_call(GET, "/api/sso/v1/workspaces", workspaces::api::index)
            .says("The workspaces that the key is a member of"),
        keyed_call(POST, "/api/sso/v1/workspaces", workspaces::api::create)
            .says("Makes a workspace; for keys that administer their account"),
        call(GET, "/api/sso/v1/workspaces/{workspace}", Membership, workspaces::api::show)
            .says("One workspace"),
        call(PATCH, "/api/sso/v1/workspaces/{workspace}", UpdateOrganization, workspaces::api::update)
            .says("Changes a workspace's name or slug"),
        call(DELETE, "/api/sso/v1/workspaces/{workspace}", DeleteOrganization, workspaces::api::delete)
            .says("Deletes a workspace and everything in it"),
        call(POST, "/api/sso/v1/departure", Membership, members::api::leave)
            .says("The key itself leaves the workspace"),
        call(GET, "/api/sso/v1/members", ReadMembers, members::api::index)
            .says("The members of the workspace: people and keys"),
        call(GET, "/api/sso/v1/members/{member}", ReadMembers, members::api::show).says("One member"),
        call(PATCH, "/api/sso/v1/members/{member}", UpdateMemberRoles, members::api::update)
            .says("Gives a member exactly these roles"),
        call(DELETE, "/api/sso/v1/members/{member}", RemoveMembers, members::api::remove)
            .says("Ends a membership"),
        call(POST, "/api/sso/v1/members/{member}/suspension", SuspendMembers, members::api::suspend)
            .says("Shuts a member out, who keeps their roles"),
        call(POST, "/api/sso/v1/members/{member}/reactivation", SuspendMembers, members::api::reactivate)
            .says("Lets a suspended member in again"),
        call(GET, "/api/sso/v1/ownership-offers", ReadMembers, ownership::api::index)
            .says("The offer of ownership that is open, if one is"),
        call(DELETE, "/api/sso/v1/ownership-offers/{offer}", Membership, ownership::api::withdraw)
            .says("Takes an offer of ownership back; for Owners")
            .also(410),
        call(GET, "/api/sso/v1/users", ReadMembers, users::directory::index)
            .says("The users of the workspace, and where else they are"),
        call(POST, "/api/sso/v1/users", InviteMembers, users::provision::create)
            .says("Enters somebody whom nobody invited"),
        call(GET, "/api/sso/v1/users/{user}", ReadMembers, users::directory::show).says("One user"),
        call(PATCH, "/api/sso/v1/users/{user}", UpdateMemberRoles, users::provision::update)
            .says("Changes a user's roles in the workspace, or what your applications call them"),
        call(GET, "/api/sso/v1/invitations", ReadInvitations, invitations::api::index)
            .says("The invitations, in every state"),
        call(POST, "/api/sso/v1/invitations", InviteMembers, invitations::api::send)
            .says("Invites addresses; answers what became of each"),
        call(GET, "/api/sso/v1/invitations/{invitation}", ReadInvitations, invitations::api::show)
            .says("One invitation"),
        call(DELETE, "/api/sso/v1/invitations/{invitation}", CancelInvitations, invitations::api::cancel)
            .says("Cancels a pending invitation"),
        call(POST, "/api/sso/v1/invitations/{invitation}/resend", InviteMembers, invitations::api::resend)
            .says("Sends an invitation again, under new links"),
        call(GET, "/api/sso/v1/roles", ReadMembers, roles::api::index).says("The roles of the workspace"),
        call(POST, "/api/sso/v1/roles", ManageRoles, roles::api::create)
            .says("Makes a role, or says what a built-in role means to your applications"),
        call(GET, "/api/sso/v1/roles/{role}", ReadMembers, roles::api::show).says("One role"),
        call(PATCH, "/api/sso/v1/roles/{role}", ManageRoles, roles::api::update)
            .says("Names or describes a role"),
        call(DELETE, "/api/sso/v1/roles/{role}", ManageRoles, roles::api::delete)
            .says("Deletes a role, with another in its place"),
        call(PUT, "/api/sso/v1/roles/{role}/scopes", UpdatePermissions, roles::api::set_scopes)
            .says("Sets everything that a role holds"),
        call(GET, "/api/sso/v1/permissions", ReadMembers, security::api::index)
            .says("Which roles hold which permission"),
        call(GET, "/api/sso/v1/permissions/{permission}", ReadMembers, security::api::show)
            .says("One permission"),
        call(PUT, "/api/sso/v1/permissions/{permission}", UpdatePermissions, security::api::set)
            .says("Sets which roles hold a permission"),
        call(GET, "/api/sso/v1/teams", ReadTeams, teams::api::index).says("The teams"),
        call(POST, "/api/sso/v1/teams", CreateTeams, teams::api::create).says("Starts a team"),
        call(GET, "/api/sso/v1/teams/{team}", ReadTeams, teams::api::show).says("One team"),
        call(PATCH, "/api/sso/v1/teams/{team}", Membership, teams::api::update)
            .says("Names or describes a team; for who updates teams"),
        call(DELETE, "/api/sso/v1/teams/{team}", DeleteTeams, teams::api::delete).says("Deletes a team"),
        call(PUT, "/api/sso/v1/teams/{team}/roles", UpdateTeams, teams::api::set_roles)
            .says("Sets the roles that everybody in a team holds"),
        call(GET, "/api/sso/v1/teams/{team}/members", ReadTeams, teams::api::people)
            .says("The people of a team, who came last first"),
        call(POST, "/api/sso/v1/teams/{team}/members", Membership, teams::api::add)
            .says("Puts members into a team; for who updates teams"),
        call(DELETE, "/api/sso/v1/teams/{team}/members/{member}", Membership, teams::api::take_out)
            .says("Takes a member out of a team; for who updates teams"),
        call(PUT, "/api/sso/v1/teams/{team}/members/{member}/lead", UpdateTeams, teams::api::appoint)
            .says("Makes somebody a lead of a team, or no lead any more"),
        call(GET, "/api/sso/v1/apikeys", ReadApiKeys, api_keys::api::index)
            .says("The keys that are members of the workspace"),
        call(POST, "/api/sso/v1/apikeys", ManageApiKeys, api_keys::api::create)
            .says("Makes a key; its secret is told this once"),
        // Before `{key}`, which would take them for an id.
        keyed_call(GET, "/api/sso/v1/apikeys/self", api_keys::api::own).says("The key that asks"),
        open_call(POST, "/api/sso/v1/apikeys/verify", api_keys::api::verify)
            .says("What a key is and may do, for a service that was shown it")
            .also(401),
        call(GET, "/api/sso/v1/apikeys/waiting", ManageApiKeys, api_keys::api::waiting)
            .says("Keys of the account that could be added"),
        call(GET, "/api/sso/v1/apikeys/{key}", ReadApiKeys, api_keys::api::show).says("One key"),
        call(PATCH, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::api::update).says("Renames a key"),
        call(DELETE, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::api::revoke)
            .says("Ends a key for good, everywhere"),
        call(POST, "/api/sso/v1/apikeys/{key}/rotation", ManageApiKeys, api_keys::api::rotate)
            .says("Gives a key another secret, which is told this once"),
        call(POST, "/api/sso/v1/apikeys/{key}/addition", ManageApiKeys, api_keys::api::add)
            .says("Makes a key of the account a member of the workspace"),
        call(GET, "/api/sso/v1/audit", ReadAudit, activity::api::index)
            .says("What happened, the latest first"),
        call(GET, "/api/sso/v1/resources", CheckAccess, resources::api::index)
            .says("The registered resources of your applications"),
        call(POST, "/api/sso/v1/resources", CheckAccess, resources::api::register)
            .says("Registers a resource"),
        call(DELETE, "/api/sso/v1/resources", CheckAccess, resources::api::forget).says("Forgets a resource"),
        asking_call("/access/v1/evaluation", decisions::evaluation::evaluation)
            .says("May this subject do that?"),
        asking_call("/access/v1/evaluations", decisions::evaluation::evaluations)
            .says("Many questions at once"),
        asking_call("/access/v1/search/subject", decisions::search::search_subjects).says("Who may do this?"),
        asking_call("/access/v1/search/resource", decisions::search::search_resources)
            .says("On which resources may this subject do that?"),
        asking_call("/access/v1/search/action", decisions::search::search_actions)
            .says("What may this subject do with that?"),
        open_call(GET, "/.well-known/authzen-configuration", decisions::evaluation::configuration)
            .says("Where decisions are asked for"),
    ]
}

/// Every page, and every form on one.
pub fn table() -> Vec<Route> {
    vec![
        open_page("/healthz", health::alive),
        open_page("/readyz", health::ready),
        open_page("/", workspaces::pages::home),
        open_page("/docs/api", api_docs::show),
        open_page("/docs/quick-start", quick_start::show),
        // Ways in.
        open_page("/sign-up", sign_up::show),
        open_post("/sign-up", sign_up::submit),
        open_page("/check-mail", sign_up::check_mail),
        open_page("/sign-in", sign_in::show),
        open_post("/sign-in", sign_in::submit),
        own_post("/sign-out", sign_in::sign_out),
        open_page("/forgot-password", recovery::forgot),
        open_post("/forgot-password", recovery::send_reset),
        open_page("/reset-password/{token}", recovery::follow_reset),
        open_page("/reset-password", recovery::reset),
        open_post("/reset-password", recovery::choose_password),
        open_page("/email-verification/{token}", recovery::follow_verification),
        open_page("/email-verification", recovery::verification),
        open_post("/email-verification", recovery::verify),
        open_page("/invitations/{token}", invitations::recipient::follow),
        open_page("/invitation", invitations::recipient::show),
        own_post("/invitation/acceptance", invitations::recipient::accept),
        open_post("/invitation/decline", invitations::recipient::decline),
        // One's own.
        own_page("/workspaces", workspaces::pages::index),
        own_post("/workspaces", workspaces::pages::create),
        own_page("/me", me::show),
        own_post("/me/profile", me::rename),
        own_post("/me/password", me::change_password),
        own_post("/me/email", me::change_email),
        own_post("/me/verification", me::resend_verification),
        own_post("/me/sessions/revocation", me::revoke_others),
        own_post("/me/sessions/{session}/revocation", me::revoke),
        // An account.
        account_page("/a/{account}", accounts::detail::show),
        account_post("/a/{account}/details", accounts::detail::update),
        account_page("/a/{account}/people", accounts::people::people),
        account_page("/a/{account}/people/{user}/admin", accounts::people::stepping_down),
        account_post("/a/{account}/people/{user}/admin", accounts::people::appoint),
        account_page("/a/{account}/people/{user}/removal", accounts::people::removal),
        account_post("/a/{account}/people/{user}/removal", accounts::people::remove),
        account_page("/a/{account}/api-keys", accounts::api_keys::index),
        account_post("/a/{account}/api-keys", accounts::api_keys::create),
        account_page("/a/{account}/api-keys/new", accounts::api_keys::new),
        account_page("/a/{account}/api-keys/{key}", accounts::api_keys::show),
        account_post("/a/{account}/api-keys/{key}/details", accounts::api_keys::rename),
        account_post("/a/{account}/api-keys/{key}/administration", accounts::api_keys::administer),
        account_post("/a/{account}/api-keys/{key}/rotation", accounts::api_keys::rotate),
        account_page("/a/{account}/api-keys/{key}/revocation", accounts::api_keys::revocation),
        account_post("/a/{account}/api-keys/{key}/revocation", accounts::api_keys::revoke),
        // A workspace.
        page("/w/{workspace}", perm::Membership, overview::show),
        page("/w/{workspace}/departure", perm::Membership, members::leave::departure),
        post("/w/{workspace}/departure", perm::Membership, members::leave::leave),
        page("/w/{workspace}/members", perm::ReadMembers, members::list::index),
        post("/w/{workspace}/members", perm::InviteMembers, members::new::add),
        // Before `{member}`, which would take these for an id.
        page("/w/{workspace}/members/new", perm::InviteMembers, members::new::show),
        page("/w/{workspace}/members/selection/roles", perm::UpdateMemberRoles, members::selection::roles),
        post(
            "/w/{workspace}/members/selection/roles",
            perm::UpdateMemberRoles,
            members::selection::change_roles,
        ),
        page(
            "/w/{workspace}/members/selection/suspension",
            perm::SuspendMembers,
            members::selection::suspension,
        ),
        post(
            "/w/{workspace}/members/selection/suspension",
            perm::SuspendMembers,
            members::selection::suspend,
        ),
        page("/w/{workspace}/members/selection/removal", perm::RemoveMembers, members::selection::removal),
        post("/w/{workspace}/members/selection/removal", perm::RemoveMembers, members::selection::remove),
        page("/w/{workspace}/members/{member}", perm::ReadMembers, members::detail::show),
        page("/w/{workspace}/members/{member}/access", perm::ReadMembers, members::effective_access::show),
        post("/w/{workspace}/members/{member}/roles", perm::UpdateMemberRoles, members::detail::change_roles),
        page(
            "/w/{workspace}/members/{member}/roles/preview",
            perm::UpdateMemberRoles,
            members::detail::preview_roles,
        ),
        page("/w/{workspace}/members/{member}/suspension", perm::SuspendMembers, members::leave::suspension),
        post("/w/{workspace}/members/{member}/suspension", perm::SuspendMembers, members::leave::suspend),
        post(
            "/w/{workspace}/members/{member}/reactivation",
            perm::SuspendMembers,
            members::leave::reactivate,
        ),
        page("/w/{workspace}/members/{member}/removal", perm::RemoveMembers, members::leave::removal),
        post("/w/{workspace}/members/{member}/removal", perm::RemoveMembers, members::leave::remove),
        post(
            "/w/{workspace}/members/{member}/ownership-offer",
            perm::UpdateMemberRoles,
            ownership::pages::offer,
        ),
        post(
            "/w/{workspace}/ownership-offers/{offer}/acceptance",
            perm::Membership,
            ownership::pages::accept,
        ),
        post("/w/{workspace}/ownership-offers/{offer}/decline", perm::Membership, ownership::pages::decline),
        post(
            "/w/{workspace}/ownership-offers/{offer}/withdrawal",
            perm::Membership,
            ownership::pages::withdraw,
        ),
        page("/w/{workspace}/invitations", perm::ReadInvitations, invitations::list::index),
        post("/w/{workspace}/invitations", perm::InviteMembers, invitations::list::send),
        page(
            "/w/{workspace}/invitations/selection/resend",
            perm::InviteMembers,
            invitations::selection::resend_review,
        ),
        post(
            "/w/{workspace}/invitations/selection/resend",
            perm::InviteMembers,
            invitations::selection::resend,
        ),
        page(
            "/w/{workspace}/invitations/selection/cancellation",
            perm::CancelInvitations,
            invitations::selection::cancellation,
        ),
        post(
            "/w/{workspace}/invitations/selection/cancellation",
            perm::CancelInvitations,
            invitations::selection::cancel,
        ),
        post(
            "/w/{workspace}/invitations/{invitation}/resend",
            perm::InviteMembers,
            invitations::list::resend,
        ),
        page(
            "/w/{workspace}/invitations/{invitation}/cancellation",
            perm::CancelInvitations,
            invitations::list::cancellation,
        ),
        post(
            "/w/{workspace}/invitations/{invitation}/cancellation",
            perm::CancelInvitations,
            invitations::list::cancel,
        ),
        page("/w/{workspace}/teams", perm::ReadTeams, teams::list::index),
        post("/w/{workspace}/teams", perm::CreateTeams, teams::detail::create),
        // Before `{team}`, which would take `new` for an id.
        page("/w/{workspace}/teams/new", perm::CreateTeams, teams::detail::new),
        page("/w/{workspace}/teams/{team}", perm::ReadTeams, teams::detail::show),
        // A team's leads edit it without a permission: who else may is asked in `domain/teams`.
        post("/w/{workspace}/teams/{team}/details", perm::Membership, teams::detail::update),
        page("/w/{workspace}/teams/{team}/members", perm::ReadMembers, teams::people::candidates),
        post("/w/{workspace}/teams/{team}/members", perm::Membership, teams::people::add),
        post(
            "/w/{workspace}/teams/{team}/members/{member}/removal",
            perm::Membership,
            teams::people::take_out,
        ),
        post("/w/{workspace}/teams/{team}/members/{member}/lead", perm::UpdateTeams, teams::people::appoint),
        post("/w/{workspace}/teams/{team}/roles", perm::UpdateTeams, teams::detail::set_roles),
        page("/w/{workspace}/teams/{team}/roles/preview", perm::UpdateTeams, teams::detail::preview_roles),
        page("/w/{workspace}/teams/{team}/deletion", perm::DeleteTeams, teams::detail::deletion),
        post("/w/{workspace}/teams/{team}/deletion", perm::DeleteTeams, teams::detail::delete),
        page("/w/{workspace}/roles", perm::ReadMembers, roles::list::index),
        post("/w/{workspace}/roles", perm::ManageRoles, roles::new::create),
        // Before `{role}`, which would take them for a role.
        page("/w/{workspace}/roles/new", perm::ManageRoles, roles::new::new),
        page("/w/{workspace}/roles/comparison", perm::ReadMembers, roles::comparison::comparison),
        page("/w/{workspace}/roles/{role}", perm::ReadMembers, roles::detail::show),
        post("/w/{workspace}/roles/{role}/details", perm::ManageRoles, roles::detail::describe),
        post("/w/{workspace}/roles/{role}/scopes", perm::UpdatePermissions, roles::detail::set_scopes),
        page(
            "/w/{workspace}/roles/{role}/scopes/preview",
            perm::UpdatePermissions,
            roles::detail::preview_scopes,
        ),
        page("/w/{workspace}/roles/{role}/deletion", perm::ManageRoles, roles::deletion::deletion),
        post("/w/{workspace}/roles/{role}/deletion", perm::ManageRoles, roles::deletion::delete),
        page("/w/{workspace}/security", perm::ReadMembers, security::pages::index),
        post("/w/{workspace}/security/{permission}", perm::UpdatePermissions, security::pages::set),
        page(
            "/w/{workspace}/security/{permission}/preview",
            perm::UpdatePermissions,
            security::pages::preview_set,
        ),
        page("/w/{workspace}/api-keys", perm::ReadApiKeys, api_keys::list::index),
        post("/w/{workspace}/api-keys", perm::ManageApiKeys, api_keys::new::create),
        // Before `{key}`, which would take them for an id.
        page("/w/{workspace}/api-keys/new", perm::ManageApiKeys, api_keys::new::new),
        page("/w/{workspace}/api-keys/addition", perm::ManageApiKeys, api_keys::add::addition),
        post("/w/{workspace}/api-keys/addition", perm::ManageApiKeys, api_keys::add::add),
        page("/w/{workspace}/api-keys/{key}", perm::ReadApiKeys, api_keys::detail::show),
        post("/w/{workspace}/api-keys/{key}/details", perm::ManageApiKeys, api_keys::detail::rename),
        post("/w/{workspace}/api-keys/{key}/rotation", perm::ManageApiKeys, api_keys::detail::rotate),
        page("/w/{workspace}/api-keys/{key}/revocation", perm::ManageApiKeys, api_keys::detail::revocation),
        post("/w/{workspace}/api-keys/{key}/revocation", perm::ManageApiKeys, api_keys::detail::revoke),
        page("/w/{workspace}/resources", perm::CheckAccess, resources::list::index),
        page("/w/{workspace}/organization", perm::Membership, organization::show),
        post("/w/{workspace}/organization", perm::UpdateOrganization, organization::update),
        page("/w/{workspace}/organization/deletion", perm::DeleteOrganization, organization::deletion),
        post("/w/{workspace}/organization/deletion", perm::DeleteOrganization, organization::delete),
        page("/w/{workspace}/activity", perm::ReadAudit, activity::list::index),
        page("/w/{workspace}/activity/{event}/undo", perm::ReadAudit, activity::undo::show),
    ]
}
