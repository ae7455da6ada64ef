//! The table of what a profile can fill: the kinds of record, their fields, and how a text becomes a typed value.
//! A new field is one line here and one in its record.

use chrono::{Datelike, NaiveDate, NaiveTime};
use evenhand_domain::access::Role;
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::complaints::{Channel, ComplaintState, Confidentiality, Severity};
use evenhand_domain::customers::{CustomerGrade, CustomerKind, CustomerStage};
use evenhand_domain::deals::DealStage;
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::text::fold;
use evenhand_domain::time::{YEARS, parse_date};
use evenhand_domain::users::TeamRole;
use serde::Serialize;

use super::mapping::suggest;

/// What the rows of a source become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Teams.
    Team,
    /// People and their place in a team.
    User,
    /// Customers.
    Customer,
    /// Products.
    Product,
    /// Deals.
    Deal,
    /// Calls, visits and messages.
    Activity,
    /// Complaints.
    Complaint,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Team, Self::User, Self::Customer, Self::Product, Self::Deal, Self::Activity, Self::Complaint];

    /// The name in a profile.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::User => "user",
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Deal => "deal",
            Self::Activity => "activity",
            Self::Complaint => "complaint",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The fields that a profile can fill for this kind.
    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Self::Team => TEAM,
            Self::User => USER,
            Self::Customer => CUSTOMER,
            Self::Product => PRODUCT,
            Self::Deal => DEAL,
            Self::Activity => ACTIVITY,
            Self::Complaint => COMPLAINT,
        }
    }
}

/// One field of a kind of record.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in a profile.
    pub(super) name: &'static str,
    /// How its text is read.
    pub(super) form: Form,
    /// Whether a record is worth nothing without it.
    pub(super) required: bool,
    /// The table of aliases that mends its text.
    pub(super) alias: Option<&'static str>,
}

/// How the text of a field is read.
#[derive(Debug)]
pub(super) enum Form {
    /// As it stands.
    Text,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// An amount.
    Money,
    /// A currency code.
    Currency,
    /// A number from 0.
    Count,
    /// Yes or no.
    Flag,
    /// One of these names.
    Choice(fn() -> Vec<&'static str>),
}

/// The tables of aliases that a profile can have.
pub(super) const ALIASES: &[&str] = &["team", "user", "customer", "product", "sector", "source", "outcome"];

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form, required: false, alias: None }
}

impl Field {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
    const fn alias(self, table: &'static str) -> Self {
        Self { alias: Some(table), ..self }
    }
}

const TEAM: &[Field] =
    &[field("name", Form::Text).required().alias("team"), field("parent", Form::Text).alias("team")];

const USER: &[Field] = &[
    field("name", Form::Text).required().alias("user"),
    field("role", Form::Choice(names::<Role>)).required(),
    field("email", Form::Text),
    field("hired_on", Form::Date),
    field("team", Form::Text).alias("team"),
    field("team_role", Form::Choice(names::<TeamRole>)),
    field("member_from", Form::Date),
];

const CUSTOMER: &[Field] = &[
    field("name", Form::Text).required().alias("customer"),
    field("number", Form::Text),
    field("kind", Form::Choice(names::<CustomerKind>)),
    field("stage", Form::Choice(names::<CustomerStage>)),
    field("grade", Form::Choice(names::<CustomerGrade>)),
    field("sector", Form::Text).alias("sector"),
    field("source", Form::Text).alias("source"),
    field("owner", Form::Text).alias("user"),
    field("collected_on", Form::Date),
];

const PRODUCT: &[Field] = &[
    field("name", Form::Text).required().alias("product"),
    field("code", Form::Text),
    field("series", Form::Text),
    field("list_price", Form::Money),
    field("currency", Form::Currency),
];

const DEAL: &[Field] = &[
    field("number", Form::Text).required(),
    field("owner", Form::Text).required().alias("user"),
    field("name", Form::Text),
    field("customer", Form::Text).alias("customer"),
    field("product", Form::Text).alias("product"),
    field("stage", Form::Choice(names::<DealStage>)),
    field("opened_on", Form::Date),
    field("expected_close_on", Form::Date),
    field("closed_on", Form::Date),
    field("close_reason", Form::Text),
    field("value", Form::Money),
    field("currency", Form::Currency),
];

const ACTIVITY: &[Field] = &[
    field("kind", Form::Choice(names::<ActivityKind>)).required(),
    field("user", Form::Text).required().alias("user"),
    field("started_on", Form::Date).required(),
    field("started_at", Form::Time),
    field("customer", Form::Text).alias("customer"),
    field("deal", Form::Text),
    field("seconds", Form::Count),
    field("connected", Form::Flag),
    field("outcome", Form::Text).alias("outcome"),
    field("note", Form::Text),
];

