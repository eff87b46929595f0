//! The configuration: files as text in, a checked [`Config`] out, or *all* problems with their
//! places. Reading the files is [`crate::cli`]'s business.

pub mod access;
mod check;
mod duration;
mod private;
mod receivers;
mod secret;
pub(crate) mod toml_file;

use core::net::SocketAddr;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use url::Url;

use self::access::{Access, Defaults};
use crate::alert::operator::EventType;
use crate::diagnostic::{Located, SourceFile};
use crate::hit::Severity;
use crate::item::FeedName;
use crate::rules::RuleSet;

pub(crate) use self::check::is_name;
pub use self::check::{Checked, Counts, TestCounts, check, store_path};
pub(crate) use self::duration::{duration, write as write_duration};
pub(crate) use self::private::is_public;
pub use self::receivers::{
    Address, Atom, Command, Encryption, Login, Ntfy, Receiver, ReceiverKind, Smtp, Template,
    Webhook,
};
pub use self::secret::SecretSource;

/// The files of a configuration, read.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder that holds newswatch.toml.
    pub folder: PathBuf,
    /// newswatch.toml.
    pub main: Arc<SourceFile>,
    /// feeds/*.toml, by name.
    pub feeds: Vec<Arc<SourceFile>>,
    /// rules/*.toml, by name.
    pub rules: Vec<Arc<SourceFile>>,
    /// Files that look like these and stand where none is read.
    pub strays: Vec<PathBuf>,
    /// Where relative paths lead.
    pub directories: Directories,
}

impl Files {
    /// What tells these files from others.
    pub fn print(&self) -> FilesPrint {
        let mut hasher = blake3::Hasher::new();
        for file in std::iter::once(&self.main).chain(&self.feeds).chain(&self.rules) {
            let name = file.path.file_name().unwrap_or_default().as_encoded_bytes();
            for part in [name, file.text.as_bytes()] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        FilesPrint {
            main: self.directories.current.join(&self.main.path),
            digest: hasher.finalize().to_hex()[..32].to_owned(),
        }
    }
}

/// The files that a configuration was read from, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPrint {
    /// Where newswatch.toml is.
    pub main: PathBuf,
    /// A digest of what all of them say.
    pub digest: String,
}

/// Where relative paths of the configuration lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// The database.
    pub state: PathBuf,
    /// Alert logs.
    pub logs: PathBuf,
    /// The current folder, absolute: relative paths of the files themselves start here.
    pub current: PathBuf,
}

/// A file beside the configuration's own that it names, for those who may look at files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedFile {
    /// A secret.
    Secret(SecretSource),
    /// Headers, some of them secret, a line each.
    Headers(SecretSource),
    /// Certificates of authorities, in PEM.
    Certificates(PathBuf),
}

/// The files that were named so far, each with the place of its name.
type NamedFiles = RefCell<Vec<(Located, NamedFile)>>;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What stands for this installation in alert records (`urn:newswatch:NAME`).
    pub instance: String,
    /// Where everything is kept.
    pub store: StoreSettings,
    /// How feeds are polled.
    pub poll: PollSettings,
    /// Who may scrape metrics; nobody when absent.
    pub metrics: Option<MetricsSettings>,
    /// Who can be told, in the order of the file.
    pub receivers: Vec<Receiver>,
    /// How its operator is told of the service itself.
    pub operator: OperatorSettings,
    /// Who is told what; the first that matches decides.
    pub routes: Vec<Route>,
    /// What is polled, in the order of the files.
    pub feeds: Vec<Feed>,
    /// What is looked for.
    pub rules: Arc<RuleSet>,
    /// The files that say so.
    pub files: FilesPrint,
}

impl Config {
    /// Something that is asked over TLS: a feed that is polled, or a receiver.
    pub fn first_over_tls(&self) -> Option<String> {
        let feed = self.feeds.iter().find(|feed| feed.enabled && feed.url.scheme() == "https");
        let receiver = || self.receivers.iter().find(|receiver| receiver.kind.is_over_tls());
        feed.map(|feed| format!("feed {}", feed.name))
            .or_else(|| receiver().map(|receiver| format!("receiver {}", receiver.name)))
    }
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database file.
    pub path: PathBuf,
    /// How long items without hits are kept.
    pub keep_items: Duration,
}

/// `[metrics]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Where to listen: an address of this machine's own, unless it is meant otherwise.
    pub listen: SocketAddr,
}

/// What becomes of the items that a feed's first poll brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRun {
    /// They are stored and matched, hits are kept, nobody is told.
    Record,
    /// They alert as if they were new.
    Alert,
    /// Those published within this time alert, the others are recorded.
    AlertRecent(Duration),
}

