//! All settings, read once at start: the commented defaults, a user's file, the environment and the flags,
//! each layer over the one before. An unknown key, a wrong type or a value out of range refuses the start,
//! and says which setting of which layer is wrong, and why. No other place reads the environment.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Source, Value, ValueKind};
use evenhand_api::Limits;
use serde::Deserialize;

use crate::auth_secret::{self, Secret};

/// Every setting with its default and its explanation.
pub const DEFAULT_FILE: &str = include_str!("../config.default.toml");
/// The user's file where no other is named.
const USER_FILE: &str = "evenhand.toml";
const ENVIRONMENT_PREFIX: &str = "EVENHAND";

/// The documented ranges.
const CONNECTIONS: RangeInclusive<u64> = 1..=100;
const ACQUIRE_TIMEOUT_MS: RangeInclusive<u64> = 100..=60_000;
const STATEMENT_TIMEOUT_MS: RangeInclusive<u64> = 100..=600_000;
const DOCUMENT_BYTES: RangeInclusive<u64> = 256..=1024 * 1024;
const DOCUMENT_PARTS: RangeInclusive<u64> = 10..=100_000;
const DEPTH: RangeInclusive<u64> = 1..=50;
const NODES: RangeInclusive<u64> = 1..=1_000_000;
const IN_FLIGHT: RangeInclusive<u64> = 0..=10_000;
const QUEUE: RangeInclusive<u64> = 0..=100_000;
const BODY_BYTES: RangeInclusive<u64> = 1024..=64 * 1024 * 1024;
const WORKERS: RangeInclusive<u64> = 0..=256;
const ACCESS_TOKEN_MINUTES: RangeInclusive<u64> = 1..=10;
const REFRESH_IDLE_DAYS: RangeInclusive<u64> = 1..=90;
const REFRESH_ABSOLUTE_DAYS: RangeInclusive<u64> = 1..=365;
const INVITATION_DAYS: RangeInclusive<u64> = 1..=90;
const CLOSE_AFTER_DAYS: RangeInclusive<u64> = 0..=365;

/// All settings. `config.default.toml` explains each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The database.
    pub database: DatabaseSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// What one request may ask for.
    pub limits: Limits,
    /// What clients may ask for in a time.
    pub quotas: QuotaSettings,
    /// Sign-in.
    pub auth: AuthSettings,
    /// The close of days.
    pub days: DaySettings,
    /// Outgoing mail.
    pub mail: MailSettings,
    /// The log.
    pub log: LogSettings,
    /// Background jobs.
    pub worker: WorkerSettings,
}

/// Section `database`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// SQLite or PostgreSQL URL; may hold a password.
    pub url: Secret,
    /// Open connections at most.
    pub max_connections: u32,
    /// Connections for the reads of each thread that serves requests.
    pub reads_per_thread: u32,
    /// Longest wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// Longest run of a statement, in milliseconds.
    pub statement_timeout_ms: u64,
}

/// Section `http`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen.
    pub address: SocketAddr,
    /// Longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Threads that serve requests; 0 is one for each core.
    pub workers: usize,
    /// The peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The origins whose web pages may call the API.
    pub allowed_origins: Vec<String>,
    /// Whether signed-in clients may ask for the schema.
    pub introspection: bool,
    /// The address for people, without a slash at the end.
    pub public_url: String,
}

/// Section `quotas`, in objects to answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSettings {
    /// Of a person, at once.
    pub user_capacity: u32,
    /// Of a person, for each second.
    pub user_per_second: u32,
    /// Of an organisation, at once.
    pub organization_capacity: u32,
    /// Of an organisation, for each second.
    pub organization_per_second: u32,
    /// Of an address from which nobody is signed in, at once.
    pub address_capacity: u32,
    /// Of an address from which nobody is signed in, for each second.
    pub address_per_second: u32,
}

/// Section `auth`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Seals signing keys; empty where not given. Take [`Settings::sealing_secret`] instead.
    secret: Secret,
    /// `iss` of access tokens.
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// Life of an access token, in minutes.
    pub access_token_minutes: u32,
    /// Life of an unused session, in days.
    pub refresh_idle_days: u32,
    /// Life of any session, in days.
    pub refresh_absolute_days: u32,
    /// Life of an invitation, in days.
    pub invitation_days: u32,
}

