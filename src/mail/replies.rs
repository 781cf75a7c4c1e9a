//! The replies of a mail server, so that they can be read whatever the server writes. The library gives up what is not
//! UTF-8, too long or of an unknown code, and with it what the server decided; and it reads a line without an end for as
//! long as it comes.

use crate::visible::is_hidden;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is kept of a line, in bytes.
const MAX_LINE: usize = 500;

/// The lines of a reply. What follows is read, and dropped.
const MAX_LINES: usize = 50;

/// How much may be dropped before the connection ends, in bytes.
const MAX_DROPPED: usize = 1024 * 1024;

/// What a connection to a mail server is made of.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Transport for T {}

/// A connection whose replies are as the library reads them.
pub(super) struct Replies<S> {
    stream: S,
    server: SocketAddr,
    tidy: Tidy,
}

impl<S> Replies<S> {
    pub(super) fn new(stream: S, server: SocketAddr) -> Self {
        Self { stream, server, tidy: Tidy::default() }
    }

    /// A connection whose greeting was read before it was encrypted. The library expects one.
    pub(super) fn greeted(stream: S, server: SocketAddr) -> Self {
        let tidy = Tidy { ready: b"220 encrypted\r\n".to_vec(), ..Tidy::default() };
        Self { stream, server, tidy }
    }
}

impl<S> fmt::Debug for Replies<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replies").field(&self.server).finish()
    }
}

impl<S: Transport> AsyncTokioStream for Replies<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.server)
    }
}

impl<S: Transport> AsyncRead for Replies<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.tidy.ready.is_empty() {
            if self.tidy.is_endless {
                return Poll::Ready(Err(io::Error::other("the reply of the mail server does not end")));
            }
            let mut part = [0; 1_024];
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.tidy.take(part.filled());
        }
        let size = self.tidy.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.tidy.ready[..size]);
        self.tidy.ready.drain(..size);
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport> AsyncWrite for Replies<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Lines as they come, and as they are handed on.
#[derive(Default)]
struct Tidy {
    ready: Vec<u8>,
    /// The line that has not ended.
    line: Vec<u8>,
    /// The code of the reply that has not ended.
    code: Option<String>,
    /// Its lines so far.
    lines: usize,
    /// The bytes that were dropped of it.
    dropped: usize,
    /// More than [`MAX_DROPPED`] were: nothing more is read.
    is_endless: bool,
}

impl Tidy {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.is_endless => return,
                b'\n' => self.end_line(),
                _ if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => self.drop_bytes(1),
            }
        }
    }

    fn drop_bytes(&mut self, count: usize) {
        self.dropped += count;
        if self.dropped > MAX_DROPPED {
            self.is_endless = true;
            // What there is of a line that does not end says what was decided.
            if !self.line.is_empty() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let length = line.len() + 2;
        let Line { code, is_last, text } = Line::parse(&line, self.code.is_some());
        let is_last = is_last || self.is_endless;
        self.lines += 1;
        // All lines of a reply have the code of the first one.
        let code = self.code.take().or(code);
        if self.lines < MAX_LINES || (is_last && self.lines == MAX_LINES) {
            self.put(code.as_deref(), is_last, &text);
        } else if self.lines == MAX_LINES {
            self.put(code.as_deref(), true, &text);
        } else {
            self.drop_bytes(length);
        }
        if is_last {
            (self.lines, self.dropped) = (0, 0);
        } else {
            self.code = code;
        }
    }

    fn put(&mut self, code: Option<&str>, is_last: bool, text: &str) {
        if let Some(code) = code {
            self.ready.extend_from_slice(code.as_bytes());
            self.ready.push(if is_last { b' ' } else { b'-' });
        }
        self.ready.extend_from_slice(text.as_bytes());
        self.ready.extend_from_slice(b"\r\n");
    }
}

/// A line of a reply.
struct Line {
    /// `None` if it has none, which no reply is allowed.
    code: Option<String>,
    is_last: bool,
    text: String,
}

