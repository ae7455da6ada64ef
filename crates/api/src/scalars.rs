//! Scalars and small value types of the public schema.

use async_graphql::{
    InputObject, InputValueError, InputValueResult, Object, Scalar, ScalarType, SimpleObject, Value,
};
use chrono::NaiveDate;
use evenhand_domain::error::Problem;
use evenhand_domain::money;
use evenhand_domain::time::{self, PeriodKind, Timestamp, parse_date};

use crate::wire::Wire;

macro_rules! text_scalar {
    ($(#[doc = $doc:literal])* $name:ident = $graphql:literal, $url:literal, $inner:ty, $parse:expr, $write:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name(pub(crate) $inner);

        $(#[doc = $doc])*
        #[Scalar(name = $graphql, specified_by_url = $url)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                let Value::String(text) = value else {
                    return Err(InputValueError::expected_type(value));
                };
                let parsed: Result<$inner, Problem> = ($parse)(&text);
                parsed.map(Self).map_err(|problem| InputValueError::custom(problem.message))
            }

            fn to_value(&self) -> Value {
                Value::String(($write)(&self.0))
            }
        }
    };
}

text_scalar! {
    /// An instant: RFC 3339 with any offset on input, UTC with microseconds on output, e.g.
    /// `2026-11-23T09:30:00.123456Z`.
    DateTime = "DateTime", "https://scalars.graphql.org/andimarek/date-time.html", Timestamp,
    Timestamp::parse, Timestamp::to_string
}

text_scalar! {
    /// A calendar date of ISO 8601, local to the organisation's time zone, e.g. `2026-11-23`.
    Date = "Date", "https://scalars.graphql.org/andimarek/local-date.html", NaiveDate,
    parse_date, NaiveDate::to_string
}

text_scalar! {
    /// An exact decimal number as text, e.g. `1153214.00`. Never a float.
    Decimal = "Decimal", "https://ibm.github.io/graphql-specs/custom-scalars/decimal.html", String,
    parse_decimal, String::clone
}

text_scalar! {
    /// A currency code of ISO 4217, e.g. `USD`.
    Currency = "Currency", "https://www.iso.org/iso-4217-currency-codes.html", money::Currency,
    money::Currency::parse, |currency: &money::Currency| currency.code().to_owned()
}

text_scalar! {
    /// An e-mail address, e.g. `ada@example.com`.
    EmailAddress = "EmailAddress", "https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address", String,
    evenhand_domain::text::email, String::clone
}

/// Any JSON value. Only in answers, never in inputs.
#[derive(Clone, Debug)]
pub(crate) struct Json(pub(crate) serde_json::Value);

/// Any JSON value. Only in answers, never in inputs.
#[Scalar(
    name = "JSON",
    specified_by_url = "https://ecma-international.org/publications-and-standards/standards/ecma-404/"
)]
impl ScalarType for Json {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom("JSON is not accepted in inputs"))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// Digits of the longest decimal that is looked at.
const DECIMAL_CHARS_MAX: usize = 40;

fn parse_decimal(text: &str) -> Result<String, Problem> {
    use evenhand_domain::error::Code;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() <= DECIMAL_CHARS_MAX && plain(whole) && plain(fraction) {
        Ok(text.to_owned())
    } else {
        Err(Problem::new(Code::InvalidFormat, "Expected a plain decimal number such as 1234.50, as text."))
    }
}

/// An exact amount of money.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money(pub(crate) money::Money);

/// An exact amount of money.
#[Object]
impl Money {
    /// The amount, with all decimals of its currency.
    async fn amount(&self) -> Decimal {
        Decimal(self.0.amount())
    }

    /// The currency.
    async fn currency(&self) -> Currency {
        Currency(self.0.currency)
    }
}

/// An amount of money as input.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct MoneyInput {
    /// The amount, e.g. `1234.50`; at most as many decimals as the currency has.
    pub(crate) amount: Decimal,
    /// The currency.
    pub(crate) currency: Currency,
}

impl MoneyInput {
    /// The exact amount.
    pub(crate) fn parse(&self) -> Result<money::Money, Problem> {
        money::Money::parse(&self.amount.0, self.currency.0).map_err(|problem| problem.at("amount"))
    }
}

/// A reporting period, named by its first day.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PeriodInput {
    /// Its length.
    pub(crate) kind: Wire<PeriodKind>,
    /// Its first day: a Monday, the first of a month, of a quarter or of a year.
    pub(crate) start: Date,
}

impl PeriodInput {
    /// The checked period.
    pub(crate) fn parse(&self) -> Result<time::Period, Problem> {
        time::Period::new(self.kind.0, self.start.0).map_err(|problem| problem.at("period"))
    }
}

/// A reporting period: whole local days of the organisation.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Period {
    /// Its length.
    pub(crate) kind: Wire<PeriodKind>,
    /// First day.
    pub(crate) start: Date,
    /// Last day.
    pub(crate) end: Date,
}

impl From<time::Period> for Period {
    fn from(period: time::Period) -> Self {
        let last = period.end() - chrono::Days::new(1);
        Self { kind: Wire(period.kind()), start: Date(period.start()), end: Date(last) }
    }
}
