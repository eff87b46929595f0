//! Bodies as chat services want them.
//!
//! Where a service has a form of text without markup, others' text goes there; elsewhere what its
//! markup means is escaped. No text of others calls anybody: mentions are switched off where a
//! service lets them be, and broken up where it does not.

use serde::Serialize;

use crate::alert::notice::Notice;
use crate::alert::record::shortened;

/// Alerts that one message tells; of more it says how many.
const MOST_TOLD: usize = 20;
/// The longest text of a message, in characters: Slack advises 4,000, Telegram takes 4,096,
/// Mattermost 16,383.
const LONGEST_TEXT: usize = 4_000;
/// The longest headline of several in a card of Teams, whose messages have 28 KB at most.
const TEAMS_HEADLINE: usize = 200;
/// Discord: embeds of a message, their texts in all less what their titles take, and the
/// longest title.
const DISCORD_EMBEDS: usize = 10;
const DISCORD_TEXT: usize = 3_400;
const DISCORD_TITLE: usize = 250;

/// What a message says: one alert, or several.
#[derive(Debug)]
pub(super) struct Told {
    notices: Vec<Notice>,
    more: usize,
}

impl Told {
    pub(super) fn of(notices: Vec<Notice>) -> Self {
        Self::at_most(notices, MOST_TOLD)
    }

    fn at_most(mut notices: Vec<Notice>, most: usize) -> Self {
        let more = notices.len().saturating_sub(most);
        notices.truncate(most);
        Self { notices, more }
    }

    /// How many alerts are not told of, in words.
    fn rest(&self) -> Option<String> {
        (self.more > 0).then(|| format!("and {} more: newswatch alerts", self.more))
    }

    /// One line for a notification.
    fn summary(&self) -> String {
        match self.notices.as_slice() {
            [one] => one.line(),
            several => format!("{} alerts", several.len() + self.more),
        }
    }

    /// The text of the message when each notice is written so, as far as there is room.
    fn text(&self, write: impl Fn(&Notice) -> String) -> String {
        let each = LONGEST_TEXT / self.notices.len().max(1) - 1;
        let mut parts: Vec<String> = self
            .notices
            .iter()
            .map(|notice| {
                let whole = write(notice);
                if whole.chars().count() <= each { whole } else { write(&brief(notice, each)) }
            })
            .collect();
        parts.extend(self.rest());
        parts.join("\n\n")
    }
}

/// A notice with room for so many characters: without details, its headline cut. An escaped
/// character takes five at most, and a link is left out that would take half of it.
fn brief(notice: &Notice, room: usize) -> Notice {
    let most = (room / 12).max(20);
    Notice {
        heading: shortened(&notice.heading, most / 2),
        headline: notice.headline.as_deref().map(|headline| shortened(headline, most)),
        details: Vec::new(),
        link: notice.link.clone().filter(|link| link.len() <= room / 5),
        ..notice.clone()
    }
}

/// Breaks up what calls people: `@everyone`, `@here`, `@name`.
fn calls_nobody(text: &str) -> String {
    text.replace('@', "@\u{200b}")
}

/// What Markdown may mean something by, as Discord reads it: `:` ends the scheme of a link.
const DISCORD_MARKS: &str = r"\`*_{}[]()#+-.!~|<>:";
/// The same for Mattermost, which would show a backslash before the others.
const MATTERMOST_MARKS: &str = r"\`*_{}[]()#+-.!~|>";

/// Puts a backslash before each of these marks.
fn markdown(text: &str, marks: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if marks.contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Escapes what Slack means something by, and no more: it would show the rest.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes for HTML.
pub(super) fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts and lists of them can be written as JSON")
}

