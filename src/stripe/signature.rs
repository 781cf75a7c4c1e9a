//! The signature of what Stripe sends: `Stripe-Signature: t=1492774577,v1=…,v1=…`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// How far the time of a message may be from ours, in seconds.
pub const TOLERANCE: i64 = 300;

/// The most signatures that are looked at.
const MAX_SIGNATURES: usize = 8;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the header Stripe-Signature is missing, or is not as Stripe writes it")]
    Malformed,
    #[error("no signature fits")]
    Forged,
    #[error("it was signed more than five minutes ago, or will be")]
    Old,
}

/// Checks a message against the header that came with it. While a secret is replaced, Stripe signs with both: one of the
/// signatures is enough.
///
/// # Errors
/// Why the message is not taken.
pub fn verify(secret: &str, header: &str, body: &[u8], now_seconds: i64) -> Result<(), SignatureError> {
    let (time, signatures) = parse(header).ok_or(SignatureError::Malformed)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| SignatureError::Malformed)?;
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let expected: [u8; 32] = mac.finalize().into_bytes().into();
    // All of them are compared, whichever fits.
    let fits = signatures.iter().fold(Choice::from(0), |fits, given| fits | expected[..].ct_eq(&given[..]));
    if !bool::from(fits) {
        return Err(SignatureError::Forged);
    }
    match time.abs_diff(now_seconds) <= TOLERANCE.unsigned_abs() {
        true => Ok(()),
        false => Err(SignatureError::Old),
    }
}

/// The time, and the signatures of the only scheme that counts.
fn parse(header: &str) -> Option<(i64, Vec<[u8; 32]>)> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", text) if time.is_none() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                time = Some(text.parse::<i64>().ok()?);
            }
            ("t", _) => return None,
            ("v1", text) if signatures.len() < MAX_SIGNATURES => {
                let mut signature = [0; 32];
                // One of another form fits nothing.
                if hex::decode_to_slice(text, &mut signature).is_ok() {
                    signatures.push(signature);
                }
            }
            // Other schemes, such as the test one `v0`.
            _ => {}
        }
    }
    Some((time?, signatures))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn sign(secret: &str, time: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let (good, other) = (sign(SECRET, 1_000, BODY), sign("whsec_other", 1_000, BODY));
        for header in [
            format!("t=1000,v1={good}"),
            format!("t=1000,v1={other},v1={good},v0=abc"),
            format!("v1={good}, t=1000"),
        ] {
            assert_eq!(verify(SECRET, &header, BODY, 1_000), Ok(()), "{header}");
        }
        for header in [
            format!("t=1000,v1={other}"),
            format!("t=1001,v1={good}"),
            format!("t=1000,v0={good}"),
            format!("t=1000,v1={}", good.to_uppercase() + "00"),
            "t=1000,v1=".to_owned(),
            "t=1000".to_owned(),
        ] {
            assert_eq!(verify(SECRET, &header, BODY, 1_000), Err(SignatureError::Forged), "{header}");
        }
        assert_eq!(verify(SECRET, &format!("t=1000,v1={good}"), b"{}", 1_000), Err(SignatureError::Forged));
        for header in ["", "t", "v1=abc", "t=-5,v1=ab", "t=1000,t=1000,v1=ab", "t=99999999999999999999,v1=ab"]
        {
            assert_eq!(verify(SECRET, header, BODY, 1_000), Err(SignatureError::Malformed), "{header}");
        }
    }

    #[test]
    fn five_minutes_are_tolerated_and_no_more() {
        let header = format!("t=1000,v1={}", sign(SECRET, 1_000, BODY));
        for (now, expected) in [
            (1_300, Ok(())),
            (700, Ok(())),
            (1_301, Err(SignatureError::Old)),
            (699, Err(SignatureError::Old)),
        ] {
            assert_eq!(verify(SECRET, &header, BODY, now), expected, "{now}");
        }
    }
}
