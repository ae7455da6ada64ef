//! Ramp: how much of a settled person's output a new hire reaches in each of the first months.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::statistics::quantile;
use crate::fraction::PPM;

/// Number of months in which a new hire may still be ramping up.
pub const RAMP_MONTHS: usize = 6;
/// Number of months after the ramp from which the settled output of a hire is taken.
pub const SETTLED_MONTHS: usize = 6;
/// Fewest past hires from which a ramp is taken.
pub const RAMP_HIRES_MIN: usize = 5;
/// The stated ramp where there are fewer, in parts per million: 25, 50, 75 and then 100 %.
pub const RAMP_TABLE_PPM: [u32; RAMP_MONTHS] = [250_000, 500_000, 750_000, 1_000_000, 1_000_000, 1_000_000];

/// The share of settled output in each month of employment; all of it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ramp {
    /// Share of each month, from the first, in parts per million, rounded down.
    pub share_ppm: [u32; RAMP_MONTHS],
    /// Number of past hires that it rests on; 0 for the stated table.
    pub hires: u32,
}

impl Ramp {
    /// The stated table.
    pub fn stated() -> Self {
        Self { share_ppm: RAMP_TABLE_PPM, hires: 0 }
    }

    /// The median over past hires of their output in each month as a share of their own settled output, which is
    /// the mean of the [`SETTLED_MONTHS`] after the ramp. Each hire is given by the outputs of the months of
    /// employment, from the first; one with too few months or without settled output says nothing. The stated table
    /// for fewer than [`RAMP_HIRES_MIN`] hires.
    pub fn of(hires: &[Vec<u32>]) -> Self {
        let settled = |months: &Vec<u32>| {
            let (ramp, settled) = months.split_at_checked(RAMP_MONTHS)?;
            let sum: u64 = settled.get(..SETTLED_MONTHS)?.iter().map(|&output| u64::from(output)).sum();
            // Of the output o and the settled sum S the share is o / (S / months).
            let share =
                |output: u32| (u64::from(output) * SETTLED_MONTHS as u64 * PPM as u64).checked_div(sum);
            ramp.iter().map(|&output| share(output)).collect::<Option<Vec<_>>>()
        };
        let shares: Vec<Vec<u64>> = hires.iter().filter_map(settled).collect();
        if shares.len() < RAMP_HIRES_MIN {
            return Self::stated();
        }
        let median = |month: usize| {
            let mut of_month: Vec<u64> = shares.iter().map(|hire| hire[month]).collect();
            of_month.sort_unstable();
            quantile(&of_month, 50).and_then(|share| u32::try_from(share).ok()).unwrap_or(u32::MAX)
        };
        let hires = u32::try_from(shares.len()).unwrap_or(u32::MAX);
        Self { share_ppm: std::array::from_fn(median), hires }
    }

    /// The share of `date`, in parts per million, for somebody hired on `hired_on`; nothing before that day.
    pub fn share_on(&self, hired_on: NaiveDate, date: NaiveDate) -> u32 {
        employment_month(hired_on, date)
            .map_or(0, |month| self.share_ppm.get(month).copied().unwrap_or(PPM as u32))
    }
}

/// The month of employment in which `date` lies, from 0; it turns on the day of the month of `hired_on`.
/// `None` before that day.
pub fn employment_month(hired_on: NaiveDate, date: NaiveDate) -> Option<usize> {
    let months = (date.year() - hired_on.year()) * 12 + date.month() as i32 - hired_on.month() as i32;
    let turned = i32::from(date.day() < hired_on.day());
    usize::try_from(months - turned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_date;

    #[test]
    fn a_ramp_needs_five_hires_who_settled() {
        let hire = |first: u32| vec![first, 4, 6, 8, 10, 10, 10, 10, 10, 10, 10, 10];
        let hires: Vec<_> = (1..=5).map(hire).collect();
        let ramp = Ramp::of(&hires);
        assert_eq!(
            (ramp.share_ppm, ramp.hires),
            ([300_000, 400_000, 600_000, 800_000, PPM as u32, PPM as u32], 5)
        );
        assert_eq!(Ramp::of(&hires[1..]), Ramp::stated());
        for useless in [vec![], vec![1; 11], vec![0; 12]] {
            let hires = [hires[1..].to_vec(), vec![useless]].concat();
            assert_eq!(Ramp::of(&hires), Ramp::stated());
        }
        // Three months into an output that triples: 1/3 is rounded down.
        assert_eq!(
            Ramp::of(&vec![vec![1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3]; 5]).share_ppm,
            [333_333; RAMP_MONTHS]
        );
    }

    #[test]
    fn months_of_employment_turn_on_the_day_of_hire() {
        let date = |text| parse_date(text).expect("a date");
        for (hired_on, day, month, share) in [
            ("2026-11-10", "2026-11-09", None, 0),
            ("2026-11-10", "2026-11-10", Some(0), 250_000),
            ("2026-11-10", "2026-12-09", Some(0), 250_000),
            ("2026-11-10", "2026-12-10", Some(1), 500_000),
            ("2026-11-10", "2027-02-10", Some(3), 1_000_000),
            ("2026-11-10", "2036-11-10", Some(120), 1_000_000),
            ("2026-01-31", "2026-02-28", Some(0), 250_000),
            ("2026-01-31", "2026-03-01", Some(1), 500_000),
            ("2026-01-31", "2026-03-31", Some(2), 750_000),
        ] {
            assert_eq!(employment_month(date(hired_on), date(day)), month, "{hired_on} {day}");
            assert_eq!(Ramp::stated().share_on(date(hired_on), date(day)), share, "{hired_on} {day}");
        }
    }
}