/// A message to an incoming webhook of Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
/// In rich text nothing is markup.
pub(super) fn slack(told: &Told) -> String {
    #[derive(Serialize)]
    struct Body {
        text: String,
        mrkdwn: bool,
        unfurl_links: bool,
        unfurl_media: bool,
        blocks: Vec<Block>,
    }
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Block {
        RichText { elements: Vec<Section> },
    }
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Section {
        RichTextSection { elements: Vec<Element> },
    }
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Element {
        Text {
            text: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            style: Option<Style>,
        },
        Link {
            url: String,
        },
    }
    #[derive(Serialize)]
    struct Style {
        bold: bool,
    }
    let plain = |text: String| Element::Text { text, style: None };
    let section = |notice: &Notice| {
        let style = Some(Style { bold: true });
        let mut elements = vec![Element::Text { text: notice.title(), style }];
        elements.extend(notice.headline.iter().map(|headline| plain(format!("\n{headline}"))));
        elements.extend(notice.details.iter().map(|line| plain(format!("\n{line}"))));
        if let Some(link) = &notice.link {
            elements.extend([plain("\n".to_owned()), Element::Link { url: link.clone() }]);
        }
        elements.push(plain(format!("\n{}\n", notice.footer())));
        Section::RichTextSection { elements }
    };
    let mut sections: Vec<Section> = told.notices.iter().map(section).collect();
    sections
        .extend(told.rest().map(|rest| Section::RichTextSection { elements: vec![plain(rest)] }));
    json(&Body {
        text: slack_text(&shortened(&told.summary(), LONGEST_TEXT / 5)),
        mrkdwn: false,
        unfurl_links: false,
        unfurl_media: false,
        blocks: vec![Block::RichText { elements: sections }],
    })
}

