//! The history of a story in words: who says so, and what became of each report. It counts and
//! quotes, and judges nothing.

use jiff::Timestamp;
use serde_json::Value;

use crate::store::{AlertOfStory, DeliveryOfAlert, EditRow, ReportRow, StoryHistory};
use crate::story::claims::Class;
use crate::story::desk::Quote;
use crate::story::{claims, origin};
use crate::text::clean::clean;
use crate::text::count;

/// Reports that are shown in short at most: the first, and the last.
const MOST_IN_SHORT: usize = 12;

/// The whole history.
pub(super) fn in_full(history: &StoryHistory) -> String {
    let story = &history.story;
    let mut lines = vec![format!(
        "[{}] rule {}: {}{}",
        story.severity,
        clean(&story.rule),
        clean(story.title.as_deref().unwrap_or("(no headline)")),
        if story.is_withdrawn() { " (withdrawn)" } else { "" }
    )];
    let until = if story.last_seen == story.first_seen {
        String::new()
    } else {
        format!(" to {}", minute(story.last_seen))
    };
    lines.push(format!(
        "  {} from {}{until}; {}",
        reports(story.items),
        minute(story.first_seen),
        story.state
    ));
    lines.push(format!(
        "  {}, {}; {}",
        count(story.lineages, "text"),
        outlets(history),
        story.label
    ));
    if !history.entities.is_empty() {
        lines.push(format!("  names {}", clean(&history.entities.join(" "))));
    }
    lines.push(format!("  {}", told(history)));
    lines.push(format!("  {}, {}", clean(&story.id), clean(&story.thread)));
    lines.push("who reports it".to_owned());
    for seen in &story.origins {
        let camp = seen.origin.alignment.as_deref().map(|camp| format!(" [{}]", clean(camp)));
        lines.push(format!(
            "  {}{}, since {}{}",
            clean(origin::display_name(&seen.origin.id)),
            camp.unwrap_or_default(),
            minute(seen.since),
            if seen.denies { ", with words of denial" } else { "" }
        ));
    }
    quoted(&mut lines, history, Class::Denied, "who denies, by words of denial", story.denied_at);
    let confirmed = "who is quoted with a word of confirmation";
    quoted(&mut lines, history, Class::Confirmed, confirmed, story.confirmed_at);
    if !story.claim_cues.is_empty() {
        let counts: Vec<String> =
            story.claim_cues.iter().map(|(class, count)| format!("{class} {count}")).collect();
        lines.push(format!("claim cues: {} ({})", counts.join(", "), claims::NOTE));
    }
    lines.push("reports".to_owned());
    for report in &history.reports {
        report_lines(&mut lines, history, report);
    }
    if let Some(previous) = &history.previous {
        lines.push("before it in its thread".to_owned());
        lines.push(format!(
            "  {}, last seen {}: {}",
            clean(&previous.id),
            minute(previous.last_seen),
            clean(previous.title.as_deref().unwrap_or_default())
        ));
    }
    if !history.edits.is_empty() {
        lines.push("changed by hand".to_owned());
        lines.extend(history.edits.iter().map(|edit| format!("  {}", edit_line(history, edit))));
    }
    lines.push("Reports that read alike are counted here; whether what they say is so, nothing here tells.".to_owned());
    lines.join("\n")
}

/// The history in short, under an alert that told a part of it.
pub(super) fn in_short(history: &StoryHistory, alert: &str) -> String {
    let story = &history.story;
    let mut lines = vec![format!(
        "  {}: {}, {}; {}; {}",
        clean(&story.id),
        reports(story.items),
        outlets(history),
        story.label,
        story.state
    )];
    let all = history.reports.len();
    let told_here = |report: &ReportRow| report.alert.as_ref().is_some_and(|told| told.id == alert);
    let is_shown =
        |number, report| number == 0 || number + MOST_IN_SHORT > all || told_here(report);
    let numbered = || history.reports.iter().enumerate();
    let left_out = numbered().filter(|(number, report)| !is_shown(*number, report)).count();
    let mut passed = false;
    for (number, report) in numbered() {
        if !is_shown(number, report) {
            if !passed {
                lines.push(format!("    … {left_out} more; `newswatch stories show` has all"));
            }
            passed = true;
            continue;
        }
        let mark = if told_here(report) { ">" } else { " " };
        lines.push(format!("  {mark} {}", heading(report)));
        lines.extend(headline_now(report).map(|now| format!("      {now}")));
        lines.push(format!("      {}", clean(&report.why)));
        lines.extend(report.alert.as_ref().map(|alert| format!("      {}", sent(alert))));
        lines.extend(edited(report).map(|edited| format!("      {edited}")));
    }
    lines.extend(history.edits.iter().map(|edit| format!("  {}", edit_line(history, edit))));
    lines.join("\n")
}

/// `3 reports`.
pub(super) fn reports(number: usize) -> String {
    count(number, "report")
}

/// `3 outlets, 2 origins (AP; Yonhap denies)`.
fn outlets(history: &StoryHistory) -> String {
    clean(&origin::count_line(history.story.outlets, &history.story.origins)).into_owned()
}

fn told(history: &StoryHistory) -> String {
    match (history.story.told, history.story.waits_since) {
        (Some(at), _) if history.story.is_withdrawn() => {
            format!("last told {}; its every report was taken back since", minute(at))
        }
        (Some(at), _) => format!("last told {}", minute(at)),
        (None, Some(since)) => format!(
            "not told yet: waits since {} for another outlet or the rule's next bulletin",
            minute(since)
        ),
        (None, None) => "not told".to_owned(),
    }
}

