//! Texts of others, where they are shown as they are: in the log, on a terminal. What cannot be seen there is written
//! out, so that nothing moves a cursor, paints a line or turns the order of words.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// A range of characters, both ends included.
pub type Range = (char, char);

/// What ends a line or jumps within it.
pub const BREAKS: [Range; 2] = [('\t', '\n'), ('\r', '\r')];

/// Every other control character, and those that reorder or hide the text around them.
pub const INVISIBLE: [Range; 21] = [
    ('\u{0}', '\u{8}'),
    ('\u{b}', '\u{c}'),
    ('\u{e}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{200e}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2069}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0e}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether the character is in one of these ranges.
pub fn is_in(ranges: &[Range], c: char) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// A character that cannot be seen, line breaks and tabs left out.
pub fn is_invisible(c: char) -> bool {
    is_in(&INVISIBLE, c)
}

/// A character that no text on one line may have.
pub fn is_hidden(c: char) -> bool {
    is_in(&BREAKS, c) || is_invisible(c)
}

/// The text on one line: what cannot be seen is written as `\u{1b}`.
pub fn line(text: &str) -> String {
    written_out(text, is_hidden)
}

/// [`line()`] for a text of several lines, which stay.
pub fn lines(text: &str) -> String {
    written_out(text, |c| c != '\n' && is_hidden(c))
}

/// A text of somebody else in one line, of at most so many characters: what cannot be seen becomes a space.
pub fn excerpt(text: &str, max: usize) -> String {
    let shown: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let mut words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(max) {
        words.truncate(end);
        words.push('…');
    }
    words
}

fn written_out(text: &str, is_hidden: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// How a [`Log`] writes what cannot be seen.
#[derive(Clone, Copy, Debug)]
pub enum Notation {
    /// `\u{202e}`; for whoever reads.
    Braces,
    /// `\u202e`, which JSON has in its strings, where alone such characters are.
    Json,
}

/// What is written to the log. The library has escaped what ASCII controls, and on a terminal it adds colours by
/// that; the rest is escaped here.
pub struct Log<W> {
    to: W,
    notation: Notation,
}

impl<W: Write> Log<W> {
    pub fn new(to: W, notation: Notation) -> Self {
        Self { to, notation }
    }
}

impl<W: Write> Write for Log<W> {
    /// Takes whole lines, as the library writes them.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_ascii() && !bytes.contains(&0x7f) {
            self.to.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut shown = String::with_capacity(bytes.len() + 16);
        for c in String::from_utf8_lossy(bytes).chars() {
            match self.notation {
                _ if c < '\u{7f}' || !is_invisible(c) => shown.push(c),
                Notation::Braces => shown.extend(c.escape_unicode()),
                Notation::Json => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Nothing can fail that is written to a text.
                        let _ = write!(shown, "\\u{unit:04x}");
                    }
                }
            }
        }
        self.to.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out_or_dropped() {
        assert_eq!(line("Grüße, 日本\u{1b}[2J\n"), "Grüße, 日本\\u{1b}[2J\\u{a}");
        assert_eq!(lines("one\ntwo\r\u{202e}"), "one\ntwo\\u{d}\\u{202e}");
        assert_eq!(excerpt(" no\u{1b}[31m\r\n such \u{202e}person", 100), "no [31m such person");
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("äöü", 3), "äöü");
    }

    #[test]
    fn the_log_writes_out_what_its_library_does_not() {
        let logged = |text: &str, notation| {
            let mut to = Vec::new();
            Log::new(&mut to, notation).write_all(text.as_bytes()).expect("written");
            String::from_utf8(to).expect("a text")
        };
        let text = "\u{1b}[32mINFO\u{1b}[0m Grüße\u{202e}\u{9b}\u{e0041}\n";
        assert_eq!(
            logged(text, Notation::Braces),
            "\u{1b}[32mINFO\u{1b}[0m Grüße\\u{202e}\\u{9b}\\u{e0041}\n"
        );
        let json = logged("{\"a\":\"\u{202e}\u{e0041}\u{7f}ü\"}\n", Notation::Json);
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["a"], "\u{202e}\u{e0041}\u{7f}ü");
        assert!(!json.chars().any(|c| c != '\n' && is_hidden(c)), "{json}");
    }
}