/// Section `days`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaySettings {
    /// A day closes by itself so many days after it ended; 0 never.
    pub close_after: u32,
}

/// Section `mail`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// URL of the mail server; empty where mail is not configured; may hold a password.
    pub smtp_url: Secret,
    /// The sender.
    pub from: String,
}

impl MailSettings {
    /// Whether mail can be sent.
    pub fn is_configured(&self) -> bool {
        !self.smtp_url.expose().is_empty()
    }
}

/// Section `log`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Levels by module.
    pub filter: String,
    /// For people or machines.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object on each line.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json"),
        }
    }
}

/// Section `worker`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Whether `serve` runs background jobs too.
    pub enabled: bool,
}

/// Why the settings are refused: every fault that was found.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is refused:{}", .0.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
pub struct ConfigError(Vec<Fault>);

/// One wrong setting.
#[derive(Debug, thiserror::Error)]
#[error("{key} ({origin}): {reason}")]
pub struct Fault {
    /// The setting, such as `http.address`.
    pub key: String,
    /// Where the value came from.
    pub origin: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// One layer: a value and its origin for each setting that it names, by dotted key.
type Layer = BTreeMap<String, (Value, String)>;

impl Settings {
    /// Reads all layers. `file` stands for `evenhand.toml`, which may be missing; `environment` stands for
    /// that of the process; `overrides` are pairs of dotted key and value from flags.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault of the first stage that finds any: reading, types, ranges.
    pub fn load(
        file: Option<&Path>,
        environment: Option<HashMap<String, String>>,
        overrides: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let defaults = toml_layer(DEFAULT_FILE, "default")?;
        let file = match file {
            None if !Path::new(USER_FILE).exists() => Layer::new(),
            file => file_layer(file.unwrap_or(Path::new(USER_FILE)))?,
        };
        let environment = environment_layer(environment)?;
        let flags =
            overrides.into_iter().map(|(key, text)| (key, (text.into(), "flag".to_owned()))).collect();

        let mut faults = Vec::new();
        let mut merged = defaults.clone();
        for (layer, is_text) in [(file, false), (environment, true), (flags, true)] {
            for (key, (value, origin)) in layer {
                match typed(&key, value, is_text, &defaults) {
                    Ok(value) => drop(merged.insert(key, (value, origin))),
                    Err(reason) => faults.push(Fault { key, origin, reason }),
                }
            }
        }
        finish(faults)?;
        let mut settings = deserialize(&merged)?;
        settings.http.public_url.truncate(settings.http.public_url.trim_end_matches('/').len());
        finish(settings.faults(&merged))?;
        Ok(settings)
    }

    /// The secret that seals signing keys: the given one, or the one in the key file beside the SQLite
    /// database, which is made where missing. A database in memory gets a passing one.
    ///
    /// # Errors
    /// [`ConfigError`] on PostgreSQL without a given secret, and for an unusable key file.
    pub fn sealing_secret(&self) -> Result<Secret, ConfigError> {
        let url = self.database.url.expose();
        let (secret, origin) = if !self.auth.secret.expose().is_empty() {
            return Ok(self.auth.secret.clone());
        } else if let Some(database) = auth_secret::sqlite_path(url) {
            (auth_secret::from_key_file(&database), "key file")
        } else if url.starts_with("sqlite:") {
            (auth_secret::generate(), "made at start")
        } else {
            let reason = "PostgreSQL needs a secret that all nodes share: set EVENHAND_AUTH__SECRET to the \
                          output of `openssl rand -base64 48`, and keep it";
            (Err(reason.into()), "not set")
        };
        let fault =
            |reason| ConfigError(vec![Fault { key: "auth.secret".into(), origin: origin.into(), reason }]);
        secret.map_err(fault)
    }

