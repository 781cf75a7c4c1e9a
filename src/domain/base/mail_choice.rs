//! Mail that people can choose to get or not. All other mail is about the security of a sign-in, or is asked for, and
//! always comes.
//!
//! Each message of a kind that can be stopped carries a link that stops it, with a code that nobody else can make:
//! whoever has the message may stop it without signing in (RFC 8058), and do nothing else.

use crate::{
    clock::{DAY, Timestamp},
    domain::base::{conflict::Gone, db::Db, refused::Refused, sql::Sql},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

/// A kind of mail that its recipient can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailChoice {
    /// What others change about one's own access.
    OwnAccess,
    /// What one is responsible for: people one invited, API keys one created.
    Responsibilities,
    /// What others ask one for.
    Requests,
    /// What happened in one's workspaces in a week.
    Digest,
}

impl MailChoice {
    pub const ALL: [Self; 4] = [Self::OwnAccess, Self::Responsibilities, Self::Requests, Self::Digest];

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OwnAccess => "own-access",
            Self::Responsibilities => "responsibilities",
            Self::Requests => "requests",
            Self::Digest => "digest",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::OwnAccess => "Changes of your access",
            Self::Responsibilities => "What you are responsible for",
            Self::Requests => "Requests to you",
            Self::Digest => "Weekly summary",
        }
    }

    /// When such mail comes, in a sentence.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::OwnAccess => {
                "When someone changes your roles, suspends or reactivates you, or removes you from a workspace, and before your access ends."
            }
            Self::Responsibilities => {
                "When someone accepts your invitation or answers your ownership offer, and before access you gave or an API key you created ends."
            }
            Self::Requests => "When someone asks for access that you can give, and when yours is answered.",
            Self::Digest => "Once a week, what happened in workspaces whose activity you can view.",
        }
    }

    /// Whether it comes to somebody who has chosen nothing.
    pub const fn is_default(self) -> bool {
        !matches!(self, Self::Digest)
    }

    /// The kind of a stored word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.word() == word)
    }
}

/// The time between two summaries, in milliseconds.
pub(in crate::domain) const WEEK: i64 = 7 * DAY;

#[derive(FromQueryResult)]
struct Chosen {
    kind: String,
    is_wanted: bool,
}

/// Each kind, with whether the person wants it.
///
/// # Errors
/// The database's own.
pub async fn choices(db: &Db, user: Uuid) -> Result<Vec<(MailChoice, bool)>, Refused> {
    let sql = "SELECT kind, is_wanted FROM mail_choices WHERE user_id = $1";
    let chosen: Vec<Chosen> = db.read().all(sql, vec![user.into()]).await?;
    let is_wanted = |choice: MailChoice| {
        let chosen = chosen.iter().find(|chosen| chosen.kind == choice.word());
        chosen.map_or(choice.is_default(), |chosen| chosen.is_wanted)
    };
    Ok(MailChoice::ALL.into_iter().map(|choice| (choice, is_wanted(choice))).collect())
}

