//! The frame around a sample page.

use crate::{
    policy::{Can, Holdings},
    web::{
        access::Requirement,
        chrome::{Chrome, ChromeUser, ChromeWorkspace},
        nav::{NavEntry, sidebar},
        routes::index::index,
    },
};

/// The frame of a page of this section, as an Owner sees it.
pub(super) fn chrome(section: &'static str) -> Chrome {
    let address = |entry: &NavEntry| match entry.requirement {
        Requirement::Member(_) => Some(entry.path.replacen("{workspace}", "sample", 1)),
        _ => None,
    };
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
        sidebar: sidebar(&index().navigation, address, Some(section)),
        flash: None,
        support: None,
        public_address: None,
    }
}
