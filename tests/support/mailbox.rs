//! The mail that the app has sent.

use super::eventually;
use mail_parser::MessageParser;
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A directory of mail: the app's (`*.eml`), or the Maildir of an [`super::SmtpServer`].
#[derive(Clone, Debug)]
pub struct Mailbox {
    dir: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    /// The plain-text part, decoded.
    pub text: String,
    /// The HTML part, decoded.
    pub html: String,
    /// All of it, as it was sent.
    pub raw: String,
    written: (SystemTime, PathBuf),
}

impl Mailbox {
    pub fn in_dir(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Everything, the newest last.
    pub fn all(&self) -> Vec<Letter> {
        let files =
            [self.dir.clone(), self.dir.join("new")].into_iter().filter_map(|dir| fs::read_dir(dir).ok());
        let paths = files.flatten().map(|entry| entry.unwrap().path());
        let is_mail = |path: &PathBuf| {
            path.is_file()
                && (path.extension().is_some_and(|e| e == "eml")
                    || path.parent().is_some_and(|p| p.ends_with("new")))
        };
        // A file may go while we look: mail is moved into its place.
        let mut letters: Vec<_> = paths.filter(is_mail).filter_map(|path| Letter::read(&path)).collect();
        letters.sort_by(|a, b| a.written.cmp(&b.written));
        letters
    }

    /// Everything to this address, the newest last.
    pub fn to(&self, address: &str) -> Vec<Letter> {
        self.all()
            .into_iter()
            .filter(|letter| letter.to.iter().any(|to| to.eq_ignore_ascii_case(address)))
            .collect()
    }

    /// The newest letter to this address with this in its subject, waiting until there is one.
    pub async fn wait_for(&self, address: &str, subject: &str) -> Letter {
        self.wait_for_several(address, subject, 1).await.pop().unwrap()
    }

    /// Waits until there are `n` such letters: the way to the second one of a kind.
    pub async fn wait_for_several(&self, address: &str, subject: &str, n: usize) -> Vec<Letter> {
        eventually(async || {
            let letters: Vec<_> =
                self.to(address).into_iter().filter(|l| l.subject.contains(subject)).collect();
            if letters.len() >= n {
                return Ok(letters);
            }
            let (came, all) = (letters.len(), self.all().into_iter());
            let there: Vec<_> = all.map(|l| (l.to, l.subject)).collect();
            Err(format!("{came} of {n} letters to {address} with {subject:?}; there is: {there:?}"))
        })
        .await
    }

    /// The newest link to this address that contains `part`, waiting until there is one.
    pub async fn wait_for_link(&self, address: &str, part: &str) -> String {
        eventually(async || {
            let letters = self.to(address);
            let newest =
                letters.iter().rev().find_map(|l| l.links().into_iter().find(|link| link.contains(part)));
            let texts = || letters.iter().map(|l| l.text.as_str()).collect::<Vec<_>>();
            newest.ok_or_else(|| format!("no link with {part:?} was mailed to {address}: {:?}", texts()))
        })
        .await
    }
}

impl Letter {
    fn read(path: &Path) -> Option<Self> {
        let written = (fs::metadata(path).ok()?.modified().ok()?, path.to_owned());
        let raw = fs::read(path).ok()?;
        let message = MessageParser::default().parse(&raw)?;
        let addresses = |list: Option<&mail_parser::Address<'_>>| -> Vec<String> {
            let people = list.into_iter().flat_map(|list| list.iter());
            people.filter_map(|person| person.address().map(str::to_owned)).collect()
        };
        Some(Self {
            from: addresses(message.from()).pop().unwrap_or_default(),
            to: addresses(message.to()),
            subject: message.subject().unwrap_or_default().to_owned(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            html: message.body_html(0).unwrap_or_default().into_owned(),
            raw: String::from_utf8_lossy(&raw).into_owned(),
            written,
        })
    }

    /// Every address that the text names.
    pub fn links(&self) -> Vec<String> {
        let words = self.text.split(|c: char| c.is_whitespace() || "<>\"()".contains(c));
        let links = words.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
        links.map(|link| link.trim_end_matches(['.', ',', ';']).to_owned()).collect()
    }

    /// The first link that contains this.
    #[track_caller]
    pub fn link(&self, part: &str) -> String {
        let links = self.links().into_iter();
        links
            .into_iter()
            .find(|link| link.contains(part))
            .unwrap_or_else(|| panic!("no link with {part:?} in:\n{}", self.text))
    }
}

#[test]
fn encoded_mail_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let raw = "From: Bailiwick <no-reply@example.com>\r\nTo: owner-one@example.com\r\n\
        Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nOpen <http://127.0.0.1:1/invitations/abc?x=3D1>.\r\nOr=\r\n not, Gr=C3=BC=C3=9Fe\r\n";
    fs::write(dir.path().join("1.eml"), raw).unwrap();
    let letters = Mailbox::in_dir(dir.path().to_owned()).to("Owner-One@example.com");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].subject, "Grüße");
    assert_eq!(letters[0].link("/invitations/"), "http://127.0.0.1:1/invitations/abc?x=1");
    assert!(letters[0].text.contains("Or not, Grüße"), "{}", letters[0].text);
}
