//! Where the passphrase of a backup comes from: a setting, a file, or somebody at a terminal.

use crate::config::Config;
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs,
    io::{self, IsTerminal},
    path::PathBuf,
};
use zeroize::Zeroizing;

#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    #[error("can't read the passphrase in {path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("can't read a passphrase from the terminal: {0}")]
    Terminal(io::Error),
    #[error("the passphrase in {0} is empty")]
    Empty(PathBuf),
    #[error("the passphrase is too short: use 12 characters or more, such as five words")]
    Short,
    #[error(
        "the passphrase is easy to guess by whoever has the file: use five words that nobody puts together"
    )]
    Weak,
    #[error("these are two different passphrases")]
    Different,
}

/// Fewer can be tried out by whoever has the file.
const MIN_CHARACTERS: usize = 12;

/// How many are scored: what follows can only help, and scoring takes time.
const SCORED_CHARACTERS: usize = 40;

/// The best of scores: fewer than 10^10 guesses are no work for whoever has the file, however slow each is.
const MIN_SCORE: u8 = 4;

/// The passphrase for a new backup, typed twice; `None` if there is none and nobody to ask.
///
/// # Errors
/// [`PassphraseError`].
pub(super) fn for_sealing(config: &Config) -> Result<Option<SecretString>, PassphraseError> {
    let passphrase = match given(config)? {
        Some(given) => Some(given),
        None => ask_twice()?,
    };
    if let Some(passphrase) = &passphrase {
        check(passphrase.expose_secret())?;
    }
    Ok(passphrase)
}

/// # Errors
/// [`PassphraseError::Short`], [`PassphraseError::Weak`].
fn check(passphrase: &str) -> Result<(), PassphraseError> {
    if passphrase.chars().count() < MIN_CHARACTERS {
        return Err(PassphraseError::Short);
    }
    let scored = Zeroizing::new(passphrase.chars().take(SCORED_CHARACTERS).collect::<String>());
    match u8::from(zxcvbn::zxcvbn(&scored, &["bailiwick", "backup", "passphrase"]).score()) {
        ..MIN_SCORE => Err(PassphraseError::Weak),
        _ => Ok(()),
    }
}

/// The passphrase of a backup that there is.
///
/// # Errors
/// [`PassphraseError`].
pub(super) fn for_opening(config: &Config) -> Result<Option<SecretString>, PassphraseError> {
    match given(config)? {
        Some(given) => Ok(Some(given)),
        None => ask("Passphrase of this backup: "),
    }
}

fn given(config: &Config) -> Result<Option<SecretString>, PassphraseError> {
    if let Some(passphrase) = &config.backup_passphrase {
        return Ok(Some(passphrase.clone()));
    }
    let Some(path) = &config.backup_passphrase_file else { return Ok(None) };
    let content = fs::read_to_string(path).map(Zeroizing::new);
    let content = content.map_err(|error| PassphraseError::File { path: path.clone(), error })?;
    match content.trim() {
        "" => Err(PassphraseError::Empty(path.clone())),
        passphrase => Ok(Some(passphrase.to_owned().into())),
    }
}

fn ask_twice() -> Result<Option<SecretString>, PassphraseError> {
    let Some(typed) = ask("Passphrase for the secret key (empty: leave the key out): ")? else {
        return Ok(None);
    };
    let again = ask("The same again: ")?;
    let is_equal = again.is_some_and(|again| again.expose_secret() == typed.expose_secret());
    if is_equal { Ok(Some(typed)) } else { Err(PassphraseError::Different) }
}

/// `None` for an empty line, and where there is no terminal.
fn ask(prompt: &str) -> Result<Option<SecretString>, PassphraseError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(PassphraseError::Terminal)?;
    // Blanks around it don't count, as in a setting.
    let typed = typed.trim();
    Ok((!typed.is_empty()).then(|| typed.to_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_takes_whoever_has_the_file_too_long_to_guess() {
        for good in [
            "five words are a passphrase",
            "tin-orbit-maple-seven-quay",
            "hX7!pQ2#vL9$",
            &format!("fünf Wörter reichen{}", "äö7-".repeat(60)),
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for short in ["", "a", "hX7!pQ2#vL9"] {
            assert!(matches!(check(short), Err(PassphraseError::Short)), "{short}");
        }
        for weak in ["aaaaaaaaaaaa", "passwordpassword", "123456789012", "qwertyuiop12", "Bailiwick-Backup"] {
            assert!(matches!(check(weak), Err(PassphraseError::Weak)), "{weak}");
        }
    }
}
