//! The sidebar of a workspace or account. Its entries are declared by the rows of their pages.

use crate::web::access::Requirement;

/// An entry of the sidebar.
#[derive(Clone, Copy, Debug)]
pub struct NavEntry {
    /// The pattern of the page's path, such as `/w/{workspace}/members`.
    pub path: &'static str,
    pub requirement: Requirement,
    /// The heading above it; empty for none.
    pub group: &'static str,
    /// An id in `static/icons.svg`.
    pub icon: &'static str,
    pub label: &'static str,
}

/// Entries under one heading.
pub(in crate::web) struct NavGroup {
    pub heading: &'static str,
    pub links: Vec<NavLink>,
}

pub(in crate::web) struct NavLink {
    pub href: String,
    pub icon: &'static str,
    pub label: &'static str,
    /// This page, or one below it, is shown.
    pub is_current: bool,
}

/// The sidebar for one viewer. `address` fills in the address of a page of theirs, or returns `None` where
/// they may not see it; `section` is the entry that the page shown belongs to.
pub(in crate::web) fn sidebar(
    entries: &[NavEntry],
    address: impl Fn(&NavEntry) -> Option<String>,
    section: Option<&'static str>,
) -> Vec<NavGroup> {
    let mut groups: Vec<NavGroup> = Vec::new();
    for entry in entries {
        let group = groups.iter_mut().find(|group| group.heading == entry.group);
        let href = match entry.requirement {
            // A public page is added to an existing group, and creates none.
            Requirement::Public if group.is_some() => entry.path.to_owned(),
            _ => match address(entry) {
                Some(href) => href,
                None => continue,
            },
        };
        let is_current = section == Some(entry.path);
        let link = NavLink { href, icon: entry.icon, label: entry.label, is_current };
        match group {
            Some(group) => group.links.push(link),
            None => groups.push(NavGroup { heading: entry.group, links: vec![link] }),
        }
    }
    groups
}
