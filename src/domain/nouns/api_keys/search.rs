//! Finding a key by its secret, or by how that ends: what somebody does who came across one where it should not be.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            invalid::Invalid,
            refused::Refused,
            sql::Sql,
            tokens::{Purpose, Token},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::api_keys::list::{FIELDS, Row, WorkspaceKey, from_row, select},
        records::key_rows,
    },
    policy::perm,
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

/// How many characters of a secret are shown, and enough to look for it.
pub const ENDING: usize = 4;

/// Longer than any secret.
const MAX_TYPED: usize = 200;

/// The most keys that are found by how their secrets end.
pub const MAX_FOUND: usize = 20;

/// What somebody pasted.
pub(in crate::domain) enum Typed {
    Secret(Token),
    /// The last characters of one.
    Ending(String),
}

impl Typed {
    /// # Errors
    /// On the field `secret`, if it is too short for the end of a secret, or no end of one.
    pub(in crate::domain) fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim().trim_matches(['"', '\'', '`']);
        if text.chars().count() > MAX_TYPED {
            return Err(Invalid::field("secret", format!("Paste at most {MAX_TYPED} characters.")));
        }
        if let Some(secret) = Token::parse(Purpose::ApiKey, text) {
            return Ok(Self::Secret(secret));
        }
        let chars: Vec<char> = text.chars().collect();
        let ending: String = chars.iter().skip(chars.len().saturating_sub(ENDING)).collect();
        match ending.len() == ENDING && ending.chars().all(|c| c.is_ascii_hexdigit()) {
            true => Ok(Self::Ending(ending.to_ascii_lowercase())),
            false => {
                let sentence = format!("Paste a secret, or at least its last {ENDING} characters.");
                Err(Invalid::field("secret", sentence))
            }
        }
    }

    /// The ids of keys as SQL text, in which `$2` is the time, and the value that it binds as `$3`.
    pub(in crate::domain) fn keys(&self) -> (&'static str, Value) {
        match self {
            Self::Secret(secret) => (
                "SELECT hs.api_key_id FROM api_key_secrets hs WHERE hs.token_hash = $3",
                secret.hash().into(),
            ),
            Self::Ending(ending) => (
                "SELECT DISTINCT hs.api_key_id FROM api_key_secrets hs WHERE hs.hint = $3
                    AND COALESCE(hs.expires_at > $2, TRUE)",
                ending.as_str().into(),
            ),
        }
    }

    /// Whether the whole secret was pasted and, if it is of a key, until when it works.
    ///
    /// # Errors
    /// The database's own.
    pub(in crate::domain) async fn state(
        &self,
        connection: &impl ConnectionTrait,
        now: Timestamp,
    ) -> Result<FoundBy, Refused> {
        #[derive(FromQueryResult)]
        struct Secret {
            expires_at: Option<Timestamp>,
        }
        let Self::Secret(secret) = self else { return Ok(FoundBy::Ending) };
        let sql = "SELECT expires_at FROM api_key_secrets WHERE token_hash = $1";
        let row: Option<Secret> = connection.first(sql, vec![secret.hash().into()]).await?;
        Ok(match row.and_then(|row| row.expires_at) {
            None => FoundBy::Secret,
            Some(at) if at > now => FoundBy::OldSecret { until: at },
            Some(_) => FoundBy::ExpiredSecret,
        })
    }
}

/// By what a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// Its secret, which works.
    Secret,
    /// A secret that is being replaced.
    OldSecret {
        until: Timestamp,
    },
    ExpiredSecret,
    /// The last characters, which several may share.
    Ending,
}

/// The keys that were found.
pub struct FoundKeys<K> {
    pub keys: Vec<K>,
    pub by: FoundBy,
}

/// The keys of this workspace with this secret, or whose secret ends so. What was pasted is stored nowhere.
///
/// # Errors
/// [`Refused::Invalid`] on the field `secret`.
pub async fn find_by_secret(
    scope: &ReadScope<perm::ReadApiKeys>,
    text: &str,
) -> Result<FoundKeys<WorkspaceKey>, Refused> {
    let typed = Typed::parse(text)?;
    let (keys, value) = typed.keys();
    let tables = format!("({keys}) d CROSS JOIN {BY_SECRET}");
    let sql = format!("{} AND k.id = d.api_key_id ORDER BY m.listed_as LIMIT {MAX_FOUND}", select(&tables));
    let values = vec![scope.now().into(), value];
    let rows: Vec<Row> = scope.list(&key_rows::fields(&FIELDS), &sql, values).await?;
    let keys: Vec<WorkspaceKey> = rows.into_iter().map(|row| from_row(row, scope)).collect();
    let by = match keys.is_empty() {
        // Of another workspace's key nobody learns anything here.
        true => FoundBy::Ending,
        false => typed.state(scope.connection(), scope.now()).await?,
    };
    Ok(FoundKeys { keys, by })
}

/// In which order the tables are joined, from the secrets on.
const BY_SECRET: &str = "api_keys k CROSS JOIN members m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_from_how_one_ends() {
        let secret = Token::new(Purpose::ApiKey);
        let text = secret.expose();
        assert!(matches!(Typed::parse(&format!(" \"{text}\" ")), Ok(Typed::Secret(_))));
        let end = &text[text.len() - ENDING..];
        for text in [end.to_owned(), format!("blw_key_…{end}"), end.to_uppercase(), text[1..].to_owned()] {
            assert!(matches!(Typed::parse(&text), Ok(Typed::Ending(other)) if other == end), "{text}");
        }
        for text in ["", "abc", "blw_key_wxyz", "Deploy bot"] {
            assert!(Typed::parse(text).is_err(), "{text}");
        }
    }
}
