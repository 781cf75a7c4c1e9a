//! Decisions for the customer's own services (AuthZEN): may this subject perform this action?
//!
//! A question is a subject and the scope that it would need: the action and the type of the resource. The
//! rules are those of every request of our own: an active membership, and what its roles hold. Whose the
//! resource is counts where that makes a difference, by a scope such as `write:own`: see [`owners`]. [`search`]
//! answers the reverse: who may, which actions, on which resources.

mod held;
mod owners;
mod required;
mod search;
mod sending;

use crate::{
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            key_limits::{newest_reader, only_scope, reader_roles, voucher_roles},
            principal::{Credential, Origin},
            refused::Refused,
            role::{Role, Roles},
            subject::Subject,
        },
        enforce::{read::ReadScope, rows::Scoped, workspace::admission::WorkspaceSelector},
    },
    policy::{Belonging, Holdings, Scope, perm},
};
pub use held::{Decision, Why};
use held::{Held, HeldRoles};
use owners::{Owners, Thing};
use required::{DESTINATION, SEND, folded, is_about_sending, required_scope};
use sea_orm::{FromQueryResult, Value};
pub use search::{MAX_RESULTS, NamedResource, SearchResult, actions, resources, subjects};
use sending::{Destinations, Sender};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter, mem, slice,
};
use uuid::Uuid;

/// The most roles that an answer lists as those that would grant what was asked.
pub const MAX_ROLES_THAT_WOULD: usize = 20;

/// The most questions in one batch.
pub const MAX_BATCH: usize = 1_000;

impl Subject {
    /// The SQL that finds the membership `sm` of this workspace: tables and condition, where `{subject}` is
    /// the place of [`Subject::value`].
    const fn lookup_sql(&self) -> Option<&'static str> {
        match self {
            Self::User(_) => Some(USER_BY_ID),
            Self::Email(_) => Some(USER_BY_EMAIL),
            Self::External(_) => Some(USER_BY_EXTERNAL_ID),
            Self::ApiKey(_) => Some(API_KEY),
            Self::Nobody => None,
        }
    }

    /// The status and roles of the membership `sm`, as [`HeldRoles`] reads them.
    const fn held_sql(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => HELD_BY_KEY,
            _ => concat!("sm.status || ' ' || ", held_roles!("sm", "{now}")),
        }
    }

    /// The columns `id` and `text` that identify the subject of a row.
    const fn identity_columns(&self) -> &'static str {
        match self {
            Self::User(_) => "sm.user_id AS id, CAST(NULL AS TEXT) AS text",
            Self::ApiKey(_) => "sm.api_key_id AS id, CAST(NULL AS TEXT) AS text",
            Self::Email(_) => "CAST(NULL AS UUID) AS id, su.email AS text",
            Self::External(_) => "CAST(NULL AS UUID) AS id, sm.external_id AS text",
            Self::Nobody => "",
        }
    }

    /// How many more requests a test key may send.
    const fn requests_left_sql(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "sk.requests_left",
            _ => "CAST(NULL AS BIGINT)",
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::User(id) | Self::ApiKey(id) => (*id).into(),
            Self::Email(text) | Self::External(text) => text.as_str().into(),
            Self::Nobody => Value::String(None),
        }
    }
}

const USER_BY_ID: &str = concat!(
    "members sm JOIN users su ON su.id = sm.user_id AND su.suspended_at IS NULL
    WHERE sm.workspace_id = {workspace} AND sm.user_id {subject} AND ",
    lasts!("sm", "{now}")
);

/// By the id that a user had when a service entered them, before they accepted.
const USER_BY_FORMER_ID: &str = concat!(
    "members sm JOIN users su ON su.id = sm.user_id AND su.suspended_at IS NULL
    WHERE sm.workspace_id = {workspace} AND sm.provisioned_as {subject} AND ",
    lasts!("sm", "{now}")
);

const USER_BY_EMAIL: &str = concat!(
    "users su JOIN members sm ON sm.workspace_id = {workspace} AND sm.user_id = su.id
    WHERE su.email {subject} AND su.email_verified_at IS NOT NULL AND su.suspended_at IS NULL AND ",
    lasts!("sm", "{now}")
);

