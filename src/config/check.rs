//! From the files' sections to a checked [`Config`].

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use url::Url;

use super::access::{self, Defaults, Places};
use super::private::is_private;
use super::toml_file::{self, Problems, Section, nearest};
use super::{
    Config, Directories, Feed, Files, FirstRun, MetricsSettings, Mode, NamedFile, NamedFiles,
    OperatorSettings, PollSettings, Quiet, Receiver, ReceiverKind, Route, StoreSettings, duration,
    receivers,
};
use crate::alert::operator::EventType;
use crate::alert::route::{self, Subject};
use crate::diagnostic::{self, Gravity, Located, Problem, SourceFile};
use crate::hit::Severity;
use crate::item::FeedName;
use crate::rules::{self, Compiled, RuleSet, Sources};
use crate::schedule::host::host_of;

/// The shortest time between two polls of one feed.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// Below this, a server's operator may mind.
const POLITE_INTERVAL: Duration = Duration::from_secs(60);
/// The most digests that a route sends a day.
const MOST_DIGESTS: usize = 24;
/// The shortest time after which a feed that brings nothing new can be worth a word.
const SHORTEST_EXPECTED: Duration = Duration::from_secs(60);
/// Below this, heartbeats only hide what else is told.
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(60);
/// The longest name of a feed or receiver.
const LONGEST_NAME: usize = 64;

/// How the tests that stand in rules went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// As expected.
    pub passed: usize,
    /// Not as expected; each is also a problem.
    pub failed: usize,
}

/// How much the files define, whether or not it is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Feeds.
    pub feeds: usize,
    /// Rules.
    pub rules: usize,
    /// Entities.
    pub entities: usize,
}

/// What a check of all files yields.
#[derive(Debug)]
pub struct Checked {
    /// The configuration; absent when a problem is an error.
    pub config: Option<Config>,
    /// All problems, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// What the rules were compiled from.
    pub sources: Sources,
    /// The tests in rules.
    pub tests: TestCounts,
    /// How much there is.
    pub counts: Counts,
    /// The files that the configuration names beside its own, each with the place of its name.
    pub named_files: Vec<(Located, NamedFile)>,
}

/// Checks all files together: their form, what they say of each other, and the rules' own tests.
pub fn check(files: &Files) -> Checked {
    let problems = Problems::default();
    let Compiled { set: rules, sources, problems: rule_problems } = rules::compile(&files.rules);
    problems.borrow_mut().extend(rule_problems);
    let mut tests = TestCounts::default();
    if let Some(rules) = &rules {
        let report = sources.run_tests(rules);
        tests = TestCounts { passed: report.passed, failed: report.failures.len() };
        problems.borrow_mut().extend(report.failures);
    }
    let named_files = NamedFiles::default();
    let main = Main::read(files, &named_files, &problems);
    let (feeds, feed_count) = self::feeds(files, &main.poll.access, &named_files, &problems);
    check_names(&main, &feeds, rules.as_ref(), &sources, files, &problems);
    problems.borrow_mut().extend(files.strays.iter().map(|path| {
        let message = format!("{} is not read", path.display());
        whole(&files.main, &message, "feeds stand in feeds/*.toml, rules in rules/*.toml")
    }));
    let mut problems = problems.take();
    diagnostic::sort(&mut problems);
    let refused = problems.iter().any(|problem| problem.gravity == Gravity::Error);
    let counts =
        Counts { feeds: feed_count, rules: sources.rule_count(), entities: sources.entity_count() };
    let config = rules.filter(|_| !refused).map(|rules| Config {
        instance: main.instance,
        store: main.store,
        poll: main.poll,
        operator: main.operator,
        metrics: main.metrics,
        receivers: main.receivers.into_iter().map(|(_, receiver)| receiver).collect(),
        routes: main.routes.into_iter().map(|route| route.route).collect(),
        feeds: feeds.into_iter().map(|(_, feed)| feed).collect(),
        rules: Arc::new(rules),
        files: files.print(),
    });
    Checked { config, problems, sources, tests, counts, named_files: named_files.take() }
}

