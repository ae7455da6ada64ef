//! The profile of an import: which file becomes what, written by hand in TOML.
//!
//! Everything that can be wrong with it is found before the first row is read, and is told with its line.
//! Nothing here opens a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use chrono::NaiveDate;
use chrono::format::{Item, StrftimeItems};
use evenhand_domain::error::{Code, Error, Problem, Problems, Result};
use evenhand_domain::money::Currency;
use evenhand_domain::text::{self, fold};
use serde::Deserialize;
use toml::Spanned;

pub use super::fields::SourceKind;
use super::fields::{ALIASES, Field, Form};
use super::mapping::suggest;
use super::template::Template;

/// Largest profile, in bytes; it bounds every list in it too.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;
/// Most sources of one profile.
pub const SOURCES_MAX: usize = 50;
/// Most date formats of one profile: each is tried on each date.
pub const DATE_FORMATS_MAX: usize = 10;

/// A checked profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Namespace of the keys: a later run with this name finds what an earlier one made.
    pub name: String,
    /// Currency of the amounts of rows that name none.
    pub currency: Currency,
    /// What to read, in order.
    pub sources: Vec<Source>,
    pub(super) date_formats: Vec<String>,
    /// Table, folded wrong value, right value.
    pub(super) aliases: BTreeMap<String, BTreeMap<String, String>>,
}

/// One reading of one file.
#[derive(Clone, Debug)]
pub struct Source {
    /// What its rows become.
    pub kind: SourceKind,
    /// Name of the file in the folder of the import; never a path.
    pub file: String,
    pub(super) key: Template,
    pub(super) fields: Vec<SourceField>,
}

/// How a source fills one field.
#[derive(Clone, Debug)]
pub(super) struct SourceField {
    pub(super) spec: &'static Field,
    pub(super) template: Template,
    /// What an empty value becomes.
    pub(super) default: Option<String>,
    /// Folded value of the file, value to use.
    pub(super) values: BTreeMap<String, String>,
}

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// `INVALID_PROFILE` for each fault, with its line.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > PROFILE_BYTES_MAX {
            return Err(invalid(format!("A profile has at most {PROFILE_BYTES_MAX} bytes.")).into());
        }
        let mut checker = Checker { text, currency: None, found: Vec::new() };
        let profile = match toml::from_str::<RawProfile>(text) {
            Ok(raw) => checker.profile(raw),
            Err(error) => {
                checker.note(error.span().unwrap_or_default(), error.message().replace('\n', ", "));
                None
            }
        };
        checker.finish()?;
        profile.ok_or_else(|| Error::Internal("a part of a profile was dropped without a problem".into()))
    }

    /// Forgets all aliases, so that the flaws of the files show as they are.
    pub fn without_aliases(&mut self) {
        self.aliases.clear();
    }
}

type Text = Spanned<String>;
type Table = BTreeMap<Text, Text>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    name: Text,
    currency: Text,
    date_formats: Option<Spanned<Vec<Text>>>,
    #[serde(default)]
    aliases: BTreeMap<Text, Table>,
    sources: Spanned<Vec<Spanned<RawSource>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    kind: Text,
    file: Text,
    key: Text,
    fields: Table,
    #[serde(default)]
    defaults: Table,
    #[serde(default)]
    values: BTreeMap<Text, Table>,
}

/// Collects the faults of a profile with the place of each.
struct Checker<'t> {
    text: &'t str,
    /// Currency of the constant amounts; `None` when the profile names it wrongly.
    currency: Option<Currency>,
    found: Vec<(usize, String)>,
}

