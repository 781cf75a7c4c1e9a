//! One request of a walk: who sends it, to which place, and which response is expected.

use super::{Row, row::Fields};
use crate::{
    nouns,
    support::{
        Api, Client,
        product::{BuiltIn, Holdings, Permission, Requirement},
    },
    world::{Planted, UNKNOWN, World},
};
use uuid::Uuid;

/// Which workspace, and whose ids, an address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Own,
    /// The workspace of the caller, with somebody or something there that is above them.
    Above,
    /// That workspace, with what belongs to another.
    ForeignIds,
    UnknownIds,
    OtherWorkspace,
    NoWorkspace,
}

pub const PLACES: [Place; 6] = [
    Place::Own,
    Place::Above,
    Place::ForeignIds,
    Place::UnknownIds,
    Place::OtherWorkspace,
    Place::NoWorkspace,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Role(BuiltIn),
    /// The membership is suspended.
    Suspended,
    /// At home elsewhere, in another account.
    Outsider,
    SignedOut,
    /// A key that was revoked.
    Revoked,
    NoKey,
}

pub struct Caller {
    pub kind: Kind,
    pub entry: Entry,
    pub holdings: Holdings,
    /// Their membership; of people.
    pub member: Option<Uuid>,
    /// A session of theirs; of people.
    pub session: Uuid,
}

#[expect(clippy::large_enum_variant, reason = "a walk has a few dozen of them")]
pub enum Entry {
    Browser(Client),
    Key(Api),
}

/// The expected response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Is(u16),
    /// Refused, and audited in the workspace, or in the account for its own routes.
    Audited(u16),
    /// Neither 401 nor refused. Everything else depends on the page.
    Open,
}

pub struct Attempt<'a> {
    pub row: &'a Row,
    pub caller: &'a Caller,
    pub place: Place,
    pub world: &'a World,
    /// A session of somebody else.
    pub foreign_session: Uuid,
}

impl Caller {
    /// A caller with this built-in role.
    pub fn of_role(role: BuiltIn, entry: Entry) -> Self {
        let holdings = Holdings::of(role == BuiltIn::Owner, role.grants());
        Self { kind: Kind::Role(role), entry, holdings, member: None, session: UNKNOWN }
    }

    /// A caller without a role in acme.
    pub fn without_role(kind: Kind, entry: Entry) -> Self {
        Self { kind, entry, holdings: Holdings::default(), member: None, session: UNKNOWN }
    }
}

impl<'a> Attempt<'a> {
    pub fn new(world: &'a World, row: &'a Row, caller: &'a Caller, place: Place) -> Self {
        Self { row, caller, place, world, foreign_session: UNKNOWN }
    }

    /// An address in acme, as of its Owner, with ids that do not exist.
    pub fn unknown(world: &World, row: &Row) -> String {
        let owner = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
        Attempt::new(world, row, &owner, Place::UnknownIds).address().unwrap()
    }

    // ---- for the verdicts of nouns -------------------------------------------------------------

    /// It succeeds.
    pub fn done(&self) -> Verdict {
        if self.row.requirement == Requirement::Public && !self.is_key() {
            Verdict::Open
        } else {
            Verdict::Is(self.row.success)
        }
    }

    /// It succeeds, or is refused and audited.
    pub fn done_if(&self, is_allowed: bool) -> Verdict {
        if is_allowed { self.done() } else { Verdict::Audited(403) }
    }

    pub fn is_above(&self) -> bool {
        self.place == Place::Above
    }

    pub fn is_page(&self) -> bool {
        self.row.is_page()
    }

    pub fn is_owner(&self) -> bool {
        self.kind() == Kind::Role(BuiltIn::Owner)
    }

    pub fn is_key(&self) -> bool {
        matches!(self.caller.entry, Entry::Key(_))
    }

    pub fn kind(&self) -> Kind {
        self.caller.kind
    }

    pub fn has(&self, permission: Permission) -> bool {
        self.caller.holdings.has(permission)
    }

    pub fn holdings(&self) -> &Holdings {
        &self.caller.holdings
    }

    /// What the member of the address holds.
    pub fn target(&self) -> Holdings {
        if self.is_above() { Holdings::of(true, []) } else { Self::viewer() }
    }

    pub fn viewer() -> Holdings {
        Holdings::of(false, BuiltIn::Viewer.grants())
    }

    // ---- where it leads ------------------------------------------------------------------------

