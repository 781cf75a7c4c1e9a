//! Requests that come back to the installation that sent them, by whatever name and however many proxies.

use http::HeaderValue;

/// What an installation writes into `Via` of each request that it sends (RFC 9110, section 7.6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopToken(String);

impl LoopToken {
    /// From bytes that are the same on every node, and that tell nothing.
    pub fn new(bytes: [u8; 8]) -> Self {
        Self(format!("bailiwick-{}", hex::encode(bytes)))
    }

    /// The value of the header.
    pub fn via(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("1.1 {}", self.0)).ok()
    }

    /// Whether a value of `Via` in a request says that this installation sent it.
    pub fn is_in(&self, via: &[u8]) -> bool {
        via.split(|byte| matches!(byte, b',' | b' ' | b'\t'))
            .any(|word| word.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_token_is_found_among_others() {
        let (own, other) = (LoopToken::new([7; 8]), LoopToken::new([8; 8]));
        let via = own.via().expect("a value");
        assert!(own.is_in(via.as_bytes()) && !other.is_in(via.as_bytes()));
        let many = format!("1.0 fred, {},1.1 p.example.net (Apache)", via.to_str().expect("text"));
        assert!(own.is_in(many.as_bytes()) && own.is_in(many.to_uppercase().as_bytes()));
        assert!(!own.is_in(format!("1.1 x{}x", own.0).as_bytes()) && !own.is_in(b""));
    }
}