/// Where the database is, by the main file alone: a mistake in a rule must not keep anybody from
/// reading what is stored.
pub fn store_path(files: &Files) -> PathBuf {
    Main::read(files, &NamedFiles::default(), &Problems::default()).store.path
}

/// What newswatch.toml says.
struct Main {
    instance: String,
    store: StoreSettings,
    poll: PollSettings,
    metrics: Option<MetricsSettings>,
    receivers: Vec<(Located, Receiver)>,
    operator: OperatorSettings,
    /// The places of the names that it uses.
    told: Vec<Located>,
    routes: Vec<RouteSource>,
}

/// A route and the places of the names it uses.
struct RouteSource {
    route: Route,
    receivers: Vec<Located>,
    rules: Vec<Located>,
}

impl Main {
    fn read(files: &Files, named: &NamedFiles, problems: &Problems) -> Self {
        let mut section = toml_file::read(&files.main, problems);
        let instance = section.text("instance");
        if let Some(instance) = &instance {
            check_name(&section, instance, "instance");
        }
        let instance = instance.map_or_else(|| "newswatch".to_owned(), |instance| instance.text);
        let store = store(section.table("store"), &files.directories);
        let folder = folder_of(section.file(), &files.directories);
        let places = Places { folder: &folder, named };
        let poll = poll(section.table("poll"), &places);
        let metrics = metrics(section.table("metrics"));
        let receivers = section
            .tables("receiver")
            .into_iter()
            .filter_map(|table| receivers::receiver(table, files))
            .collect();
        let (operator, told) = operator(section.table("operator"));
        let routes = section.tables("route").into_iter().map(route).collect();
        section.finish();
        Self { instance, store, poll, metrics, receivers, operator, told, routes }
    }
}

fn store(section: Option<Section<'_>>, directories: &Directories) -> StoreSettings {
    let mut settings = StoreSettings {
        path: directories.state.join("newswatch.db"),
        keep_items: Duration::from_secs(90 * 24 * 3600),
    };
    if let Some(mut section) = section {
        if let Some(path) = section.text("path") {
            settings.path = directories.state.join(path.text);
        }
        set_duration(
            &mut section,
            "keep_items",
            Duration::from_secs(3600),
            &mut settings.keep_items,
        );
        section.finish();
    }
    settings
}

/// The folder that a file of the configuration lies in: relative paths in it start here.
fn folder_of(file: &SourceFile, directories: &Directories) -> PathBuf {
    directories.current.join(file.path.parent().unwrap_or(Path::new("")))
}

fn poll(section: Option<Section<'_>>, places: &Places<'_>) -> PollSettings {
    let mut settings = PollSettings::default();
    let Some(mut section) = section else { return settings };
    if let Some(contact) = section.text("user_agent_contact") {
        if contact.text.chars().any(|c| c.is_control() || !c.is_ascii()) {
            section.error(contact.span.clone(), "user_agent_contact must be plain ASCII text");
        } else if !contact.text.is_empty() {
            settings.user_agent_contact = Some(contact.text);
        }
    }
    if let Some(concurrency) = section.integer("concurrency", 1..=256) {
        settings.concurrency = usize::try_from(concurrency).unwrap_or(settings.concurrency);
    }
    if let Some(text) = section.text("first_run") {
        match first_run(&text.text) {
            Some(first_run) => settings.first_run = first_run,
            None => section.report(
                Problem::error(
                    section.file(),
                    text.span.clone(),
                    "first_run is none of the known ones",
                )
                .with_hint("write \"record\", \"alert\", or \"alert-recent:6h\""),
            ),
        }
    }
    if let Some(text) = section.text("interval") {
        settings.interval = self::interval(&section, &text, None);
    }
    set_duration(&mut section, "min_interval", SHORTEST_INTERVAL, &mut settings.min_interval);
    let longest = section.text("max_interval");
    if let Some(text) = &longest {
        settings.max_interval =
            self::interval(&section, text, None).unwrap_or(settings.max_interval);
    }
    if settings.max_interval < settings.min_interval {
        let place = longest.map_or(section.span(), |text| text.span);
        section.error(place, "max_interval is shorter than min_interval");
    }
    set_duration(&mut section, "host_gap", Duration::ZERO, &mut settings.host_gap);
    settings.access = access::defaults(&mut section, places);
    section.finish();
    settings
}

