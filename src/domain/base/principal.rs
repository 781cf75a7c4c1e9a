//! Who makes a request, with which credential and from where; on whose behalf it is processed.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{Actor as AuditActor, SubjectKind},
        role::{self, Roles},
        tokens::Token,
        words::{inert, signature},
    },
    policy::Holdings,
};
use uuid::Uuid;

pub(in crate::domain) const USER: SubjectKind = SubjectKind::new("user");

/// An authenticated API key, at the moment it was read.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub account_id: Uuid,
    /// It has the rights of an account admin.
    pub is_admin: bool,
    /// The user who was shown the secret that was presented, and is accountable for what is done with it.
    pub shown_to: Uuid,
    /// The address of that user was confirmed.
    pub is_verified: bool,
    /// `None` for never.
    pub expires_at: Option<Timestamp>,
    /// The secret that was presented is being replaced by a rotation.
    pub is_outgoing: bool,
    /// How many more requests it may send through the gateway; `None` for any number.
    pub requests_left: Option<i64>,
}

/// An authenticated person, at the moment the session was read.
#[derive(Clone, Debug)]
pub struct Person {
    pub session_id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
    /// The address was confirmed.
    pub is_verified: bool,
}

impl Person {
    pub(in crate::domain) fn audit_actor(&self) -> AuditActor {
        AuditActor::user(self.user_id, &self.name, &self.email)
    }
}

/// In place of a network address that is not known.
pub const UNKNOWN_ADDRESS: &str = "unknown";

/// The origin of a request, as it is audited.
#[derive(Clone, Debug)]
pub struct Origin {
    pub via: Channel,
    /// The client's network address, or [`UNKNOWN_ADDRESS`].
    pub address: String,
    /// The browser or program, as named by its User-Agent; cut to a bounded length.
    pub user_agent: String,
    /// Method and path pattern, such as `POST /w/{workspace}/members/{member}/roles`.
    pub route: String,
    /// The id of this request's attempt under an Idempotency-Key. Its change marks the attempt as done.
    pub attempt: Option<Uuid>,
}

impl Origin {
    /// The client's network address, if it is known.
    pub(in crate::domain) fn known_address(&self) -> Option<&str> {
        Some(self.address.as_str()).filter(|address| *address != UNKNOWN_ADDRESS)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Browser,
    Api,
    Command,
}

impl Channel {
    pub(in crate::domain) const fn word(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
            Self::Command => "command",
        }
    }
}

/// The credential that a request carried. Whether it is valid is decided by the database.
#[derive(Clone, Debug)]
pub struct Credential {
    pub(in crate::domain) kind: CredentialKind,
    token_hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum CredentialKind {
    Session,
    ApiKey,
    SupportAccess,
}

impl Credential {
    pub fn of_session(token: &Token) -> Self {
        Self { kind: CredentialKind::Session, token_hash: token.hash() }
    }

    pub fn of_api_key(secret: &Token) -> Self {
        Self { kind: CredentialKind::ApiKey, token_hash: secret.hash() }
    }

    pub fn of_support_access(link: &Token) -> Self {
        Self { kind: CredentialKind::SupportAccess, token_hash: link.hash() }
    }

    /// It only reads.
    pub(in crate::domain) fn is_read_only(&self) -> bool {
        self.kind == CredentialKind::SupportAccess
    }

    pub(in crate::domain) fn token_hash(&self) -> Vec<u8> {
        self.token_hash.clone()
    }
}

/// Somebody who runs the installation, in a workspace that granted them access for a limited time. They only read, and
/// only what was granted.
#[derive(Clone, Debug)]
pub struct SupportVisitor {
    /// The id of the grant.
    pub grant_id: Uuid,
    pub name: String,
}

/// Who makes a request: a person, an API key, or somebody who runs the installation.
#[derive(Clone, Debug)]
pub enum Principal {
    User(Person),
    ApiKey(ApiKey),
    Support(SupportVisitor),
}

impl Principal {
    /// A user's id, a key's, or that of a grant of support access.
    pub fn id(&self) -> Uuid {
        match self {
            Self::User(person) => person.user_id,
            Self::ApiKey(key) => key.id,
            Self::Support(visitor) => visitor.grant_id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::User(person) => &person.name,
            Self::ApiKey(key) => &key.name,
            Self::Support(visitor) => &visitor.name,
        }
    }

    /// Their name with their address, for a mail to somebody who may not know them: a name is what they chose.
    pub(in crate::domain) fn signature(&self) -> String {
        match self {
            Self::User(person) => signature(&inert(&person.name), &person.email),
            Self::ApiKey(key) => signature(&inert(&key.name), "API key"),
            Self::Support(visitor) => signature(&inert(&visitor.name), "support"),
        }
    }

    /// The person who is signed in; `None` for a key.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::User(person) => Some(person),
            Self::ApiKey(_) | Self::Support(_) => None,
        }
    }

    pub(in crate::domain) fn key_id(&self) -> Option<Uuid> {
        match self {
            Self::User(_) | Self::Support(_) => None,
            Self::ApiKey(key) => Some(key.id),
        }
    }

    /// The user who is accountable for what is done: the person, or whoever was shown the key's secret. Support access
    /// does nothing, and only its grant is named.
    pub fn accountable_user(&self) -> Uuid {
        match self {
            Self::User(person) => person.user_id,
            Self::ApiKey(key) => key.shown_to,
            Self::Support(visitor) => visitor.grant_id,
        }
    }

    /// Their address, or that of the user who is accountable for the key, was confirmed.
    pub fn is_verified(&self) -> bool {
        match self {
            Self::User(person) => person.is_verified,
            Self::ApiKey(key) => key.is_verified,
            Self::Support(_) => false,
        }
    }

    pub(in crate::domain) fn audit_actor(&self) -> AuditActor {
        match self {
            Self::User(person) => person.audit_actor(),
            Self::ApiKey(key) => AuditActor::api_key(key.id, &key.name),
            Self::Support(visitor) => AuditActor::operator(&visitor.name),
        }
    }
}

/// The member on whose behalf a request is made.
#[derive(Clone, Debug)]
pub struct Actor {
    pub principal: Principal,
    pub member_id: Uuid,
    pub workspace: Workspace,
    /// Slugs of the roles held.
    pub roles: Vec<String>,
    /// What the roles hold; of a key no more than [`key_limits`](super::key_limits) allow.
    pub holdings: Holdings,
    /// The person who vouches for keys that this member gives roles to: themselves, or who vouches for the key.
    pub voucher: Uuid,
    /// The roles of the workspace, as of the admission.
    pub all_roles: Roles,
}

#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: Uuid,
    pub account_id: Uuid,
    pub slug: String,
    pub name: String,
    /// After so many hours without use the sessions of its Owners end; `None`: as those of everybody.
    pub owner_idle_hours: Option<i64>,
    /// Until when support access runs, if it does.
    pub support_until: Option<Timestamp>,
    /// Access of somebody ended here, and its rows are still to be taken away.
    pub has_ends_due: bool,
}

impl Workspace {
    /// The version of what [`organization`](crate::domain::nouns::organization) changes.
    pub fn version(&self) -> String {
        let hours = self.owner_idle_hours.unwrap_or_default().to_string();
        role::fingerprint(self.id.as_bytes(), [&self.name, &self.slug, &hours])
    }
}

impl Actor {
    /// Somebody with support access, who is no member.
    pub fn is_visitor(&self) -> bool {
        matches!(self.principal, Principal::Support(_))
    }

    pub(in crate::domain) fn audit_actor(&self) -> AuditActor {
        self.principal.audit_actor()
    }
}
