use crate::{
    policy::{Can, Holdings},
    web::chrome::{Chrome, ChromeUser, ChromeWorkspace},
};

/// Rows on each page.
pub(in crate::web) const ROWS: u8 = 50;

/// The frame as an Owner sees it.
pub(in crate::web) fn chrome(nav: &'static str) -> Chrome {
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