/// The quotes of a class, where it occurs in what is no copy and no commentary.
fn quoted(
    lines: &mut Vec<String>,
    history: &StoryHistory,
    class: Class,
    heading: &str,
    since: Option<Timestamp>,
) {
    let quotes: Vec<&Quote> = history.quotes.iter().filter(|quote| quote.class == class).collect();
    if quotes.is_empty() && since.is_none() {
        return;
    }
    let since = since.map(|since| format!(", since {}", minute(since)));
    lines.push(format!("{heading}{}", since.unwrap_or_default()));
    for quote in quotes {
        let (outlet, text) = (clean(&quote.outlet), clean(&quote.text));
        lines.push(format!("  {}, {outlet}: “{text}”", minute(quote.at)));
    }
}

fn report_lines(lines: &mut Vec<String>, history: &StoryHistory, report: &ReportRow) {
    lines.push(format!("  {}", heading(report)));
    for before in &report.titles_before {
        let (until, title) = (minute(before.until), clean(&before.title));
        lines.push(format!("    its headline until {until}: {title}"));
    }
    lines.extend(headline_now(report).map(|now| format!("    {now}")));
    lines.push(format!("    {}", joined(history, report)));
    lines.push(format!("    {}", clean(&report.why)));
    if let Some(alert) = &report.alert {
        let kind = alert.kind.trim_start_matches("newswatch.");
        lines.push(format!("    {}, alert {}", clean(kind), clean(&alert.id)));
        lines.push(format!("      {}", sent(alert)));
    }
    lines.extend(edited(report).map(|edited| format!("    {edited}")));
    lines.push(format!("    item {}", clean(&report.item)));
    lines.extend(report.link.as_ref().map(|link| format!("    {}", clean(link))));
}

/// What its publisher calls an item now, where that is something else.
fn headline_now(report: &ReportRow) -> Option<String> {
    report.title_now.as_deref().map(|title| format!("its headline now: {}", clean(title)))
}

/// That its publisher edited an item so that the rule matches no more.
fn edited(report: &ReportRow) -> Option<String> {
    let at = report.revised_at?;
    Some(format!("edited by its publisher: since {} the rule matches it no more", minute(at)))
}

/// When, who, whose report, and the headline.
fn heading(report: &ReportRow) -> String {
    let outlet = report.outlet.as_deref().unwrap_or(&report.feed);
    let rests = match report.origin.as_deref() {
        Some(origin) if origin != outlet => {
            format!(" (by {})", clean(origin::display_name(origin)))
        }
        _ => String::new(),
    };
    format!("{}  {}{rests}: {}", minute(report.at), clean(outlet), clean(&report.title))
}

/// How a report came to the story.
fn joined(history: &StoryHistory, report: &ReportRow) -> String {
    let number = |field| report.joined[field].as_f64().unwrap_or_default();
    match report.joined["how"].as_str() {
        Some("copy") => {
            let of = report.joined["of"].as_str().unwrap_or_default();
            let original = history.reports.iter().find(|other| other.item == of);
            let by = original.and_then(|other| other.outlet.as_deref());
            let of = by.map_or_else(|| of.to_owned(), |by| format!("the text of {by}"));
            format!(
                "copies {} ({} % of the shorter one)",
                clean(&of),
                (number("share") * 100.0).round()
            )
        }
        Some("alike") => {
            let shared = report.joined["shared"].as_array().into_iter().flatten();
            let shared: Vec<&str> = shared.filter_map(Value::as_str).collect();
            let by = if shared.is_empty() { "" } else { ", by " };
            format!("reads like its story: {:.2}{by}{}", number("score"), clean(&shared.join(", ")))
        }
        _ => "opened a story".to_owned(),
    }
}

/// Where an alert went, and what kept it from people.
fn sent(alert: &AlertOfStory) -> String {
    let mut parts: Vec<String> = alert.deliveries.iter().map(delivery).collect();
    if parts.is_empty() {
        parts.push("no receiver got it".to_owned());
    }
    parts.extend(alert.silenced_by.as_ref().map(|id| format!("muted by silence {}", clean(id))));
    parts.extend(alert.acked_by.as_ref().map(|by| format!("acknowledged by {}", clean(by))));
    parts.join("; ")
}

fn delivery(delivery: &DeliveryOfAlert) -> String {
    let receiver = clean(&delivery.receiver);
    let error = delivery.last_error.as_deref().map(|error| format!(": {}", clean(error)));
    let error = error.unwrap_or_default();
    let at =
        |time: Option<Timestamp>| time.map(|at| format!(" {}", minute(at))).unwrap_or_default();
    match delivery.state.as_str() {
        "sent" => format!("sent to {receiver}{}", at(delivery.finished_at)),
        "dead" => format!("given up for {receiver}{}{error}", at(delivery.finished_at)),
        _ => format!("to be sent to {receiver}{}{error}", at(delivery.next_attempt)),
    }
}

/// A change by hand, as the story sees it.
fn edit_line(history: &StoryHistory, edit: &EditRow) -> String {
    let got = edit.other == history.story.id;
    let (moved, story, other) = (reports(edit.items.len()), clean(&edit.story), clean(&edit.other));
    let what = match (edit.what.as_str(), got) {
        ("merge", _) => format!("merged {story} into this one, {moved}"),
        (_, true) => format!("split this one off {story}, {moved}"),
        (_, false) => format!("split {moved} off, {other}"),
    };
    let why = edit.why.as_deref().map(|why| format!(": {}", clean(why)));
    format!("{}  {} {what}{}", minute(edit.at), clean(&edit.author), why.unwrap_or_default())
}

/// A time for a person.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
