//! Pages full of made-up rows, for `cargo bench` to draw: no database and no request takes part.

pub use super::pages::{activity::sample::activity, members::sample::members, security::sample::security};

use super::chrome::{Chrome, ChromeUser, ChromeWorkspace};
use crate::policy::{Can, Holdings};

/// Rows on each page.
pub(super) const ROWS: u8 = 50;

/// The frame as an Owner sees it.
pub(super) fn chrome(nav: &'static str) -> Chrome {
    Chrome {
        csrf: "0".repeat(64),
        user: Some(ChromeUser {
            name: "Sample Owner".into(),
            email: "owner@example.com".into(),
            initials: "SO".into(),
            hue: 3,
            verified: true,
            mail_hint: None,
        }),
        workspace: Some(ChromeWorkspace { slug: "sample".into(), name: "Sample Company".into() }),
        account: None,
        can: Can::of(&Holdings::of(true, [])),
        nav,
        flash: None,
    }
}
