//! Whom services mean: the subjects of their questions, and the owners of their resources.

use crate::domain::base::values::Email;
use uuid::Uuid;

/// A person or an API key, as a service names them. The id of one kind is never taken for an id of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    User(Uuid),
    /// By an address that they confirmed.
    Email(String),
    /// By the member's id in the customer's own applications.
    External(String),
    ApiKey(Uuid),
    /// With a type or an id that no member can have.
    Nobody,
}

/// The kind of member that a type of subject means, in any case.
pub fn kind_of(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "user" | "identity" | "person" => Some("user"),
        "api_key" => Some("api_key"),
        _ => None,
    }
}

impl Subject {
    /// Reads the type and the id of a subject. An id is a member's own external id unless it has the
    /// form of a user's id or of an address, which external ids never have.
    pub fn read(kind: &str, id: &str) -> Self {
        match (kind_of(kind), Uuid::try_parse(id)) {
            (Some("user"), Ok(id)) => Self::User(id),
            (Some("user"), Err(_)) if id.contains('@') => {
                Email::parse(id).map_or(Self::Nobody, |email| Self::Email(email.to_string()))
            }
            (Some("user"), Err(_)) if !id.contains('\0') => Self::External(id.to_owned()),
            (Some("api_key"), Ok(id)) => Self::ApiKey(id),
            _ => Self::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_people_have_other_names_and_ids_their_forms() {
        let id = Uuid::from_u128(7);
        let text = id.to_string();
        for kind in ["user", "identity", "person", "User", "IDENTITY"] {
            assert_eq!(Subject::read(kind, &text), Subject::User(id));
            assert_eq!(Subject::read(kind, "Ada@Example.com"), Subject::Email("ada@example.com".into()));
            assert_eq!(Subject::read(kind, "user:alice"), Subject::External("user:alice".into()));
            assert_eq!(Subject::read(kind, "a\0b"), Subject::Nobody);
            assert_eq!(Subject::read(kind, "@"), Subject::Nobody);
        }
        assert_eq!(Subject::read("api_key", &text), Subject::ApiKey(id));
        assert_eq!(Subject::read("api_key", "alice"), Subject::Nobody);
        for kind in ["group", "users", "", "api-key"] {
            assert_eq!(Subject::read(kind, &text), Subject::Nobody);
        }
    }
}
