//! Domains whose people can join by themselves: named by a workspace, and proved to be its own by a text in DNS that only
//! whoever runs the domain can put there.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            limits,
            refused::{Refused, is_duplicate},
            words::signature,
        },
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            workspace::change_by_program,
            write::WriteScope,
        },
        nouns::joining::{
            events::{
                JoinDomainAdded, JoinDomainRemoved, JoinDomainUnverified, JoinDomainVerified, domain_target,
            },
            parse_domain, without_owner,
        },
        records::inviters::InviterId,
    },
    entity::join_domain,
    policy::{Access, Permission, perm},
    random,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, FromQueryResult, PaginatorTrait, QueryFilter,
};
use uuid::Uuid;

/// The most domains of a workspace.
pub const MAX_DOMAINS: u64 = 10;

/// Below a domain, the name whose text proves it.
const NAME: &str = "_bailiwick";

/// What the text begins with.
const PREFIX: &str = "bailiwick-verification=";

/// How long a proof counts, in milliseconds: whoever joins later has it looked for again.
pub(super) const PROOF_COUNTS: i64 = DAY;

/// What was found in DNS; `Err` if that is not known at the moment.
pub type Lookup = Result<Vec<String>, String>;

/// A domain to name.
#[derive(Clone, Debug)]
pub struct NewDomain {
    /// As typed.
    pub domain: String,
    /// The slug of the role that its people get.
    pub role: String,
}

/// A domain as its workspace sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinDomain {
    pub id: Uuid,
    pub domain: String,
    /// The name and the slug of the role that its people get.
    pub role: String,
    pub role_slug: String,
    /// Who answers for it, and what tells them from the same name of another.
    pub inviter: String,
    /// The name in DNS, and the text that must be there.
    pub record_name: String,
    pub record_text: String,
    pub created_at: Timestamp,
    /// Since when it is proved; `None` while it isn't, and nobody joins by it.
    pub verified_at: Option<Timestamp>,
    pub checked_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    domain: String,
    role: String,
    role_slug: String,
    inviter: String,
    inviter_email: Option<String>,
    challenge: String,
    created_at: Timestamp,
    verified_at: Option<Timestamp>,
    checked_at: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT d.id, d.domain, r.name AS role, r.slug AS role_slug,
        COALESCE(k.name, u.name) AS inviter, CASE WHEN k.id IS NULL THEN u.email END AS inviter_email,
        d.challenge, d.created_at, d.verified_at, d.checked_at
    FROM join_domains d JOIN roles r ON r.workspace_id = d.workspace_id AND r.id = d.role_id
        JOIN users u ON u.id = d.inviter_id LEFT JOIN api_keys k ON k.id = d.inviter_key_id
    WHERE d.workspace_id = $1";

impl From<Row> for JoinDomain {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            record_name: record_name(&row.domain),
            record_text: record_text(&row.challenge),
            domain: row.domain,
            role: row.role,
            role_slug: row.role_slug,
            inviter: signature(&row.inviter, row.inviter_email.as_deref().unwrap_or("API key")),
            created_at: row.created_at,
            verified_at: row.verified_at,
            checked_at: row.checked_at,
        }
    }
}

pub(super) fn record_name(domain: &str) -> String {
    format!("{NAME}.{domain}")
}

pub(super) fn record_text(challenge: &str) -> String {
    format!("{PREFIX}{challenge}")
}

/// The domains of a workspace, by name: it has few.
///
/// # Errors
/// The database's own.
pub async fn list(scope: &ReadScope<perm::ReadInvitations>) -> Result<Vec<JoinDomain>, Refused> {
    let rows: Vec<Row> = scope.all(&format!("{COLUMNS} ORDER BY d.domain"), Vec::new()).await?;
    Ok(rows.into_iter().map(JoinDomain::from).collect())
}

/// One domain, for the page that confirms its removal, and for whoever looks at it again.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such domain.
pub async fn get<P: Access>(scope: &ReadScope<P>, id: Uuid) -> Result<JoinDomain, Refused> {
    load(scope, id).await
}

async fn load(scope: &impl Scoped, id: Uuid) -> Result<JoinDomain, Refused> {
    let row: Option<Row> = scope.first(&format!("{COLUMNS} AND d.id = $2"), vec![id.into()]).await?;
    row.map(JoinDomain::from).ok_or(Refused::NotFound)
}

