//! Sends what the outbox holds: to a mail server, or into files while there is none.

pub mod error;
mod html;
mod replies;
mod server;

use self::{
    error::MailerError,
    server::{MailServer, SendError},
};
use crate::{
    config::{Config, Mail},
    domain::base::outbox::{DeliveryError, OutgoingMail},
    private,
};
use lettre::{
    Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Sends mail one way.
pub struct Mailer {
    from: Mailbox,
    host: String,
    /// The public address of this installation, without a slash at its end.
    own: String,
    transport: Transport,
}

enum Transport {
    File(PathBuf),
    Smtp(Box<MailServer>),
}

/// How long a delivery may take as a whole: less than its lease.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(45);

impl Mailer {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(config: &Config, public_url: &Url) -> Result<Self, MailerError> {
        let (from, host) = sender(config, public_url)?;
        let transport = match &config.mail {
            Mail::File(folder) => {
                private::make_folder(folder)?;
                Transport::File(folder.clone())
            }
            Mail::Smtp(url) => Transport::Smtp(Box::new(MailServer::parse(url)?)),
        };
        let own = public_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { from, host, own, transport })
    }

    /// Checks the settings; nothing is created.
    ///
    /// # Errors
    /// As [`Mailer::new`].
    pub fn check(config: &Config, public_url: &Url) -> Result<(), MailerError> {
        sender(config, public_url)?;
        match &config.mail {
            Mail::File(_) => Ok(()),
            Mail::Smtp(url) => MailServer::parse(url).map(drop),
        }
    }

    /// Sends one message. Its Message-ID is derived from the outbox row, so that a second copy can be
    /// recognised.
    ///
    /// # Errors
    /// What the server or the file system said.
    pub async fn send(&self, message: &OutgoingMail) -> Result<(), DeliveryError> {
        let letter = self.letter(message).map_err(DeliveryError::Permanent)?;
        match &self.transport {
            Transport::Smtp(server) => {
                let sent = tokio::time::timeout(DELIVERY_TIMEOUT, server.send(&letter)).await;
                let late = |_| DeliveryError::Temporary("the mail server took too long".into());
                sent.map_err(late)?.map_err(|error| refusal(&error))
            }
            Transport::File(folder) => {
                // Written aside and renamed, so that a reader never sees half a message.
                let path = folder.join(format!("{}.eml", message.id));
                let aside = folder.join(format!(".{}.part", message.id));
                let written = async {
                    private::write(&aside, &letter.formatted()).await?;
                    tokio::fs::rename(&aside, &path).await
                };
                written.await.map_err(|error: std::io::Error| DeliveryError::Temporary(error.to_string()))
            }
        }
    }

    fn letter(&self, message: &OutgoingMail) -> Result<Message, String> {
        let to = message
            .recipient
            .parse()
            .map_err(|error| format!("the recipient is not a valid address: {error}"))?;
        let takes_8bit = matches!(self.transport, Transport::File(_));
        let html = html::page(&message.subject, &message.body, &self.own);
        // No text contains the id of its own message.
        let parts = MultiPart::alternative()
            .boundary(format!("bailiwick-{}", message.id))
            .singlepart(part(ContentType::TEXT_PLAIN, &message.body, takes_8bit))
            .singlepart(part(ContentType::TEXT_HTML, &html, takes_8bit));
        let mut letter = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(literal(&message.subject))
            .message_id(Some(format!("<{}@{}>", message.id, self.host)))
            .header(MIME_VERSION_1_0)
            .multipart(parts)
            .map_err(|error| error.to_string())?;
        // Nobody's holiday replies to a program (RFC 3834; the second one for Exchange).
        for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
            let name = HeaderName::new_from_ascii_str(name);
            letter.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        }
        // One click in the mail program stops it (RFC 8058).
        if let Some(url) = &message.unsubscribe {
            let one_click = "List-Unsubscribe=One-Click".to_owned();
            let links = [("List-Unsubscribe", format!("<{url}>")), ("List-Unsubscribe-Post", one_click)];
            for (name, value) in links {
                let name = HeaderName::new_from_ascii_str(name);
                letter.headers_mut().insert_raw(HeaderValue::dangerous_new_pre_encoded(
                    name,
                    value.clone(),
                    value,
                ));
            }
        }
        Ok(letter)
    }
}

