//! What a subject holds, and what is decided by it.

use crate::{
    domain::base::{
        gateway_stage::GatewayStage,
        role::{self, Role, Roles},
    },
    policy::{Belonging, Holdings, Scope},
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
    /// A member who may do it with what belongs to them alone, which this is not, or not known to be; the roles listed
    /// would grant it all the same.
    NotOwn { scope: String, is_known: bool, roles: Vec<String> },
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

impl Decision {
    /// True of a decision about a resource of which it is not known whose it is, if that makes a difference.
    pub(super) fn depends_on_owner(&self) -> bool {
        match &self.why {
            Why::NotOwn { .. } => true,
            Why::Granted { grant, .. } => Scope::parse(grant).is_ok_and(|grant| grant.is_own()),
            Why::NoMembership | Why::NotGranted { .. } | Why::NoSuchScope(_) | Why::MayNotSend { .. } => {
                false
            }
        }
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
    pub(super) fn is_within_limits(&self, scope: &Scope, whose: Belonging) -> bool {
        self.limits.iter().all(|limit| limit.allows_on(scope, whose))
    }

    /// Whether they may do this with a thing that belongs to whom it does.
    pub(super) fn allows_on(&self, scope: &Scope, whose: Belonging) -> bool {
        self.roles.iter().any(|role| role.holdings.allows_on(scope, whose))
            && self.is_within_limits(scope, whose)
    }

    /// Whether it makes a difference whose a thing is.
    pub(super) fn depends_on_owner(&self, scope: &Scope) -> bool {
        self.allows_on(scope, Belonging::Subject) && !self.allows_on(scope, Belonging::Another)
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
