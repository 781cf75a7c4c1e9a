//! CSV as RFC 4180 has it, for programs that take texts for formulas.
//!
//! A spreadsheet calculates what begins with one of a few characters, also after blanks, and also in their full-width
//! forms. Such a text gets a `'` before it. Which character separates cells depends on where a spreadsheet was
//! installed: what would begin a cell after a semicolon, a tab or a line break gets one too.

use crate::{clock::Timestamp, visible::is_hidden};
use std::io::Write;
use time::OffsetDateTime;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// The mark by which spreadsheets know UTF-8.
pub(in crate::web) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What comes before a text that would be calculated.
const PLAIN: char = '\'';

/// Separators of cells in other forms of CSV, and of lines.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// Writes one line, cell by cell.
pub struct Cells<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> Cells<'a> {
    pub(in crate::web) fn new(line: &'a mut Vec<u8>) -> Self {
        Self { line, is_first: true }
    }

    pub(in crate::web) fn end(self) {
        self.line.extend_from_slice(b"\r\n");
    }

    fn next(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(b',');
        }
    }

    /// A cell of digits, or of other characters that no program takes for anything else.
    fn plain(&mut self, value: impl std::fmt::Display) {
        self.next();
        // Writing into memory does not fail.
        let _ = write!(self.line, "{value}");
    }

    pub fn text(&mut self, text: &str) {
        self.next();
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:/".contains(byte);
        if text.as_bytes().iter().all(harmless) {
            self.line.extend_from_slice(text.as_bytes());
            return;
        }
        self.line.push(b'"');
        // A program may pass over a break at the start, and calculate what follows.
        if text.starts_with(SEPARATORS) {
            self.push(PLAIN);
        }
        let mut begins = true;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if begins && is_calculated(c, rest.as_str()) {
                self.push(PLAIN);
            }
            match c {
                '"' => self.line.extend_from_slice(b"\"\""),
                // No program agrees with another on what this one is.
                '\0' => self.push(char::REPLACEMENT_CHARACTER),
                c => self.push(c),
            }
            begins = SEPARATORS.contains(&c);
        }
        self.line.push(b'"');
    }

    fn push(&mut self, c: char) {
        self.line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    pub fn maybe(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    pub fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.text(&texts.into_iter().collect::<Vec<_>>().join(" "));
    }

    pub fn id(&mut self, id: Option<Uuid>) {
        match id {
            Some(id) => self.plain(id.hyphenated()),
            None => self.next(),
        }
    }

    pub fn number(&mut self, number: i64) {
        self.plain(number);
    }

    pub fn maybe_number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.plain(number),
            None => self.next(),
        }
    }

    pub fn flag(&mut self, flag: bool) {
        self.plain(flag);
    }

    /// Such as `2027-01-15T08:00:00.000Z`.
    pub fn moment(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return self.next() };
        let nanos = i128::from(at.as_millis()) * 1_000_000;
        match OffsetDateTime::from_unix_timestamp_nanos(nanos) {
            Ok(at) => self.plain(format_args!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second(),
                at.millisecond()
            )),
            Err(_) => self.plain(at),
        }
    }
}

/// Whether a cell that begins here would be calculated. `rest` is what follows `c`.
fn is_calculated(c: char, rest: &str) -> bool {
    let mut visible = std::iter::once(c).chain(rest.chars()).skip_while(|c| is_blank(*c));
    visible.next().is_some_and(is_operator)
}

/// What a spreadsheet passes over: spaces of any width, and what cannot be seen.
fn is_blank(c: char) -> bool {
    !SEPARATORS.contains(&c) && (c.is_whitespace() || is_hidden(c))
        || matches!(c, '\u{200c}' | '\u{200d}' | PLAIN | '"')
}

/// One of the characters by which a formula begins, in any of its forms.
fn is_operator(c: char) -> bool {
    let folded = std::iter::once(c).nfkc().next().unwrap_or(c);
    matches!(folded, '=' | '+' | '-' | '@' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut line = Vec::new();
        Cells::new(&mut line).text(text);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn texts_that_would_be_calculated_are_plain() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\t",
            " =1",
            "\u{a0}=1",
            "\u{3000}=1",
            "\u{feff}=1",
            "\u{200b}+1",
            "\u{200d}-1",
            "＝1",
            "＋1",
            "－1",
            "＠A1",
            " ＝1",
            "﹦1",
            "﹢1",
            "﹣1",
            "﹫A",
            "\u{2212}1",
            "-",
            "=",
            "\"=1",
            "'=1",
            "=cmd|'/c calc'!A0",
            "⁼1",
            "₊1",
        ] {
            let written = cell(text);
            assert!(written.starts_with("\"'"), "{text:?} is {written:?}");
            let read = written[1..written.len() - 1].replace("\"\"", "\"");
            assert_eq!(read[1..].replace("\n'", "\n").replace("\t'", "\t").replace("\r'", "\r"), text);
        }
    }

    #[test]
    fn no_other_separator_begins_a_formula() {
        assert_eq!(cell("a;=1"), "\"a;'=1\"");
        assert_eq!(cell("a; =1"), "\"a;' =1\"");
        assert_eq!(cell("a\t=1"), "\"a\t'=1\"");
        assert_eq!(cell("a\n=1"), "\"a\n'=1\"");
        assert_eq!(cell("a\r\n@x"), "\"a\r\n'@x\"");
        assert_eq!(cell("a=1, b-2"), "\"a=1, b-2\"");
    }

    /// The cells of lines in which this separates them, as spreadsheets read them: quotes count where a cell begins.
    fn cells_by(lines: &str, separator: char) -> Vec<String> {
        let (mut cells, mut rest) = (Vec::new(), lines.chars().peekable());
        while rest.peek().is_some() {
            let mut cell = String::new();
            if rest.next_if_eq(&'"').is_some() {
                while let Some(c) = rest.next() {
                    if c == '"' && rest.next_if_eq(&'"').is_none() {
                        break;
                    }
                    cell.push(c);
                }
            }
            cell.extend(rest.by_ref().take_while(|c| *c != separator && !['\r', '\n'].contains(c)));
            cells.push(cell);
        }
        cells
    }

    #[test]
    fn whatever_separates_cells_none_is_calculated() {
        let characters = ['=', ';', '"', ' ', '\t', '\n', '\r', 'a', ',', '\''];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            texts = texts.iter().flat_map(|text| characters.map(|c| format!("{text}{c}"))).collect();
            for text in &texts {
                let written = cell(text);
                for line in [format!("{written},y"), format!("x,{written},y")] {
                    for separator in [',', ';', '\t'] {
                        for read in cells_by(&line, separator) {
                            let seen = read.trim_start_matches([' ', '\t', '"']);
                            assert!(
                                !seen.starts_with('='),
                                "{text:?} is {line:?}, and {read:?} by {separator:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn other_texts_come_back_as_they_are() {
        for (text, written) in [
            ("", ""),
            ("ada", "ada"),
            ("Ada Lovelace", "\"Ada Lovelace\""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("ada@example.com", "\"ada@example.com\""),
            ("אבג", "\"אבג\""),
            ("a\0b", "\"a\u{fffd}b\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }

    #[test]
    fn cells_stand_beside_each_other() {
        let mut line = Vec::new();
        let mut cells = Cells::new(&mut line);
        cells.id(None);
        cells.moment(Some(Timestamp::from_millis(1_800_000_000_123)));
        cells.maybe_number(Some(7));
        cells.flag(true);
        cells.maybe(None);
        cells.end();
        assert_eq!(String::from_utf8(line).unwrap(), ",2027-01-15T08:00:00.123Z,7,true,\r\n");
    }
}
