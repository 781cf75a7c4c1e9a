//! Names, numbers and moments in sentences.

use crate::clock::Timestamp;
use time::{OffsetDateTime, macros::format_description};

/// A number with its noun: "1 person", "2 people".
pub fn pluralize(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// The texts that are not empty.
pub(in crate::domain) fn nonempty<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// A name as it stands in a mail: nothing in it becomes a link in the reader's program. [`Name`] refuses
/// addresses and links; this is for a bare domain, which may be what a company is called, and for names that
/// are older than the rule.
///
/// [`Name`]: crate::domain::base::values::Name
pub(in crate::domain) fn inert(name: &str) -> String {
    let inert = |word: &str| {
        let word = word.replace("://", " ").replace('@', " at ");
        match looks_like_domain(&word) {
            true => word.replace('.', ". ").trim_end().to_owned(),
            false => word,
        }
    };
    name.split(' ').map(inert).collect::<Vec<_>>().join(" ")
}

/// True for `example.com` and `(www.example.com/path`: labels with dots, the last one of a public suffix.
fn looks_like_domain(word: &str) -> bool {
    let is_host = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    word.split(|c: char| !is_host(c)).any(|host| {
        let host = host.trim_matches('.').to_lowercase();
        host.contains('.') && psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known())
    })
}

/// A name with what tells it from the same name of somebody else: an e-mail address.
pub(in crate::domain) fn signature(name: &str, email: &str) -> String {
    format!("{name} ({email})")
}

/// What somebody is called now, as far as it is something else: "now called Ada (ada@example.com)".
pub fn called_now(name: Option<&str>, email: Option<&str>) -> Option<String> {
    match (name, email) {
        (None, None) => None,
        (Some(name), None) => Some(format!("now called {name}")),
        (None, Some(email)) => Some(format!("now {email}")),
        (Some(name), Some(email)) => Some(format!("now called {name} ({email})")),
    }
}

/// The day of a moment, in UTC: `21 Nov 2026`.
pub fn day(at: Timestamp) -> String {
    moment(at).format(format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

/// A moment, to the second: `2027-01-15 08:00:00 UTC`.
pub fn exact(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    moment(at).format(format).unwrap_or_default()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A browser's own long name for itself, in a few words.
pub fn browser(agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let program = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Headless Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        _ if agent.is_empty() => "Unknown browser".to_owned(),
        _ => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        assert_eq!(day(at), "15 Jan 2027");
        assert_eq!(exact(at), "2027-01-15 08:00:00 UTC");
    }

    #[test]
    fn no_name_is_a_link_in_a_mail() {
        for (name, shown) in [
            ("Ada Bright", "Ada Bright"),
            ("Release 1.2", "Release 1.2"),
            ("J.P. Example", "J.P. Example"),
            ("Node.js people", "Node.js people"),
            ("Example.com", "Example. com"),
            ("Win at www.example.org/prize now", "Win at www. example. org/prize now"),
            ("https://example.com", "https example. com"),
            ("ada@example.com", "ada at example. com"),
        ] {
            assert_eq!(inert(name), shown);
        }
    }
}
