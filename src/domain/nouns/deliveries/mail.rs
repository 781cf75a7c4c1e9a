//! The mail that an event could not be delivered, that events have stopped, or are sent again.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To those who can fix it.
#[derive(Template)]
#[template(path = "mail/events_stopped.txt", whitespace = "preserve")]
pub(super) struct EventsStoppedMail<'a> {
    pub host: &'a str,
    pub workspace: &'a str,
    /// Why, as a sentence.
    pub why: &'a str,
    /// What happens next, as sentences.
    pub next: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for EventsStoppedMail<'_> {
    fn subject(&self) -> String {
        format!("Events to {} have stopped", self.host)
    }
}

/// To those who were notified that they had stopped.
#[derive(Template)]
#[template(path = "mail/events_restored.txt", whitespace = "preserve")]
pub(super) struct EventsRestoredMail<'a> {
    pub host: &'a str,
    pub workspace: &'a str,
    /// How many events are held, as a sentence; empty for none.
    pub held: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for EventsRestoredMail<'_> {
    fn subject(&self) -> String {
        format!("Events to {} are sent again", self.host)
    }
}

/// To those who can fix it.
#[derive(Template)]
#[template(path = "mail/event_failed.txt", whitespace = "preserve")]
pub(super) struct EventFailedMail<'a> {
    pub host: &'a str,
    pub workspace: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for EventFailedMail<'_> {
    fn subject(&self) -> String {
        format!("An event could not be delivered to {}", self.host)
    }
}
