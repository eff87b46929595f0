//! Mail: one message an alert, or one for several, in plain text and HTML.

use std::time::SystemTime;

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::MultiPart;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::chat::{html, plain};
use super::{Delivery, Outgoing, message_id};
use crate::alert::id;
use crate::alert::notice::Notice;
use crate::alert::record::shortened;
use crate::config::{Encryption, Smtp as Settings};
use crate::secret;
use crate::text::clean::clean;

/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;
/// Alerts that one mail tells; of more it says how many.
const MOST_TOLD: usize = 200;
/// How much of a server's answer is kept, in characters.
const LONGEST_WHY: usize = 300;

/// A mail server and who is written to.
#[derive(Debug)]
pub(super) struct Smtp {
    tls: Tls,
    secrets: secret::Reader,
    settings: Settings,
}

impl Smtp {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        // An error means that another part of the process has chosen a provider, which will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let parameters = || {
            TlsParameters::new(settings.host.clone())
                .with_context(|| format!("failed to set up TLS for {}", settings.host))
        };
        let tls = match settings.encryption {
            // Never goes on in the clear when the server offers no STARTTLS.
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::None => Tls::None,
        };
        Ok(Self { tls, secrets: secret::Reader::new(), settings: settings.clone() })
    }

    pub(super) async fn deliver(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        let message = match render(alerts, &self.settings, now) {
            Ok(message) => message,
            Err(error) => {
                return Delivery::Rejected { why: format!("no mail can be made of it: {error}") };
            }
        };
        let sent = match self.transport().await {
            Ok(transport) => {
                let sending = async { transport.send(message).await.map(|_| ()) };
                tokio::time::timeout(self.settings.timeout, sending).await
            }
            Err(why) => return Delivery::again(why),
        };
        match sent {
            Ok(Ok(())) => Delivery::Delivered,
            Ok(Err(error)) => judge(&error),
            Err(_) => Delivery::again(format!("not sent within {:?}", self.settings.timeout)),
        }
    }

    /// A connection of its own for each attempt: mails are few, and servers end idle connections.
    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let Settings { host, port, timeout, login, .. } = &self.settings;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(*port)
            .timeout(Some(*timeout))
            .tls(self.tls.clone());
        if let Some(login) = login {
            let password = self.secrets.read(&login.password).await;
            let password = password.map_err(|error| error.to_string())?;
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(login.username.clone(), password));
        }
        Ok(builder.build())
    }
}

/// What a server's refusal means: 4xx may pass, 5xx will not, but that it does not know us may be
/// mended (RFC 5321 section 4.2.1; RFC 4954 section 6).
fn judge(error: &smtp::Error) -> Delivery {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let next = error.to_string();
        if !why.contains(&next) {
            why += &format!(": {next}");
        }
        cause = error.source();
    }
    let why = shortened(&clean(&why), LONGEST_WHY);
    let code = error.status().map(u16::from);
    if error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538)) {
        return Delivery::Rejected { why };
    }
    Delivery::again(why)
}