const COMPLAINT: &[Field] = &[
    field("number", Form::Text).required(),
    field("customer", Form::Text).required().alias("customer"),
    field("owner", Form::Text).required().alias("user"),
    field("recorded_on", Form::Date).required(),
    field("subject", Form::Text).required(),
    field("description", Form::Text).required(),
    field("channel", Form::Choice(names::<Channel>)).required(),
    field("product", Form::Text).alias("product"),
    field("remedy", Form::Text),
    field("confidentiality", Form::Choice(names::<Confidentiality>)),
    field("safety_risk", Form::Flag),
    field("occurred_on", Form::Date),
    field("state", Form::Choice(names::<ComplaintState>)),
    field("acknowledged_on", Form::Date),
    field("severity", Form::Choice(names::<Severity>)),
    field("impact", Form::Choice(names::<Severity>)),
    field("urgency", Form::Choice(names::<Severity>)),
    field("response", Form::Text),
    field("responded_on", Form::Date),
    field("timely", Form::Flag),
    field("disputed", Form::Flag),
    field("accepted", Form::Flag),
    field("ended_on", Form::Date),
    field("root_cause", Form::Text),
    field("recourse", Form::Text),
    field("out_of_scope_reason", Form::Text),
];

/// A closed list of values with names on the wire.
pub(super) trait Wire: Copy + 'static {
    /// All values.
    fn all() -> &'static [Self];
    /// The name.
    fn name(self) -> &'static str;
}

macro_rules! wire {
    ($($type:ident)*) => {$(
        impl Wire for $type {
            fn all() -> &'static [Self] { Self::ALL }
            fn name(self) -> &'static str { self.as_str() }
        }
    )*};
}
wire! {
    Role TeamRole CustomerKind CustomerStage CustomerGrade DealStage ActivityKind
    Channel ComplaintState Confidentiality Severity
}

fn names<T: Wire>() -> Vec<&'static str> {
    T::all().iter().map(|value| value.name()).collect()
}

/// Why a text is no such value: the reason, and what may have been meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misread(pub(super) String, pub(super) Option<String>);

impl Misread {
    fn of(text: &str, reason: impl AsRef<str>) -> Self {
        Self(format!("{} {}", quoted(text), reason.as_ref()), None)
    }
}

impl Form {
    /// Checks a text that stands in the profile itself, where dates are ISO 8601.
    pub(super) fn check(&self, text: &str, currency: Option<Currency>) -> Result<(), Misread> {
        match self {
            Self::Text => Ok(()),
            Self::Date => iso_date(text).map(|_| ()),
            Self::Time => time(text).map(|_| ()),
            Self::Money => currency.map_or(Ok(()), |currency| money(text, currency).map(|_| ())),
            Self::Currency => currency_code(text).map(|_| ()),
            Self::Count => count(text).map(|_| ()),
            Self::Flag => flag(text).map(|_| ()),
            Self::Choice(names) => one_of(text, &names()).map(|_| ()),
        }
    }
}

/// A date in the first of `formats` that fits.
pub(super) fn date(text: &str, formats: &[String]) -> Result<NaiveDate, Misread> {
    let found = formats.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok());
    let found = found.ok_or_else(|| {
        let plural = if formats.len() == 1 {
            "does not match the date format"
        } else {
            "matches none of the date formats"
        };
        Misread::of(text, format!("{plural} {}", formats.join(", ")))
    })?;
    if YEARS.contains(&found.year()) {
        Ok(found)
    } else {
        Err(Misread::of(text, format!("lies in the year {}; expected 1900 to 2200", found.year())))
    }
}

/// A date as profiles write it.
pub(super) fn iso_date(text: &str) -> Result<NaiveDate, Misread> {
    parse_date(text).map_err(|problem| Misread::of(text, format!("is no date: {}", problem.message)))
}

/// A time of day, with or without seconds.
pub(super) fn time(text: &str) -> Result<NaiveTime, Misread> {
    let formats = ["%H:%M:%S", "%H:%M"];
    formats
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(text, format).ok())
        .ok_or_else(|| Misread::of(text, "is no time of day such as 14:05 or 14:05:30"))
}

/// An exact amount.
pub(super) fn money(text: &str, currency: Currency) -> Result<Money, Misread> {
    Money::parse(text, currency)
        .map_err(|problem| Misread::of(text, format!("is no amount: {}", problem.message)))
}

/// A currency code in any case.
pub(super) fn currency_code(text: &str) -> Result<Currency, Misread> {
    Currency::parse(&text.to_ascii_uppercase())
        .map_err(|problem| Misread::of(text, format!("is no currency: {}", problem.message)))
}

/// A number from 0.
pub(super) fn count(text: &str) -> Result<u32, Misread> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Misread::of(text, format!("is no whole number from 0 to {}", u32::MAX)))
}

/// Yes or no.
pub(super) fn flag(text: &str) -> Result<bool, Misread> {
    match fold(text).as_str() {
        "true" | "yes" | "y" | "1" => Ok(true),
        "false" | "no" | "n" | "0" => Ok(false),
        _ => Err(Misread::of(text, "is neither yes nor no")),
    }
}

/// The value of that name, in any case.
pub(super) fn choice<T: Wire>(text: &str) -> Result<T, Misread> {
    let index = one_of(text, &names::<T>())?;
    T::all().get(index).copied().ok_or_else(|| Misread::of(text, "has no value"))
}

fn one_of(text: &str, names: &[&str]) -> Result<usize, Misread> {
    names.iter().position(|name| name.eq_ignore_ascii_case(text)).ok_or_else(|| {
        let reason = format!("{} is none of {}", quoted(text), names.join(", "));
        Misread(reason, suggest(text, names.iter().copied()))
    })
}

/// The text in quotes, cut to a length that fits in a message and without control characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let shown: String =
        text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let dots = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…" } else { "" };
    format!("'{shown}{dots}'")
}
