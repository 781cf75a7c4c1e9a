//! The lists that can be downloaded, each with its columns.

use crate::{
    domain::{
        Refused,
        activity::{self, Entry},
        base::paging::{Page, Position},
        enforce::read::ReadScope,
        nouns::{api_keys, invitations, members, roles, teams, traffic},
    },
    policy::perm,
    web::{
        csv::Cells,
        list::{Search, Unfiltered},
        routes::{
            activity as activity_pages, api_keys as key_pages,
            exports::list::{CallFilters, ExportedList},
            invitations as invitation_pages, members as member_pages, roles as role_pages,
            teams as team_pages, traffic as traffic_pages,
        },
    },
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// A list that nothing narrows.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields)]
pub struct Whole {}

impl CallFilters for Whole {
    type Filter = ();

    fn filter(&self) -> Result<(), Refused> {
        Ok(())
    }
}

/// The parameters of a list in the API narrow its export too.
macro_rules! same_filters {
    ($($query:ty => $filter:ty),+ $(,)?) => {$(
        impl CallFilters for $query {
            type Filter = $filter;

            fn filter(&self) -> Result<$filter, Refused> {
                Self::filter(self)
            }
        }
    )+};
}
same_filters!(
    member_pages::api::ListQuery => members::Filter,
    invitation_pages::api::ListQuery => invitations::Filter,
    activity_pages::api::ListQuery => activity::Filter,
    key_pages::api::ListQuery => String,
    traffic_pages::api::ListQuery => traffic::Filter,
);

/// The only page of a list that is loaded as a whole.
fn whole<T>(rows: Vec<T>) -> Page<T> {
    Page { rows, before: None, after: None }
}

pub enum Members {}

impl ExportedList for Members {
    type Reads = perm::ReadMembers;
    type Filter = members::Filter;
    type OnPage = member_pages::list::ListQuery;
    type InCall = member_pages::api::ListQuery;
    type Row = members::Member;
    type Line = member_pages::api::MemberBody;

    const NAME: &'static str = "members";
    const LABEL: &'static str = "Members";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "user_id",
        "api_key_id",
        "name",
        "email",
        "status",
        "roles",
        "origin",
        "invited_by",
        "joined_at",
        "last_active_at",
        "access_until",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(members::list(scope, filter, at).await?.page)
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.id(Some(row.id));
        cells.text(&row.kind);
        cells.id(row.user_id);
        cells.id(row.api_key_id);
        cells.text(&row.name);
        cells.text(&row.email);
        cells.text(if row.is_active { "active" } else { "suspended" });
        cells.texts(row.roles.iter().map(|role| role.slug.as_str()));
        cells.text(&row.origin);
        cells.maybe(row.invited_by.as_deref());
        cells.moment(Some(row.joined_at));
        cells.moment(row.last_active_at);
        cells.moment(row.access_until);
    }
}

pub enum Invitations {}

impl ExportedList for Invitations {
    type Reads = perm::ReadInvitations;
    type Filter = invitations::Filter;
    type OnPage = invitation_pages::list::ListQuery;
    type InCall = invitation_pages::api::ListQuery;
    type Row = invitations::Invitation;
    type Line = invitation_pages::api::InvitationBody;

    const NAME: &'static str = "invitations";
    const LABEL: &'static str = "Invitations";
    const IS_COUNTED: bool = false;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "email",
        "status",
        "roles",
        "inviter",
        "inviter_email",
        "created_at",
        "sent_at",
        "expires_at",
        "ended_at",
        "delivery_error",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(invitations::list(scope, filter, at).await?.page)
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.id(Some(row.id));
        cells.text(&row.email);
        cells.text(row.status);
        cells.texts(row.role_slugs.iter().map(String::as_str));
        cells.text(&row.inviter);
        cells.maybe(row.inviter_email.as_deref());
        cells.moment(Some(row.created_at));
        cells.moment(Some(row.sent_at));
        cells.moment(Some(row.expires_at));
        cells.moment(row.ended_at);
        cells.maybe(row.delivery_error.as_deref());
    }
}

pub enum Activity {}

impl ExportedList for Activity {
    type Reads = perm::ReadAudit;
    type Filter = activity::Filter;
    type OnPage = activity_pages::list::ListQuery;
    type InCall = activity_pages::api::ListQuery;
    type Row = Entry;
    type Line = activity_pages::api::EventBody;

    const NAME: &'static str = "activity";
    const LABEL: &'static str = "Activity";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "at",
        "kind",
        "outcome",
        "actor_id",
        "actor",
        "actor_email",
        "target_kind",
        "target_id",
        "target",
        "target_email",
        "via",
        "address",
        "user_agent",
        "details",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(activity::list(scope, filter, at).await?.page)
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.id(Some(row.id));
        cells.moment(Some(row.at));
        cells.text(&row.kind);
        cells.text(if row.is_refusal { "refused" } else { "done" });
        cells.id(row.actor_id);
        cells.text(&row.actor);
        cells.text(&row.actor_email);
        cells.text(&row.target_kind);
        cells.id(row.target_id);
        cells.text(&row.target);
        cells.text(&row.target_email);
        cells.text(&row.via);
        cells.text(&row.address);
        cells.text(&row.user_agent);
        cells.text(&row.fields().as_ref().map(Value::to_string).unwrap_or_default());
    }
}

