//! Joining a workspace without an invitation to one's own address: by a link that several people can use, or because
//! one's address is at a domain of the workspace.
//!
//! [`links`] makes links, lists and revokes them; [`domains`] names domains, and proves by DNS that they are the
//! workspace's; [`by_link`] and [`by_domain`] are for whoever joins. Whoever made a link, or added a domain,
//! answers for it: it is worth what they could invite with at that moment, as an invitation is. Nobody who was a member
//! before comes back by either: they are invited.

pub mod by_domain;
pub mod by_link;
pub mod domains;
mod enter;
pub mod events;
pub mod links;

use crate::{
    domain::{
        base::{
            invalid::Invalid,
            role::{Assignable, Role, assignable_roles},
            text_rule::Complaint,
            values::Email,
        },
        enforce::read::ReadScope,
    },
    policy::Access,
};
pub use by_domain::{JoinableWorkspace, JoinedWorkspace, join_by_domain, joinable};
pub use by_link::{LinkOffer, UNKNOWN_LINK, join_by_link, offer_of};
pub use domains::{JoinDomain, Lookup, NewDomain};
pub use enter::LEFT;
pub use links::{CreatedLink, JoinLink, JoinLinkUse, NewLink};

const OWNERS_BY_NAME: &str = "Owners are invited one by one.";

/// The roles that a link or a domain could give, if the viewer makes it.
pub fn assignable<P: Access>(scope: &ReadScope<P>) -> Vec<Assignable> {
    let mut all = assignable_roles(&scope.actor().all_roles, &scope.actor().holdings);
    for owner in all.iter_mut().filter(|role| role.is_owner) {
        owner.refused = Some(OWNERS_BY_NAME.to_owned());
    }
    all
}

/// Nobody becomes an Owner by an offer that several people can take up.
fn without_owner(roles: &[&Role]) -> Result<(), Invalid> {
    match roles.iter().any(|role| role.is_owner) {
        true => Err(Invalid::field("role", OWNERS_BY_NAME)),
        false => Ok(()),
    }
}

/// Reads the domain of an address, such as `example.com`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_domain(text: &str) -> Result<String, Complaint> {
    let text = text.trim().trim_start_matches('@').trim_end_matches('.');
    let wrong = "Enter a domain such as example.com.";
    // What can't be in an address is no domain of one.
    let email = Email::parse(&format!("a@{text}")).map_err(|_| wrong)?;
    match email.as_str().rsplit_once('@') {
        Some(("a", domain)) if domain.contains('.') => Ok(domain.to_owned()),
        _ => Err(wrong),
    }
}

/// The domain of an address.
pub(in crate::domain) fn domain_of(email: &str) -> &str {
    email.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_those_of_addresses() {
        for text in ["example.com", " @Example.COM", "example.com."] {
            assert_eq!(parse_domain(text), Ok("example.com".to_owned()), "{text}");
        }
        for text in
            ["", "example", "b@example.com", "exa mple.com", "exämple.com", ".com", "https://example.com"]
        {
            assert!(parse_domain(text).is_err(), "{text}");
        }
        assert_eq!(domain_of("ada@example.com"), "example.com");
    }
}
