//! THE table: method, path, who may, handler. What is mounted and what the tests walk is this, so a
//! route without a row does not exist.

use super::{
    api::{
        self,
        openapi::{self, Input, Reply, Sketch},
    },
    form::Submitted,
    guard::{AccountAdmin, Answer, Asking, Authorized, Called, Keyed, Public, SignedIn},
    method_not_allowed, pages, problem,
};
use crate::{
    domain::Refused,
    policy::{self, Needs, perm},
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Resource, guard,
    http::{Method, header},
    web,
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody who is signed in.
    SignedIn,
    /// Any live API key.
    Key,
    /// An active member of the workspace in the path, with this; in the API, of the workspace that the
    /// query names, or that the key is at home in.
    Member(Needs),
    /// An admin of the account in the path.
    Account,
}

/// One row of the table.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// What it does, in a sentence; of those for programs.
    pub summary: &'static str,
    mount: Box<dyn Fn() -> actix_web::Route>,
    /// How the document of the API tells it; of those for programs.
    sketch: Option<fn(&Method, &str, Access) -> Sketch>,
    /// Statuses under which it is refused, beside those that its types tell.
    more_refusals: Vec<u16>,
}

impl Route {
    fn new<I, H>(method: Method, path: &'static str, access: Access, handler: H) -> Self
    where
        I: FromRequest + 'static,
        H: AsyncFn(I) -> Answer + Clone + 'static,
    {
        let verb = method.clone();
        let mount = move || {
            let handler = handler.clone();
            of_method(&verb).to(move |req: HttpRequest, input: I| {
                let handler = handler.clone();
                async move {
                    match handler(input).await {
                        Ok(response) => response,
                        Err(refused) => problem::respond(&req, &refused),
                    }
                }
            })
        };
        Self::mounted(method, path, access, Box::new(mount))
    }

    fn mounted(
        method: Method,
        path: &'static str,
        access: Access,
        mount: Box<dyn Fn() -> actix_web::Route>,
    ) -> Self {
        Self { method, path, access, summary: "", mount, sketch: None, more_refusals: Vec::new() }
    }

    /// A route for programs.
    fn call<I, O, H>(
        method: Method,
        path: &'static str,
        access: Access,
        sketch: fn(&Method, &str, Access) -> Sketch,
        handler: H,
    ) -> Self
    where
        I: FromRequest + 'static,
        O: Reply + 'static,
        H: AsyncFn(I) -> Result<O, Refused> + Clone + 'static,
    {
        let verb = method.clone();
        let mount = move || {
            let handler = handler.clone();
            let known: Vec<String> = sketch(&verb, path, access).query().map(str::to_owned).collect();
            of_method(&verb).to(move |req: HttpRequest, payload: web::Payload| {
                let (handler, known) = (handler.clone(), known.clone());
                async move { api::answer(req, payload.into_inner(), &known, &handler).await }
            })
        };
        Self { sketch: Some(sketch), ..Self::mounted(method, path, access, Box::new(mount)) }
    }

    /// Says what it does.
    pub fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// A status under which it is refused, which its types do not tell.
    fn also(mut self, status: u16) -> Self {
        self.more_refusals.push(status);
        self
    }

    /// How the document of the API tells it; `None` for a page.
    pub fn sketch(&self) -> Option<Sketch> {
        let mut sketch = self.sketch?(&self.method, self.path, self.access);
        sketch.refusals.extend(&self.more_refusals);
        Some(sketch)
    }
}

fn of_method(method: &Method) -> actix_web::Route {
    match *method {
        // A HEAD is a GET whose body nobody wants.
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::route().method(method.clone()),
    }
}

/// A page of a workspace.
pub fn page<P, I, H>(path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: FromRequest + 'static,
    H: AsyncFn(Authorized<P, I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Member(P::NEEDS), handler)
}

/// A change in a workspace.
pub fn post<P, I, H>(path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: Submitted + 'static,
    H: AsyncFn(Authorized<P, I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Member(P::NEEDS), handler)
}

/// A page of an account.
pub fn account_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(AccountAdmin<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Account, handler)
}