    /// The workspace whose ids are in the address.
    fn things(&self) -> &'a Planted {
        match self.place {
            Place::ForeignIds | Place::OtherWorkspace => &self.world.elsewhere,
            _ => &self.world.acme,
        }
    }

    /// The slug of the requested workspace.
    pub fn workspace(&self) -> &'static str {
        match self.place {
            Place::OtherWorkspace => "elsewhere",
            Place::NoWorkspace => "nowhere",
            _ => "acme",
        }
    }

    fn account(&self) -> Uuid {
        match self.place {
            Place::OtherWorkspace => self.things().account,
            Place::NoWorkspace => UNKNOWN,
            _ => self.world.acme.account,
        }
    }

    /// The address with everything filled in; `None` where it has no such variant.
    pub fn address(&self) -> Option<String> {
        if self.has_variant() { self.address_here() } else { None }
    }

    /// The address with everything filled in, of the caller's own place where this one is no other.
    pub fn address_here(&self) -> Option<String> {
        let (path, query) = (self.fill(self.row.path)?, self.query());
        Some(if query.is_empty() { path } else { format!("{path}?{query}") })
    }

    /// A path or a part of one with what stands in braces filled in, as in the address of this route.
    pub fn fill(&self, pattern: &'static str) -> Option<String> {
        let fill = |part: &'static str| match (part, self.row.param(part)) {
            ("{workspace}", _) => Some(self.workspace().to_owned()),
            ("{account}", _) => Some(self.account().to_string()),
            (_, Some((_, param))) => nouns::param(self.row, param).value_at(self),
            (part, None) => Some(part.to_owned()),
        };
        Some(pattern.split('/').map(fill).collect::<Option<Vec<_>>>()?.join("/"))
    }

    fn has_variant(&self) -> bool {
        let row = self.row;
        let mut names = row.params().map(|(_, param)| param).chain(row.selects);
        match self.place {
            Place::Own => true,
            Place::Above => names.any(|name| self.world.acme.text_above(name).is_some()),
            Place::ForeignIds | Place::UnknownIds => names.next().is_some(),
            // Their own workspace is no other.
            Place::OtherWorkspace => row.is_of_tenant() && self.kind() != Kind::Outsider,
            Place::NoWorkspace => row.is_of_tenant(),
        }
    }

    fn query(&self) -> String {
        let row = self.row;
        let mut query = Vec::new();
        let names_workspace = row.path.contains("{workspace}") || row.path.contains("{account}");
        // What is left out means the key's home.
        let is_home = self.workspace() == "acme" && self.kind() != Kind::Outsider;
        if row.is_of_tenant() && !names_workspace && !is_home {
            query.push(format!("workspace={}", self.workspace()));
        }
        if !row.query.is_empty() {
            query.push(row.query.replace("{workspace}", self.workspace()));
        }
        if let Some(selected) = self.selected().filter(|_| row.is_page()) {
            query.push(format!("{}={}", selected.0, selected.1));
        }
        query.join("&")
    }

    /// The ticked rows, for a route about a selection.
    pub fn selected(&self) -> Option<(&'static str, String)> {
        self.row.selects.map(|param| (param, self.planted(param)))
    }

    /// The fields of the form, without hidden ones.
    pub fn fields(&self) -> Fields {
        let mut fields: Fields = self.selected().into_iter().collect();
        fields.extend(self.row.fields_at(self));
        fields
    }

    // ---- what must come ------------------------------------------------------------------------

    /// The expected refusal by admission, before the route itself checks anything.
    pub fn refused_at_the_gate(&self) -> Option<Verdict> {
        use Verdict::{Audited, Is};
        match (self.row.requirement, self.kind()) {
            (Requirement::Public, _) => None,
            (_, Kind::SignedOut | Kind::Revoked | Kind::NoKey) => Some(Is(401)),
            (Requirement::SignedIn | Requirement::Key, _) => None,
            _ if matches!(self.place, Place::OtherWorkspace | Place::NoWorkspace) => Some(Is(404)),
            // The outsider is the admin of another account.
            (_, Kind::Outsider) => Some(Is(404)),
            // Everybody of the workspace belongs to the account, and its founder is the admin.
            (Requirement::Account, kind) => (kind != Kind::Role(BuiltIn::Owner)).then_some(Audited(403)),
            (Requirement::Member(_), Kind::Suspended) => Some(Audited(403)),
            (Requirement::Member(needs), _) => (!self.holdings().meets(needs)).then_some(Audited(403)),
        }
    }

    /// The expected response to a caller who meets the requirement and sends valid input.
    pub fn verdict(&self) -> Verdict {
        if let Some(verdict) = self.row.first_at(self) {
            return verdict;
        }
        match self.place {
            Place::ForeignIds | Place::UnknownIds => Verdict::Is(404),
            _ => self.row.verdict_at(self),
        }
    }

    /// The path names something that cannot be.
    pub fn is_of_closed_set(&self) -> bool {
        self.place == Place::UnknownIds
            && self.row.params().any(|(_, name)| nouns::param(self.row, name).is_closed)
    }
}
