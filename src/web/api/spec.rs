//! What single fields look like in the document: the patterns and lengths of `domain::values`.

use crate::{
    domain::{Event, invitations, roles::MOST_SCOPES},
    policy::{Permission, scope::MAX_LENGTH},
};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};

/// What no text may hold that stands on one line: what cannot be seen, or turns the text around it.
const HIDDEN: &str = "\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\
    \\u180b-\\u180f\\u2800\\u3164\\ufe00-\\ufe0e\\uffa0\\u200b\\u200e\\u200f\\u2028-\\u202e\
    \\u2060-\\u2069\\ufeff\\ufff9-\\ufffb\u{e0000}-\u{e0fff}";

const SLUG: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

const SCOPE: &str = r"^(\*|[a-z0-9][a-z0-9_.-]*):(\*|[a-z0-9][a-z0-9_.-]*)(:(\*|[a-z0-9][a-z0-9_.-]*))?$";

/// A moment is in milliseconds since 1970; this one is in the year 5138.
pub(in crate::web) const LAST_MOMENT: i64 = 100_000_000_000_000;

fn text(most: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(most))
}

/// The same, or null, which is as good as leaving it out.
fn or_null(object: ObjectBuilder, r#type: Type) -> Object {
    object.schema_type(SchemaType::from_iter([r#type, Type::Null])).build()
}

fn line(most: usize) -> ObjectBuilder {
    text(most).pattern(Some(format!("^[^{HIDDEN}]*$")))
}

fn a_name() -> ObjectBuilder {
    let name = text(80).min_length(Some(1)).description(Some("One line that can be seen."));
    name.pattern(Some(format!("^[^{HIDDEN}]*[^\\s{HIDDEN}][^{HIDDEN}]*$")))
}

fn a_slug() -> ObjectBuilder {
    let slug = text(48).min_length(Some(2)).pattern(Some(SLUG));
    slug.description(Some("Lower-case letters, digits and single hyphens, such as my-team."))
}

/// Slugs of roles.
fn some_roles() -> ArrayBuilder {
    many(a_slug().build(), 200).description(Some("Slugs of roles."))
}

fn many(of: impl Into<utoipa::openapi::RefOr<utoipa::openapi::Schema>>, most: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(of.into()).max_items(Some(most))
}

pub(in crate::web) fn name() -> Object {
    a_name().build()
}

pub(in crate::web) fn maybe_name() -> Object {
    or_null(a_name(), Type::String)
}

pub(in crate::web) fn maybe_description() -> Object {
    or_null(line(200).description(Some("What it is for, on one line.")), Type::String)
}

pub(in crate::web) fn slug() -> Object {
    a_slug().build()
}

pub(in crate::web) fn maybe_slug() -> Object {
    or_null(a_slug(), Type::String)
}

/// A text to search for.
pub(in crate::web) fn search() -> Object {
    line(100).description(Some("Part of a name or an address.")).build()
}

/// From `next` of the page before.
pub(in crate::web) fn cursor() -> Object {
    let cursor = text(2_000).pattern(Some("^([0-9a-f]{2})*$"));
    cursor.description(Some("“next” of the page before.")).build()
}

/// A message to who is invited: a few lines.
pub(in crate::web) fn maybe_message() -> Object {
    let hidden = HIDDEN.replacen("\\u0000-\\u001f", "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f", 1);
    let message = text(1_000).pattern(Some(format!("^[^{hidden}]*$")));
    or_null(message.description(Some("A few lines for who is invited.")), Type::String)
}

pub(in crate::web) fn emails() -> Array {
    let email = text(254).min_length(Some(3)).pattern(Some("^[^\\s,;<>\"@]+@[^\\s,;<>\"@]+$")).build();
    let emails = many(email, invitations::MOST_AT_ONCE).min_items(Some(1));
    emails.description(Some("E-mail addresses, one an entry.")).build()
}

/// One address.
pub(in crate::web) fn email() -> Object {
    let email = text(254).min_length(Some(3)).pattern(Some("^[^\\s@]+@[^\\s@]+$"));
    email.description(Some("An e-mail address.")).build()
}

/// What the customer's own applications call somebody.
pub(in crate::web) fn maybe_external_id() -> Object {
    let id = text(200).min_length(Some(1)).pattern(Some("^[^@\\u0000-\\u001f\\u007f-\\u009f]+$"));
    or_null(id.description(Some("What your own applications call them.")), Type::String)
}

/// A type of the customer's own resources: a word as in a scope.
pub(in crate::web) fn kind() -> Object {
    let kind = text(MAX_LENGTH - "read:".len()).pattern(Some("^[a-z0-9][a-z0-9_.-]*$"));
    kind.description(Some("A type of your own resources: a word as in a scope.")).build()
}

/// What a resource is called where it comes from.
pub(in crate::web) fn resource_id() -> Object {
    let id = text(200).min_length(Some(1)).pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]+$"));
    id.description(Some("What your own applications call it.")).build()
}

/// Slugs of roles, one at least.
pub(in crate::web) fn roles() -> Array {
    some_roles().min_items(Some(1)).build()
}

/// The same, or none at all.
pub(in crate::web) fn any_roles() -> Array {
    some_roles().build()
}

pub(in crate::web) fn maybe_roles() -> Array {
    let roles =
        some_roles().min_items(Some(1)).description(Some("Slugs of roles. Viewer, for somebody new."));
    roles.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

pub(in crate::web) fn scopes() -> Array {
    let scopes = many(text(MAX_LENGTH).pattern(Some(SCOPE)).build(), MOST_SCOPES);
    scopes.description(Some("Such as read:posts; permissions of the catalogue too.")).build()
}

fn a_moment() -> ObjectBuilder {
    a_number(0, LAST_MOMENT).description(Some("In milliseconds since 1970."))
}

pub(in crate::web) fn moment() -> Object {
    a_moment().build()
}

pub(in crate::web) fn maybe_moment() -> Object {
    or_null(a_moment(), Type::Integer)
}

/// How long the old secret of a key goes on.
pub(in crate::web) fn maybe_overlap() -> Object {
    let overlap = a_number(0, crate::domain::api_keys::MOST_OVERLAP / 1_000);
    let overlap =
        overlap.description(Some("How long the old secret goes on, in seconds; not at all, if left out."));
    or_null(overlap, Type::Integer)
}

fn a_number(least: i64, most: i64) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(least)).maximum(Some(most))
}

/// A kind of event.
pub(in crate::web) fn event_kind() -> Object {
    let kind = text(60).enum_values(Some(Event::KINDS.iter().map(|(kind, _)| *kind)));
    kind.description(Some("A kind of event, such as member.suspended.")).build()
}

/// A permission of the catalogue.
pub(super) fn permission() -> Object {
    text(60).enum_values(Some(Permission::ALL.iter().map(|permission| permission.scope()))).build()
}

pub(super) fn id() -> Object {
    use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
    let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(uuid)).build()
}

/// The longest `Idempotency-Key` that is taken, in characters.
pub(super) const MAX_IDEMPOTENCY_KEY: usize = 255;

/// What a program calls one thing that it wants to be done.
pub(super) fn idempotency_key() -> Object {
    text(MAX_IDEMPOTENCY_KEY).min_length(Some(1)).pattern(Some("^[!-~]+$")).build()
}

/// One `ETag`, some, or a star.
pub(super) fn etags() -> Object {
    text(1_000).min_length(Some(1)).pattern(Some("^(\\*|(W/)?\"[!#-~]*\"(, *(W/)?\"[!#-~]*\")*)$")).build()
}