/// What a server's refusal means. Codes 550 to 559 are about this message: the mailbox, its size, its content. Others
/// that are permanent by the standard are about us, such as a wrong password, and end once that is mended.
fn refusal(error: &SendError) -> DeliveryError {
    let is_final = match error {
        SendError::Smtp(error) => {
            let is_of_message = error.status().is_some_and(|code| code.to_string().starts_with("55"));
            error.is_permanent() && is_of_message
        }
        _ => false,
    };
    match is_final {
        true => DeliveryError::Permanent(error.to_string()),
        false => DeliveryError::Temporary(error.to_string()),
    }
}

/// The sender, and the host in the ids of messages.
fn sender(config: &Config, public_url: &Url) -> Result<(Mailbox, String), MailerError> {
    let host = public_url.host_str().unwrap_or("localhost");
    // An address of digits is no domain to send from.
    let domain =
        if host.chars().any(char::is_alphabetic) && !host.contains(':') { host } else { "localhost" };
    let from = config.mail_from.clone().unwrap_or_else(|| format!("Bailiwick <no-reply@{domain}>"));
    let from = from.parse().map_err(|_| MailerError::From(from))?;
    Ok((from, domain.to_owned()))
}

/// One form of a message.
fn part(kind: ContentType, text: &str, takes_8bit: bool) -> SinglePart {
    SinglePart::builder().header(kind).body(body(text, takes_8bit))
}

/// Lines as they were written, where that is legal: a link that is cut in two can't be copied out of the
/// file. The library would encode what is longer than 76 characters, as every link is. What is not
/// ASCII goes as it is only where no server must be asked whether it takes that.
fn body(text: &str, takes_8bit: bool) -> Body {
    /// RFC 5322, without the line's end.
    const LONGEST: usize = 998;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.split('\n').any(|line| line.len() > LONGEST) || !(takes_8bit || text.is_ascii()) {
        return Body::new(text);
    }
    let encoding = match text.is_ascii() {
        true => ContentTransferEncoding::SevenBit,
        false => ContentTransferEncoding::EightBit,
    };
    Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), encoding)
}

/// A subject that is read as it is written. The library encodes what is not ASCII, but passes on what
/// looks encoded: in the name that somebody gave themselves, that would be read as other text, line
/// breaks and all. Such a subject is encoded as a whole.
fn literal(subject: &str) -> String {
    /// So that a word with its frame stays within the 75 characters of RFC 2047.
    const MOST: usize = 60;
    if !subject.contains("=?") {
        return subject.to_owned();
    }
    let mut words = vec![String::new()];
    for c in subject.chars() {
        let coded: String = c.to_string().bytes().map(|byte| format!("={byte:02X}")).collect();
        match words.last_mut() {
            Some(word) if word.len() + coded.len() <= MOST => word.push_str(&coded),
            _ => words.push(coded),
        }
    }
    words.iter().map(|word| format!("=?utf-8?q?{word}?=")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{body, literal};
    use lettre::message::header::ContentTransferEncoding::{EightBit, SevenBit};

    #[test]
    fn a_body_is_left_as_it_is_where_that_is_legal() {
        let link = format!("Größe: http://localhost/{}\nnext\r\n", "x".repeat(200));
        let whole = body(&link, true);
        assert_eq!(whole.encoding(), EightBit);
        assert_eq!(whole.into_vec(), link.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes());
        assert_eq!(body(&link.replace("Größe", "Size"), false).encoding(), SevenBit);
        assert_eq!(body("a\rb", true).into_vec(), b"a\r\nb", "no line ends by half");
        for coded in [body(&link, false), body(&"x".repeat(999), true)] {
            assert!(!matches!(coded.encoding(), SevenBit | EightBit));
            let lines = coded.into_vec();
            assert!(lines.split(|byte| *byte == b'\n').all(|line| line.len() <= 998 && line.is_ascii()));
        }
    }

    #[test]
    fn only_what_looks_encoded_is_encoded_in_words_of_bounded_length() {
        assert_eq!(literal("Größe = 1?"), "Größe = 1?");
        assert_eq!(literal("ü=?"), "=?utf-8?q?=C3=BC=3D=3F?=");
        let long = literal(&"=?ü".repeat(40));
        assert!(long.split(' ').all(|word| word.len() <= 75 && word.is_ascii()), "{long}");
    }
}