pub enum Teams {}

impl ExportedList for Teams {
    type Reads = perm::ReadTeams;
    type Filter = ();
    type OnPage = Unfiltered;
    type InCall = Whole;
    type Row = teams::Team;
    type Line = team_pages::api::TeamBody;

    const NAME: &'static str = "teams";
    const LABEL: &'static str = "Teams";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "roles", "leads", "members", "created_at"];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        (): &Self::Filter,
        _: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(whole(teams::list(scope).await?))
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.id(Some(row.id));
        cells.text(&row.name);
        cells.text(&row.description);
        cells.texts(row.roles.iter().map(|role| role.slug.as_str()));
        cells.text(&row.leads.join(", "));
        cells.number(row.people);
        cells.moment(Some(row.created_at));
    }
}

pub enum Roles {}

impl ExportedList for Roles {
    type Reads = perm::ReadMembers;
    type Filter = ();
    type OnPage = Unfiltered;
    type InCall = Whole;
    type Row = roles::RoleWithCounts;
    type Line = role_pages::api::RoleBody;

    const NAME: &'static str = "roles";
    const LABEL: &'static str = "Roles";
    const COLUMNS: &'static [&'static str] =
        &["slug", "name", "description", "built_in", "scopes", "people", "api_keys"];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        (): &Self::Filter,
        _: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(whole(roles::list(scope).await?))
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.text(&row.role.slug);
        cells.text(&row.role.name);
        cells.text(&row.role.description);
        cells.flag(row.role.built_in);
        cells.texts(row.role.holdings.scopes().iter().map(String::as_str));
        cells.number(row.people);
        cells.number(row.keys);
    }
}

pub enum ApiKeys {}

impl ExportedList for ApiKeys {
    type Reads = perm::ReadApiKeys;
    type Filter = String;
    type OnPage = Search;
    type InCall = key_pages::api::ListQuery;
    type Row = api_keys::WorkspaceKey;
    type Line = key_pages::api::KeyBody;

    const NAME: &'static str = "api-keys";
    const LABEL: &'static str = "API keys";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "member_id",
        "name",
        "status",
        "is_expired",
        "is_revoked",
        "roles",
        "vouched_by",
        "created_by",
        "is_home",
        "created_at",
        "expires_at",
        "last_used_at",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        Ok(api_keys::list(scope, filter, at).await?.page)
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        let key = &row.key;
        cells.id(Some(key.id));
        cells.id(Some(row.member_id));
        cells.text(&key.name);
        cells.text(if row.is_active && !key.is_revoked { "active" } else { "suspended" });
        cells.flag(key.is_expired);
        cells.flag(key.is_revoked);
        cells.texts(row.roles.iter().map(|role| role.slug.as_str()));
        cells.text(&row.voucher);
        cells.text(&key.creator);
        cells.flag(row.is_home);
        cells.moment(Some(key.created_at));
        cells.moment(key.expires_at);
        cells.moment(key.last_used_at);
    }
}

pub enum Traffic {}

impl ExportedList for Traffic {
    type Reads = perm::ReadDestinations;
    type Filter = traffic::Filter;
    type OnPage = traffic_pages::list::ListQuery;
    type InCall = traffic_pages::api::ListQuery;
    type Row = traffic::Request;
    type Line = traffic_pages::api::TrafficBody;

    const NAME: &'static str = "traffic";
    const LABEL: &'static str = "Traffic";
    const IS_COUNTED: bool = false;
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "at",
        "api_key_id",
        "api_key",
        "destination_id",
        "host",
        "method",
        "path",
        "status",
        "stage",
        "bytes_in",
        "bytes_out",
        "duration_ms",
    ];

    async fn page(
        scope: &ReadScope<Self::Reads>,
        filter: &Self::Filter,
        at: &Position,
    ) -> Result<Page<Self::Row>, Refused> {
        traffic::list(scope, filter, at).await
    }

    fn cells(row: &Self::Row, cells: &mut Cells<'_>) {
        cells.id(Some(row.id));
        cells.moment(Some(row.at));
        cells.id(row.api_key_id);
        cells.text(&row.key_name);
        cells.id(row.destination_id);
        cells.text(&row.host);
        cells.text(&row.method);
        cells.text(&row.path);
        cells.maybe_number(row.status.map(i64::from));
        cells.maybe(row.stage().map(|stage| stage.word()));
        cells.number(row.bytes_in);
        cells.number(row.bytes_out);
        cells.number(row.ms);
    }
}
