//! What a subject holds, and what is decided by it.

use crate::{
    domain::{
        base::{
            gateway_stage::GatewayStage,
            role::{self, Role, Roles},
        },
        decisions::required::required_scope,
    },
    policy::{Holdings, Scope},
};

/// A decision, and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub is_allowed: bool,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// This role holds a grant that covers it.
    Granted { scope: String, role: String, grant: String },
    /// Not an active member of this workspace: unknown, not a member, suspended and expired are not
    /// distinguished.
    NoMembership,
    /// A member without the scope; the roles listed would grant it: the first [`MAX_ROLES_THAT_WOULD`](super::MAX_ROLES_THAT_WOULD).
    NotGranted { scope: String, roles: Vec<String> },
    /// The action and type don't form a valid scope.
    NoSuchScope(String),
    /// The permission to send is held, and the gateway would refuse it at this stage.
    MayNotSend { stage: GatewayStage, detail: String },
}

impl From<Why> for Decision {
    fn from(why: Why) -> Self {
        Self { is_allowed: matches!(why, Why::Granted { .. }), why }
    }
}

/// The status and roles of a subject, as the statement returns them: `active developer viewer`; of a key
/// followed by the roles that limit it, `active developer;admin;*`, and of a test key by its scope,
/// `active developer;admin;*;=send:destinations`.
pub(super) struct HeldRoles<'a>(pub(super) Option<&'a str>);

/// What an active member holds.
pub(super) struct Held<'r> {
    pub(super) roles: Vec<&'r Role>,
    /// Of a key, what limits it.
    limits: Vec<Holdings>,
}

impl Held<'_> {
    /// Whether the limits allow it.
    pub(super) fn is_within_limits(&self, scope: &Scope) -> bool {
        self.limits.iter().all(|limit| limit.allows(scope))
    }

    /// Whether they may do this.
    pub(super) fn allows(&self, action: &str, kind: &str) -> bool {
        required_scope(action, kind).is_ok_and(|scope| {
            self.roles.iter().any(|role| role.holdings.allows(&scope)) && self.is_within_limits(&scope)
        })
    }
}

/// In the text of a key's roles, a reader of its secret who limits nothing.
const NO_LIMIT: &str = "*";

/// In the text of a key's roles, before the one scope that a test key holds. No slug of a role begins with it.
const SCOPE: &str = "=";

impl HeldRoles<'_> {
    /// What an active member holds.
    pub(super) fn held<'r>(&self, all: &'r Roles) -> Option<Held<'r>> {
        let (status, held) = self.0?.split_once(' ')?;
        let mut parts = held.split(';');
        let roles = all.parse_slugs(parts.next()?);
        let limits = parts.filter(|limit| *limit != NO_LIMIT).map(|limit| match limit.strip_prefix(SCOPE) {
            Some(scope) => Holdings::of(false, [scope]),
            None => role::holdings(&all.parse_slugs(limit)),
        });
        (status == "active").then(|| Held { roles, limits: limits.collect() })
    }
}