const USER_BY_EXTERNAL_ID: &str = concat!(
    "members sm JOIN users su ON su.id = sm.user_id AND su.suspended_at IS NULL
    WHERE sm.workspace_id = {workspace} AND sm.external_id {subject} AND ",
    lasts!("sm", "{now}")
);

const API_KEY: &str = concat!(
    "members sm JOIN api_keys sk ON sk.id = sm.api_key_id AND sk.revoked_at IS NULL
        AND COALESCE(sk.expires_at > {now}, TRUE)
    WHERE sm.workspace_id = {workspace} AND sm.api_key_id {subject} AND ",
    lasts!("sm", "{now}")
);

const HELD_BY_KEY: &str = concat!(
    "sm.status || ' ' || ",
    held_roles!("sm", "{now}"),
    " || ';' || COALESCE(",
    voucher_roles!("sm", "{now}"),
    ", '') || ';' || COALESCE(",
    reader_roles!("sm", newest_reader!("sk.id"), "{now}"),
    ", '*') || COALESCE(';=' || ",
    only_scope!("sm"),
    ", '')"
);

/// How many questions are decided before other requests of this worker have their turn.
const DECIDED_AT_ONCE: usize = 50;

/// One question.
#[derive(Clone, Debug)]
pub struct Question {
    subject: Subject,
    /// The action's name and the resource's type, in lower case.
    action: String,
    kind: String,
    /// The resource's id, as it was sent. It counts where a destination is asked about, and where it makes a
    /// difference whose the resource is; scopes are of a type.
    id: String,
    /// Whose the resource is, if the service says so.
    owner: Option<Subject>,
}

impl Question {
    /// A question about a resource. Actions and types are read in any case.
    pub fn new(subject: Subject, action: &str, kind: &str, id: &str, owner: Option<Subject>) -> Self {
        let (action, kind) = (folded(action), folded(kind));
        Self { subject, action, kind, id: id.to_owned(), owner }
    }

    /// The scope that the action requires.
    ///
    /// # Errors
    /// Why it is no scope, as a sentence: then nobody holds it.
    fn scope(&self) -> Result<Scope, String> {
        required_scope(&self.action, &self.kind)
    }

    /// Whether the subject may send requests to a host through the gateway.
    fn about_sending(subject: Subject, host: &str) -> Self {
        Self::new(subject, SEND, DESTINATION, host, None)
    }

    /// True if it is about sending requests to a host through the gateway.
    fn is_about_sending(&self) -> bool {
        is_about_sending(&self.action, &self.kind)
    }

    /// The resource that it is about.
    fn thing(&self) -> Thing<'_> {
        Thing { kind: &self.kind, id: &self.id, owner: self.owner.as_ref() }
    }
}

impl HeldRoles<'_> {
    /// Decides a question about a resource that belongs to whom it does.
    fn decide(&self, all: &Roles, question: &Question, whose: Belonging) -> Decision {
        let scope = match question.scope() {
            Ok(scope) => scope,
            Err(complaint) => return Why::NoSuchScope(complaint).into(),
        };
        let Some(held) = self.held(all) else { return Why::NoMembership.into() };
        let sufficient = scope.clone().sufficient(whose);
        let granting = sufficient.iter().find_map(|enough| {
            let roles = held.roles.iter().map(|role| (*role, &role.holdings));
            Some((Holdings::all_that_allow(enough, roles).next()?, enough))
        });
        match granting.filter(|_| held.is_within_limits(&scope, whose)) {
            Some((role, enough)) => {
                let grant = grant_for(role, enough);
                Why::Granted { scope: scope.to_string(), role: role.slug.clone(), grant }.into()
            }
            None => {
                let roles = roles_that_would(all, &sufficient);
                let is_own = whose != Belonging::Subject && held.allows_on(&scope, Belonging::Subject);
                let scope = scope.to_string();
                match is_own {
                    true => Why::NotOwn { scope, is_known: whose == Belonging::Another, roles }.into(),
                    false => Why::NotGranted { scope, roles }.into(),
                }
            }
        }
    }
}

