//! A new person: with a workspace of their own, or by invitation.

use crate::{
    clock::Timestamp,
    config,
    domain::{
        base::{
            conflict::CHANGED,
            db::Db,
            event::{Actor, Recorded, RecordedEvent, Target},
            hash_queue::Party,
            invalid::Invalid,
            limits,
            network::wide,
            outbox::Mail,
            passwords::Password,
            principal::Origin,
            refused::{Refused, is_duplicate},
            tokens::Token,
            values::{Email, Name, Slug},
        },
        enforce::{audit, workspace::create_workspace},
        nouns::{
            identity::{email::send_confirmation, events, first, mail::AlreadySignedUpMail, sessions},
            invitations::{self, Offer},
            joining,
            workspaces::events::WorkspaceCreated,
        },
        records::{
            accounts,
            workspaces::{self, WORKSPACE},
        },
    },
    entity::user,
    policy::Setup,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use uuid::Uuid;

/// A sign-up, parsed and validated.
pub struct SignUp {
    pub name: Name,
    pub email: Email,
    pub password: Password,
    /// The first workspace; with an invitation or a join link there may be none.
    pub workspace: Option<Name>,
    pub invitation: Option<Token>,
    /// A link by which several people can join a workspace.
    pub join_link: Option<Token>,
    /// The token of the browser: there the address is confirmed without a new password.
    pub browser: Token,
    pub policy: config::SignUp,
    /// The link for the first person led here.
    pub is_first: bool,
}

/// What happens after signing up.
pub enum SignedUp {
    /// A mail says what to do next, whether or not the address was known before.
    CheckMail,
    /// The invitation was mailed to this address, so the bearer reads that mailbox.
    SignedIn(Token),
}

/// Creates the user, an account and a first workspace; with an invitation or a join link, only the user.
///
/// # Errors
/// [`Refused::NotAllowed`] if only invited people may sign up, [`Refused::Invalid`],
/// [`Refused::RateLimited`], [`Refused::Busy`], [`Refused::Gone`] for a dead invitation, or where somebody else was
/// the first person.
pub async fn sign_up(db: &Db, form: SignUp, origin: &Origin) -> Result<SignedUp, Refused> {
    let joins = match &form.join_link {
        Some(token) => Some(joining::offer_of(db, token).await?),
        None => None,
    };
    if let Some(joins) = &joins
        && !joins.admits(form.email.as_str())
    {
        let sentence = format!("This link is for addresses at {}.", joins.domains.join(", "));
        return Err(Invalid::field("email", sentence).into());
    }
    let offer = match &form.invitation {
        Some(token) => Some(invitations::get(db, token).await?),
        None if joins.is_none() && form.policy == config::SignUp::Invited => {
            return Err(Refused::NotAllowed(
                "New people join by invitation. Ask someone who is already a member to invite you.",
            ));
        }
        None => None,
    };
    if let Some(offer) = &offer
        && offer.email != form.email.as_str()
    {
        let sentence = format!("This invitation is for {}. Sign up with that address.", offer.email);
        return Err(Invalid::field("email", sentence).into());
    }
    if offer.is_none() && joins.is_none() && form.workspace.is_none() {
        return Err(Invalid::field("workspace", "Enter a name for your workspace.").into());
    }
    let from_network: Vec<_> = limits::SIGN_UP_ADDRESS.of_network(origin).into_iter().collect();
    limits::check(db, &from_network).await?;
    limits::spend(db, &from_network, 1).await?;
    // Hashed in any case: a known address must not answer faster.
    let party = Party::stranger(&origin.address, form.email.as_str());
    let hash = db.passwords().hash(&form.password, party).await?;
    let new_user = NewUser {
        db,
        form: &form,
        id: random::id(db.now()),
        is_verified: offer.as_ref().is_some_and(|offer| offer.proves_address),
        hash,
        origin,
    };
    match new_user.create().await {
        Err(Refused::Conflict(CHANGED)) => known_address(db, &form, offer.as_ref(), origin).await,
        other => other,
    }
}

/// Everything that a new user's row is made of.
struct NewUser<'a> {
    db: &'a Db,
    form: &'a SignUp,
    id: Uuid,
    /// The address is confirmed.
    is_verified: bool,
    hash: String,
    origin: &'a Origin,
}