/// `[poll]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSettings {
    /// An address that tells a server's operator who polls; goes into the user agent.
    pub user_agent_contact: Option<String>,
    /// How many polls run at once.
    pub concurrency: usize,
    /// What the first poll of a feed does.
    pub first_run: FirstRun,
    /// How often a feed is polled that says nothing of its own; what it does decides when absent.
    pub interval: Option<Duration>,
    /// The shortest interval that is decided so.
    pub min_interval: Duration,
    /// The longest.
    pub max_interval: Duration,
    /// The time between two requests to one host.
    pub host_gap: Duration,
    /// How feeds are reached that do not say so themselves.
    pub access: Defaults,
}

impl Default for PollSettings {
    fn default() -> Self {
        Self {
            user_agent_contact: None,
            concurrency: 16,
            first_run: FirstRun::Record,
            interval: None,
            min_interval: Duration::from_secs(15 * 60),
            max_interval: Duration::from_secs(6 * 3600),
            host_gap: Duration::from_secs(2),
            access: Defaults::default(),
        }
    }
}

/// `[operator]`: events of the service itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The receivers that are told; every receiver when absent.
    pub receivers: Option<Vec<String>>,
    /// The types that nobody is told of.
    pub mute: Vec<EventType>,
    /// How often to say that the service is alive; never when absent.
    pub heartbeat: Option<Duration>,
}

impl OperatorSettings {
    /// Whether anybody is told of events of this type.
    pub fn tells(&self, kind: EventType) -> bool {
        !self.mute.contains(&kind)
    }
}

/// `[[feed]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its identity.
    pub name: FeedName,
    /// Where it is: http, https or file.
    pub url: Url,
    /// What a reader sees; the name when absent.
    pub title: Option<String>,
    /// The group that owns it: items of one owner are one origin.
    pub owner: Option<String>,
    /// The camp it stands in (`state:ru`, `private:us`).
    pub alignment: Option<String>,
    /// The language of items that name none.
    pub lang: Option<String>,
    /// For rules and lists.
    pub region: Option<String>,
    /// For rules and lists.
    pub tags: Vec<String>,
    /// A fixed interval of its own.
    pub interval: Option<Duration>,
    /// The shortest interval, where none is fixed.
    pub min_interval: Option<Duration>,
    /// The longest.
    pub max_interval: Option<Duration>,
    /// Whether it is polled.
    pub enabled: bool,
    /// The character set to read it in, whatever it says.
    pub encoding: Option<String>,
    /// The offset from UTC, in seconds, of dates without a zone.
    pub utc_offset: Option<i32>,
    /// Whether its address may be private or loopback.
    pub allow_private: bool,
    /// Whether it is a wire: news that must be seen within minutes.
    pub wire: bool,
    /// Whether it is asked however long its answers say that they stay fresh.
    pub ignore_cache_lifetime: bool,
    /// Whether what fell out of it between two polls is looked for on its older pages.
    pub fill_gaps: bool,
    /// How its server is reached and what it is told.
    pub access: Access,
    /// The longest time without a new item that is no cause for worry; learnt when absent.
    pub expected_every: Option<Duration>,
}

/// `[[route]]`. An empty list matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The severities that it takes.
    pub severity: Vec<Severity>,
    /// The tags, any of which a rule must have.
    pub tags: Vec<String>,
    /// The ids of rules.
    pub rule: Vec<String>,
    /// The receivers that are told.
    pub receivers: Vec<String>,
    /// Whether later routes are looked at too.
    pub continues: bool,
    /// Whether they are told at once.
    pub mode: Mode,
    /// The hours in which nobody is told.
    pub quiet: Option<Quiet>,
    /// Where clocks show the times of `mode` and `quiet`.
    pub timezone: TimeZone,
    /// The line of newswatch.toml at which it stands, from 1.
    pub line: usize,
}

impl Default for Route {
    /// A route that takes everything and tells nobody.
    fn default() -> Self {
        Self {
            severity: Vec::new(),
            tags: Vec::new(),
            rule: Vec::new(),
            receivers: Vec::new(),
            continues: false,
            mode: Mode::Immediate,
            quiet: None,
            timezone: TimeZone::UTC,
            line: 0,
        }
    }
}

/// When a route tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// At once.
    Immediate,
    /// Several times a day, all that was raised since.
    Digest {
        /// The times of day, at least one, earliest first.
        at: Vec<Time>,
    },
}

/// The hours of every day in which a route tells nobody; what it holds back is told when they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// When they begin.
    pub from: Time,
    /// When they end; on the next day when that is earlier.
    pub to: Time,
    /// The severities that are told all the same.
    pub except: Vec<Severity>,
}
