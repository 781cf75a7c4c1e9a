//! What single fields look like in the document. Texts are described by their [`TextRule`].

use crate::{
    clock::Timestamp,
    config::plans::MAX_SEATS,
    domain::{
        Email, ExternalId, GatewayStage, Slug, TextRule,
        base::{
            event_groups::GROUPS,
            paging::{MAX_PAGE_SIZE, MAX_SKIPPED, PAGE_SIZE},
        },
        events,
        nouns::{
            credits::{ClientId, DEFAULT_HOLD, MAX_AMOUNT, MAX_HOLD, MIN_HOLD, TransferKind},
            destinations::{MAX_RATE, credential, senders},
            invitations,
            organization::{IdleHours, WebOrigin, origins::MAX_ORIGINS},
            purchases::rules::MAX_LIMIT,
            roles::MAX_SCOPES,
        },
    },
    policy::{
        Permission,
        scope::{self, MAX_LENGTH},
    },
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{Array, ArrayBuilder, KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type},
    },
};

/// The last moment that is accepted, in milliseconds since 1970: in the year 5138.
const LAST_MOMENT: i64 = 100_000_000_000_000;

/// A moment that the API accepts.
pub(in crate::web) fn is_moment(at: Timestamp) -> bool {
    (0..=LAST_MOMENT).contains(&at.as_millis())
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
        let moment = ObjectBuilder::new().schema_type(Type::Integer).format(Some(format));
        moment.description(Some("Milliseconds since 1970.")).into()
    }
}

impl ToSchema for Timestamp {}

fn limited(max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(max))
}