impl Checker<'_> {
    fn note(&mut self, span: Range<usize>, message: impl Into<String>) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        self.found.push((line, message.into()));
    }

    /// Keeps the value, or notes the fault at `span`.
    fn take<T>(&mut self, span: Range<usize>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.note(span, message)).ok()
    }

    fn finish(mut self) -> Result<()> {
        self.found.sort();
        let mut problems = Problems::default();
        for (line, message) in self.found {
            problems.push(invalid(format!("Line {line}: {message}")));
        }
        problems.finish()
    }

    fn profile(&mut self, raw: RawProfile) -> Option<Profile> {
        let name =
            self.take(raw.name.span(), text::label(raw.name.get_ref()).map_err(|problem| problem.message));
        let currency = Currency::parse(raw.currency.get_ref()).map_err(|problem| problem.message);
        self.currency = self.take(raw.currency.span(), currency);
        let date_formats =
            raw.date_formats.map_or_else(|| vec!["%Y-%m-%d".into()], |formats| self.date_formats(formats));
        let aliases = self.aliases(raw.aliases);
        let count = raw.sources.get_ref().len();
        if !(1..=SOURCES_MAX).contains(&count) {
            self.note(
                raw.sources.span(),
                format!("A profile has 1 to {SOURCES_MAX} sources; this one has {count}."),
            );
            return None;
        }
        let sources: Vec<_> =
            raw.sources.into_inner().into_iter().map(|source| self.source(source)).collect();
        Some(Profile {
            name: name?,
            currency: self.currency?,
            date_formats,
            aliases,
            sources: sources.into_iter().collect::<Option<_>>()?,
        })
    }

    fn date_formats(&mut self, formats: Spanned<Vec<Text>>) -> Vec<String> {
        let count = formats.get_ref().len();
        if !(1..=DATE_FORMATS_MAX).contains(&count) {
            self.note(formats.span(), format!("A profile has 1 to {DATE_FORMATS_MAX} date formats."));
            return Vec::new();
        }
        for format in formats.get_ref().iter().filter(|format| !names_a_date(format.get_ref())) {
            let message =
                format!("'{}' is no date format such as %Y-%m-%d, %d.%m.%Y or %m/%d/%Y.", format.get_ref());
            self.note(format.span(), message);
        }
        formats.into_inner().into_iter().map(Spanned::into_inner).collect()
    }

    fn aliases(&mut self, raw: BTreeMap<Text, Table>) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut aliases = BTreeMap::new();
        for (table, pairs) in raw {
            if !ALIASES.contains(&table.get_ref().as_str()) {
                self.note(table.span(), unknown("table of aliases", table.get_ref(), ALIASES));
            }
            for right in pairs.values().filter(|right| right.get_ref().trim().is_empty()) {
                self.note(right.span(), "An alias needs a right value.");
            }
            let pairs = self.folded(pairs);
            aliases.insert(table.into_inner(), pairs);
        }
        aliases
    }

    /// The table with folded keys; two keys that fold to one are a fault.
    fn folded(&mut self, table: Table) -> BTreeMap<String, String> {
        let mut folded = BTreeMap::new();
        for (key, value) in table {
            if folded.insert(fold(key.get_ref()), value.get_ref().trim().to_owned()).is_some() {
                self.note(
                    key.span(),
                    format!("'{}' stands here twice; case and spacing do not count.", key.get_ref()),
                );
            }
        }
        folded
    }

    fn source(&mut self, raw: Spanned<RawSource>) -> Option<Source> {
        let span = raw.span();
        let mut raw = raw.into_inner();
        let file = raw.file.get_ref();
        // A profile may come from a client, its file name is joined to a folder: a path would reach anywhere.
        if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\', ':', '\0']) {
            self.note(raw.file.span(), format!("'{file}' is no plain file name such as deals.csv."));
        }
        let key = self.take(raw.key.span(), Template::parse(raw.key.get_ref()));
        if key.as_ref().is_some_and(|key| key.constant().is_some()) {
            self.note(
                raw.key.span(),
                "The key needs a column that tells the rows apart, such as \"deal:{id}\".",
            );
        }
        let Some(kind) = SourceKind::parse(raw.kind.get_ref()) else {
            let kinds = SourceKind::ALL.map(SourceKind::as_str);
            self.note(raw.kind.span(), unknown("kind", raw.kind.get_ref(), &kinds));
            return None;
        };
        for required in kind.fields().iter().filter(|field| field.required) {
            if !raw.fields.contains_key(required.name) {
                self.note(
                    span.clone(),
                    format!("Each {} needs the field '{}'.", kind.as_str(), required.name),
                );
            }
        }
        let fields = std::mem::take(&mut raw.fields);
        let fields: Vec<_> =
            fields.into_iter().map(|(name, template)| self.field(kind, name, template, &mut raw)).collect();
        for left in raw.defaults.keys().chain(raw.values.keys()) {
            self.note(left.span(), format!("'{}' is not among the fields of this source.", left.get_ref()));
        }
        Some(Source {
            kind,
            file: raw.file.into_inner(),
            key: key?,
            fields: fields.into_iter().collect::<Option<_>>()?,
        })
    }

    /// One field, with its default and values taken out of `raw`.
    fn field(
        &mut self,
        kind: SourceKind,
        name: Text,
        template: Text,
        raw: &mut RawSource,
    ) -> Option<SourceField> {
        let default = raw.defaults.remove(name.get_ref().as_str());
        let values = raw.values.remove(name.get_ref().as_str()).unwrap_or_default();
        let Some(spec) = kind.fields().iter().find(|spec| spec.name == name.get_ref()) else {
            let names: Vec<_> = kind.fields().iter().map(|spec| spec.name).collect();
            self.note(name.span(), unknown(&format!("field of a {}", kind.as_str()), name.get_ref(), &names));
            return None;
        };
        let span = template.span();
        let template = self.take(span.clone(), Template::parse(template.get_ref()))?;
        if let Some(constant) = template.constant() {
            self.constant(&spec.form, constant, span);
        }
        if let Some(default) = &default {
            self.constant(&spec.form, default.get_ref(), default.span());
        }
        // An empty right side means: no value.
        for value in values.values().filter(|value| !value.get_ref().trim().is_empty()) {
            self.constant(&spec.form, value.get_ref(), value.span());
        }
        let default = default.map(|default| default.get_ref().trim().to_owned());
        Some(SourceField { spec, template, default, values: self.folded(values) })
    }

    fn constant(&mut self, form: &Form, text: &str, span: Range<usize>) {
        if let Err(misread) = form.check(text.trim(), self.currency) {
            self.note(span, misread.0);
        }
    }
}

fn invalid(message: String) -> Problem {
    Problem::new(Code::InvalidProfile, message)
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match suggest(name, known.iter().copied()) {
        Some(near) => format!("Unknown {what} '{name}'; did you mean '{near}'?"),
        None => format!("Unknown {what} '{name}'; there are {}.", known.join(", ")),
    }
}

/// Whether a date written in this format can be read back.
fn names_a_date(format: &str) -> bool {
    let items: Vec<_> = StrftimeItems::new(format).collect();
    let Some(sample) = NaiveDate::from_ymd_opt(2017, 11, 23) else { return false };
    let mut written = String::new();
    !items.contains(&Item::Error)
        && write!(written, "{}", sample.and_time(chrono::NaiveTime::MIN).format_with_items(items.iter()))
            .is_ok()
        && NaiveDate::parse_from_str(&written, format) == Ok(sample)
}
