//! Seasonality: how a month of the year differs from the mean, shrunk where few years are known.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::fraction::{Fraction, PPM};
use crate::money;

/// Weight of "no season", in years: a month seen once counts a third.
pub const SEASON_PRIOR_YEARS: u32 = 2;

const MONTHS: usize = 12;

/// What was achieved in one month of one year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthOutput {
    /// Any day of the month.
    pub month: NaiveDate,
    /// Deals won, or another output.
    pub output: u32,
    /// Workdays, summed over those who worked.
    pub workdays: u32,
}

/// An index for each month of the year; 1,000,000 is the mean. Holidays that move, like the Lunar New Year, are
/// not in the index of their month but in its number of workdays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Season {
    /// Index of each month from January, in parts per million, rounded half to even.
    pub index_ppm: [u32; MONTHS],
    /// How many years each index rests on.
    pub years: [u32; MONTHS],
}

impl Season {
    /// No season: every month is like the mean.
    pub fn flat() -> Self {
        Self { index_ppm: [PPM as u32; MONTHS], years: [0; MONTHS] }
    }

    /// The indices of months observed: with `s` the mean per workday of a month over the overall mean per
    /// workday, and `y` its years, `(y·s + c) / (y + c)` where c is [`SEASON_PRIOR_YEARS`].
    pub fn of(observed: &[MonthOutput]) -> Self {
        let (mut output, mut workdays, mut years) = ([0_u64; MONTHS], [0_u64; MONTHS], [0_u32; MONTHS]);
        for month in observed.iter().filter(|month| month.workdays > 0) {
            let index = month.month.month0() as usize;
            output[index] += u64::from(month.output);
            workdays[index] += u64::from(month.workdays);
            years[index] += 1;
        }
        let (all_output, all_workdays) = (output.iter().sum(), workdays.iter().sum());
        let index = |month: usize| {
            shrunk_index((output[month], workdays[month]), (all_output, all_workdays), years[month])
        };
        Self { index_ppm: std::array::from_fn(|month| index(month).unwrap_or(PPM as u32)), years }
    }

    /// The index of the month in which `date` lies, in parts per million.
    pub fn index_on(&self, date: NaiveDate) -> u32 {
        self.index_ppm[date.month0() as usize]
    }

    /// Splits a yearly or quarterly total over months, each given by any of its days and its workdays: by index
    /// times workdays, by largest remainder, so that the parts sum to the total exactly.
    pub fn spread(&self, total: i64, months: &[(NaiveDate, u32)]) -> Vec<i64> {
        let weight = |&(month, workdays)| u64::from(self.index_on(month)) * u64::from(workdays);
        money::allocate(total, &months.iter().map(weight).collect::<Vec<_>>())
    }
}

/// `None` without output or workdays. Multiplied out: `(y·o·W + c·w·O) / ((y + c)·w·O)`.
fn shrunk_index(
    (output, workdays): (u64, u64),
    (all_output, all_workdays): (u64, u64),
    years: u32,
) -> Option<u32> {
    let [o, w, all_o, all_w] = [output, workdays, all_output, all_workdays].map(i128::from);
    let (y, c) = (i128::from(years), i128::from(SEASON_PRIOR_YEARS));
    let index = Fraction::new(y * o * all_w + c * w * all_o, (y + c) * w * all_o)?;
    // An index beyond 4,294 comes from faulty counts; a derivation refuses it.
    Some(u32::try_from(index.ppm()?).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(year: i32, month: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, 15).expect("a date")
    }

    fn output(year: i32, number: u32, output: u32, workdays: u32) -> MonthOutput {
        MonthOutput { month: month(year, number), output, workdays }
    }

    #[test]
    fn an_index_leans_on_the_mean_where_few_years_are_known() {
        // 60 in 60 workdays: the mean is 1 a workday. January does 0.5, March 1.5; February is as the mean.
        let year = |year| [output(year, 1, 10, 20), output(year, 2, 20, 20), output(year, 3, 30, 20)];
        for (observed, wanted) in [
            (year(2025).to_vec(), [833_333, 1_000_000, 1_166_667]),
            ([year(2024), year(2025)].concat(), [750_000, 1_000_000, 1_250_000]),
            (vec![], [1_000_000; 3]),
            (vec![output(2025, 1, 0, 20)], [1_000_000; 3]),
            (vec![output(2025, 1, 5, 0)], [1_000_000; 3]),
            // A short month with the output of a long one is a strong month.
            (vec![output(2025, 1, 10, 5), output(2025, 2, 10, 15)], [1_333_333, 888_889, 1_000_000]),
        ] {
            let season = Season::of(&observed);
            assert_eq!(season.index_ppm[..3], wanted, "{observed:?}");
            assert_eq!(season.index_ppm[11], 1_000_000);
        }
        assert_eq!(Season::of(&[]), Season::flat());
    }

    #[test]
    fn a_total_is_spread_by_index_and_workdays() {
        let mut season = Season::flat();
        season.index_ppm[1] = 500_000;
        let months = [(month(2026, 1), 20), (month(2026, 2), 20), (month(2026, 3), 20)];
        assert_eq!(season.spread(100, &months), [40, 20, 40]);
        assert_eq!(season.spread(4, &months), [2, 1, 1]);
        assert_eq!(season.spread(0, &months), [0, 0, 0]);
        // The Lunar New Year leaves February few workdays.
        assert_eq!(Season::flat().spread(11, &[(month(2026, 1), 22), (month(2026, 2), 11)]), [7, 4]);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_year_sum_to_it(
            observed in prop::collection::vec((1_u32..=12, any::<u32>(), any::<u32>()), 0..40),
            total in -1_000_000_000_i64..1_000_000_000,
            workdays in prop::array::uniform12(0_u32..24),
        ) {
            let observed: Vec<_> = observed.into_iter().map(|(number, out, days)| output(2025, number, out, days)).collect();
            let season = Season::of(&observed);
            let months: Vec<_> = (1..=12).map(|number| month(2026, number)).zip(workdays).collect();
            prop_assert_eq!(season.spread(total, &months).iter().sum::<i64>(), total);
        }
    }
}