    /// What is wrong with values of the right type.
    fn faults(&self, merged: &Layer) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut refuse = |key: &str, reason: String| {
            faults.push(Fault { key: key.into(), origin: origin_of(key, merged), reason });
        };
        for (key, value, range) in self.ranges() {
            if !range.contains(&value) {
                refuse(key, format!("{value} is not in the range {} to {}", range.start(), range.end()));
            }
        }
        if self.auth.refresh_idle_days > self.auth.refresh_absolute_days {
            refuse("auth.refresh_idle_days", "longer than auth.refresh_absolute_days".into());
        }
        for (key, text) in [("auth.issuer", &self.auth.issuer), ("auth.audience", &self.auth.audience)] {
            if text.trim().is_empty() {
                refuse(key, "a value is required".into());
            }
        }
        let url = |key: &str, text: &str, schemes: &[&str]| {
            let valid =
                schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
            // The text is not repeated: it may hold a password.
            let valid = valid && !text.chars().any(|c| c.is_whitespace() || c.is_control());
            (!valid).then(|| {
                (key.to_owned(), format!("expected a URL that begins with {}", schemes.join(" or ")))
            })
        };
        let smtp_url = self.mail.smtp_url.expose();
        let urls = [
            url("database.url", self.database.url.expose(), &["sqlite:", "postgres://", "postgresql://"]),
            url("http.public_url", &self.http.public_url, &["http://", "https://"]),
            url("mail.smtp_url", smtp_url, &["smtp://", "smtps://"]).filter(|_| self.mail.is_configured()),
        ];
        for (key, reason) in urls.into_iter().flatten() {
            refuse(&key, reason);
        }
        if self.mail.is_configured() && self.mail.from.trim().is_empty() {
            refuse("mail.from", "mail.smtp_url is set, so a sender is required".into());
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.filter) {
            refuse("log.filter", error.to_string());
        }
        let secret = self.auth.secret.expose();
        if let Some(weakness) = auth_secret::weakness(secret).filter(|_| !secret.is_empty()) {
            refuse(
                "auth.secret",
                format!("too weak: {weakness}; take the output of `openssl rand -base64 48`"),
            );
        }
        faults
    }

    fn ranges(&self) -> [(&'static str, u64, RangeInclusive<u64>); 20] {
        let (database, http, auth, limits) = (&self.database, &self.http, &self.auth, &self.limits);
        [
            ("database.max_connections", database.max_connections.into(), CONNECTIONS),
            ("database.reads_per_thread", database.reads_per_thread.into(), CONNECTIONS),
            ("database.acquire_timeout_ms", database.acquire_timeout_ms, ACQUIRE_TIMEOUT_MS),
            ("database.statement_timeout_ms", database.statement_timeout_ms, STATEMENT_TIMEOUT_MS),
            ("http.body_bytes_max", http.body_bytes_max as u64, BODY_BYTES),
            ("http.workers", http.workers as u64, WORKERS),
            ("limits.document_bytes", limits.document_bytes as u64, DOCUMENT_BYTES),
            ("limits.tokens", limits.tokens as u64, DOCUMENT_PARTS),
            ("limits.selections", limits.selections, DOCUMENT_PARTS),
            ("limits.depth", limits.depth, DEPTH),
            ("limits.nodes", limits.nodes, NODES),
            ("limits.in_flight", limits.in_flight as u64, IN_FLIGHT),
            ("limits.in_flight_of_one", limits.in_flight_of_one as u64, IN_FLIGHT),
            ("limits.queue", limits.queue as u64, QUEUE),
            ("limits.streams", limits.streams as u64, QUEUE),
            ("auth.access_token_minutes", auth.access_token_minutes.into(), ACCESS_TOKEN_MINUTES),
            ("auth.refresh_idle_days", auth.refresh_idle_days.into(), REFRESH_IDLE_DAYS),
            ("auth.refresh_absolute_days", auth.refresh_absolute_days.into(), REFRESH_ABSOLUTE_DAYS),
            ("auth.invitation_days", auth.invitation_days.into(), INVITATION_DAYS),
            ("days.close_after", self.days.close_after.into(), CLOSE_AFTER_DAYS),
        ]
    }
}

fn finish(faults: Vec<Fault>) -> Result<(), ConfigError> {
    if faults.is_empty() { Ok(()) } else { Err(ConfigError(faults)) }
}

fn unreadable(origin: &str, reason: impl std::fmt::Display) -> ConfigError {
    let reason = format!("cannot be read: {reason}");
    ConfigError(vec![Fault { key: "configuration".into(), origin: origin.into(), reason }])
}

fn file_layer(path: &Path) -> Result<Layer, ConfigError> {
    let origin = format!("file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&origin, error))?;
    toml_layer(&text, &origin)
}

fn toml_layer(text: &str, origin: &str) -> Result<Layer, ConfigError> {
    let source = File::from_str(text, FileFormat::Toml);
    let sections = source.collect().map_err(|error| unreadable(origin, error))?;
    let mut layer = Layer::new();
    // Sections are one level deep: a deeper table stays a value, and is refused as one.
    for (section, value) in sections {
        match value.kind {
            ValueKind::Table(keys) => layer.extend(
                keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), (value, origin.to_owned()))),
            ),
            _ => drop(layer.insert(section, (value, origin.to_owned()))),
        }
    }
    Ok(layer)
}