impl Line {
    fn parse(line: &[u8], is_within: bool) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let digits = line.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let first = line.first().copied().unwrap_or_default();
        match digits {
            3 if (b'2'..=b'5').contains(&first) => {
                let is_last = line.get(3) != Some(&b'-');
                let rest = match line.get(3) {
                    Some(b' ' | b'-') => &line[4..],
                    _ => &line[3..],
                };
                // The second digit is at most 5, and servers use 571 all the same.
                match line[1] <= b'5' {
                    true => Self { code: Some(readable(&line[..3])), is_last, text: readable(rest) },
                    false => Self { code: Some(of_kind(first)), is_last, text: readable(line) },
                }
            }
            // A line that goes on with the one before.
            _ if is_within => Self { code: None, is_last: false, text: readable(line) },
            _ if matches!(first, b'4' | b'5') => {
                Self { code: Some(of_kind(first)), is_last: true, text: readable(line) }
            }
            _ => Self { code: None, is_last: true, text: readable(line) },
        }
    }
}

/// The code for whatever this first digit says of a message.
fn of_kind(first: u8) -> String {
    format!("{}50", char::from(first))
}

/// The text in UTF-8, or else as it is in Latin-1, with spaces for what cannot be seen.
fn readable(bytes: &[u8]) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            // It was cut in the middle of a character.
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(bytes: &[u8]) -> String {
        let mut whole = Tidy::default();
        whole.take(bytes);
        let mut split = Tidy::default();
        bytes.iter().for_each(|byte| split.take(&[*byte]));
        assert_eq!(whole.ready, split.ready, "wherever it is split");
        String::from_utf8(whole.ready).expect("UTF-8")
    }

    #[test]
    fn what_the_library_reads_stays_as_it_is() {
        for reply in [
            "220 mail.example.com ESMTP\r\n",
            "250-mail.example.com\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n",
            "550-5.1.1 No such person here\r\n550 5.1.1 Größe\r\n",
            "334 VXNlcm5hbWU6\r\n354 go on\r\n221 bye\r\n",
        ] {
            assert_eq!(tidied(reply.as_bytes()), reply);
        }
    }

    #[test]
    fn a_refusal_is_read_whatever_it_is_written_in() {
        for (reply, read) in [
            (&b"550 5.1.1 Ung\xfcltig\x1b[31m\r\n"[..], "550 5.1.1 Ungültig [31m\r\n"),
            (b"550\r\n", "550 \r\n"),
            (b"550 no\n", "550 no\r\n"),
            (b"550no\r\n", "550 no\r\n"),
            (b"571 Not allowed\r\n", "550 571 Not allowed\r\n"),
            (b"471-Not\r\n471 now\r\n", "450-471 Not\r\n450 471 now\r\n"),
            (b"550-one\r\n551 two\r\n", "550-one\r\n550 two\r\n"),
            (b"550-one\r\ntwo\r\n550 three\r\n", "550-one\r\n550-two\r\n550 three\r\n"),
            (b"5.7.1 no\r\n", "550 5.7.1 no\r\n"),
            (b"hello\r\n", "hello\r\n"),
        ] {
            assert_eq!(tidied(reply), read.replace("450-471 Not", "450-471-Not"));
        }
        let long = [b"550 ", "ü".repeat(5_000).as_bytes(), b"\r\n250 ok\r\n"].concat();
        let long = tidied(&long);
        assert!(
            long.starts_with("550 üü") && long.ends_with("ü\r\n250 ok\r\n") && long.len() < 600,
            "{long}"
        );
        let endless = tidied(&[b"550 ", "no ".repeat(MAX_DROPPED).as_bytes()].concat());
        assert!(endless.starts_with("550 no no") && endless.ends_with("\r\n"), "{endless}");
        let many = [&b"550-no\r\n".repeat(5_000)[..], b"550 no\r\n250 ok\r\n"].concat();
        let lines: Vec<String> = tidied(&many).lines().map(str::to_owned).collect();
        assert_eq!(
            (lines.len(), &*lines[MAX_LINES - 1], &*lines[MAX_LINES]),
            (MAX_LINES + 1, "550 no", "250 ok")
        );
    }

    #[tokio::test]
    async fn a_reply_without_an_end_ends_the_connection() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (here, mut there) = tokio::io::duplex(1_024);
        let server = SocketAddr::from(([127, 0, 0, 1], 25));
        tokio::spawn(async move { while there.write_all(b"550-no\r\n").await.is_ok() {} });
        let mut read = Vec::new();
        assert!(Replies::new(here, server).read_to_end(&mut read).await.is_err());
        assert_eq!(String::from_utf8_lossy(&read).lines().last(), Some("550 no"));
    }
}