/// Stores which kinds the person wants: these, and no others.
///
/// # Errors
/// The database's own.
pub async fn choose(db: &Db, user: Uuid, wanted: &[MailChoice]) -> Result<(), Refused> {
    let tx = db.begin().await?;
    for choice in MailChoice::ALL {
        store(&tx, user, choice, wanted.contains(&choice), db.now()).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn store(
    tx: &DatabaseTransaction,
    user: Uuid,
    choice: MailChoice,
    is_wanted: bool,
    now: Timestamp,
) -> Result<(), DbErr> {
    let next_at = (choice == MailChoice::Digest && is_wanted).then(|| now + WEEK);
    // A summary that is due already stays due then.
    let sql = "INSERT INTO mail_choices (user_id, kind, is_wanted, next_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, kind) DO UPDATE SET is_wanted = $3,
            next_at = CASE WHEN $3 THEN COALESCE(mail_choices.next_at, $4) ELSE $4 END";
    tx.run(sql, vec![user.into(), choice.word().into(), is_wanted.into(), next_at.into()]).await.map(drop)
}

#[derive(FromQueryResult)]
struct Recipient {
    email: String,
    is_wanted: Option<bool>,
}

/// The address of a person who wants mail of this kind. `None` for somebody who stopped it, who can't sign in, or whose
/// address nobody confirmed.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn recipient(
    connection: &impl ConnectionTrait,
    user: Uuid,
    choice: MailChoice,
) -> Result<Option<String>, DbErr> {
    let sql = "SELECT u.email, c.is_wanted FROM users u
        LEFT JOIN mail_choices c ON c.user_id = u.id AND c.kind = $2
        WHERE u.id = $1 AND u.email_verified_at IS NOT NULL AND u.suspended_at IS NULL";
    let row: Option<Recipient> = connection.first(sql, vec![user.into(), choice.word().into()]).await?;
    let row = row.filter(|row| row.is_wanted.unwrap_or(choice.is_default()));
    Ok(row.map(|row| row.email))
}

pub const UNKNOWN_CODE: Gone = Gone::new(
    "unsubscribe-link",
    "This link to stop e-mail isn't valid. Sign in to choose which e-mail you get.",
)
.link("/me", "Your profile");

/// What a code is sealed for.
const PURPOSE: &str = "unsubscribe";

/// The address at which the person can stop mail of this kind, without signing in.
///
/// # Errors
/// [`DbErr::Custom`] without the installation's secret.
pub(in crate::domain) fn unsubscribe_url(db: &Db, user: Uuid, choice: MailChoice) -> Result<String, DbErr> {
    let code = db.sealer().seal_code(PURPOSE, &format!("{user} {}", choice.word()))?;
    Ok(format!("{}/unsubscribe/{code}", db.public_url()))
}

/// Who stops what, by a code of [`unsubscribe_url`]. `None` for a code that this installation did not make.
fn of_code(db: &Db, code: &str) -> Option<(Uuid, MailChoice)> {
    let text = db.sealer().open_code(PURPOSE, code)?;
    let (user, word) = text.split_once(' ')?;
    Some((Uuid::parse_str(user).ok()?, MailChoice::of_word(word)?))
}

/// The kind of mail that a code stops.
///
/// # Errors
/// [`UNKNOWN_CODE`] for one that this installation did not make.
pub fn stoppable(db: &Db, code: &str) -> Result<MailChoice, Refused> {
    Ok(of_code(db, code).ok_or(UNKNOWN_CODE)?.1)
}

/// Stops mail of the kind that the code is for. Returns the kind.
///
/// # Errors
/// [`UNKNOWN_CODE`] for one that this installation did not make, or of somebody who is gone.
pub async fn stop(db: &Db, code: &str) -> Result<MailChoice, Refused> {
    let (user, choice) = of_code(db, code).ok_or(UNKNOWN_CODE)?;
    #[derive(FromQueryResult)]
    struct Known {
        #[expect(dead_code, reason = "a row is all that is needed")]
        id: Uuid,
    }
    let sql = "SELECT id FROM users WHERE id = $1 AND suspended_at IS NULL";
    if db.read().first::<Known>(sql, vec![user.into()]).await?.is_none() {
        return Err(UNKNOWN_CODE.into());
    }
    let tx = db.begin().await?;
    store(&tx, user, choice, false, db.now()).await?;
    tx.commit().await?;
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::MailChoice;

    #[test]
    fn each_kind_has_a_word_of_its_own_and_only_the_summary_must_be_wanted() {
        for choice in MailChoice::ALL {
            assert_eq!(MailChoice::of_word(choice.word()), Some(choice));
            assert_eq!(choice.is_default(), choice != MailChoice::Digest);
        }
        assert_eq!(MailChoice::of_word("security"), None);
    }
}
