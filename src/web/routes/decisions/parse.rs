//! Parsing the bodies of access checks: strict about every member that the standard defines, ignoring all
//! others. An invalid body gets 400, with a sentence that names the member.

use crate::{domain::base::subject::Subject, web::wire::MalformedRequest};
use actix_web::{HttpRequest, HttpResponse};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use std::{fmt, marker::PhantomData};

/// An invalid body: 400, with this sentence.
pub(in crate::web) struct Malformed(pub(super) String);

pub(in crate::web) type ParseResult<T> = Result<T, Malformed>;

pub(in crate::web) fn malformed(req: &HttpRequest, why: Malformed) -> HttpResponse {
    crate::web::problem::malformed_request(req, &MalformedRequest::Other(why.0))
}

pub(in crate::web) fn missing(name: &str) -> Malformed {
    Malformed(format!("“{name}” is missing."))
}

/// Reads a body, or a part of one.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de Value) -> ParseResult<T> {
    // Only what is wrong is read a second time, to know where.
    T::deserialize(body)
        .or_else(|_| serde_path_to_error::deserialize(body).map_err(|error| explained(&error)))
}

fn explained(error: &serde_path_to_error::Error<serde_json::Error>) -> Malformed {
    let (path, message) = (error.path().to_string(), error.inner().to_string());
    // The types of this module say what they expect in words that complete the sentence.
    match (message.strip_prefix("missing field `"), message.rsplit_once(", expected ")) {
        (Some(field), _) if path == "." => missing(field.trim_end_matches('`')),
        (Some(field), _) => missing(&format!("{path}.{}", field.trim_end_matches('`'))),
        (None, Some((_, expected))) => Malformed(format!("“{path}” is not {expected}.")),
        (None, None) => Malformed(format!("“{path}” {message}.")),
    }
}

/// A member that may be left out. One that is `null` was removed before.
pub(super) fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// An object. A list of its values, which serde would accept too, is refused.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    value.deserialize_map(ObjectVisitor(PhantomData))
}

/// An object that may be left out. One that is `null` was removed before.
pub(super) fn optional_object<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    object(value).map(Some)
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// An object with any content, which is ignored.
#[derive(Default)]
pub(super) struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        object::<D, IgnoredAny>(value).map(|_| Self)
    }
}

/// The properties of a resource: an object with any content, of which it counts whose the resource is. That is
/// `owner`, `owner_id` or `ownerID`: the ID of a user, or an object with the type and the ID of a subject.
#[derive(Default)]
pub(super) struct Properties {
    pub owner: Option<Subject>,
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_map(PropertiesVisitor)
    }
}

struct PropertiesVisitor;

impl<'de> Visitor<'de> for PropertiesVisitor {
    type Value = Properties;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
        let mut owner: Option<Subject> = None;
        while let Some(name) = map.next_key::<String>()? {
            if !names_owner(&name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let named = subject_of(&map.next_value()?);
            // Two who are not the same: it is known to be nobody's.
            owner = Some(match owner {
                Some(other) if other != named => Subject::Nobody,
                _ => named,
            });
        }
        Ok(Properties { owner })
    }
}

fn names_owner(name: &str) -> bool {
    ["owner", "owner_id", "ownerid"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// The subject that a value names. Whatever is not understood is somebody, who is unknown.
fn subject_of(value: &Value) -> Subject {
    match value {
        Value::String(id) if !id.is_empty() => Subject::read("user", id),
        Value::Number(id) => Subject::read("user", &id.to_string()),
        Value::Object(subject) => match (subject.get("type"), subject.get("id")) {
            (Some(Value::String(kind)), Some(Value::String(id))) if !id.is_empty() => Subject::read(kind, id),
            _ => Subject::Nobody,
        },
        _ => Subject::Nobody,
    }
}

/// A text that is not empty.
pub(super) struct NonEmptyText(pub(super) String);

impl<'de> Deserialize<'de> for NonEmptyText {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = value.deserialize_str(TextVisitor("a non-empty string"))?;
        match text.is_empty() {
            true => Err(D::Error::invalid_value(Unexpected::Str(""), &"a non-empty string")),
            false => Ok(Self(text)),
        }
    }
}

/// Any text.
pub(super) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    value.deserialize_str(TextVisitor("a string"))
}

/// A text, described by these words where it is none.
struct TextVisitor(&'static str);

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// The most results on a page: at least one.
pub(super) fn limit<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    value.deserialize_u64(LimitVisitor).map(Some)
}

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of at least 1")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        match number {
            0 => Err(E::invalid_value(Unexpected::Unsigned(0), &self)),
            number => Ok(number),
        }
    }
}

/// A list whose entries are parsed one by one, each valid or not on its own.
#[derive(Default)]
pub(super) struct AnyList;

impl<'de> Deserialize<'de> for AnyList {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = AnyList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<AnyList, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(AnyList)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner(properties: &Value) -> Option<Subject> {
        Properties::deserialize(properties).unwrap().owner
    }

    #[test]
    fn properties_say_whose_a_resource_is() {
        let alice = || Subject::External("alice".into());
        for properties in [
            json!({"owner": "alice"}),
            json!({"ownerID": "alice", "color": ["red"]}),
            json!({"owner_id": "alice", "owner": "alice"}),
            json!({"ownerId": {"type": "identity", "id": "alice", "name": "Alice"}}),
        ] {
            assert_eq!(owner(&properties), Some(alice()), "{properties}");
        }
        assert_eq!(owner(&json!({"owner": 42})), Some(Subject::External("42".into())));
        for nobody in [
            json!({"owner": "alice", "owner_id": "bob"}),
            json!({"owner": "alice", "owner_id": "bob", "ownerID": "alice"}),
            json!({"owner": ""}),
            json!({"owner": ["alice"]}),
            json!({"owner": true}),
            json!({"owner": {"id": "alice"}}),
            json!({"owner": {"type": "group", "id": "alice"}}),
        ] {
            assert_eq!(owner(&nobody), Some(Subject::Nobody), "{nobody}");
        }
        for unknown in
            [json!({}), json!({"owners": "alice", "name": "alice", "properties": {"owner": "alice"}})]
        {
            assert_eq!(owner(&unknown), None, "{unknown}");
        }
        assert!(Properties::deserialize(&json!([])).is_err());
    }
}