fn environment_layer(environment: Option<HashMap<String, String>>) -> Result<Layer, ConfigError> {
    let source = Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator("_")
        .separator("__")
        .source(environment.map(|variables| variables.into_iter().collect()));
    let variables = source.collect().map_err(|error| unreadable("environment", error))?;
    let named = |(key, value): (String, Value)| {
        let origin = variable_of(&key);
        (key, (value, origin))
    };
    Ok(variables.into_iter().map(named).collect())
}

/// The environment variable of a setting.
fn variable_of(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}_{}", key.replace('.', "__").to_uppercase())
}

/// The value in the type of its default. Texts of the environment and of flags are read strictly; lists
/// are separated by commas there.
fn typed(key: &str, value: Value, is_text: bool, defaults: &Layer) -> Result<Value, String> {
    let Some((default, _)) = defaults.get(key) else { return Err(unknown(key, defaults)) };
    let kind = match (value.kind, &default.kind) {
        (ValueKind::String(text), ValueKind::String(_)) => ValueKind::String(text),
        (ValueKind::String(text), ValueKind::I64(_)) if is_text => {
            text.trim().parse().map(ValueKind::I64).map_err(|_| format!("{text:?} is not a whole number"))?
        }
        (ValueKind::String(text), ValueKind::Boolean(_)) if is_text => text
            .trim()
            .parse()
            .map(ValueKind::Boolean)
            .map_err(|_| format!("{text:?} is not true or false"))?,
        (ValueKind::String(text), ValueKind::Array(_)) if is_text => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            ValueKind::Array(items.map(Value::from).collect())
        }
        (kind, expected) if std::mem::discriminant(&kind) == std::mem::discriminant(expected) => kind,
        (_, ValueKind::I64(_)) => return Err("expected a whole number".into()),
        (_, ValueKind::Boolean(_)) => return Err("expected true or false".into()),
        (_, ValueKind::Array(_)) => return Err("expected a list".into()),
        _ => return Err("expected a text in quotes".into()),
    };
    Ok(Value::new(None, kind))
}

/// Tells an unknown key, and the known one that differs in separators or case only.
fn unknown(key: &str, defaults: &Layer) -> String {
    let letters = |key: &str| key.replace(['.', '_', '-'], "").to_lowercase();
    match defaults.keys().find(|known| letters(known) == letters(key)) {
        Some(known) => {
            format!("unknown setting; did you mean {known} (in the environment {})?", variable_of(known))
        }
        None => "unknown setting; the known ones are in config.default.toml".into(),
    }
}

fn deserialize(merged: &Layer) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder();
    for (key, (value, _)) in merged {
        builder = builder.set_override(key, value.clone()).map_err(|error| unreadable(key, error))?;
    }
    builder.build().and_then(Config::try_deserialize).map_err(|error| {
        let (key, reason) = match error {
            config::ConfigError::At { error, key: Some(key), .. } => (key, error.to_string()),
            config::ConfigError::Type { unexpected, expected, key: Some(key), .. } => {
                (key, format!("{unexpected} is not {expected}"))
            }
            other => ("configuration".into(), other.to_string()),
        };
        let origin = origin_of(&key, merged);
        ConfigError(vec![Fault { key, origin, reason }])
    })
}

/// Where a value came from; `key` may name an item of a list.
fn origin_of(key: &str, merged: &Layer) -> String {
    let list = key.split('[').next().unwrap_or(key);
    merged.get(list).map_or_else(|| "all layers".into(), |(_, origin)| origin.clone())
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
