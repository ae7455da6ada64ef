//! Exact money: integer minor units and a currency. No float, no rounding that is not asked for.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Problem};

/// An ISO 4217 currency that is in use, e.g. `USD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// # Errors
    /// `UNKNOWN_CURRENCY` for anything but the upper-case code of a currency with minor units.
    pub fn parse(code: &str) -> Result<Self, Problem> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| {
                Problem::new(
                    Code::UnknownCurrency,
                    "Expected a currency code of ISO 4217 such as USD, EUR or CNY.",
                )
            })
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Number of decimals: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(2))
    }
}

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        Self::parse(&code).map_err(|problem| problem.message)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Signed amount in minor units (cents for USD).
    pub minor: i64,
    /// Its currency.
    pub currency: Currency,
}

/// Largest amount that an input may name, in minor units: 10^15 leaves room to sum thousands of them in an i64.
pub const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000_000;

impl Money {
    /// An amount in minor units.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a plain decimal such as `1153214.00`, exactly.
    ///
    /// # Errors
    /// `INVALID_FORMAT` (also for `NaN`, exponents and digit groups), `TOO_MANY_DECIMALS`, `OUT_OF_RANGE`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, Problem> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
            return Err(Problem::new(
                Code::InvalidFormat,
                "Expected a plain decimal number such as 1234.50.",
            ));
        }
        let decimals = currency.decimals() as usize;
        let significant = fraction.trim_end_matches('0');
        if significant.len() > decimals {
            return Err(Problem::new(
                Code::TooManyDecimals,
                format!("{} has {decimals} decimals.", currency.code()),
            ));
        }
        let out_of_range = || Problem::new(Code::OutOfRange, "The amount is too large.");
        let minor = format!("{whole}{significant:0<decimals$}").parse::<i64>().map_err(|_| out_of_range())?;
        if minor > AMOUNT_MINOR_MAX {
            return Err(out_of_range());
        }
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }

    /// The amount as a plain decimal with all decimals of its currency.
    pub fn amount(self) -> String {
        let decimals = self.currency.decimals() as usize;
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// The amount as events tell it: a decimal string and a currency code, as in the public API.
    pub(crate) fn view(self) -> serde_json::Value {
        serde_json::json!({ "amount": self.amount(), "currency": self.currency.code() })
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency.code())
    }
}

/// Splits `total` over `weights` so that the parts sum to it exactly (largest remainder method).
///
/// Part i is `floor(total * w_i / W)`; the units left over go to the largest fractional parts, ties to the
/// earlier weight. A negative total is split like its absolute value. With all weights zero everything goes
/// to the first. An empty list of weights gives an empty list.
pub fn allocate(total: i64, weights: &[u64]) -> Vec<i64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        let mut parts = vec![0; weights.len()];
        if let Some(first) = parts.first_mut() {
            *first = total;
        }
        return parts;
    }
    let magnitude = u128::from(total.unsigned_abs());
    // |total| < 2^63 and a weight < 2^64, so the product fits u128; part <= |total| fits i64 (or its negative).
    let exact = |weight: u64| magnitude * u128::from(weight);
    let mut parts: Vec<u128> = weights.iter().map(|&weight| exact(weight) / sum).collect();
    let left_over = usize::try_from(magnitude - parts.iter().sum::<u128>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(exact(weights[index]) % sum), index));
    for &index in order.iter().take(left_over) {
        parts[index] += 1;
    }
    parts
        .into_iter()
        .map(|part| {
            i64::try_from(i128::try_from(part).unwrap_or(0) * i128::from(total.signum())).unwrap_or(0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).expect("a currency")
    }

    #[test]
    fn decimals_are_read_and_written_exactly() {
        for (text, code, minor, written) in [
            ("1153214.00", "USD", 115_321_400, "1153214.00"),
            ("1054", "USD", 105_400, "1054.00"),
            ("0.05", "USD", 5, "0.05"),
            ("-0.05", "USD", -5, "-0.05"),
            ("1.10", "USD", 110, "1.10"),
            ("1.1000", "USD", 110, "1.10"),
            ("1234", "JPY", 1234, "1234"),
            ("1.234", "KWD", 1234, "1.234"),
        ] {
            let money = Money::parse(text, currency(code)).expect(text);
            assert_eq!((money.minor, money.amount().as_str()), (minor, written), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (text, code) in [
            ("", Code::InvalidFormat),
            ("NaN", Code::InvalidFormat),
            ("1e3", Code::InvalidFormat),
            ("1,000", Code::InvalidFormat),
            ("+1", Code::InvalidFormat),
            (".5", Code::InvalidFormat),
            ("5.", Code::InvalidFormat),
            ("--1", Code::InvalidFormat),
            ("0.001", Code::TooManyDecimals),
            ("99999999999999999999", Code::OutOfRange),
            ("10000000000001", Code::OutOfRange),
        ] {
            assert_eq!(
                Money::parse(text, currency("USD")).map_err(|problem| problem.code),
                Err(code),
                "{text}"
            );
        }
        for bad in ["", "usd", "XXX", "US", "DOGE"] {
            assert!(Currency::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn allocation_gives_the_rest_to_the_largest_fractions() {
        for (total, weights, parts) in [
            (100, &[1, 1, 1][..], &[34, 33, 33][..]),
            (-100, &[1, 1, 1], &[-34, -33, -33]),
            (10, &[0, 0], &[10, 0]),
            (1, &[1, 2], &[0, 1]),
            (10_000, &[3333, 3333, 3334], &[3333, 3333, 3334]),
            (5, &[], &[]),
            (i64::MAX, &[1], &[i64::MAX]),
        ] {
            assert_eq!(allocate(total, weights), parts, "{total} over {weights:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_allocation_sums_to_its_total(
            total: i64,
            weights in proptest::collection::vec(proptest::num::u64::ANY, 1..20),
        ) {
            let parts = allocate(total, &weights);
            proptest::prop_assert_eq!(parts.len(), weights.len());
            proptest::prop_assert_eq!(parts.iter().map(|&part| i128::from(part)).sum::<i128>(), i128::from(total));
            proptest::prop_assert!(parts.iter().all(|part| part.signum() * total.signum() >= 0));
        }

        #[test]
        fn each_part_lies_within_one_unit_of_its_exact_share(
            total: i64,
            weights in proptest::collection::vec(0..=u64::from(u32::MAX), 1..20),
        ) {
            let sum: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
            proptest::prop_assume!(sum > 0);
            for (part, &weight) in allocate(total, &weights).into_iter().zip(&weights) {
                let off = i128::from(part) * sum - i128::from(total) * i128::from(weight);
                proptest::prop_assert!(off.abs() < sum, "{part} of {total} for {weight}/{sum}");
            }
        }
    }
}
