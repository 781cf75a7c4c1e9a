//! Where the heads of requests are in what a client sends: bodies may contain anything, heads of requests too.
//!
//! Nothing is refused here. The HTTP library parses the same bytes, and ends a connection whose requests are malformed.

/// The longest beginning of a line that is kept: long enough for the fields that say how long a body is.
const MAX_LINE: usize = 128;

/// Follows the requests of one client.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    place: Place,
    /// The beginning of the present line of a head, without its end.
    line: Vec<u8>,
    /// What the present head says of its body.
    body: Body,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before a head, or between two.
    #[default]
    Between,
    Head,
    /// In a body, with so many bytes to come.
    Body(u64),
    /// In the line before a chunk.
    ChunkSize {
        size: Option<u64>,
        is_extension: bool,
    },
    Chunk(u64),
    /// At the end of the line after a chunk.
    ChunkEnd,
    /// In the lines after the last chunk; whether something is on the present one.
    Trailer(bool),
    /// What comes can't be told apart any more.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
}

impl Framing {
    /// Whether the head of a request has begun, and is not complete.
    pub(crate) fn is_in_head(&self) -> bool {
        self.place == Place::Head
    }

    /// Follows these bytes up to the end of the first head among them. Returns how many that is, and whether a head
    /// ends there.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.place {
                Place::Body(rest) | Place::Chunk(rest) => {
                    let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(*rest);
                    *rest -= here;
                    at += usize::try_from(here).unwrap_or(usize::MAX);
                    if *rest == 0 {
                        self.place = match self.place {
                            Place::Chunk(_) => Place::ChunkEnd,
                            _ => Place::Between,
                        };
                    }
                }
                Place::Unknown => return (bytes.len(), false),
                Place::Between | Place::Head => {
                    at += 1;
                    if self.head(bytes[at - 1]) {
                        return (at, true);
                    }
                }
                _ => {
                    at += 1;
                    self.chunk(bytes[at - 1]);
                }
            }
        }
        (at, false)
    }

    /// A byte of a head, or before one. Returns whether the head ends with it.
    fn head(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if self.line.is_empty() => {
                if self.place == Place::Between {
                    return false;
                }
                self.place = match std::mem::take(&mut self.body) {
                    Body::None | Body::Length(0) => Place::Between,
                    Body::Length(length) => Place::Body(length),
                    Body::Chunked => Place::ChunkSize { size: None, is_extension: false },
                };
                return true;
            }
            b'\n' => self.end_line(),
            b'\r' => {}
            _ => {
                self.place = Place::Head;
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                }
            }
        }
        false
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") && self.body != Body::Chunked {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.body = length.map_or(Body::None, Body::Length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            self.body = Body::Chunked;
        }
    }

    /// A byte between two chunks.
    fn chunk(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::ChunkSize { size: Some(0), .. }, b'\n') => Place::Trailer(false),
            (Place::ChunkSize { size: Some(size), .. }, b'\n') => Place::Chunk(size),
            (Place::ChunkSize { size: None, .. }, b'\n') => Place::Unknown,
            (Place::ChunkSize { size, is_extension: true }, _) | (Place::ChunkSize { size, .. }, b'\r') => {
                Place::ChunkSize { size, is_extension: true }
            }
            (Place::ChunkSize { size: Some(size), .. }, b';' | b' ' | b'\t') => {
                Place::ChunkSize { size: Some(size), is_extension: true }
            }
            (Place::ChunkSize { size, .. }, digit) => {
                let digit = char::from(digit).to_digit(16).map(u64::from);
                let size = digit.and_then(|digit| size.unwrap_or(0).checked_mul(16)?.checked_add(digit));
                size.map_or(Place::Unknown, |size| Place::ChunkSize { size: Some(size), is_extension: false })
            }
            (Place::ChunkEnd, b'\n') => Place::ChunkSize { size: None, is_extension: false },
            (Place::Trailer(false), b'\n') => Place::Between,
            (Place::Trailer(_), b'\n') => Place::Trailer(false),
            (Place::Trailer(_), other) if other != b'\r' => Place::Trailer(true),
            (place, _) => place,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where heads end in this stream, however it is split.
    fn heads(stream: &[u8]) -> Vec<usize> {
        let whole = heads_in(&[stream]);
        for split in 1..stream.len() {
            assert_eq!(heads_in(&[&stream[..split], &stream[split..]]), whole, "split at {split}");
        }
        whole
    }

    fn heads_in(parts: &[&[u8]]) -> Vec<usize> {
        let (mut framing, mut heads, mut before) = (Framing::default(), Vec::new(), 0);
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let (read, is_head) = framing.advance(rest);
                assert!(read > 0);
                before += read;
                heads.extend(is_head.then_some(before));
                rest = &rest[read..];
            }
        }
        heads
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(heads(one), [one.len()]);
        assert_eq!(heads(b"GET / HTTP/1.1\nHost: x\n\n"), [24]);
        assert_eq!(heads(&one.repeat(3)), [one.len(), 2 * one.len(), 3 * one.len()]);
        // Empty lines before it are no head.
        assert_eq!(heads(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), [22]);
    }

    #[test]
    fn nothing_in_a_body_is_a_head() {
        let body = "\n\nGET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n".repeat(20);
        let head = format!("POST / HTTP/1.1\r\ncontent-LENGTH:  {}\r\n\r\n", body.len());
        let next = "GET / HTTP/1.1\r\n\r\n";
        let stream = format!("{head}{body}{next}");
        assert_eq!(heads(stream.as_bytes()), [head.len(), stream.len()]);
    }

    #[test]
    fn nothing_in_chunks_is_a_head() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        let chunks = "12;a=\"b\"\r\nGET / HTTP/1.1\r\n\r\n\r\n1\r\n\n\r\n0\r\nTrailer: x\r\nB: y\r\n\r\n";
        let next = "GET / HTTP/1.1\r\n\r\n";
        let stream = format!("{head}{chunks}{next}");
        assert_eq!(heads(stream.as_bytes()), [head.len(), stream.len()]);
    }

    #[test]
    fn what_is_malformed_has_no_heads() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for chunks in ["x\r\n", "\r\n", "fffffffffffffffff\r\n"] {
            let stream = format!("{head}{chunks}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(heads(stream.as_bytes()), [head.len()], "{chunks:?}");
        }
    }

    #[test]
    fn a_head_has_begun_until_it_ends() {
        let mut framing = Framing::default();
        assert!(!framing.is_in_head());
        framing.advance(b"\r\nG");
        assert!(framing.is_in_head());
        framing.advance(b"ET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
        assert!(!framing.is_in_head());
        framing.advance(b"G");
        assert!(!framing.is_in_head());
    }
}