/// The slugs of the first roles that hold one of these scopes.
fn roles_that_would(all: &Roles, sufficient: &[Scope]) -> Vec<String> {
    let holding =
        |scope| Holdings::all_that_allow(scope, all.iter().map(|role| (&role.slug, &role.holdings)));
    let slugs: BTreeSet<&String> = sufficient.iter().flat_map(holding).collect();
    // In the order of the workspace's roles.
    let would = all.iter().filter(|role| slugs.contains(&role.slug));
    would.take(MAX_ROLES_THAT_WOULD).map(|role| role.slug.clone()).collect()
}

/// The grant of this role that covers the scope; an Owner needs none.
fn grant_for(role: &Role, scope: &Scope) -> String {
    if role.is_owner {
        return "*:*".to_owned();
    }
    role.holdings.basis(scope).unwrap_or_default()
}

/// Admits the service and decides its question, by one SQL statement; about a destination by a few. Returns the service's id, too.
///
/// # Errors
/// As [`ReadScope::admit`].
pub async fn decide(
    db: &Db,
    credential: Credential,
    selector: WorkspaceSelector<'_>,
    origin: Origin,
    question: &Question,
) -> Result<(Decision, Uuid), Refused> {
    if question.is_about_sending() {
        let scope = ReadScope::<perm::CheckAccess>::admit(db, credential, selector, origin).await?;
        let decision = decide_all(&scope, slice::from_ref(question)).await?.pop();
        return Ok((decision.unwrap_or_else(|| Why::NoMembership.into()), scope.actor().principal.id()));
    }
    let found_by = question.subject.lookup_sql().map(|from| {
        let from = from.replace("{workspace}", "m.workspace_id").replace("{now}", "$3");
        let held = question.subject.held_sql().replace("{now}", "$3");
        let by_id = format!("(SELECT {held} FROM {})", from.replace("{subject}", "= $4"));
        let sql = match question.subject {
            Subject::User(_) => {
                let from = USER_BY_FORMER_ID.replace("{workspace}", "m.workspace_id").replace("{now}", "$3");
                let from = from.replace("{subject}", "= $4");
                format!("COALESCE({by_id}, (SELECT {held} FROM {from}))")
            }
            _ => by_id,
        };
        (sql, question.subject.value())
    });
    let (scope, subject_roles) =
        ReadScope::<perm::CheckAccess>::admit_about(db, credential, selector, origin, found_by).await?;
    let actor = scope.actor();
    let (all, key) = (&actor.all_roles, actor.principal.id());
    let decision = HeldRoles(subject_roles.as_deref()).decide(all, question, Belonging::Unknown);
    if !decision.depends_on_owner() {
        return Ok((decision, key));
    }
    let decided = decide_all(&scope, slice::from_ref(question)).await?.pop();
    Ok((decided.unwrap_or(decision), key))
}

#[derive(FromQueryResult)]
struct SubjectRow {
    /// The place of [`Subject::lookup_sql`] in the list of those that occur.
    place: i32,
    subject_roles: String,
    member_id: Uuid,
    requests_left: Option<i64>,
    id: Option<Uuid>,
    text: Option<String>,
}

/// Decides many questions, whose subjects are loaded by one SQL statement; and the owners of their resources by two
/// more, or a few for resources of many types, where these make a difference.
///
/// # Errors
/// The database's own.
pub async fn decide_all(
    scope: &ReadScope<perm::CheckAccess>,
    questions: &[Question],
) -> Result<Vec<Decision>, Refused> {
    let held_roles = load_held_roles(scope, questions).await?;
    let hosts = questions.iter().filter(|question| question.is_about_sending());
    let destinations = Destinations::load(scope, hosts.map(|question| question.id.as_str())).await?;
    let all = &scope.actor().all_roles;
    let answer = |question: &Question| {
        let subject = held_roles.get(&question.subject);
        let roles = HeldRoles(subject.map(|(roles, _)| roles.as_str()));
        let decision = roles.decide(all, question, Belonging::Unknown);
        match (subject, roles.held(all)) {
            (Some((_, sender)), Some(held)) if decision.is_allowed && question.is_about_sending() => {
                destinations.decide(&question.id, &held, *sender, decision)
            }
            _ => decision,
        }
    };
    let mut decisions = Vec::with_capacity(questions.len());
    for some in questions.chunks(DECIDED_AT_ONCE) {
        decisions.extend(some.iter().map(&answer));
        tokio::task::yield_now().await;
    }
    let open: Vec<usize> = (0..decisions.len()).filter(|n| decisions[*n].depends_on_owner()).collect();
    let owners = Owners::load(scope, open.iter().map(|n| questions[*n].thing())).await?;
    for n in open {
        let question = &questions[n];
        if let Some((roles, sender)) = held_roles.get(&question.subject) {
            let whose = owners.belonging(sender.member_id, &question.thing());
            decisions[n] = HeldRoles(Some(roles.as_str())).decide(all, question, whose);
        }
    }
    Ok(decisions)
}