/// How the operator is told, and the receivers as the file names them.
fn operator(section: Option<Section<'_>>) -> (OperatorSettings, Vec<Located>) {
    let mut settings = OperatorSettings::default();
    let Some(mut section) = section else { return (settings, Vec::new()) };
    let there = section.keys().iter().any(|(key, _)| key == "receivers");
    let told = section.texts("receivers");
    settings.receivers = there.then(|| told.iter().map(|name| name.text.clone()).collect());
    if there && told.is_empty() {
        section.report(
            Problem::warning(
                section.file(),
                section.span(),
                "nobody is told of the service itself",
            )
            .with_hint("name a receiver, or leave receivers out to tell them all"),
        );
    }
    let muted = section.texts("mute");
    settings.mute = muted.iter().filter_map(|name| event_type(&section, name)).collect();
    let mut heartbeat = Duration::ZERO;
    set_duration(&mut section, "heartbeat", SHORTEST_HEARTBEAT, &mut heartbeat);
    settings.heartbeat = (!heartbeat.is_zero()).then_some(heartbeat);
    section.finish();
    (settings, told)
}

fn event_type(section: &Section<'_>, name: &Located) -> Option<EventType> {
    let kind = EventType::from_name(&name.text).filter(|kind| kind.can_be_muted());
    if kind.is_none() {
        let names = EventType::ALL.into_iter().filter(|kind| kind.can_be_muted());
        let names: Vec<&str> = names.map(EventType::as_str).collect();
        let hint = nearest(&name.text, names.iter().copied()).map_or_else(
            || format!("one of {}", names.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        let message = format!("there is no event {:?} to mute", name.text);
        section.report(Problem::error(section.file(), name.span.clone(), message).with_hint(hint));
    }
    kind
}

fn metrics(section: Option<Section<'_>>) -> Option<MetricsSettings> {
    let mut section = section?;
    let public = section.boolean("allow_public").unwrap_or(false);
    let listen = section.required_text("listen");
    let settings = listen.and_then(|text| {
        let fail = |message: &str, hint: &str| {
            section
                .report(Problem::error(section.file(), text.span.clone(), message).with_hint(hint));
        };
        let Ok(listen) = text.text.parse::<SocketAddr>() else {
            fail(
                "listen must be an address and a port, both as numbers",
                "write listen = \"127.0.0.1:9464\" or \"[::1]:9464\"",
            );
            return None;
        };
        if !listen.ip().is_loopback() && !public {
            fail(
                "whoever reaches this address can read how many feeds, rules and alerts there are",
                "write \"127.0.0.1:9464\", or allow_public = true behind a firewall or proxy",
            );
            return None;
        }
        Some(MetricsSettings { listen })
    });
    section.finish();
    settings
}

fn first_run(text: &str) -> Option<FirstRun> {
    match text.split_once(':') {
        None if text == "record" => Some(FirstRun::Record),
        None if text == "alert" => Some(FirstRun::Alert),
        Some(("alert-recent", within)) => duration(within).ok().map(FirstRun::AlertRecent),
        _ => None,
    }
}

/// Sets a duration when the key is there and not shorter than `shortest`.
pub(super) fn set_duration(
    section: &mut Section<'_>,
    key: &str,
    shortest: Duration,
    value: &mut Duration,
) {
    let Some(text) = section.text(key) else { return };
    match duration(&text.text) {
        Ok(duration) if duration < shortest => section.error(
            text.span.clone(),
            format!("{key} must be at least {}", super::duration::write(shortest)),
        ),
        Ok(duration) => *value = duration,
        Err(why) => section.error(text.span.clone(), why),
    }
}

pub(super) fn web_address(section: &Section<'_>, text: &Located) -> Option<Url> {
    let url = address(section, text, None)?;
    if url.scheme() == "file" {
        section.error(text.span.clone(), "the address must start with https:// or http://");
        return None;
    }
    Some(url)
}

/// An address of http, https or, where `folder` says what it is relative to, file.
fn address(section: &Section<'_>, text: &Located, folder: Option<&Path>) -> Option<Url> {
    let fail = |message: &str, hint: &str| {
        section.report(
            Problem::error(section.file(), text.span.clone(), message.to_owned()).with_hint(hint),
        );
        None
    };
    let trimmed = text.text.trim();
    if let Some(path) = trimmed.strip_prefix("file:")
        && let Some(folder) = folder
    {
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = folder.join(path);
        return match Url::from_file_path(path) {
            Ok(url) => Some(url),
            Err(()) => {
                fail("this is no path of a file", "write file:name.xml or file:/full/path.xml")
            }
        };
    }
    let url = match Url::parse(trimmed) {
        Ok(url) => url,
        Err(error) => return fail(&format!("this is no address: {error}"), "write https://…"),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return fail(
            &format!("{} addresses are not supported", url.scheme()),
            "write https://…, http://… or file:…",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail(
            "a password does not belong in an address: it would stand in every log",
            "put it into a file",
        );
    }
    Some(url)
}

fn route(mut section: Section<'_>) -> RouteSource {
    let severity = severities(&mut section, "severity");
    let tags = section.texts("tags").into_iter().map(|tag| tag.text).collect();
    let rules = section.texts("rule");
    let receivers = section.texts("receivers");
    if receivers.is_empty() {
        section.report(
            Problem::warning(section.file(), section.span(), "this route tells nobody")
                .with_hint("add receivers = [\"log\"]"),
        );
    }
    let continues = section.boolean("continue").unwrap_or(false);
    let zone = section.text("timezone");
    let timezone = zone.as_ref().and_then(|text| timezone(&section, text));
    let mode = mode(&mut section);
    let quiet = quiet(&mut section);
    if let (Some(zone), Mode::Immediate, None) = (&zone, &mode, &quiet) {
        section.report(
            Problem::warning(
                section.file(),
                zone.span.clone(),
                "timezone changes nothing: this route has no times of day",
            )
            .with_hint("it is for digest_at and quiet"),
        );
    }
    let (line, _) = section.file().line_column(section.span().start);
    section.finish();
    let texts = |located: &[Located]| located.iter().map(|text| text.text.clone()).collect();
    let route = Route {
        severity,
        tags,
        rule: texts(&rules),
        receivers: texts(&receivers),
        continues,
        mode,
        quiet,
        timezone: timezone.unwrap_or(TimeZone::UTC),
        line,
    };
    RouteSource { route, receivers, rules }
}

/// The severities that a list names; what is none is reported.
fn severities(section: &mut Section<'_>, key: &str) -> Vec<Severity> {
    let names = section.texts(key);
    let known = |name: &Located| {
        let severity = Severity::from_name(&name.text);
        if severity.is_none() {
            let names = Severity::ALL.map(Severity::as_str);
            let hint = nearest(&name.text, names.into_iter()).map_or_else(
                || format!("one of {}", names.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            section.report(
                Problem::error(
                    section.file(),
                    name.span.clone(),
                    format!("{:?} is no severity", name.text),
                )
                .with_hint(hint),
            );
        }
        severity
    };
    names.iter().filter_map(known).collect()
}

/// `mode` and `digest_at`.
fn mode(section: &mut Section<'_>) -> Mode {
    let mode = section.text("mode");
    let there = section.has("digest_at");
    let texts = section.texts("digest_at");
    let fail = |span: Range<usize>, message: String, hint: &str| {
        section.report(Problem::error(section.file(), span, message).with_hint(hint));
    };
    let mut at: Vec<Time> =
        texts.iter().filter_map(|text| time_of_day(section, text, &text.text)).collect();
    at.sort();
    at.dedup();
    let place = texts.first().map_or_else(|| section.span(), |text| text.span.clone());
    if texts.len() > MOST_DIGESTS {
        fail(place.clone(), format!("more than {MOST_DIGESTS} digests a day"), "leave some out");
    }
    match &mode {
        Some(mode) if mode.text == "digest" => {
            if texts.is_empty() {
                fail(
                    mode.span.clone(),
                    "this route does not say when its digest is sent".to_owned(),
                    "add digest_at = [\"07:00\", \"17:00\"]",
                );
            }
            return Mode::Digest { at };
        }
        Some(mode) if mode.text != "immediate" => {
            let hint = match nearest(&mode.text, ["immediate", "digest"].into_iter()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "write \"immediate\" or \"digest\"".to_owned(),
            };
            fail(mode.span.clone(), format!("there is no mode {:?}", mode.text), &hint);
        }
        _ if there => fail(
            place,
            "digest_at is for digests, and this route tells at once".to_owned(),
            "add mode = \"digest\"",
        ),
        _ => {}
    }
    Mode::Immediate
}

/// `quiet` and `except`.
fn quiet(section: &mut Section<'_>) -> Option<Quiet> {
    let hours = section.text("quiet");
    let there = section.has("except");
    let except = severities(section, "except");
    let Some(hours) = hours else {
        if there {
            section.report(
                Problem::error(
                    section.file(),
                    section.span(),
                    "except is for quiet hours, and this route has none",
                )
                .with_hint("add quiet = \"22:00-06:00\""),
            );
        }
        return None;
    };
    let Some((from, to)) = hours.text.split_once('-') else {
        section.report(
            Problem::error(
                section.file(),
                hours.span.clone(),
                format!("{:?} are no quiet hours", hours.text),
            )
            .with_hint("write \"22:00-06:00\""),
        );
        return None;
    };
    let (from, to) = (time_of_day(section, &hours, from), time_of_day(section, &hours, to));
    let (from, to) = (from?, to?);
    if from == to {
        section.error(hours.span.clone(), "quiet hours end when they begin");
        return None;
    }
    Some(Quiet { from, to, except })
}

/// A time of day, `07:00`, within a text of the file.
fn time_of_day(section: &Section<'_>, place: &Located, text: &str) -> Option<Time> {
    let text = text.trim();
    let digits = |text: &str| (text.len() == 2).then(|| text.parse().ok()).flatten();
    let time = text
        .split_once(':')
        .and_then(|(hour, minute)| Time::new(digits(hour)?, digits(minute)?, 0, 0).ok());
    if time.is_none() {
        section.report(
            Problem::error(
                section.file(),
                place.span.clone(),
                format!("{text:?} is no time of day"),
            )
            .with_hint("write hours and minutes, from 00:00 to 23:59: \"07:00\""),
        );
    }
    time
}

/// A time zone by its name, `Europe/Berlin`, or by its offset from UTC.
fn timezone(section: &Section<'_>, text: &Located) -> Option<TimeZone> {
    if let Some(seconds) = utc_offset(&text.text) {
        return Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    let zone = TimeZone::get(&text.text).ok();
    if zone.is_none() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = match nearest(&text.text, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write \"Europe/Berlin\" or the offset from UTC, \"+08:00\"".to_owned(),
        };
        section.report(
            Problem::error(
                section.file(),
                text.span.clone(),
                format!("{:?} is no time zone", text.text),
            )
            .with_hint(hint),
        );
    }
    zone
}

/// The feeds, and how many there are with those that are too broken to be read.
fn feeds(
    files: &Files,
    defaults: &Defaults,
    named: &NamedFiles,
    problems: &Problems,
) -> (Vec<(Located, Feed)>, usize) {
    let (mut feeds, mut count) = (Vec::new(), 0);
    for file in &files.feeds {
        let folder = folder_of(file, &files.directories);
        let places = Places { folder: &folder, named };
        let mut section = toml_file::read(file, problems);
        for table in section.tables("feed") {
            count += 1;
            feeds.extend(feed(table, defaults, &places));
        }
        section.finish();
    }
    (feeds, count)
}

fn feed(
    mut section: Section<'_>,
    defaults: &Defaults,
    places: &Places<'_>,
) -> Option<(Located, Feed)> {
    let name = section.required_text("name");
    if let Some(name) = &name {
        check_name(&section, name, "feed");
    }
    let source = section.required_text("url");
    let url = source.as_ref().and_then(|text| address(&section, text, Some(places.folder)));
    let mut text = |key| section.text(key).map(|text| text.text).filter(|text| !text.is_empty());
    let (title, owner, alignment) = (text("title"), text("owner"), text("alignment"));
    let region = text("region");
    let lang = section.text("lang").filter(|lang| !lang.text.is_empty());
    if let Some(lang) = &lang
        && let Some(hint) = rules::no_language(&lang.text)
    {
        let message = format!("{:?} is no language code", lang.text);
        let problem = Problem::error(section.file(), lang.span.clone(), message);
        section.report(problem.with_hint(hint));
    }
    let lang = lang.map(|lang| lang.text.to_lowercase());
    let tags = section.texts("tags").into_iter().map(|tag| tag.text).collect();
    let mut interval = None;
    if let Some(text) = section.text("interval") {
        interval = self::interval(&section, &text, url.as_ref());
    }
    let mut limit = |key| {
        let text = section.text(key)?;
        self::interval(&section, &text, url.as_ref())
    };
    let (min_interval, max_interval) = (limit("min_interval"), limit("max_interval"));
    let enabled = section.boolean("enabled").unwrap_or(true);
    let encoding = section.text("encoding").and_then(|label| {
        let known = encoding_rs::Encoding::for_label(label.text.as_bytes()).is_some();
        if !known {
            section.report(
                Problem::error(
                    section.file(),
                    label.span.clone(),
                    format!("there is no encoding {:?}", label.text),
                )
                .with_hint("write utf-8, windows-1251, koi8-r, gb18030, big5, euc-kr, shift_jis …"),
            );
        }
        known.then_some(label.text)
    });
    let utc_offset = section.text("timezone").and_then(|text| {
        let offset = utc_offset(&text.text);
        if offset.is_none() {
            section.report(
                Problem::error(
                    section.file(),
                    text.span.clone(),
                    format!("{:?} is no time zone", text.text),
                )
                .with_hint("write the offset from UTC: \"+08:00\""),
            );
        }
        offset
    });
    let allow_private = section.boolean("allow_private").unwrap_or(false);
    if let (Some(source), Some(url)) = (&source, &url)
        && enabled
        && !allow_private
        && is_private(url)
    {
        let message = "this is a private address, which newswatch does not ask: the feed will fail";
        section.report(
            Problem::warning(section.file(), source.span.clone(), message)
                .with_hint("set allow_private = true for the feed if that is meant"),
        );
    }
    let wire = section.text("priority").is_some_and(|priority| {
        let known = matches!(priority.text.as_str(), "wire" | "normal");
        if !known {
            let message = format!("there is no priority {:?}", priority.text);
            let problem = Problem::error(section.file(), priority.span.clone(), message);
            section.report(problem.with_hint("write \"wire\" or \"normal\""));
        }
        priority.text == "wire"
    });
    let ignore_cache_lifetime = section.boolean("ignore_cache_lifetime").unwrap_or(false);
    let fill_gaps = section.boolean("fill_gaps").unwrap_or(false);
    let place = source.as_ref().zip(url.as_ref());
    let access = access::feed(&mut section, name.as_ref(), place, defaults, places);
    let mut expected_every = Duration::ZERO;
    set_duration(&mut section, "expected_every", SHORTEST_EXPECTED, &mut expected_every);
    let expected_every = (!expected_every.is_zero()).then_some(expected_every);
    section.finish();
    let (name, url) = (name?, url?);
    let feed = Feed {
        name: FeedName::new(&name.text),
        url,
        title,
        owner,
        alignment,
        lang,
        region,
        tags,
        interval,
        min_interval,
        max_interval,
        enabled,
        encoding,
        utc_offset,
        allow_private,
        wire,
        ignore_cache_lifetime,
        fill_gaps,
        access,
        expected_every,
    };
    Some((name, feed))
}

fn interval(section: &Section<'_>, text: &Located, url: Option<&Url>) -> Option<Duration> {
    match duration(&text.text) {
        Ok(interval) if interval < SHORTEST_INTERVAL => {
            section.error(text.span.clone(), "the shortest interval is 1s");
            None
        }
        Ok(interval) => {
            let far = url.is_some_and(|url| match url.host() {
                Some(url::Host::Ipv4(address)) => !address.is_loopback() && !address.is_private(),
                Some(url::Host::Ipv6(address)) => !address.is_loopback(),
                Some(url::Host::Domain(name)) => name != "localhost",
                None => false,
            });
            if far && interval < POLITE_INTERVAL {
                section.report(
                    Problem::warning(
                        section.file(),
                        text.span.clone(),
                        "polling more than once a minute",
                    )
                    .with_hint("many servers answer such clients with 429 or not at all"),
                );
            }
            Some(interval)
        }
        Err(why) => {
            section.error(text.span.clone(), why);
            None
        }
    }
}

/// Seconds east of UTC of `Z`, `UTC`, `+08:00`, `+0800` or `-5`.
fn utc_offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 4) if rest.is_ascii() => rest.split_at(2),
        (None, _) => (rest, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3600 + minutes * 60))
}

/// Whether a feed or receiver can be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let good =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts && name.chars().all(good) && name.len() <= LONGEST_NAME
}

pub(super) fn check_name(section: &Section<'_>, name: &Located, what: &str) {
    if !is_name(&name.text) {
        section.report(
            Problem::error(section.file(), name.span.clone(), format!("{:?} is no name for a {what}", name.text))
                .with_hint(format!(
                    "use small letters, digits, '.', '_' and '-', at most {LONGEST_NAME}, a letter or digit first"
                )),
        );
    }
}

/// What the files say of each other.
fn check_names(
    main: &Main,
    feeds: &[(Located, Feed)],
    rules: Option<&RuleSet>,
    sources: &Sources,
    files: &Files,
    problems: &Problems,
) {
    let report = |problem| problems.borrow_mut().push(problem);
    toml_file::unique(feeds.iter().map(|(name, _)| name), "feed", problems);
    toml_file::unique(main.receivers.iter().map(|(name, _)| name), "receiver", problems);
    let receivers: Vec<&str> = main.receivers.iter().map(|(name, _)| name.text.as_str()).collect();
    let unknown = |name: &Located, what: &str, known: &[&str]| {
        let problem = Problem::error(
            &name.file,
            name.span.clone(),
            format!("there is no {what} {:?}", name.text),
        );
        report(problem.with_hint(match nearest(&name.text, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if known.is_empty() => format!("no {what} is defined"),
            None => format!("defined are {}", known.join(", ")),
        }));
    };
    let notified = sources.notified();
    let routed = main.routes.iter().flat_map(|route| &route.receivers);
    for name in routed.chain(notified).chain(&main.told) {
        if !receivers.contains(&name.text.as_str()) {
            unknown(name, "receiver", &receivers);
        }
    }
    // A rule that asks for what is not there would never match.
    let mut names: Vec<&str> = feeds.iter().map(|(name, _)| name.text.as_str()).collect();
    names.sort_unstable();
    for name in sources.feeds().filter(|name| names.binary_search(&name.text.as_str()).is_err()) {
        unknown(name, "feed", &names);
    }
    let regions: BTreeSet<&str> =
        feeds.iter().filter_map(|(_, feed)| feed.region.as_deref()).collect();
    let regions = Vec::from_iter(regions);
    for name in sources.regions().filter(|name| !regions.contains(&name.text.as_str())) {
        unknown(name, "region", &regions);
    }
    if let Some(rules) = rules {
        let ids: Vec<&str> = rules.rules().iter().map(|rule| &*rule.id).collect();
        for id in main.routes.iter().flat_map(|route| &route.rules) {
            if !ids.contains(&id.text.as_str()) {
                unknown(id, "rule", &ids);
            }
        }
        check_reach(main, rules, files, problems);
        if ids.is_empty() {
            report(whole(&files.main, "no rule is defined: nothing can match", "add rules/*.toml"));
        }
    }
    if main.receivers.is_empty() {
        report(whole(
            &files.main,
            "no receiver is defined: nobody will be told",
            "add [[receiver]] name = \"log\", type = \"jsonl\", path = \"alerts.jsonl\"",
        ));
    }
    if !feeds.iter().any(|(_, feed)| feed.enabled) {
        report(whole(&files.main, "no feed is enabled: nothing is polled", "add feeds/*.toml"));
    }
    let mut addresses: HashMap<&Url, &str> = HashMap::new();
    for (name, feed) in feeds.iter().filter(|(_, feed)| feed.enabled) {
        if let Some(other) = addresses.insert(&feed.url, &name.text) {
            let message = format!("feeds {other} and {} have one address", name.text);
            report(
                Problem::warning(&name.file, name.span.clone(), message)
                    .with_hint("its items will be stored and told twice"),
            );
        }
    }
    for (host, name, feeds, round) in crowded_hosts(&main.poll, feeds) {
        let gap = main.poll.host_gap;
        let who = match feeds {
            1 => format!("a feed of {host} cannot keep its interval"),
            _ => format!("{feeds} feeds of {host} cannot keep their intervals"),
        };
        let message = format!("{who}: a round of requests {gap:?} apart takes {round:?}");
        report(
            Problem::warning(&name.file, name.span.clone(), message)
                .with_hint("give them longer intervals; they are asked in turn until then"),
        );
    }
    let mut paths: HashMap<&PathBuf, &str> = HashMap::new();
    for (name, receiver) in &main.receivers {
        let path = match &receiver.kind {
            ReceiverKind::Jsonl { path } => path,
            ReceiverKind::Atom(atom) => &atom.path,
            _ => continue,
        };
        if let Some(other) = paths.insert(path, &name.text) {
            let message = format!("receivers {other} and {} write the same file", name.text);
            report(Problem::error(&name.file, name.span.clone(), message));
        }
    }
}

/// The hosts whose feeds have fixed intervals that the gap between requests to one host does not allow: each
/// with the first of its feeds, how many those are, and how long it takes to ask each once.
fn crowded_hosts<'a>(
    poll: &PollSettings,
    feeds: &'a [(Located, Feed)],
) -> Vec<(String, &'a Located, usize, Duration)> {
    let mut hosts: BTreeMap<String, Vec<(&Located, Duration)>> = BTreeMap::new();
    for (name, feed) in feeds.iter().filter(|(_, feed)| feed.enabled && feed.url.has_host()) {
        if let Some(interval) = feed.interval.or(poll.interval) {
            hosts.entry(host_of(&feed.url)).or_default().push((name, interval));
        }
    }
    let gap = poll.host_gap.as_secs_f64();
    let is_crowded = |feeds: &[(&Located, Duration)]| {
        feeds.iter().map(|(_, interval)| gap / interval.as_secs_f64().max(1.0)).sum::<f64>() > 1.0
    };
    hosts.retain(|_, feeds| is_crowded(feeds));
    let crowded = hosts.into_iter().map(|(host, feeds)| {
        let round = poll.host_gap.saturating_mul(u32::try_from(feeds.len()).unwrap_or(u32::MAX));
        (host, feeds[0].0, feeds.len(), round)
    });
    crowded.collect()
}

/// Warns of rules whose alerts reach nobody.
fn check_reach(main: &Main, rules: &RuleSet, files: &Files, problems: &Problems) {
    let routes: Vec<Route> = main.routes.iter().map(|route| route.route.clone()).collect();
    let receivers: Vec<Receiver> =
        main.receivers.iter().map(|(_, receiver)| receiver.clone()).collect();
    // Who names a receiver that is not there has thought of the alerts; that name is the mistake.
    let known = |name: &String| receivers.iter().any(|receiver| receiver.name == *name);
    if receivers.is_empty() || !routes.iter().flat_map(|route| &route.receivers).all(known) {
        return;
    }
    for rule in rules.rules() {
        let subject = Subject::of(rule, rule.severity);
        let told = route::plan(&routes, &receivers, &subject, Timestamp::UNIX_EPOCH);
        if told.is_empty() {
            problems.borrow_mut().push(whole(
                &files.main,
                &format!("alerts of rule {} (severity {}) reach nobody", rule.id, rule.severity),
                "add a [[route]] for them",
            ));
        }
    }
}

/// A warning about a file as a whole.
fn whole(file: &Arc<SourceFile>, message: &str, hint: &str) -> Problem {
    Problem::warning(file, 0..0, message).with_hint(hint)
}