impl NewUser<'_> {
    /// On PostgreSQL, a slug that was free may be taken by the time it is written; then the next one is
    /// tried. If all numbered ones are taken, random digits are used.
    ///
    /// # Errors
    /// [`CHANGED`] if the address is taken.
    async fn create(&self) -> Result<SignedUp, Refused> {
        let Some(workspace) = &self.form.workspace else { return self.create_alone().await };
        let mut done = self.create_with(workspace).await;
        for _ in 0..8 {
            match &done {
                Err(Refused::Invalid(invalid)) if invalid.of("slug").is_some() => {
                    done = self.create_with(workspace).await;
                }
                _ => break,
            }
        }
        done
    }

    async fn create_with(&self, workspace: &Name) -> Result<SignedUp, Refused> {
        create_workspace(self.db, &self.actor(), self.origin, async |open| {
            let done = self.insert(&open.tx, open.now).await?;
            let account = accounts::create(&open.tx, workspace, self.id, open.now).await?;
            let slug = free_slug(&open.tx, workspace).await?;
            workspaces::insert(open, account, workspace, &slug, self.id, Setup::Usual).await?;
            let event = WorkspaceCreated::new(workspace, &slug, Setup::Usual);
            let target = Target::named(WORKSPACE, workspace.to_string());
            let events = vec![
                RecordedEvent::new(event, target),
                RecordedEvent::new(events::SignedUp {}, audit::target_of(&self.actor())),
            ];
            Ok((account, Recorded::many(done, events)))
        })
        .await
    }

    fn actor(&self) -> Actor {
        Actor::user(self.id, self.form.name.to_string(), self.form.email.to_string())
    }

    /// Creates the user without a workspace, for an invitation.
    async fn create_alone(&self) -> Result<SignedUp, Refused> {
        let tx = self.db.begin().await?;
        let now = self.db.now();
        match self.insert(&tx, now).await {
            Ok(done) => {
                audit::append_to_user(&tx, &self.actor(), self.origin, now, events::SignedUp {}).await?;
                tx.commit().await?;
                self.db.outbox_ready().notify_one();
                Ok(done)
            }
            Err(refused) => {
                tx.rollback().await?;
                Err(refused)
            }
        }
    }

    async fn insert(&self, tx: &DatabaseTransaction, now: Timestamp) -> Result<SignedUp, Refused> {
        let Self { db, form, id, is_verified, hash, origin } = self;
        let taken = user::Entity::find().filter(user::Column::Email.eq(form.email.as_str()));
        if taken.one(tx).await?.is_some() {
            return Err(CHANGED.into());
        }
        let row = user::ActiveModel {
            id: Set(*id),
            email: Set(form.email.to_string()),
            name: Set(form.name.to_string()),
            password_hash: Set(hash.clone()),
            email_verified_at: Set(is_verified.then_some(now)),
            suspended_at: Set(None),
            created_at: Set(now),
            provisioned_at: Set(None),
            awaited_email: Set(None),
        };
        if let Err(error) = user::Entity::insert(row).exec_without_returning(tx).await {
            return Err(if is_duplicate(&error) { CHANGED.into() } else { error.into() });
        }
        if form.is_first {
            first::enter(tx, *id).await?;
        }
        if *is_verified {
            return Ok(SignedUp::SignedIn(sessions::start(db, tx, *id, origin).await?));
        }
        let (email, browser) = (form.email.as_str(), Some(&form.browser));
        send_confirmation(db, tx, *id, email, browser, now).await?;
        Ok(SignedUp::CheckMail)
    }
}

/// Handles a sign-up with an address that already has a user. The owner of the mailbox is informed by mail;
/// the response shows it only if the link proved that the browser's user reads that mailbox.
async fn known_address(
    db: &Db,
    form: &SignUp,
    offer: Option<&Offer>,
    origin: &Origin,
) -> Result<SignedUp, Refused> {
    if offer.is_some_and(|offer| offer.proves_address) {
        return Err(Invalid::field(
            "email",
            "You already have a sign-in with this address. Sign in instead.",
        )
        .into());
    }
    let budget = limits::mail_to(form.email.as_str(), &wide(&origin.address));
    if limits::check(db, &budget).await.is_ok() && limits::spend(db, &budget, 1).await.is_ok() {
        let tx = db.begin().await?;
        let now = db.now();
        let mail = AlreadySignedUpMail { url: db.public_url(), email: form.email.as_str() };
        Mail::new(form.email.as_str(), &mail).queue(db, &tx, now).await?;
        tx.commit().await?;
        db.outbox_ready().notify_one();
    }
    Ok(SignedUp::CheckMail)
}

/// The slug of a first workspace: made from its name, with digits if that is taken.
async fn free_slug(tx: &DatabaseTransaction, name: &Name) -> Result<Slug, Refused> {
    // Room is left for digits.
    let cut: String = name.as_str().chars().take(40).collect();
    let wish = Slug::suggest(&cut).filter(|slug| slug.as_str().len() <= 40);
    let base = wish.as_ref().map_or("workspace", Slug::as_str).to_owned();
    for round in 0..20 {
        let text = match round {
            0 if wish.is_some() => base.clone(),
            1..=5 => format!("{base}-{}", round + 1),
            _ => format!("{base}-{}", hex::encode(random::bytes::<3>())),
        };
        let Ok(slug) = Slug::parse(&text) else { continue };
        if workspaces::slug_is_free(tx, &slug).await? {
            return Ok(slug);
        }
    }
    Err(Invalid::field("workspace", "Choose another name for your workspace.").into())
}