/// A message to a webhook of Discord (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).
pub(super) fn discord(notices: Vec<Notice>) -> String {
    #[derive(Serialize)]
    struct Body {
        content: String,
        embeds: Vec<Embed>,
        allowed_mentions: AllowedMentions,
    }
    #[derive(Serialize)]
    struct Embed {
        title: String,
        description: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    }
    #[derive(Serialize)]
    struct AllowedMentions {
        /// Which mentions of the text call people: none.
        parse: [&'static str; 0],
    }
    let told = Told::at_most(notices, DISCORD_EMBEDS);
    // Discord counts what is escaped, too, and 6,000 characters in all.
    let each = DISCORD_TEXT / told.notices.len().max(1);
    let embed = |notice: &Notice| {
        let lines: Vec<&str> =
            notice.headline.iter().chain(&notice.details).map(String::as_str).collect();
        let text = format!("{}\n{}", lines.join("\n"), notice.footer());
        Embed {
            title: escaped(&notice.title(), DISCORD_TITLE),
            description: escaped(text.trim(), each),
            url: notice.link.clone(),
        }
    };
    json(&Body {
        content: told.rest().unwrap_or_default(),
        embeds: told.notices.iter().map(embed).collect(),
        allowed_mentions: AllowedMentions { parse: [] },
    })
}

/// Markdown of at most so many characters.
fn escaped(text: &str, most: usize) -> String {
    let mut cut = text.chars().count().min(most);
    loop {
        let escaped = markdown(&shortened(text, cut), DISCORD_MARKS);
        let over = escaped.chars().count().saturating_sub(most);
        if over == 0 {
            return escaped;
        }
        cut -= over.div_ceil(2);
    }
}

/// A message to an incoming webhook of Mattermost (<https://developers.mattermost.com/integrate/webhooks/incoming/>).
pub(super) fn mattermost(told: &Told) -> String {
    #[derive(Serialize)]
    struct Body {
        text: String,
    }
    let text = told.text(|notice| {
        // `<!channel>` calls people, too, as in Slack.
        let safe =
            |text: &str| markdown(&calls_nobody(text).replace('<', "<\u{200b}"), MATTERMOST_MARKS);
        let mut lines = vec![format!("**{}**", safe(&notice.title()))];
        lines.extend(notice.headline.iter().chain(&notice.details).map(|line| safe(line)));
        lines.extend(notice.link.iter().map(|link| format!("<{link}>")));
        lines.push(safe(&notice.footer()));
        // Two spaces end a line of Markdown.
        lines.join("  \n")
    });
    json(&Body { text })
}

/// A message to a workflow of Teams that posts a card
/// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>).
/// Text runs of a rich text block are never read as Markdown.
pub(super) fn teams(told: &Told) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        r#type: &'static str,
        attachments: [Attachment; 1],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Attachment {
        content_type: &'static str,
        content: Card,
    }
    #[derive(Serialize)]
    struct Card {
        #[serde(rename = "$schema")]
        schema: &'static str,
        r#type: &'static str,
        version: &'static str,
        body: Vec<RichText>,
        actions: Vec<Open>,
    }
    #[derive(Serialize)]
    struct RichText {
        r#type: &'static str,
        inlines: [Run; 1],
    }
    #[derive(Serialize)]
    struct Run {
        r#type: &'static str,
        text: String,
        weight: &'static str,
    }
    #[derive(Serialize)]
    struct Open {
        r#type: &'static str,
        title: String,
        url: String,
    }
    let block = |text: &str, weight| RichText {
        r#type: "RichTextBlock",
        inlines: [Run { r#type: "TextRun", text: text.to_owned(), weight }],
    };
    let (mut body, mut actions) = (Vec::new(), Vec::new());
    for (place, notice) in (1..).zip(&told.notices) {
        body.push(block(&notice.title(), "Bolder"));
        if told.notices.len() > 1 {
            let headline = notice.headline.iter().map(|text| shortened(text, TEAMS_HEADLINE));
            body.extend(headline.map(|text| block(&text, "Default")));
        } else {
            body.extend(notice.headline.iter().map(|headline| block(headline, "Default")));
            body.extend(notice.details.iter().map(|line| block(line, "Default")));
            body.push(block(&notice.footer(), "Lighter"));
        }
        let title =
            if told.notices.len() == 1 { "Read".to_owned() } else { format!("Read {place}") };
        // A card shows six actions.
        if let Some(link) = notice.link.clone().filter(|_| actions.len() < 6) {
            actions.push(Open { r#type: "Action.OpenUrl", title, url: link });
        }
    }
    body.extend(told.rest().map(|rest| block(&rest, "Lighter")));
    json(&Body {
        r#type: "message",
        attachments: [Attachment {
            content_type: "application/vnd.microsoft.card.adaptive",
            content: Card {
                schema: "http://adaptivecards.io/schemas/adaptive-card.json",
                r#type: "AdaptiveCard",
                version: "1.4",
                body,
                actions,
            },
        }],
    })
}

/// An event `m.room.message` of Matrix
/// (<https://spec.matrix.org/latest/client-server-api/#mroommessage>).
pub(super) fn matrix(told: &Told) -> String {
    #[derive(Serialize)]
    struct Body {
        /// Clients stay silent for `m.notice`.
        msgtype: &'static str,
        body: String,
        format: &'static str,
        formatted_body: String,
        /// Whom the message calls: nobody.
        #[serde(rename = "m.mentions")]
        mentions: Mentions,
    }
    #[derive(Serialize)]
    struct Mentions {}
    let marked = |notice: &Notice| {
        let mut lines = vec![format!("<strong>{}</strong>", html(&notice.title()))];
        lines.extend(notice.headline.iter().chain(&notice.details).map(|line| html(line)));
        lines.extend(notice.link.iter().map(|link| {
            let link = html(link);
            format!("<a href=\"{link}\">{link}</a>")
        }));
        lines.push(html(&notice.footer()));
        lines.join("<br>")
    };
    json(&Body {
        msgtype: "m.text",
        body: told.text(plain),
        format: "org.matrix.custom.html",
        formatted_body: told.text(marked).replace("\n\n", "<br><br>"),
        mentions: Mentions {},
    })
}

/// A call of `sendMessage` of Telegram (<https://core.telegram.org/bots/api#sendmessage>).
pub(super) fn telegram(told: &Told, chat: &str) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        chat_id: &'a str,
        text: String,
        parse_mode: &'static str,
        link_preview_options: LinkPreview,
    }
    #[derive(Serialize)]
    struct LinkPreview {
        is_disabled: bool,
    }
    let text = told.text(|notice| {
        let safe = |text: &str| html(&calls_nobody(text));
        let mut lines = vec![format!("<b>{}</b>", safe(&notice.title()))];
        lines.extend(notice.headline.iter().chain(&notice.details).map(|line| safe(line)));
        lines.extend(notice.link.iter().map(|link| {
            let link = html(link);
            format!("<a href=\"{link}\">{link}</a>")
        }));
        lines.push(safe(&notice.footer()));
        lines.join("\n")
    });
    json(&Body {
        chat_id: chat,
        text,
        parse_mode: "HTML",
        link_preview_options: LinkPreview { is_disabled: true },
    })
}

/// Lines of plain text.
pub(super) fn plain(notice: &Notice) -> String {
    let mut lines = vec![notice.title()];
    lines.extend(notice.headline.iter().chain(&notice.details).chain(&notice.link).cloned());
    lines.push(notice.footer());
    lines.join("\n")
}