/// One mail that tells of alerts. Its id is that of the alert, so that one that comes twice can be
/// told; mails about one story are a thread.
fn render(
    alerts: &[Outgoing<'_>],
    settings: &Settings,
    now: Timestamp,
) -> Result<Message, lettre::error::Error> {
    let notices: Vec<Notice> =
        alerts.iter().take(MOST_TOLD).map(|alert| Notice::of(alert.record)).collect();
    let rest = alerts.len() - notices.len();
    let subject = match notices.as_slice() {
        [one] => one.line(),
        _ => digest_subject(alerts, &notices),
    };
    let domain = settings.from.email.domain();
    let mut builder = Message::builder()
        .from(settings.from.clone())
        .message_id(Some(format!("<{}@{domain}>", message_id(alerts))))
        .date(SystemTime::try_from(now).unwrap_or(SystemTime::UNIX_EPOCH))
        .subject(shortened(&subject, LONGEST_SUBJECT))
        .header(AutoSubmitted);
    for to in &settings.to {
        builder = builder.to(to.clone());
    }
    if let [one] = alerts {
        // The first of a thread answers to a mail that was never sent: all answer to the same.
        let root = id::message_id([one.record.correlationid.as_str()]);
        let root = format!("<{root}@{domain}>");
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    builder.multipart(MultiPart::alternative_plain_html(
        text_body(&notices, rest),
        html_body(&notices, rest),
    ))
}

/// `12 alerts, 2 critical: Arms (9), Talks (3)`.
fn digest_subject(alerts: &[Outgoing<'_>], notices: &[Notice]) -> String {
    let mut headings: Vec<(&str, usize)> = Vec::new();
    for notice in notices {
        match headings.iter_mut().find(|(heading, _)| *heading == notice.heading) {
            Some((_, count)) => *count += 1,
            None => headings.push((&notice.heading, 1)),
        }
    }
    let critical = notices.iter().filter(|notice| notice.severity == "critical").count();
    let critical = if critical > 0 { format!(", {critical} critical") } else { String::new() };
    let headings: Vec<String> =
        headings.iter().map(|(heading, count)| format!("{heading} ({count})")).collect();
    format!("{} alerts{critical}: {}", alerts.len(), headings.join(", "))
}

fn more(rest: usize) -> Option<String> {
    (rest > 0).then(|| format!("and {rest} more: newswatch alerts"))
}

fn text_body(notices: &[Notice], rest: usize) -> String {
    let mut parts: Vec<String> = notices.iter().map(plain).collect();
    parts.extend(more(rest));
    parts.join("\n\n") + "\n"
}

fn html_body(notices: &[Notice], rest: usize) -> String {
    let mut parts: Vec<String> = notices.iter().map(paragraph).collect();
    parts.extend(more(rest).map(|more| format!("<p>{more}</p>")));
    format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n{}\n</body></html>\n",
        parts.join("\n")
    )
}

fn paragraph(notice: &Notice) -> String {
    let mut lines = vec![format!("<strong>{}</strong>", html(&notice.title()))];
    if let Some(headline) = &notice.headline {
        let headline = html(headline);
        lines.push(match &notice.link {
            Some(link) => format!("<a href=\"{}\">{headline}</a>", html(link)),
            None => headline,
        });
    }
    lines.extend(notice.details.iter().map(|line| html(line)));
    // Where a link leads is shown, too: the headline could say anything.
    lines.extend(notice.link.iter().map(|link| html(link)));
    lines.push(format!("<small>{}</small>", html(&notice.footer())));
    format!("<p>{}</p>", lines.join("<br>\n"))
}

/// `Auto-Submitted: auto-generated` (RFC 3834 section 5): no vacation message answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::record::AlertRecord;
    use crate::alert::record::tests::record;
    use crate::config::SecretSource;

    fn settings() -> Settings {
        Settings {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::None,
            login: None,
            from: "Newswatch <newswatch@example.org>".parse().unwrap(),
            to: vec!["desk@example.org".parse().unwrap()],
            timeout: Duration::from_secs(5),
        }
    }

    pub(in super::super) fn mail(records: &[AlertRecord]) -> String {
        let alerts: Vec<Outgoing<'_>> =
            records.iter().map(|record| Outgoing { record, line: "" }).collect();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let message = render(&alerts, &settings(), now).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    /// The value of a header, lines folded.
    fn header<'a>(mail: &'a str, name: &str) -> Vec<&'a str> {
        let head = mail.split("\r\n\r\n").next().unwrap();
        head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    #[test]
    fn a_mail_says_what_the_alert_says_in_text_and_html() {
        let mail = mail(&[record("Arms shipped")]);
        assert_eq!(header(&mail, "Subject"), ["[high] Arms: Arms shipped"]);
        assert_eq!(header(&mail, "From"), ["Newswatch <newswatch@example.org>"]);
        assert_eq!(header(&mail, "To"), ["desk@example.org"]);
        assert_eq!(header(&mail, "Date"), ["Tue, 14 Nov 2023 22:13:20 +0000"]);
        assert_eq!(header(&mail, "Auto-Submitted"), ["auto-generated"]);
        assert!(mail.contains("multipart/alternative"));
        assert!(mail.contains("Arms shipped\r\nExample News, seen"), "{mail}");
        assert!(mail.contains("<a href=\"https://example.org/1\">Arms shipped</a>"), "{mail}");
    }

    #[test]
    fn mails_about_one_story_are_a_thread_and_have_the_ids_of_their_alerts() {
        let first = record("Arms shipped");
        let second = AlertRecord { id: "0192".to_owned(), ..first.clone() };
        let other = AlertRecord { correlationid: "other".to_owned(), ..first.clone() };
        let [first, second, other] = [first, second, other].map(|record| mail(&[record]));
        assert_eq!(header(&second, "Message-ID"), ["<0192@example.org>"]);
        assert_ne!(header(&first, "Message-ID"), header(&second, "Message-ID"));
        assert_eq!(header(&first, "References"), header(&second, "References"));
        assert_eq!(header(&first, "In-Reply-To"), header(&first, "References"));
        assert_ne!(header(&first, "References"), header(&other, "References"));
    }

    #[test]
    fn a_digest_is_one_mail_of_all_its_alerts() {
        let records: Vec<AlertRecord> = (0..250)
            .map(|number| AlertRecord {
                id: number.to_string(),
                ..record(&format!("No. {number}."))
            })
            .collect();
        let mail = mail(&records);
        assert_eq!(header(&mail, "Subject"), ["250 alerts: Arms (200)"]);
        assert!(mail.contains("No. 199."));
        assert!(!mail.contains("No. 200."));
        assert!(mail.contains("and 50 more"));
    }

    #[test]
    fn a_hostile_title_adds_no_header_and_no_markup() {
        let title = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\u{202e}";
        let mail = mail(&[record(title)]);
        assert_eq!(header(&mail, "Bcc"), Vec::<&str>::new());
        let marked = mail.split("text/html").nth(1).unwrap();
        assert!(marked.contains("alert(1)") && !marked.contains("<script"), "{mail}");
        assert!(!mail.contains('\u{202e}'));
    }

    #[tokio::test]
    async fn a_password_is_read_at_each_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let password = SecretSource::File(folder.path().join("password"));
        let login = crate::config::Login { username: "desk".to_owned(), password };
        let smtp = Smtp::new(&Settings { login: Some(login), ..settings() }).unwrap();
        assert!(smtp.transport().await.unwrap_err().contains("password failed"));
        std::fs::write(folder.path().join("password"), "secret").unwrap();
        assert!(smtp.transport().await.is_ok());
    }
}
