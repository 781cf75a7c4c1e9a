//! Whose the resources of questions are: what the services registered, and what the questions say.
//!
//! Each of them can say that a resource is the subject's; together they must. So a question makes nothing anybody's
//! that is registered as somebody else's, and what is registered does not outweigh what the service knows by now.

use crate::{
    domain::{
        base::{refused::Refused, subject::Subject},
        enforce::read::ReadScope,
        nouns::resources::owners::registered_owners,
        records::subjects::member_ids,
    },
    policy::{Belonging, perm},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A resource that a question is about.
pub(super) struct Thing<'a> {
    /// Its type in lower case, maybe with a field.
    pub kind: &'a str,
    pub id: &'a str,
    /// Whose it is, as the question says.
    pub owner: Option<&'a Subject>,
}

impl<'a> Thing<'a> {
    /// The type with which it is registered.
    fn registered_kind(&self) -> &'a str {
        self.kind.split(':').next().unwrap_or_default()
    }
}

/// The owners of some resources, by their memberships.
#[derive(Default)]
pub(super) struct Owners {
    /// Those whom questions name.
    named: BTreeMap<Subject, Uuid>,
    /// By type and id.
    registered: BTreeMap<String, BTreeMap<String, Uuid>>,
}

impl Owners {
    /// Loads the owners of these resources. No SQL statement for none; otherwise one for those whom questions name, and
    /// one or a few for those that are registered.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn load<'a>(
        scope: &ReadScope<perm::CheckAccess>,
        things: impl IntoIterator<Item = Thing<'a>>,
    ) -> Result<Self, Refused> {
        let (mut named, mut ids) = (BTreeSet::<&Subject>::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
        for thing in things {
            if let Some(owner) = thing.owner {
                named.insert(owner);
            }
            ids.entry(thing.registered_kind()).or_default().insert(thing.id);
        }
        let named = member_ids(scope, named).await?;
        Ok(Self { named, registered: registered_owners(scope, ids).await? })
    }

    /// Those who own a resource, as far as anybody says: each by their membership, or nobody's.
    fn of(&self, thing: &Thing<'_>) -> impl Iterator<Item = Option<Uuid>> {
        let registered = self.registered.get(thing.registered_kind()).and_then(|ids| ids.get(thing.id));
        let named = thing.owner.map(|owner| self.named.get(owner).copied());
        registered.map(|member| Some(*member)).into_iter().chain(named)
    }

    /// Whose a resource is, as the subject with this membership sees it.
    pub(super) fn belonging(&self, member: Uuid, thing: &Thing<'_>) -> Belonging {
        Belonging::of(self.of(thing).map(|owner| owner == Some(member)))
    }

    /// The membership of the one owner of a resource, if that is somebody; and how it is for everybody else.
    pub(super) fn owner(&self, thing: &Thing<'_>) -> (Option<Uuid>, Belonging) {
        let member = self.of(thing).next().flatten();
        match member.map(|member| self.belonging(member, thing)) {
            Some(Belonging::Subject) => (member, Belonging::Another),
            // Whoever is said to own it is unknown, or no two say the same.
            _ if self.of(thing).next().is_some() => (None, Belonging::Another),
            _ => (None, Belonging::Unknown),
        }
    }
}
