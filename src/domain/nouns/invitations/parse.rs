//! What was pasted into the form: addresses in any order, or a table whose first line names its columns.

use std::collections::BTreeSet;

/// One person of a list, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub email: String,
    /// Names or slugs of roles; empty where the list says nothing of them.
    pub roles: Vec<String>,
    /// Names of teams.
    pub teams: Vec<String>,
}

/// How a table calls its columns, in lower case.
const EMAIL: [&str; 6] = ["email", "e-mail", "mail", "address", "email address", "e-mail address"];
const ROLES: [&str; 2] = ["role", "roles"];
const TEAMS: [&str; 2] = ["team", "teams"];

/// What separates the cells of a table: whatever the program that wrote it uses.
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// Reads a list. A table has one line for each person, also for one who stands in it twice; of other texts each address
/// counts once.
pub(super) fn read(text: &str) -> Vec<Line> {
    let text = text.trim_start_matches('\u{feff}').trim();
    table(text)
        .unwrap_or_else(|| split(text).into_iter().map(|email| Line { email, ..Line::default() }).collect())
}

/// The places of the columns of a table.
struct Columns {
    email: usize,
    roles: Option<usize>,
    teams: Option<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Option<Self> {
        let place = |names: &[&str]| {
            header.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()))
        };
        Some(Self { email: place(&EMAIL)?, roles: place(&ROLES), teams: place(&TEAMS) })
    }
}

fn table(text: &str) -> Option<Vec<Line>> {
    let first = text.lines().next()?;
    let read = |delimiter| Some((delimiter, Columns::of(records(first, delimiter).first()?)?));
    let (delimiter, columns) = DELIMITERS.into_iter().find_map(read)?;
    let line = |record: Vec<String>| {
        let cell = |place: usize| record.get(place).map(|cell| cell.trim()).unwrap_or_default();
        let words = |place: Option<usize>| {
            let words = place.map(cell).unwrap_or_default().split([',', ';', '|']).map(str::trim);
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let email = cell(columns.email);
        // A name may stand beside the address. Several are none: nobody of a line is passed over in silence, as those
        // behind a quote that nothing ends would be.
        let mut addresses = split(email).into_iter().filter(|word| word.contains('@'));
        let email = match (addresses.next(), addresses.next()) {
            (Some(one), None) => one,
            _ => email.into(),
        };
        Line { email, roles: words(columns.roles), teams: words(columns.teams) }
    };
    let lines = records(text, delimiter).into_iter().skip(1).map(line);
    Some(lines.filter(|line| *line != Line::default()).collect())
}

/// The records of a text as RFC 4180 has it, with any separator.
fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted => is_quoted = false,
            c if is_quoted => cell.push(c),
            '"' if cell.is_empty() => is_quoted = true,
            '\n' => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            '\r' => {}
            c if c == delimiter => record.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    record.push(cell);
    records.push(record);
    records
}

/// Splits what was pasted into addresses, each once, in their order. Beside an address in pointed
/// brackets, words without an @ are the name it belongs to.
fn split(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    unquoted(text)
        .split([',', ';', '\n', '\r'])
        .flat_map(|entry| {
            let named = entry.contains('<');
            entry
                .split(|c: char| c.is_whitespace() || c == '<' || c == '>')
                .filter(move |word| !named || word.contains('@'))
        })
        .filter(|word| !word.is_empty())
        .filter(|word| seen.insert(word.to_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// The text without its quoted parts: names, which may contain a comma.
fn unquoted(text: &str) -> String {
    match text.matches('"').count() % 2 {
        0 => text.split('"').step_by(2).collect::<Vec<_>>().join(" "),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_are_split_by_comma_space_and_line_each_once() {
        let text =
            "a@x.org, b@x.org;c@x.org\n  e@x.org Some One <d@x.org>\r\nA@x.org \"One, Some\" <f@x.org>, word";
        assert_eq!(split(text), ["a@x.org", "b@x.org", "c@x.org", "e@x.org", "d@x.org", "f@x.org", "word"]);
        assert_eq!(read(text).len(), 7);
    }

    #[test]
    fn the_columns_of_a_table_are_found_by_their_names() {
        let line = |email: &str, roles: &[&str], teams: &[&str]| {
            let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            Line { email: email.into(), roles: words(roles), teams: words(teams) }
        };
        let text = "\u{feff}Name,Role,E-Mail,Team\r\n\"One, Some\",Editor,a@x.org,\r\n,,,\r\nTwo,\"Viewer, Admin\",Two <b@x.org>,\"One \"\"A\"\"\"\r\n";
        let expected =
            [line("a@x.org", &["Editor"], &[]), line("b@x.org", &["Viewer", "Admin"], &["One \"A\""])];
        assert_eq!(read(text), expected);
        let expected = [line("a@x.org", &["viewer"], &[]), line("nonsense", &[], &[])];
        assert_eq!(read("email;roles\na@x.org;viewer\nnonsense;"), expected);
        assert_eq!(read("Mail\tName\na@x.org\tSome One"), [line("a@x.org", &[], &[])]);
        assert_eq!(read("Email\na@x.org\na@x.org").len(), 2);
        assert_eq!(read("email\na@x.org;b@x.org"), [line("a@x.org;b@x.org", &[], &[])]);
        let unended = read("email,role\n\"a@x.org\nb@x.org,Editor");
        assert_eq!(unended, [line("a@x.org\nb@x.org,Editor", &[], &[])]);
    }

    #[test]
    fn a_list_that_begins_with_an_address_is_no_table() {
        let lines = read("mail@x.org, a@x.org");
        assert_eq!(
            lines.iter().map(|line| line.email.as_str()).collect::<Vec<_>>(),
            ["mail@x.org", "a@x.org"]
        );
    }
}