/// Names a domain. Nobody joins by it before DNS says that it is the workspace's. It takes the permission to invite people
/// too, and the role must be one that the actor could invite with.
///
/// # Errors
/// [`Refused::Invalid`] on `domain` and `role`, [`Refused::Forbidden`], [`Refused::Ceiling`].
pub async fn add(
    s: &mut WriteScope<perm::UpdateOrganization>,
    new: &NewDomain,
) -> Result<Recorded<JoinDomain>, Refused> {
    s.require(Permission::InviteMembers).await?;
    let all = s.actor().all_roles.clone();
    let mut invalid = Invalid::default();
    let domain = invalid.check("domain", parse_domain(&new.domain));
    let chosen = invalid.check_all(all.chosen(std::slice::from_ref(&new.role)));
    let (Some(domain), Some(&[role])) = (domain, chosen.as_deref()) else { return Err(invalid.into()) };
    s.actor().holdings.may_invite([&role.holdings])?;
    without_owner(&[role])?;
    if s.find::<join_domain::Entity>().count(s.connection()).await? >= MAX_DOMAINS {
        let sentence = format!("A workspace has at most {MAX_DOMAINS} domains. Remove one first.");
        return Err(Invalid::field("domain", sentence).into());
    }
    let (id, by) = (random::id(s.now()), InviterId::of(s.actor()));
    let row = join_domain::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        domain: Set(domain.clone()),
        role_id: Set(role.id),
        inviter_id: Set(by.user),
        inviter_key_id: Set(by.key),
        challenge: Set(hex::encode(random::bytes::<16>())),
        created_at: Set(s.now()),
        verified_at: Set(None),
        checked_at: Set(None),
    };
    match s.open().insert(row).await {
        Err(error) if is_duplicate(&error) => {
            return Err(Invalid::field("domain", "This workspace already has this domain.").into());
        }
        other => other?,
    }
    let (event, target) = (JoinDomainAdded { role: role.name.clone() }, domain_target(id, &domain));
    Ok(Recorded::new(load(s, id).await?, event, target))
}

/// Looks whether DNS says that a domain is the workspace's. `lookup` returns the texts of a name. Returns the domain as it
/// is after that: not verified, where the text is not there.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Busy`] if that is not known at the moment, [`Refused::RateLimited`].
pub async fn verify(
    scope: ReadScope<perm::UpdateOrganization>,
    id: Uuid,
    lookup: impl AsyncFnOnce(&str) -> Lookup,
) -> Result<JoinDomain, Refused> {
    let domain = load(&scope, id).await?;
    limits::DOMAIN_CHECK.spend(scope.db(), &scope.workspace_id().to_string(), 1).await?;
    let is_proved = says(&domain, lookup).await?;
    let note = async |s: &mut WriteScope<perm::UpdateOrganization>| {
        // Another record may be asked for by now: it was removed, and added again.
        let now = load(s, id).await?;
        if now.record_text != domain.record_text {
            return Err(Refused::NotFound);
        }
        let event = write_result(s, &now, is_proved, s.now()).await?;
        Ok(Recorded::many(load(s, id).await?, event.into_iter().collect()))
    };
    scope.write(note).await
}

/// Whether DNS says what it must.
async fn says(domain: &JoinDomain, lookup: impl AsyncFnOnce(&str) -> Lookup) -> Result<bool, Refused> {
    match lookup(&domain.record_name).await {
        Ok(texts) => Ok(texts.iter().any(|text| text.trim() == domain.record_text)),
        Err(why) => {
            tracing::info!(why, "a domain can't be looked up at the moment");
            Err(Refused::Busy { retry_after_seconds: 30 })
        }
    }
}

/// Notes what was found. Returns the event, if that is another state than before.
async fn write_result(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    domain: &JoinDomain,
    is_proved: bool,
    now: Timestamp,
) -> Result<Option<RecordedEvent>, Refused> {
    let target = domain_target(domain.id, &domain.domain);
    if is_proved {
        let sql = "UPDATE join_domains SET checked_at = $3, verified_at = COALESCE(verified_at, $3)
            WHERE workspace_id = $1 AND id = $2";
        at.run(sql, vec![domain.id.into(), now.into()]).await?;
        let event = JoinDomainVerified { role: domain.role.clone() };
        return Ok(domain.verified_at.is_none().then(|| RecordedEvent::new(event, target)));
    }
    let sql =
        "UPDATE join_domains SET verified_at = NULL, checked_at = NULL WHERE workspace_id = $1 AND id = $2";
    at.run(sql, vec![domain.id.into()]).await?;
    Ok(domain.verified_at.is_some().then(|| RecordedEvent::new(JoinDomainUnverified {}, target)))
}

/// Looks for the proof of a domain again, because somebody wants to join by it and it was looked for long ago. Who joins
/// does not change the domain: what was found is recorded as noted by the program.
///
/// # Errors
/// [`Refused::NotFound`] if it is gone, [`Refused::Busy`] if that is not known at the moment, [`Refused::RateLimited`].
pub(super) async fn look_again(
    db: &Db,
    workspace: Uuid,
    id: Uuid,
    lookup: impl AsyncFnOnce(&str) -> Lookup,
) -> Result<(), Refused> {
    limits::DOMAIN_CHECK.spend(db, &workspace.to_string(), 1).await?;
    let there = Unadmitted(db.read(), workspace);
    let domain = load(&there, id).await?;
    let is_proved = says(&domain, lookup).await?;
    change_by_program(db, workspace, async |open| {
        let now = load(open, id).await?;
        if now.record_text != domain.record_text {
            return Err(Refused::NotFound);
        }
        let event = write_result(open, &now, is_proved, open.now).await?;
        Ok(Recorded::many((), event.into_iter().collect()))
    })
    .await
}

/// Removes a domain. Its people stay members; nobody joins by it any more. Returns it.
///
/// # Errors
/// [`Refused::NotFound`].
pub async fn remove(
    s: &mut WriteScope<perm::UpdateOrganization>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let domain = load(s, id).await?;
    let row = s.open().delete::<join_domain::Entity>().filter(join_domain::Column::Id.eq(id));
    s.open().apply_to_one(row).await?;
    let target = domain_target(id, &domain.domain);
    Ok(Recorded::new(domain.domain, JoinDomainRemoved { role: domain.role }, target))
}
