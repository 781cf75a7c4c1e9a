//! The people of the demo.

use crate::domain::base::tokens::{Purpose, Token};

pub(in crate::domain) fn email(who: &str) -> String {
    format!("{who}@example.com")
}

/// The secret of the demo that is printed each time: like the password, it protects nothing.
pub(in crate::domain) fn secret() -> Token {
    Token::known(Purpose::ApiKey, PASSWORD)
}

/// The password of everybody in the demo. It protects nothing of value.
pub(in crate::domain) const PASSWORD: &str = "look around the demo";

/// Everybody who can sign in: the start of the address, and the name.
pub(in crate::domain) const PEOPLE: [(&str, &str); 18] = [
    ("owner", "Demo Owner"),
    ("admin", "Demo Admin"),
    ("developer", "Demo Developer"),
    ("billing", "Demo Billing"),
    ("editor", "Demo Editor"),
    ("viewer", "Demo Viewer"),
    ("support", "Demo Support"),
    ("second", "Demo Second Owner"),
    ("former", "Demo Former Member"),
    ("accountant", "Demo Accountant"),
    ("analyst", "Demo Analyst"),
    ("auditor", "Demo Auditor"),
    ("contractor", "Demo Contractor"),
    ("designer", "Demo Designer"),
    ("partner", "Demo Partner"),
    ("tester", "Demo Tester"),
    ("trainee", "Demo Trainee"),
    ("writer", "Demo Writer"),
];