/// A schema that also allows null, which means the same as omitting the field.
fn or_null(object: ObjectBuilder, r#type: Type) -> Object {
    object.schema_type(SchemaType::from_iter([r#type, Type::Null])).build()
}

fn ruled<T: TextRule>() -> ObjectBuilder {
    let text = limited(T::MAX).pattern(Some(T::pattern())).description(Some(T::DESCRIPTION));
    text.min_length(Some(T::MIN).filter(|least| *least > 0))
}

/// A text that keeps to its rule.
pub(in crate::web) fn text<T: TextRule>() -> Object {
    ruled::<T>().build()
}

/// A text that keeps to its rule, and what it means here. A parameter with a schema of its own takes its description from
/// that.
pub(in crate::web) fn text_about<T: TextRule>(about: &str) -> Object {
    ruled::<T>().description(Some(about)).build()
}

/// Narrows a list to members who have a role.
pub(in crate::web) fn role_of_members() -> Object {
    text_about::<Slug>("The slug of a role they have.")
}

/// Narrows a list to members who hold a permission.
pub(in crate::web) fn permission_held() -> Object {
    let scopes = limited(60).enum_values(Some(Permission::ALL.iter().map(|permission| permission.scope())));
    scopes.description(Some("Only those with a role that holds this permission.")).build()
}

/// Narrows a list to members who hold a scope of an application.
pub(in crate::web) fn scope_held() -> Object {
    let scope = limited(MAX_LENGTH).pattern(Some(scope::pattern()));
    scope.description(Some("Only those with a role that holds this scope, such as read:posts.")).build()
}

/// The most days of [`inactive_days`].
pub(in crate::web) const MAX_INACTIVE_DAYS: i64 = 3_650;

/// Narrows a list to members who were not active.
pub(in crate::web) fn inactive_days() -> Object {
    let days = a_number(1, MAX_INACTIVE_DAYS);
    days.description(Some("Only those who were not active for so many days.")).build()
}

/// The slug of a role, or null.
pub(in crate::web) fn maybe_role() -> Object {
    or_null(ruled::<Slug>().description(Some("The slug of a role.")), Type::String)
}

/// Narrows a list to the user with an ID.
pub(in crate::web) fn external_id_of_user() -> Object {
    text_about::<ExternalId>("Only the user with this ID of your own applications.")
}

/// The role that takes the place of a deleted one.
pub(in crate::web) fn replacement() -> Object {
    text_about::<Slug>("The slug of the role that replaces it.")
}

/// The slug of a workspace that is to be deleted.
pub(in crate::web) fn confirmation() -> Object {
    text_about::<Slug>("To confirm, the slug of the workspace. Everything in it is deleted.")
}

/// A text that keeps to its rule, or null.
pub(in crate::web) fn maybe_text<T: TextRule>() -> Object {
    or_null(ruled::<T>(), Type::String)
}

/// Slugs of roles.
fn some_roles() -> ArrayBuilder {
    array_of(text::<Slug>(), 200).description(Some("Slugs of roles."))
}

fn array_of(of: impl Into<RefOr<Schema>>, max: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(of.into()).max_items(Some(max))
}

/// A cursor: the value of `next` from the previous page.
pub(in crate::web) fn cursor() -> Object {
    let cursor = limited(2_000).pattern(Some("^([0-9a-f]{2})*$"));
    cursor.description(Some("The value of “next” from the previous page.")).build()
}

/// How many items a page of a list has at most.
pub(in crate::web) fn limit() -> Object {
    let limit = a_number(1, as_number(MAX_PAGE_SIZE)).default(Some(PAGE_SIZE.into()));
    limit.description(Some("How many items to return at most.")).build()
}

/// How many items to return of a list that is returned as a whole otherwise.
pub(in crate::web) fn limit_of_whole() -> Object {
    let limit = a_number(1, as_number(MAX_PAGE_SIZE));
    limit.description(Some("How many items to return at most. If omitted, all of them.")).build()
}

/// The number of a page of a list.
pub(in crate::web) fn page_number() -> Object {
    let page = a_number(1, as_number(MAX_SKIPPED) + 1);
    page.description(Some("The number of the page, instead of “after”: 1 is the first.")).build()
}

fn as_number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(in crate::web) fn emails() -> Array {
    // Stricter than one address alone: a page splits what is pasted into it at these.
    let email =
        ruled::<Email>().description(None::<String>).pattern(Some("^[^\\s,;<>\"@]+@[^\\s,;<>\"@]+$")).build();
    let emails = array_of(email, invitations::MAX_BATCH).min_items(Some(1));
    emails.description(Some("E-mail addresses, one per entry.")).build()
}

/// Origins of websites; may be empty.
pub(in crate::web) fn origins() -> Array {
    let origins = array_of(text::<WebOrigin>(), MAX_ORIGINS);
    origins.description(Some("Scheme, host and port of each, as browsers send them.")).build()
}

/// Slugs of roles, at least one.
pub(in crate::web) fn roles() -> Array {
    some_roles().min_items(Some(1)).build()
}

/// Slugs of roles; may be empty.
pub(in crate::web) fn any_roles() -> Array {
    some_roles().build()
}

pub(in crate::web) fn maybe_roles() -> Array {
    let roles = some_roles()
        .min_items(Some(1))
        .description(Some("Slugs of roles. Defaults to Viewer for a new member."));
    roles.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

/// IDs of the teams that somebody comes into.
pub(in crate::web) fn maybe_teams() -> Array {
    let teams = array_of(id(), invitations::MAX_TEAMS);
    let teams = teams.description(Some("IDs of teams. It takes the permission to update teams."));
    teams.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

fn some_scopes() -> ArrayBuilder {
    let scopes = array_of(limited(MAX_LENGTH).pattern(Some(scope::pattern())).build(), MAX_SCOPES);
    scopes.description(Some("Scopes such as read:posts, including permissions of the catalogue."))
}

pub(in crate::web) fn scopes() -> Array {
    some_scopes().build()
}

pub(in crate::web) fn maybe_scopes() -> Array {
    some_scopes().schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

/// True, false, or null, which means false.
pub(in crate::web) fn maybe_flag() -> Object {
    or_null(ObjectBuilder::new(), Type::Boolean)
}

fn a_moment() -> ObjectBuilder {
    a_number(0, LAST_MOMENT).description(Some("In milliseconds since 1970."))
}

/// The first moment of a span.
pub(in crate::web) fn from() -> Object {
    a_moment().description(Some("From this moment on, in milliseconds since 1970.")).build()
}

/// The end of a span.
pub(in crate::web) fn until() -> Object {
    a_moment().description(Some("Before this moment, in milliseconds since 1970.")).build()
}

pub(in crate::web) fn maybe_moment() -> Object {
    or_null(a_moment(), Type::Integer)
}

/// The domain of addresses.
pub(in crate::web) fn domain() -> Object {
    let domain = limited(252).min_length(Some(3)).pattern(Some(r"^[^\s@,;]+\.[^\s@,;]+$"));
    domain.description(Some("A domain such as example.com.")).build()
}

/// The domains of the addresses that may use a link.
pub(in crate::web) fn maybe_domains() -> Array {
    let domains = array_of(domain(), 20);
    let domains = domains.description(Some("Domains of the addresses that may use it. If omitted, all."));
    domains.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

/// A secret that was found somewhere, or its end.
pub(in crate::web) fn secret_to_find() -> Object {
    let text = limited(200).min_length(Some(4)).pattern(Some("[0-9A-Fa-f]{4}$"));
    text.description(Some("A secret, or at least its last four characters.")).build()
}

/// How long the old secret of a key stays valid.
pub(in crate::web) fn maybe_overlap() -> Object {
    let overlap = a_number(0, crate::domain::nouns::api_keys::MAX_OVERLAP / 1_000);
    let overlap = overlap.description(Some(
        "How long the old secret keeps working, in seconds. If omitted, it stops working immediately.",
    ));
    or_null(overlap, Type::Integer)
}

/// How long the value of a credential that is replaced can be brought back.
pub(in crate::web) fn maybe_kept() -> Object {
    let kept = a_number(0, credential::MAX_KEPT / 1_000);
    let kept = kept.description(Some(
        "How long the value that is replaced can be brought back, in seconds. If omitted, it is deleted immediately.",
    ));
    or_null(kept, Type::Integer)
}

/// Requests a minute.
pub(in crate::web) fn maybe_rate() -> Object {
    let rate = a_number(1, MAX_RATE).description(Some("Requests a minute."));
    or_null(rate, Type::Integer)
}

/// Credits that a request costs.
pub(in crate::web) fn maybe_price() -> Object {
    let price = a_number(0, MAX_AMOUNT).description(Some("What a request costs, in credits. 0 for nothing."));
    or_null(price, Type::Integer)
}

/// Credits to hold or use.
pub(in crate::web) fn amount() -> Object {
    a_number(1, MAX_AMOUNT).description(Some("How many credits.")).build()
}

/// How long a hold lasts.
pub(in crate::web) fn maybe_hold() -> Object {
    let seconds = a_number(MIN_HOLD / 1_000, MAX_HOLD / 1_000);
    let seconds = seconds.default(Some((DEFAULT_HOLD / 1_000).into()));
    or_null(seconds.description(Some("How long the hold lasts, in seconds.")), Type::Integer)
}

/// The balance below which people are notified.
pub(in crate::web) fn notice_below() -> Object {
    let below = a_number(1, MAX_AMOUNT);
    or_null(below.description(Some("A number of credits. `null` for never.")), Type::Integer)
}

/// A kind of transfer.
pub(in crate::web) fn transfer_kind() -> Object {
    let kind = limited(20).enum_values(Some(TransferKind::ALL.map(TransferKind::word)));
    kind.description(Some("Only transfers of this kind.")).build()
}

/// The client's own ID of a request, to narrow a list.
pub(in crate::web) fn client_id() -> Object {
    text_about::<ClientId>("Only transfers of the request with this ID of yours.")
}

/// Ids of API keys; may be empty.
pub(in crate::web) fn sender_keys() -> Array {
    array_of(id(), senders::MAX_KEYS).description(Some("IDs of API keys of the workspace.")).build()
}

/// How many memberships of a key end with a rotation of its secret.
pub(in crate::web) fn maybe_memberships() -> Object {
    let memberships = a_number(0, 1_000_000);
    let memberships = memberships.description(Some(
        "How many memberships in other workspaces may end: those where the key making the request can't manage this key. If omitted, none.",
    ));
    or_null(memberships, Type::Integer)
}

/// Hours after which an unused session of an Owner ends.
pub(in crate::web) fn maybe_idle_hours() -> Object {
    let hours = a_number(IdleHours::LEAST, IdleHours::MOST);
    or_null(hours.description(Some("Hours without use.")), Type::Integer)
}

/// The slug of a plan.
pub(in crate::web) fn plan() -> Object {
    let slug = limited(40).min_length(Some(1)).pattern(Some("^[a-z0-9-]+$"));
    slug.description(Some("The slug of a plan, such as team.")).build()
}

fn number_of_seats() -> ObjectBuilder {
    a_number(1, MAX_SEATS).description(Some(
        "How many seats. If omitted, as many as there are, or as are taken. A plan without a price has no number of seats.",
    ))
}

/// A number of seats, in a query.
pub(in crate::web) fn seats() -> Object {
    number_of_seats().build()
}

/// A number of seats.
pub(in crate::web) fn maybe_seats() -> Object {
    or_null(number_of_seats(), Type::Integer)
}

/// The slug of a pack.
pub(in crate::web) fn pack() -> Object {
    let slug = limited(40).min_length(Some(1)).pattern(Some("^[a-z0-9-]+$"));
    slug.description(Some("The slug of a pack, such as small.")).build()
}

/// An amount of money that purchases are limited to.
pub(in crate::web) fn limit_of_purchases() -> Object {
    let amount = a_number(0, MAX_LIMIT);
    amount.description(Some("An amount, in the smallest unit of the currency.")).build()
}

/// An amount of money above which purchases need approval.
pub(in crate::web) fn maybe_limit_of_purchases() -> Object {
    let amount = a_number(0, MAX_LIMIT);
    let about = "An amount, in the smallest unit of the currency. What costs more needs approval; `null`: nothing does.";
    or_null(amount.description(Some(about)), Type::Integer)
}

/// Up to how many seats some are added.
pub(in crate::web) fn grow_to() -> Object {
    let seats = a_number(1, MAX_SEATS);
    or_null(seats.description(Some("A number of seats. `null` for not at all.")), Type::Integer)
}

fn a_number(least: i64, max: i64) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(least)).maximum(Some(max))
}

/// A kind of event.
pub(in crate::web) fn event_kind() -> Object {
    let kind = limited(60).enum_values(Some(events::filter().iter().map(|(kind, _)| *kind)));
    kind.description(Some("A kind of event, such as member.suspended.")).build()
}

/// A file of rows.
pub(in crate::web) fn file() -> Object {
    let file = ObjectBuilder::new().schema_type(Type::String);
    file.description(Some("The file, a row a line.")).examples([serde_json::json!("id,name\r\n")]).build()
}

/// A zip.
pub(in crate::web) fn zip() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    let zip = ObjectBuilder::new().schema_type(Type::String).format(Some(format));
    zip.description(Some("The file: a zip with a file of JSON Lines for each kind of data.")).build()
}

/// The stage at which Bailiwick ended a request, or any.
pub(in crate::web) fn stage() -> Object {
    let words = ["any"].into_iter().chain(GatewayStage::ALL.map(GatewayStage::word));
    let stage = limited(20).enum_values(Some(words));
    stage.description(Some("Only those that Bailiwick itself ended at this stage, or at any.")).build()
}

fn groups_of_events() -> ArrayBuilder {
    let group = limited(60).enum_values(Some(GROUPS.iter().map(|(group, ..)| *group))).build();
    array_of(group, GROUPS.len())
        .description(Some("Groups of events: what stands before the dot in their types."))
}

/// Groups of events; may be empty.
pub(in crate::web) fn event_groups() -> Array {
    groups_of_events().build()
}

/// Groups of events, at least one.
pub(in crate::web) fn chosen_event_groups() -> Array {
    groups_of_events().min_items(Some(1)).build()
}

/// A permission of the catalogue.
pub(super) fn permission() -> Object {
    limited(60).enum_values(Some(Permission::ALL.iter().map(|permission| permission.scope()))).build()
}

pub(super) fn id() -> Object {
    let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(uuid)).build()
}

/// The longest `Idempotency-Key` that is accepted, in characters.
pub(super) const MAX_IDEMPOTENCY_KEY: usize = 255;

/// The header `Idempotency-Key`.
pub(super) fn idempotency_key() -> Object {
    limited(MAX_IDEMPOTENCY_KEY).min_length(Some(1)).pattern(Some("^[!-~]+$")).build()
}

/// The header `Prefer`: whatever is not understood has no effect.
pub(in crate::web) fn preference() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

/// The header `If-Match`: one or more tags, or `*`.
pub(super) fn etags() -> Object {
    limited(1_000).min_length(Some(1)).pattern(Some("^(\\*|(W/)?\"[!#-~]*\"(, *(W/)?\"[!#-~]*\")*)$")).build()
}
