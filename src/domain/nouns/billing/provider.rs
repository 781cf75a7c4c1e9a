//! Who collects the money. An invoice is ours whoever does: a provider says how it can be paid, and reports once it was.
//!
//! What goes out is [`PaymentProvider::how_to_pay`]; what comes in is [`record`](super::pay::record), which is the one
//! function that marks an invoice as paid, once, whichever provider reports it and how often. Decision 52 lists the calls
//! that a provider on the network needs, and decision 54 those of Stripe.

use crate::{config::plans::Plans, domain::base::db::Db};

/// A provider of payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentProvider {
    /// Whoever runs the installation gets the money, by whatever means, and marks invoices as paid.
    Manual,
    /// Stripe charges a payment method that was saved there, or people pay on its page of the invoice.
    Stripe,
}

/// How an invoice can be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HowToPay {
    /// What stands on the invoice.
    pub sentence: String,
}

impl PaymentProvider {
    /// The one of this installation.
    pub(in crate::domain) fn of(db: &Db) -> Self {
        if db.uses_stripe() { Self::Stripe } else { Self::Manual }
    }

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Stripe => "stripe",
        }
    }

    /// How people pay by it, in a list of payments.
    pub fn label(word: &str) -> &'static str {
        match word {
            "manual" => "Marked as paid",
            "stripe" => "Paid with Stripe",
            _ => "Paid",
        }
    }

    /// What is said on an invoice of this name.
    pub fn how_to_pay(self, plans: &Plans, invoice: &str) -> HowToPay {
        match self {
            Self::Manual if plans.payment.is_empty() => HowToPay {
                sentence: format!(
                    "Pay it as agreed with the people who run this installation, and name {invoice}."
                ),
            },
            Self::Stripe => HowToPay {
                sentence: "Stripe charges it to the payment method that is saved for this workspace. Without one, pay it on \
                           the page of Stripe that the invoice leads to."
                    .to_owned(),
            },
            Self::Manual => HowToPay { sentence: format!("{} Name {invoice}.", plans.payment) },
        }
    }
}