/// A change of an account.
pub fn account_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(AccountAdmin<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Account, handler)
}

fn own_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(SignedIn<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::SignedIn, handler)
}

fn own_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(SignedIn<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::SignedIn, handler)
}

fn open_page<I, H>(path: &'static str, handler: H) -> Route
where
    I: FromRequest + 'static,
    H: AsyncFn(Public<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::GET, path, Access::Public, handler)
}

fn open_post<I, H>(path: &'static str, handler: H) -> Route
where
    I: Submitted + 'static,
    H: AsyncFn(Public<I>) -> Answer + Clone + 'static,
{
    Route::new(Method::POST, path, Access::Public, handler)
}

/// A service's request in a workspace.
pub fn call<P, I, O, H>(method: Method, path: &'static str, _: P, handler: H) -> Route
where
    P: policy::Access,
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Called<P, I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Member(P::NEEDS), openapi::sketch::<I, O>, handler)
}

fn keyed_call<I, O, H>(method: Method, path: &'static str, handler: H) -> Route
where
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Keyed<I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Key, openapi::sketch::<I, O>, handler)
}

fn asking_call<H>(path: &'static str, handler: H) -> Route
where
    H: AsyncFn(Asking) -> Answer + Clone + 'static,
{
    let needs = <perm::CheckAccess as policy::Access>::NEEDS;
    Route::call(Method::POST, path, Access::Member(needs), api::access::sketch, handler)
}

fn open_call<I, O, H>(method: Method, path: &'static str, handler: H) -> Route
where
    I: FromRequest + Input + 'static,
    O: Reply + 'static,
    H: AsyncFn(Public<I>) -> Result<O, Refused> + Clone + 'static,
{
    Route::call(method, path, Access::Public, openapi::sketch::<I, O>, handler)
}

/// Every route for programs.
pub fn api_table() -> Vec<Route> {
    use api::{
        access, api_keys, audit, directory, invitations, members, ownership, permissions, resources, roles,
        teams, users, workspaces,
    };
    use perm::*;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        open_call(GET, openapi::DOCUMENT, openapi::show).says("This document"),
        keyed_call(GET, "/api/sso/v1/workspaces", workspaces::index)
            .says("The workspaces that the key is a member of"),
        keyed_call(POST, "/api/sso/v1/workspaces", workspaces::create)
            .says("Makes a workspace; for keys that administer their account"),
        call(GET, "/api/sso/v1/workspaces/{workspace}", Membership, workspaces::show).says("One workspace"),
        call(PATCH, "/api/sso/v1/workspaces/{workspace}", UpdateOrganization, workspaces::update)
            .says("Changes a workspace's name or slug"),
        call(DELETE, "/api/sso/v1/workspaces/{workspace}", DeleteOrganization, workspaces::delete)
            .says("Deletes a workspace and everything in it"),
        call(POST, "/api/sso/v1/departure", Membership, members::leave)
            .says("The key itself leaves the workspace"),
        call(GET, "/api/sso/v1/members", ReadMembers, members::index)
            .says("The members of the workspace: people and keys"),
        call(GET, "/api/sso/v1/members/{member}", ReadMembers, members::show).says("One member"),
        call(PATCH, "/api/sso/v1/members/{member}", UpdateMemberRoles, members::update)
            .says("Gives a member exactly these roles"),
        call(DELETE, "/api/sso/v1/members/{member}", RemoveMembers, members::remove)
            .says("Ends a membership"),
        call(POST, "/api/sso/v1/members/{member}/suspension", SuspendMembers, members::suspend)
            .says("Shuts a member out, who keeps their roles"),
        call(POST, "/api/sso/v1/members/{member}/reactivation", SuspendMembers, members::reactivate)
            .says("Lets a suspended member in again"),
        call(GET, "/api/sso/v1/ownership-offers", ReadMembers, ownership::index)
            .says("The offer of ownership that is open, if one is"),
        call(DELETE, "/api/sso/v1/ownership-offers/{offer}", Membership, ownership::withdraw)
            .says("Takes an offer of ownership back; for Owners")
            .also(410),
        call(GET, "/api/sso/v1/users", ReadMembers, directory::index)
            .says("The users of the workspace, and where else they are"),
        call(POST, "/api/sso/v1/users", InviteMembers, users::create)
            .says("Enters somebody whom nobody invited"),
        call(GET, "/api/sso/v1/users/{user}", ReadMembers, directory::show).says("One user"),
        call(PATCH, "/api/sso/v1/users/{user}", UpdateMemberRoles, users::update)
            .says("Changes a user's roles in the workspace, or what your applications call them"),
        call(GET, "/api/sso/v1/invitations", ReadInvitations, invitations::index)
            .says("The invitations, in every state"),
        call(POST, "/api/sso/v1/invitations", InviteMembers, invitations::send)
            .says("Invites addresses; answers what became of each"),
        call(GET, "/api/sso/v1/invitations/{invitation}", ReadInvitations, invitations::show)
            .says("One invitation"),
        call(DELETE, "/api/sso/v1/invitations/{invitation}", CancelInvitations, invitations::cancel)
            .says("Cancels a pending invitation"),
        call(POST, "/api/sso/v1/invitations/{invitation}/resend", InviteMembers, invitations::resend)
            .says("Sends an invitation again, under new links"),
        call(GET, "/api/sso/v1/roles", ReadMembers, roles::index).says("The roles of the workspace"),
        call(POST, "/api/sso/v1/roles", ManageRoles, roles::create)
            .says("Makes a role, or says what a built-in role means to your applications"),
        call(GET, "/api/sso/v1/roles/{role}", ReadMembers, roles::show).says("One role"),
        call(PATCH, "/api/sso/v1/roles/{role}", ManageRoles, roles::update).says("Names or describes a role"),
        call(DELETE, "/api/sso/v1/roles/{role}", ManageRoles, roles::delete)
            .says("Deletes a role, with another in its place"),
        call(PUT, "/api/sso/v1/roles/{role}/scopes", UpdatePermissions, roles::set_scopes)
            .says("Sets everything that a role holds"),
        call(GET, "/api/sso/v1/permissions", ReadMembers, permissions::index)
            .says("Which roles hold which permission"),
        call(GET, "/api/sso/v1/permissions/{permission}", ReadMembers, permissions::show)
            .says("One permission"),
        call(PUT, "/api/sso/v1/permissions/{permission}", UpdatePermissions, permissions::set)
            .says("Sets which roles hold a permission"),
        call(GET, "/api/sso/v1/teams", ReadTeams, teams::index).says("The teams"),
        call(POST, "/api/sso/v1/teams", CreateTeams, teams::create).says("Starts a team"),
        call(GET, "/api/sso/v1/teams/{team}", ReadTeams, teams::show).says("One team"),
        call(PATCH, "/api/sso/v1/teams/{team}", Membership, teams::update)
            .says("Names or describes a team; for who updates teams"),
        call(DELETE, "/api/sso/v1/teams/{team}", DeleteTeams, teams::delete).says("Deletes a team"),
        call(PUT, "/api/sso/v1/teams/{team}/roles", UpdateTeams, teams::set_roles)
            .says("Sets the roles that everybody in a team holds"),
        call(GET, "/api/sso/v1/teams/{team}/members", ReadTeams, teams::people)
            .says("The people of a team, who came last first"),
        call(POST, "/api/sso/v1/teams/{team}/members", Membership, teams::add)
            .says("Puts members into a team; for who updates teams"),
        call(DELETE, "/api/sso/v1/teams/{team}/members/{member}", Membership, teams::take_out)
            .says("Takes a member out of a team; for who updates teams"),
        call(PUT, "/api/sso/v1/teams/{team}/members/{member}/lead", UpdateTeams, teams::appoint)
            .says("Makes somebody a lead of a team, or no lead any more"),
        call(GET, "/api/sso/v1/apikeys", ReadApiKeys, api_keys::index)
            .says("The keys that are members of the workspace"),
        call(POST, "/api/sso/v1/apikeys", ManageApiKeys, api_keys::create)
            .says("Makes a key; its secret is told this once"),
        // Before `{key}`, which would take them for an id.
        keyed_call(GET, "/api/sso/v1/apikeys/self", api_keys::own).says("The key that asks"),
        open_call(POST, "/api/sso/v1/apikeys/verify", api_keys::verify)
            .says("What a key is and may do, for a service that was shown it")
            .also(401),
        call(GET, "/api/sso/v1/apikeys/waiting", ManageApiKeys, api_keys::waiting)
            .says("Keys of the account that could be added"),
        call(GET, "/api/sso/v1/apikeys/{key}", ReadApiKeys, api_keys::show).says("One key"),
        call(PATCH, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::update).says("Renames a key"),
        call(DELETE, "/api/sso/v1/apikeys/{key}", ManageApiKeys, api_keys::revoke)
            .says("Ends a key for good, everywhere"),
        call(POST, "/api/sso/v1/apikeys/{key}/rotation", ManageApiKeys, api_keys::rotate)
            .says("Gives a key another secret, which is told this once"),
        call(POST, "/api/sso/v1/apikeys/{key}/addition", ManageApiKeys, api_keys::add)
            .says("Makes a key of the account a member of the workspace"),
        call(GET, "/api/sso/v1/audit", ReadAudit, audit::index).says("What happened, the latest first"),
        call(GET, "/api/sso/v1/resources", CheckAccess, resources::index)
            .says("The registered resources of your applications"),
        call(POST, "/api/sso/v1/resources", CheckAccess, resources::register).says("Registers a resource"),
        call(DELETE, "/api/sso/v1/resources", CheckAccess, resources::forget).says("Forgets a resource"),
        asking_call("/access/v1/evaluation", access::evaluation).says("May this subject do that?"),
        asking_call("/access/v1/evaluations", access::evaluations).says("Many questions at once"),
        asking_call("/access/v1/search/subject", access::search_subjects).says("Who may do this?"),
        asking_call("/access/v1/search/resource", access::search_resources)
            .says("On which resources may this subject do that?"),
        asking_call("/access/v1/search/action", access::search_actions)
            .says("What may this subject do with that?"),
        open_call(GET, "/.well-known/authzen-configuration", access::configuration)
            .says("Where decisions are asked for"),
    ]
}

/// Every page, and every form on one.
pub fn table() -> Vec<Route> {
    use pages::{
        account, account_keys, accounts, activity, api_docs, api_keys, bulk, health, invitation, invitations,
        me, members, organization, overview, ownership, quick_start, resources, roles, security, sign_in,
        sign_up, teams, workspaces,
    };
    vec![
        open_page("/healthz", health::alive),
        open_page("/readyz", health::ready),
        open_page("/", workspaces::home),
        open_page("/docs/api", api_docs::show),
        open_page("/docs/quick-start", quick_start::show),
        // Ways in.
        open_page("/sign-up", sign_up::show),
        open_post("/sign-up", sign_up::submit),
        open_page("/check-mail", sign_up::check_mail),
        open_page("/sign-in", sign_in::show),
        open_post("/sign-in", sign_in::submit),
        own_post("/sign-out", sign_in::sign_out),
        open_page("/forgot-password", account::forgot),
        open_post("/forgot-password", account::send_reset),
        open_page("/reset-password/{token}", account::follow_reset),
        open_page("/reset-password", account::reset),
        open_post("/reset-password", account::choose_password),
        open_page("/email-verification/{token}", account::follow_verification),
        open_page("/email-verification", account::verification),
        open_post("/email-verification", account::verify),
        open_page("/invitations/{token}", invitation::follow),
        open_page("/invitation", invitation::show),
        own_post("/invitation/acceptance", invitation::accept),
        open_post("/invitation/decline", invitation::decline),
        // One's own.
        own_page("/workspaces", workspaces::index),
        own_post("/workspaces", workspaces::create),
        own_page("/me", me::show),
        own_post("/me/profile", me::rename),
        own_post("/me/password", me::change_password),
        own_post("/me/email", me::change_email),
        own_post("/me/verification", me::resend_verification),
        own_post("/me/sessions/revocation", me::revoke_others),
        own_post("/me/sessions/{session}/revocation", me::revoke),
        // An account.
        account_page("/a/{account}", accounts::show),
        account_post("/a/{account}/details", accounts::update),
        account_page("/a/{account}/people", accounts::people),
        account_page("/a/{account}/people/{user}/admin", accounts::stepping_down),
        account_post("/a/{account}/people/{user}/admin", accounts::appoint),
        account_page("/a/{account}/people/{user}/removal", accounts::removal),
        account_post("/a/{account}/people/{user}/removal", accounts::remove),
        account_page("/a/{account}/api-keys", account_keys::index),
        account_post("/a/{account}/api-keys", account_keys::create),
        account_page("/a/{account}/api-keys/new", account_keys::new),
        account_page("/a/{account}/api-keys/{key}", account_keys::show),
        account_post("/a/{account}/api-keys/{key}/details", account_keys::rename),
        account_post("/a/{account}/api-keys/{key}/administration", account_keys::administer),
        account_post("/a/{account}/api-keys/{key}/rotation", account_keys::rotate),
        account_page("/a/{account}/api-keys/{key}/revocation", account_keys::revocation),
        account_post("/a/{account}/api-keys/{key}/revocation", account_keys::revoke),
        // A workspace.
        page("/w/{workspace}", perm::Membership, overview::show),
        page("/w/{workspace}/departure", perm::Membership, members::departure),
        post("/w/{workspace}/departure", perm::Membership, members::leave),
        page("/w/{workspace}/members", perm::ReadMembers, members::index),
        post("/w/{workspace}/members", perm::InviteMembers, members::new::add),
        // Before `{member}`, which would take these for an id.
        page("/w/{workspace}/members/new", perm::InviteMembers, members::new::show),
        page("/w/{workspace}/members/selection/roles", perm::UpdateMemberRoles, bulk::roles),
        post("/w/{workspace}/members/selection/roles", perm::UpdateMemberRoles, bulk::change_roles),
        page("/w/{workspace}/members/selection/suspension", perm::SuspendMembers, bulk::suspension),
        post("/w/{workspace}/members/selection/suspension", perm::SuspendMembers, bulk::suspend),
        page("/w/{workspace}/members/selection/removal", perm::RemoveMembers, bulk::removal),
        post("/w/{workspace}/members/selection/removal", perm::RemoveMembers, bulk::remove),
        page("/w/{workspace}/members/{member}", perm::ReadMembers, members::show),
        page("/w/{workspace}/members/{member}/access", perm::ReadMembers, members::access::show),
        post("/w/{workspace}/members/{member}/roles", perm::UpdateMemberRoles, members::change_roles),
        page(
            "/w/{workspace}/members/{member}/roles/preview",
            perm::UpdateMemberRoles,
            members::preview_roles,
        ),
        page("/w/{workspace}/members/{member}/suspension", perm::SuspendMembers, members::suspension),
        post("/w/{workspace}/members/{member}/suspension", perm::SuspendMembers, members::suspend),
        post("/w/{workspace}/members/{member}/reactivation", perm::SuspendMembers, members::reactivate),
        page("/w/{workspace}/members/{member}/removal", perm::RemoveMembers, members::removal),
        post("/w/{workspace}/members/{member}/removal", perm::RemoveMembers, members::remove),
        post("/w/{workspace}/members/{member}/ownership-offer", perm::UpdateMemberRoles, ownership::offer),
        post("/w/{workspace}/ownership-offers/{offer}/acceptance", perm::Membership, ownership::accept),
        post("/w/{workspace}/ownership-offers/{offer}/decline", perm::Membership, ownership::decline),
        post("/w/{workspace}/ownership-offers/{offer}/withdrawal", perm::Membership, ownership::withdraw),
        page("/w/{workspace}/invitations", perm::ReadInvitations, invitations::index),
        post("/w/{workspace}/invitations", perm::InviteMembers, invitations::send),
        page("/w/{workspace}/invitations/selection/resend", perm::InviteMembers, bulk::resend_review),
        post("/w/{workspace}/invitations/selection/resend", perm::InviteMembers, bulk::resend),
        page(
            "/w/{workspace}/invitations/selection/cancellation",
            perm::CancelInvitations,
            bulk::cancellation,
        ),
        post("/w/{workspace}/invitations/selection/cancellation", perm::CancelInvitations, bulk::cancel),
        post("/w/{workspace}/invitations/{invitation}/resend", perm::InviteMembers, invitations::resend),
        page(
            "/w/{workspace}/invitations/{invitation}/cancellation",
            perm::CancelInvitations,
            invitations::cancellation,
        ),
        post(
            "/w/{workspace}/invitations/{invitation}/cancellation",
            perm::CancelInvitations,
            invitations::cancel,
        ),
        page("/w/{workspace}/teams", perm::ReadTeams, teams::index),
        post("/w/{workspace}/teams", perm::CreateTeams, teams::create),
        // Before `{team}`, which would take `new` for an id.
        page("/w/{workspace}/teams/new", perm::CreateTeams, teams::new),
        page("/w/{workspace}/teams/{team}", perm::ReadTeams, teams::show),
        // A team's leads edit it without a permission: who else may is asked in `domain/teams`.
        post("/w/{workspace}/teams/{team}/details", perm::Membership, teams::update),
        page("/w/{workspace}/teams/{team}/members", perm::ReadMembers, teams::people::candidates),
        post("/w/{workspace}/teams/{team}/members", perm::Membership, teams::people::add),
        post(
            "/w/{workspace}/teams/{team}/members/{member}/removal",
            perm::Membership,
            teams::people::take_out,
        ),
        post("/w/{workspace}/teams/{team}/members/{member}/lead", perm::UpdateTeams, teams::people::appoint),
        post("/w/{workspace}/teams/{team}/roles", perm::UpdateTeams, teams::set_roles),
        page("/w/{workspace}/teams/{team}/roles/preview", perm::UpdateTeams, teams::preview_roles),
        page("/w/{workspace}/teams/{team}/deletion", perm::DeleteTeams, teams::deletion),
        post("/w/{workspace}/teams/{team}/deletion", perm::DeleteTeams, teams::delete),
        page("/w/{workspace}/roles", perm::ReadMembers, roles::index),
        post("/w/{workspace}/roles", perm::ManageRoles, roles::create),
        // Before `{role}`, which would take them for a role.
        page("/w/{workspace}/roles/new", perm::ManageRoles, roles::new),
        page("/w/{workspace}/roles/comparison", perm::ReadMembers, roles::comparison),
        page("/w/{workspace}/roles/{role}", perm::ReadMembers, roles::show),
        post("/w/{workspace}/roles/{role}/details", perm::ManageRoles, roles::describe),
        post("/w/{workspace}/roles/{role}/scopes", perm::UpdatePermissions, roles::set_scopes),
        page("/w/{workspace}/roles/{role}/scopes/preview", perm::UpdatePermissions, roles::preview_scopes),
        page("/w/{workspace}/roles/{role}/deletion", perm::ManageRoles, roles::deletion),
        post("/w/{workspace}/roles/{role}/deletion", perm::ManageRoles, roles::delete),
        page("/w/{workspace}/security", perm::ReadMembers, security::index),
        post("/w/{workspace}/security/{permission}", perm::UpdatePermissions, security::set),
        page("/w/{workspace}/security/{permission}/preview", perm::UpdatePermissions, security::preview_set),
        page("/w/{workspace}/api-keys", perm::ReadApiKeys, api_keys::index),
        post("/w/{workspace}/api-keys", perm::ManageApiKeys, api_keys::create),
        // Before `{key}`, which would take them for an id.
        page("/w/{workspace}/api-keys/new", perm::ManageApiKeys, api_keys::new),
        page("/w/{workspace}/api-keys/addition", perm::ManageApiKeys, api_keys::addition),
        post("/w/{workspace}/api-keys/addition", perm::ManageApiKeys, api_keys::add),
        page("/w/{workspace}/api-keys/{key}", perm::ReadApiKeys, api_keys::show),
        post("/w/{workspace}/api-keys/{key}/details", perm::ManageApiKeys, api_keys::rename),
        post("/w/{workspace}/api-keys/{key}/rotation", perm::ManageApiKeys, api_keys::rotate),
        page("/w/{workspace}/api-keys/{key}/revocation", perm::ManageApiKeys, api_keys::revocation),
        post("/w/{workspace}/api-keys/{key}/revocation", perm::ManageApiKeys, api_keys::revoke),
        page("/w/{workspace}/resources", perm::CheckAccess, resources::index),
        page("/w/{workspace}/organization", perm::Membership, organization::show),
        post("/w/{workspace}/organization", perm::UpdateOrganization, organization::update),
        page("/w/{workspace}/organization/deletion", perm::DeleteOrganization, organization::deletion),
        post("/w/{workspace}/organization/deletion", perm::DeleteOrganization, organization::delete),
        page("/w/{workspace}/activity", perm::ReadAudit, activity::index),
        page("/w/{workspace}/activity/{event}/undo", perm::ReadAudit, activity::taking_back::show),
    ]
}

/// The page nearest above an address that has none of its own, and how many parts of the path lie
/// between them.
fn page_above(path: &str, is_page: impl Fn(&str) -> bool) -> usize {
    let parents = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent));
    parents.skip(1).take_while(|parent| !is_page(parent)).count() + 1
}

