//! Web pages in place of feeds.

use url::Url;

use super::{LONGEST_NAME, ParseError, cut, html};

/// What a web page in place of a feed says about why.
pub(super) fn error(text: &str, feed: Option<Box<Url>>) -> ParseError {
    const WALLS: &[&str] = &[
        "just a moment",
        "checking your browser",
        "checking if the site connection is secure",
        "verifying you are human",
        "cf-challenge",
        "challenge-platform",
        "captcha",
        "attention required",
        "access denied",
        "are you a robot",
        "verify you are human",
        "enable javascript and cookies",
        "ddos-guard",
        "type=\"password\"",
    ];
    let head = text[..text.floor_char_boundary(64 << 10)].to_ascii_lowercase();
    let title = head.find("<title").and_then(|start| {
        let inner = start + head[start..].find('>')? + 1;
        let end = inner + head[inner..].find("</title")?;
        Some(cut(html::to_line(text.get(inner..end)?), LONGEST_NAME))
            .filter(|title| !title.is_empty())
    });
    let bot_wall = WALLS.iter().any(|sign| head.contains(sign));
    ParseError::WebPage { title, bot_wall, feed }
}
