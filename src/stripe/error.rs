//! Why Stripe did not do what it was asked.

/// Why Stripe did not do what it was asked. No text of Stripe's is in it: it may repeat what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// Nothing came back, so it may have been done: a sentence that says what happened.
    #[error("Stripe did not answer. {0}")]
    NoAnswer(String),
    /// It is to be asked again later; nothing was done.
    #[error("Stripe asked to try again later ({0}).")]
    Busy(u16),
    /// The card was declined, or something else about the payment. 402
    #[error("Stripe could not collect the payment ({0}).")]
    Declined(String),
    /// A word that says why.
    #[error("Stripe refused the request ({status} {code}).")]
    Refused { status: u16, code: String },
    #[error("Stripe failed ({0}).")]
    Failed(u16),
    /// An answer that is none of the API of Stripe.
    #[error("Stripe's answer can't be read.")]
    Unreadable,
}

impl StripeError {
    /// Whether the next attempt must be recognized as the same request: it may have been done. A refusal was not, and Stripe
    /// would only repeat it to the same key.
    pub fn keeps_key(&self) -> bool {
        !matches!(self, Self::Declined(_) | Self::Refused { .. })
    }

    /// Whether it is about what was asked for, so that it would be refused again. A key that is not taken (401, 403) is not.
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Declined(_) => true,
            Self::Refused { status, .. } => ![401, 403].contains(status),
            Self::NoAnswer(_) | Self::Busy(_) | Self::Failed(_) | Self::Unreadable => false,
        }
    }

    /// The error that a status and a word stand for.
    pub(in crate::stripe) fn of(status: u16, code: &str) -> Self {
        match status {
            402 => Self::Declined(word(code)),
            // 409: the same key is in use at this moment.
            409 | 429 => Self::Busy(status),
            400..=499 => Self::Refused { status, code: word(code) },
            _ => Self::Failed(status),
        }
    }
}

/// A code as it is documented, such as `card_declined`. What is no such word is left out.
fn word(code: &str) -> String {
    let is_word = code.len() <= 60 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && !code.is_empty() { code.to_owned() } else { "no code".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_while_it_is_not_known_whether_something_was_done() {
        assert!(StripeError::NoAnswer(String::new()).keeps_key() && StripeError::Unreadable.keeps_key());
        for (status, keeps) in
            [(429, true), (409, true), (500, true), (503, true), (402, false), (400, false), (401, false)]
        {
            assert_eq!(StripeError::of(status, "").keeps_key(), keeps, "{status}");
        }
        for (status, is_about_content) in
            [(400, true), (402, true), (404, true), (401, false), (403, false), (429, false), (500, false)]
        {
            assert_eq!(StripeError::of(status, "").is_about_content(), is_about_content, "{status}");
        }
    }

    #[test]
    fn only_documented_words_are_repeated() {
        assert_eq!(StripeError::of(402, "card_declined"), StripeError::Declined("card_declined".into()));
        for odd in ["sk_live_CANARY", "", "a b", "<b>"] {
            assert_eq!(
                StripeError::of(400, odd),
                StripeError::Refused { status: 400, code: "no code".into() }
            );
        }
    }
}