/// Somebody who reloads what a form answered, with the session over, say, asks for an address that
/// only takes forms: the page above it is what they want.
fn lead_up(req: &HttpRequest, parts: usize) -> HttpResponse {
    let kept = req.path().rsplitn(parts + 1, '/').last().unwrap_or_default();
    let to = if kept.is_empty() { "/" } else { kept };
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// What many addresses begin with. A request is compared with these, and then only with what begins
/// like it does; those that programs ask for most come first.
const BEGINNINGS: [&str; 4] = ["/access/v1", "/api/sso/v1", "/w/{workspace}", "/a/{account}"];

/// Mounts the table: one resource a path, which answers 405 to the methods that it has no row for.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    let mut resources: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for route in table().into_iter().chain(api_table()) {
        match resources.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => resources.push((route.path, vec![route])),
        }
    }
    let pages: Vec<&str> =
        table().iter().filter(|row| row.method == Method::GET).map(|row| row.path).collect();
    for beginning in BEGINNINGS {
        let rest = |path: &'static str| {
            path.strip_prefix(beginning).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut scope = web::scope(beginning);
        for (path, routes) in resources.extract_if(.., |(path, _)| rest(path).is_some()) {
            scope = scope.service(resource(rest(path).unwrap_or_default(), path, routes, &pages));
        }
        config.service(scope);
    }
    for (path, routes) in resources {
        config.service(resource(path, path, routes, &pages));
    }
}

/// One path with its rows. `rest` is the path without what the scope around it begins with.
fn resource(rest: &str, path: &'static str, routes: Vec<Route>, pages: &[&str]) -> Resource {
    let has_page = pages.contains(&path);
    let parts = page_above(path, |parent| pages.contains(&parent) || parent.is_empty());
    let allowed: Vec<String> = routes
        .iter()
        .flat_map(|route| match route.method.as_str() {
            "GET" => vec!["GET".to_owned(), "HEAD".to_owned()],
            other => vec![other.to_owned()],
        })
        .collect();
    let allowed = allowed.join(", ");
    let mut resource = web::resource(rest);
    for route in routes {
        resource = resource.route((route.mount)());
    }
    resource.default_service(web::to(move |req: HttpRequest| {
        let allowed = allowed.clone();
        async move {
            match *req.method() {
                Method::GET | Method::HEAD if !has_page && !api::is_asked(&req) => lead_up(&req, parts),
                _ => method_not_allowed(&req, &allowed),
            }
        }
    }))
}
