//! Exact fractions, for rates that must not be rounded before the last step.

use serde::{Deserialize, Serialize};

/// One in parts per million.
pub const PPM: i64 = 1_000_000;

/// A rational number in lowest terms, written `11/70`. Operations that leave the range of an i128 give `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fraction {
    numerator: i128,
    /// Always positive.
    denominator: i128,
}

impl Fraction {
    /// The number `numerator / denominator`; `None` for a denominator of zero.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = i128::try_from(gcd(numerator.unsigned_abs(), denominator.unsigned_abs())).ok()?;
        let sign = denominator.signum();
        Some(Self {
            numerator: (numerator / divisor).checked_mul(sign)?,
            denominator: (denominator / divisor).checked_mul(sign)?,
        })
    }

    /// A whole number.
    pub fn whole(number: i128) -> Self {
        Self { numerator: number, denominator: 1 }
    }

    /// So many parts per million.
    pub fn millionths(ppm: i64) -> Self {
        Self::new(ppm.into(), PPM.into()).unwrap_or(Self::whole(0))
    }

    /// The number above the line, in lowest terms.
    pub fn numerator(self) -> i128 {
        self.numerator
    }

    /// The number below the line, in lowest terms; positive.
    pub fn denominator(self) -> i128 {
        self.denominator
    }

    /// True above zero.
    pub fn is_positive(self) -> bool {
        self.numerator > 0
    }

    /// The product.
    pub fn times(self, other: Self) -> Option<Self> {
        // Reducing crosswise first keeps the factors small.
        let left = Self::new(self.numerator, other.denominator)?;
        let right = Self::new(other.numerator, self.denominator)?;
        Self::new(
            left.numerator.checked_mul(right.numerator)?,
            left.denominator.checked_mul(right.denominator)?,
        )
    }

    /// The quotient; `None` also when `other` is zero.
    pub fn over(self, other: Self) -> Option<Self> {
        self.times(Self::new(other.denominator, other.numerator)?)
    }

    /// The least whole number that is not smaller.
    pub fn ceil(self) -> i128 {
        let rest = self.numerator.rem_euclid(self.denominator);
        self.numerator.div_euclid(self.denominator) + i128::from(rest != 0)
    }

    /// The nearest whole number, halves to the even one.
    pub fn round(self) -> i128 {
        let floor = self.numerator.div_euclid(self.denominator);
        let twice_rest = 2 * self.numerator.rem_euclid(self.denominator).unsigned_abs();
        let up = match twice_rest.cmp(&self.denominator.unsigned_abs()) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => floor % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        floor + i128::from(up)
    }

    /// In parts per million, rounded half to even.
    pub fn ppm(self) -> Option<i64> {
        i64::try_from(self.times(Self::whole(PPM.into()))?.round()).ok()
    }

    /// With so many decimals, at most 9, halves to even: `2.50`. Empty beyond the range of an i128.
    pub fn decimal(self, decimals: u32) -> String {
        let scale = 10_i128.pow(decimals.min(9));
        let Some(scaled) = self.times(Self::whole(scale)).map(Self::round) else { return String::new() };
        let sign = if scaled < 0 { "-" } else { "" };
        let (whole, rest) =
            (scaled.unsigned_abs() / scale.unsigned_abs(), scaled.unsigned_abs() % scale.unsigned_abs());
        if decimals == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}.{rest:0>width$}", width = decimals as usize)
    }

    /// As a percentage with one decimal: `15.0 %`.
    pub fn percent(self) -> String {
        self.times(Self::whole(100)).map_or_else(String::new, |rate| format!("{} %", rate.decimal(1)))
    }
}

/// Parts per million as a percentage with one decimal: `15.0 %`.
pub fn percent(ppm: i64) -> String {
    Fraction::millionths(ppm).percent()
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl From<Fraction> for String {
    fn from(fraction: Fraction) -> Self {
        fraction.to_string()
    }
}

impl TryFrom<String> for Fraction {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(numerator, denominator)| {
            Self::new(numerator.parse().ok()?, denominator.parse().ok()?)
        });
        parts.ok_or_else(|| format!("Expected a fraction such as 11/70, not {text}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fraction(numerator: i128, denominator: i128) -> Fraction {
        Fraction::new(numerator, denominator).expect("a fraction")
    }

    #[test]
    fn fractions_are_reduced_written_and_rounded() {
        for (numerator, denominator, text, ceil, round, ppm) in [
            (22, 140, "11/70", 1, 0, 157_143),
            (-22, 140, "-11/70", 0, 0, -157_143),
            (22, -140, "-11/70", 0, 0, -157_143),
            (0, -5, "0/1", 0, 0, 0),
            (1, 2, "1/2", 1, 0, 500_000),
            (3, 2, "3/2", 2, 2, 1_500_000),
            (-3, 2, "-3/2", -1, -2, -1_500_000),
            (6, 3, "2/1", 2, 2, 2_000_000),
            (1, 2_000_000, "1/2000000", 1, 0, 0),
        ] {
            let fraction = fraction(numerator, denominator);
            assert_eq!(fraction.to_string(), text);
            assert_eq!(
                (fraction.ceil(), fraction.round(), fraction.ppm()),
                (ceil, round, Some(ppm)),
                "{text}"
            );
        }
        assert_eq!(Fraction::new(1, 0), None);
        assert_eq!(Fraction::whole(1).over(Fraction::whole(0)), None);
        assert_eq!(Fraction::whole(i128::MAX).times(Fraction::whole(2)), None);
        assert_eq!(Fraction::whole(i128::MAX).ppm(), None);
        assert_eq!(Fraction::whole(i128::MIN).ceil(), i128::MIN);
        assert_eq!(Fraction::new(i128::MIN, -1), None);
        for bad in ["", "1", "1/", "/2", "1/0", "a/b", "1/2/3"] {
            assert!(Fraction::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn fractions_are_shown_with_decimals() {
        for (numerator, denominator, decimals, text) in [
            (5, 2, 2, "2.50"),
            (-1, 40, 2, "-0.02"),
            (1, 3, 0, "0"),
            (2, 3, 9, "0.666666667"),
            (999, 1_000, 1, "1.0"),
        ] {
            assert_eq!(fraction(numerator, denominator).decimal(decimals), text);
        }
        assert_eq!((percent(150_000), percent(-1_500)), ("15.0 %".into(), "-0.2 %".into()));
        assert_eq!(Fraction::whole(i128::MAX).percent(), "");
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact(a in -1_000_000_i128..1_000_000, b in 1_i128..1_000_000, c in 1_i128..1_000_000, d in 1_i128..1_000_000) {
            let (left, right) = (fraction(a, b), fraction(c, d));
            let product = left.times(right).expect("a product");
            prop_assert_eq!(product, fraction(a * c, b * d));
            prop_assert_eq!(product.over(right), Some(left));
            prop_assert_eq!(Fraction::try_from(left.to_string()), Ok(left));
            prop_assert!(left.ceil() * b >= a && (left.ceil() - 1) * b < a);
            prop_assert!((left.round() * b - a).abs() * 2 <= b);
        }
    }
}