async fn load_held_roles(
    scope: &ReadScope<perm::CheckAccess>,
    questions: &[Question],
) -> Result<BTreeMap<Subject, (String, Sender)>, Refused> {
    // Grouped by how each subject is identified, so that no subject is found by the id of another kind: an
    // address that is not confirmed finds nobody, whatever else is in the batch.
    let mut ways: Vec<Vec<&Subject>> = Vec::new();
    let subjects: BTreeSet<&Subject> = questions.iter().map(|question| &question.subject).collect();
    for subject in subjects {
        match ways.iter_mut().find(|way| mem::discriminant(way[0]) == mem::discriminant(subject)) {
            Some(way) => way.push(subject),
            None if subject.lookup_sql().is_some() => ways.push(vec![subject]),
            None => {}
        }
    }
    if ways.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut values: Vec<Value> = vec![scope.now().into()];
    let mut parts = Vec::new();
    for (place, way) in ways.iter().enumerate() {
        // As many as a power of two, so that there are few statements to prepare.
        let padded = way.iter().chain(iter::repeat(&way[0])).take(way.len().next_power_of_two());
        let places: Vec<String> = padded
            .map(|subject| {
                values.push(subject.value());
                format!("${}", values.len() + 1)
            })
            .collect();
        let held = way[0].held_sql().replace("{now}", "$2");
        let mut lookups = vec![(way[0].lookup_sql().unwrap_or_default(), way[0].identity_columns())];
        if let Subject::User(_) = way[0] {
            lookups.push((USER_BY_FORMER_ID, "sm.provisioned_as AS id, CAST(NULL AS TEXT) AS text"));
        }
        for (from, identity) in lookups {
            let from = from.replace("{workspace}", "$1").replace("{now}", "$2");
            let from = from.replace("{subject}", &format!("IN ({})", places.join(", ")));
            let left = way[0].requests_left_sql();
            parts.push(format!(
                "SELECT {place} AS place, {held} AS subject_roles, sm.id AS member_id, {left} AS requests_left,
                    {identity} FROM {from}"
            ));
        }
    }
    // Without a question about a key, the time must still occur somewhere.
    let sql = format!("SELECT * FROM ({}) AS found WHERE $2 > 0", parts.join(" UNION ALL "));
    let rows: Vec<SubjectRow> = scope.all(&sql, values).await?;
    let held = rows.into_iter().filter_map(|row| {
        let way = ways.get(usize::try_from(row.place).ok()?)?;
        let subject = match way[0] {
            Subject::User(_) => Subject::User(row.id?),
            Subject::ApiKey(_) => Subject::ApiKey(row.id?),
            Subject::Email(_) => Subject::Email(row.text?),
            Subject::External(_) => Subject::External(row.text?),
            Subject::Nobody => return None,
        };
        let sender = Sender { member_id: row.member_id, requests_left: row.requests_left };
        Some((subject, (row.subject_roles, sender)))
    });
    Ok(held.collect())
}

/// What a subject holds, and the id of its membership, if that is active, for [`search`].
async fn load_held<'r>(
    scope: &'r ReadScope<perm::CheckAccess>,
    subject: &Subject,
) -> Result<Option<(Held<'r>, Uuid)>, Refused> {
    let question = Question::new(subject.clone(), "", "", "", None);
    let held_roles = load_held_roles(scope, &[question]).await?;
    let found = held_roles.get(subject).and_then(|(roles, sender)| {
        let held = HeldRoles(Some(roles.as_str())).held(&scope.actor().all_roles)?;
        Some((held, sender.member_id))
    });
    Ok(found)
}
