//! Erases a person's names and addresses from the record. The events stay, and their chains still verify.
//!
//! Each part that is erased is listed, and the event of the erasure commits to the list, so that neither can another
//! part be erased in its name nor an erased one be put back.

use crate::{
    domain::{
        base::{
            db::Db,
            event::{RecordedEvent, Target},
            principal::USER,
            refused::Refused,
            sql::Sql,
        },
        enforce::{audit, events::AuditNamesErased},
    },
    random,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Whom to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A user, by the id, also one who is no more.
    User(Uuid),
    /// Whoever has this address, or had it and is no more.
    Address(String),
}

/// Everybody and everything that names a person in the record.
#[derive(Default)]
struct Person {
    /// A person has more than one id where a service entered them before they signed in.
    ids: BTreeSet<Uuid>,
    addresses: BTreeSet<String>,
}

#[derive(FromQueryResult)]
struct Address {
    email: String,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// Reads an id of a user, or an address that a user has or the record knows.
///
/// # Errors
/// [`Refused::NotFound`].
pub async fn find(db: &Db, text: &str) -> Result<Whom, Refused> {
    if let Ok(id) = text.parse() {
        return Ok(Whom::User(id));
    }
    let email = text.to_lowercase();
    let value = || vec![Value::from(email.as_str())];
    let present: Option<Id> = db.read().first(&HAVE.replace("{}", "$1"), value()).await?;
    if present.is_some() {
        return Ok(Whom::Address(email));
    }
    // Whoever was the only one to have it is meant, also under another address now.
    let had: Vec<Id> = db.read().all(&HAD.replace("{}", "$1"), value()).await?;
    if let [Id { id }] = had[..] {
        return Ok(Whom::User(id));
    }
    let sql = "SELECT i.target_email AS email FROM audit_identities i WHERE i.target_email = $1 LIMIT 1";
    let known: Option<Address> = db.read().first(sql, value()).await?;
    let is_known = known.is_some() || !had.is_empty();
    is_known.then_some(Whom::Address(email)).ok_or(Refused::NotFound)
}

/// Erases the names, addresses and browsers of a person from every event, whether they did it, it was done to them,
/// or its details name them; and each address that they ever had. That it was done is recorded, with the number
/// of parts, which is returned. Goes through the whole record.
///
/// # Errors
/// The database's own.
pub async fn erase_names(db: &Db, whom: &Whom) -> Result<i64, Refused> {
    let tx = db.begin().await?;
    let person = Person::find(&tx, whom).await?;
    let erasure = random::id(db.now());
    for Part { list, erase } in PARTS {
        let mut values = vec![erasure.into()];
        let mut list = list.replace("{ids}", &placeholders(&mut values, person.ids.iter().copied()));
        if list.contains("{addresses}") {
            let addresses = placeholders(&mut values, person.addresses.iter().map(String::as_str));
            list = list.replace("{addresses}", &addresses);
        }
        tx.run(&list, values).await?;
        tx.run(erase, vec![erasure.into()]).await?;
    }
    let (names, digest) = digest_of(&tx, erasure).await?;
    if names == 0 {
        tx.rollback().await?;
        return Ok(0);
    }
    let target = person.ids.first().map_or_else(Target::nothing, |id| Target::unnamed(USER, *id));
    let event = RecordedEvent::new(AuditNamesErased { names, erasure, digest }, target);
    audit::append_to_installation(&tx, db.now(), event).await?;
    tx.commit().await?;
    Ok(names)
}

/// The number of parts of an erasure, and the SHA-256 of them, one a line, in hex.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn digest_of(
    connection: &impl ConnectionTrait,
    erasure: Uuid,
) -> Result<(i64, String), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        event_id: Uuid,
        part: String,
    }
    let sql = "SELECT event_id, part FROM audit_erasures WHERE erasure = $1 AND (event_id, part) > ($2, $3)
        ORDER BY event_id, part LIMIT 1000";
    let (mut digest, mut count, mut last) = (Sha256::new(), 0, (Uuid::nil(), String::new()));
    loop {
        let values = vec![erasure.into(), last.0.into(), last.1.clone().into()];
        let rows: Vec<Row> = connection.all(sql, values).await?;
        let Some(Row { event_id, part }) = rows.last() else { break };
        last = (*event_id, part.clone());
        for Row { event_id, part } in rows {
            digest.update(format!("{event_id} {part}\n"));
            count += 1;
        }
    }
    Ok((count, hex::encode(digest.finalize())))
}

impl Person {
    async fn find(tx: &DatabaseTransaction, whom: &Whom) -> Result<Self, DbErr> {
        let mut person = Self::default();
        match whom {
            Whom::User(id) => {
                person.ids.insert(*id);
            }
            Whom::Address(email) => {
                person.addresses.insert(email.clone());
                person.add_ids(tx, HAVE, Of::Addresses).await?;
            }
        }
        person.add_ids(tx, ENTERED_AS, Of::Ids).await?;
        person.add_addresses(tx).await?;
        let no_more =
            format!("SELECT had.id FROM ({HAD}) had WHERE had.id NOT IN (SELECT u.id FROM users u)");
        person.add_ids(tx, &no_more, Of::Addresses).await?;
        Ok(person)
    }

