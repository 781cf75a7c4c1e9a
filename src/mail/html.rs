//! The HTML of a message, made from its text: there is one template for both, and nothing of it is markup.

use crate::domain::outbox::FOOTER;
use askama::Template;

#[derive(Template)]
#[template(path = "mail/frame.html")]
struct Frame<'a> {
    subject: &'a str,
    main: Vec<Paragraph<'a>>,
    /// What follows the [`FOOTER`].
    small: Vec<Paragraph<'a>>,
}

/// Lines, each of which has pieces.
type Paragraph<'a> = Vec<Vec<Piece<'a>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'a> {
    text: &'a str,
    /// It is an address of this installation. Others stay text: people write some of what is in a message.
    is_link: bool,
}

/// The message as HTML. `own` is the public address of this installation, without a slash at its end.
pub(super) fn page(subject: &str, text: &str, own: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let end = format!("\n{FOOTER}\n");
    let (main, small) = text.rsplit_once(&end).unwrap_or((text.as_str(), ""));
    let frame = Frame { subject, main: paragraphs(main, own), small: paragraphs(small, own) };
    // It holds texts and nothing that computes, so it cannot fail.
    frame.render().unwrap_or_default()
}

fn paragraphs<'a>(text: &'a str, own: &str) -> Vec<Paragraph<'a>> {
    let all = text.split("\n\n").map(|paragraph| paragraph.trim_matches('\n'));
    let lines = |paragraph: &'a str| -> Paragraph<'a> {
        paragraph.split('\n').map(|line| pieces(line, own)).collect()
    };
    all.filter(|paragraph| !paragraph.is_empty()).map(lines).collect()
}

/// A line, cut where an address of this installation begins and ends.
fn pieces<'a>(line: &'a str, own: &str) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for part in line.split_inclusive(' ') {
        let word = part.trim_end();
        let link = word.trim_end_matches(['.', ',', ';', ':', ')']);
        match is_own(link, own) {
            true => {
                let (link, rest) = part.split_at(link.len());
                pieces.extend([Piece { text: link, is_link: true }, Piece { text: rest, is_link: false }]);
            }
            false => pieces.push(Piece { text: part, is_link: false }),
        }
    }
    pieces
}

fn is_own(word: &str, own: &str) -> bool {
    !own.is_empty() && word.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::page;

    const OWN: &str = "https://access.example.com";

    #[test]
    fn a_message_is_paragraphs_with_the_links_of_this_installation() {
        let text = "Ada invited you.\n\nOpen this:\nhttps://access.example.com/invitations/abc\n";
        let html = page("Ada & you", text, OWN);
        assert!(
            html.contains("<title>Ada &#38; you</title>") || html.contains("<title>Ada &amp; you</title>")
        );
        assert_eq!(html.matches("<p ").count(), 2, "{html}");
        let link = "<a href=\"https://access.example.com/invitations/abc\">https://access.example.com/invitations/abc</a>";
        assert!(html.contains(link), "{html}");
    }

    #[test]
    fn what_people_write_stays_text_and_leads_nowhere() {
        let text = "<script>alert(1)</script> \"quoted\"\nhttps://access.example.com.evil.example/x https://evil.example/\n\
            (see https://access.example.com/me.)";
        let html = page("<b>", text, OWN);
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<a ").count(), 1, "{html}");
        assert!(
            !html.contains("href=\"https://access.example.com.evil") && !html.contains("href=\"https://evil")
        );
    }

    #[test]
    fn small_print_is_set_apart() {
        let html = page("x", "Text\n-- \nnot yet\n\n-- \nTo stop it:\nhttps://access.example.com/u\n", OWN);
        let (main, small) = html.split_once("<hr>").expect("a line between them");
        assert!(main.contains("not yet") && small.contains("To stop it:"), "{html}");
        assert!(!page("x", "Text", OWN).contains("<hr>"));
    }
}