    async fn add_ids(&mut self, tx: &DatabaseTransaction, sql: &str, of: Of) -> Result<(), DbErr> {
        let mut values = Vec::new();
        let listed = match of {
            Of::Ids => placeholders(&mut values, self.ids.iter().copied()),
            Of::Addresses => placeholders(&mut values, self.addresses.iter().map(String::as_str)),
        };
        let rows: Vec<Id> = tx.all(&sql.replace("{}", &listed), values).await?;
        self.ids.extend(rows.into_iter().map(|row| row.id));
        Ok(())
    }

    /// Every address that they had when they did something or it was done to them, and the present ones.
    async fn add_addresses(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let mut values = Vec::new();
        let ids = placeholders(&mut values, self.ids.iter().copied());
        let rows: Vec<Address> = tx.all(&ADDRESSES.replace("{}", &ids), values).await?;
        self.addresses.extend(rows.into_iter().map(|row| row.email));
        Ok(())
    }
}

/// What a list in a statement is of.
enum Of {
    Ids,
    Addresses,
}

/// Adds values to those of a statement. Returns their placeholders; of none, one that nothing equals.
fn placeholders<V: Into<Value>>(values: &mut Vec<Value>, of: impl Iterator<Item = V>) -> String {
    let mut list = Vec::new();
    for value in of {
        values.push(value.into());
        list.push(format!("${}", values.len()));
    }
    if list.is_empty() { "NULL".to_owned() } else { list.join(", ") }
}

/// The ids that a service knows a user by, and the users whom it knows by these.
const ENTERED_AS: &str = "SELECT provisioned_as AS id FROM members
        WHERE user_id IN ({}) AND CASE WHEN provisioned_as IS NULL THEN 0 ELSE 1 END = 1
    UNION SELECT user_id FROM members WHERE provisioned_as IN ({}) AND user_id IS NOT NULL";

const ADDRESSES: &str = "SELECT email FROM users WHERE id IN ({})
    UNION SELECT awaited_email FROM users WHERE id IN ({}) AND awaited_email IS NOT NULL
    UNION SELECT i.actor_email FROM audit_events e JOIN audit_identities i ON i.event_id = e.id
        WHERE e.actor_id IN ({}) AND i.actor_email <> ''
    UNION SELECT target_email FROM audit_identities WHERE target_subject IN ({}) AND target_email <> ''";

/// Users who have one of the addresses.
const HAVE: &str = "SELECT id FROM users WHERE email IN ({}) OR awaited_email IN ({})";

/// Users, also those who are no more, who had one of the addresses when they did something or it was done to them.
const HAD: &str = "SELECT e.actor_id AS id FROM audit_events e JOIN audit_identities i ON i.event_id = e.id
        WHERE i.actor_email IN ({}) AND e.actor_id IS NOT NULL
    UNION SELECT i.target_subject FROM audit_identities i
        WHERE i.target_email IN ({}) AND i.target_subject IS NOT NULL";

/// One of what the names of an event are erased in.
struct Part {
    /// Lists those of a person. `$1` is the erasure.
    list: &'static str,
    /// Erases what was listed.
    erase: &'static str,
}

/// Of a user who is another person, and had one of the addresses too, nothing is listed: nor what another erasure lists
/// at the same time.
const PARTS: [Part; 3] = [
    Part {
        list: "INSERT INTO audit_erasures (event_id, part, erasure)
            SELECT i.event_id, 'actor', $1 FROM audit_identities i JOIN audit_events e ON e.id = i.event_id
            WHERE i.actor_salt IS NOT NULL AND (e.actor_id IN ({ids})
                OR i.actor_email IN ({addresses}) AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = e.actor_id))
            ON CONFLICT (event_id, part) DO NOTHING",
        erase: "UPDATE audit_identities SET actor_salt = NULL, actor_name = NULL, actor_email = NULL,
            address = NULL, user_agent = NULL
            WHERE event_id IN (SELECT event_id FROM audit_erasures WHERE erasure = $1 AND part || '' = 'actor')",
    },
    Part {
        list: "INSERT INTO audit_erasures (event_id, part, erasure)
            SELECT i.event_id, 'target', $1 FROM audit_identities i
            WHERE i.target_salt IS NOT NULL
            AND (i.target_subject IN ({ids}) OR i.target_email IN ({addresses})
                AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = i.target_subject))
            ON CONFLICT (event_id, part) DO NOTHING",
        erase: "UPDATE audit_identities SET target_salt = NULL, target_name = NULL, target_email = NULL
            WHERE event_id IN (SELECT event_id FROM audit_erasures WHERE erasure = $1 AND part || '' = 'target')",
    },
    Part {
        list: "INSERT INTO audit_erasures (event_id, part, erasure)
            SELECT i.event_id, 'payload', $1 FROM audit_identities i
            WHERE i.payload_salt IS NOT NULL AND i.payload_subject IN ({ids})
            ON CONFLICT (event_id, part) DO NOTHING",
        erase: "UPDATE audit_identities SET payload_salt = NULL, payload = NULL
            WHERE event_id IN (SELECT event_id FROM audit_erasures WHERE erasure = $1 AND part || '' = 'payload')",
    },
];
