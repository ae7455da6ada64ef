//! Cohorts: what became of those that entered a stage, how long it took, and when each stage is due.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::statistics::quantile;
use crate::calendars::WorkHours;
use crate::error::{Code, Problem, Result};
use crate::time::DateRange;
use crate::wire::wire_enum;

/// Percentile of the time to convert after which a trial is old enough to judge.
pub const MATURITY_PERCENTILE: u32 = 90;
/// Fewest conversions from which that percentile is taken.
pub const MATURITY_CONVERSIONS_MIN: usize = 10;
/// Days after which a trial is old enough, where there are fewer conversions.
pub const MATURITY_DAYS_DEFAULT: u32 = 90;
/// Fewest conversions of a person from which their own lag is taken.
pub const LAG_CONVERSIONS_MIN: u32 = 5;

/// Somebody who entered a stage, and when they went on, if they did. Days are local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// When the stage was entered.
    pub began_on: NaiveDate,
    /// When the next one was reached.
    pub converted_on: Option<NaiveDate>,
}

impl Trial {
    /// The day of conversion, as far as known before `until`.
    fn converted_before(self, until: NaiveDate) -> Option<NaiveDate> {
        self.converted_on.filter(|&date| date < until)
    }

    /// Days from entry to conversion; a conversion dated before its entry took none.
    fn days_to(self, converted_on: NaiveDate) -> u32 {
        u32::try_from((converted_on - self.began_on).num_days()).unwrap_or(0)
    }
}

/// The days that 90 % of conversions take at most, of those known before `until`; trials younger than that
/// say little. [`MATURITY_DAYS_DEFAULT`] for fewer than [`MATURITY_CONVERSIONS_MIN`] conversions.
///
/// Take it once, from the conversions of the whole team, and use it for every person of the team.
pub fn maturity_days(trials: &[Trial], until: NaiveDate) -> u32 {
    let took = |trial: &Trial| trial.converted_before(until).map(|date| trial.days_to(date));
    let mut days: Vec<u32> = trials.iter().filter_map(took).collect();
    days.sort_unstable();
    let enough = days.len() >= MATURITY_CONVERSIONS_MIN;
    quantile(&days, MATURITY_PERCENTILE).filter(|_| enough).unwrap_or(MATURITY_DAYS_DEFAULT)
}

/// Trials that are old enough to judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// Number of trials.
    pub trials: u32,
    /// Of them, those that converted.
    pub successes: u32,
}

impl Cohort {
    /// The trials that began inside `window` and at least `maturity_days` before its end, with what is known of
    /// them by then. Later conversions count as none, so that the past can be replayed.
    pub fn mature(trials: &[Trial], window: DateRange, maturity_days: u32) -> Self {
        let latest = window.to.checked_sub_days(Days::new(maturity_days.into())).unwrap_or(NaiveDate::MIN);
        let counted =
            trials.iter().filter(|trial| window.contains(trial.began_on) && trial.began_on <= latest);
        counted.fold(Self::default(), |cohort, trial| Self {
            trials: cohort.trials.saturating_add(1),
            successes: cohort
                .successes
                .saturating_add(u32::from(trial.converted_before(window.to).is_some())),
        })
    }
}

/// How long a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Median in workdays, by nearest rank.
    pub workdays: u32,
    /// Number of conversions that it rests on.
    pub conversions: u32,
}

impl Lag {
    /// The median lag of the conversions known before `until`; `None` when there are none.
    pub fn of(trials: &[Trial], until: NaiveDate, hours: &WorkHours) -> Option<Self> {
        let took = |trial: &Trial| {
            let to = trial.converted_before(until)?;
            Some(hours.workdays(DateRange { from: trial.began_on, to }, &[]))
        };
        let mut workdays: Vec<u32> = trials.iter().filter_map(took).collect();
        workdays.sort_unstable();
        let conversions = u32::try_from(workdays.len()).unwrap_or(u32::MAX);
        quantile(&workdays, 50).map(|workdays| Self { workdays, conversions })
    }
}

/// The lags of a person or a team; `None` where nothing has converted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lags {
    /// From lead to prospect.
    pub lead_to_prospect: Option<Lag>,
    /// From prospect to deal.
    pub prospect_to_deal: Option<Lag>,
}

impl Lags {
    /// Each lag of the person where it rests on enough conversions, else the team's.
    pub(super) fn or(self, team: Self) -> Self {
        let choose = |own: Option<Lag>, team: Option<Lag>| {
            own.filter(|lag| lag.conversions >= LAG_CONVERSIONS_MIN).or(team).or(own)
        };
        Self {
            lead_to_prospect: choose(self.lead_to_prospect, team.lead_to_prospect),
            prospect_to_deal: choose(self.prospect_to_deal, team.prospect_to_deal),
        }
    }
}

wire_enum! {
    /// A stage of the funnel.
    FunnelStage {
        /// Collecting leads.
        Leads = "LEADS",
        /// Calling them.
        Calls = "CALLS",
        /// Finding prospects.
        Prospects = "PROSPECTS",
        /// Winning deals.
        Deals = "DEALS",
    }
}

/// When the work of a stage is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageDates {
    /// The stage.
    pub stage: FunnelStage,
    /// First day.
    pub first_on: NaiveDate,
    /// Last day, included.
    pub last_on: NaiveDate,
}

/// Dates each stage of a period whose workdays begin on `first_on` and end on `last_on`: deals within the
/// period, prospects as many workdays earlier as a deal takes, calls together with the prospects that come
/// out of them, leads earlier by the time to a prospect. An unknown lag counts as none.
///
/// # Errors
/// `OUT_OF_RANGE` when a date lies beyond what the calendar can tell.
pub fn stage_dates(
    (first_on, last_on): (NaiveDate, NaiveDate),
    lags: Lags,
    hours: &WorkHours,
    leave: &[DateRange],
) -> Result<Vec<StageDates>, Problem> {
    let workdays = |lag: Option<Lag>| lag.map_or(0, |lag| lag.workdays);
    let to_deal = workdays(lags.prospect_to_deal);
    let to_prospect = to_deal.saturating_add(workdays(lags.lead_to_prospect));
    [
        (FunnelStage::Leads, to_prospect),
        (FunnelStage::Calls, to_deal),
        (FunnelStage::Prospects, to_deal),
        (FunnelStage::Deals, 0),
    ]
    .into_iter()
    .map(|(stage, lag)| {
        let shifted = |date| {
            hours.workday_before(date, lag, leave).ok_or_else(|| {
                Problem::new(Code::OutOfRange, "The calendar has too few workdays to date the stages.")
                    .at("hours")
            })
        };
        Ok(StageDates { stage, first_on: shifted(first_on)?, last_on: shifted(last_on)? })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_date;
    use chrono::Duration;
    use proptest::prelude::*;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    fn trial(began_on: &str, converted_on: Option<&str>) -> Trial {
        Trial { began_on: date(began_on), converted_on: converted_on.map(date) }
    }

    const YEAR: &str = "2026-01-01";
    const END: &str = "2027-01-01";

    fn window() -> DateRange {
        DateRange { from: date(YEAR), to: date(END) }
    }

    #[test]
    fn only_mature_trials_are_judged_by_what_was_known() {
        let trials = [
            trial("2025-12-31", Some("2026-02-01")),
            trial("2026-01-01", Some("2026-02-01")),
            trial("2026-10-03", None),
            trial("2026-10-04", Some("2026-10-05")),
            trial("2026-06-01", Some("2027-01-01")),
            trial("2026-06-01", Some("2026-12-31")),
        ];
        let cohort = |days| {
            let Cohort { trials, successes } = Cohort::mature(&trials, window(), days);
            (trials, successes)
        };
        assert_eq!(cohort(90), (4, 2));
        assert_eq!(cohort(89), (5, 3));
        assert_eq!(cohort(0), (5, 3));
        assert_eq!(cohort(u32::MAX), (0, 0));
    }

    #[test]
    fn maturity_is_the_time_that_nine_in_ten_conversions_take() {
        let took =
            |days: i64| Trial { began_on: date(YEAR), converted_on: Some(date(YEAR) + Duration::days(days)) };
        let ten: Vec<_> = (1..=10).map(took).collect();
        assert_eq!(maturity_days(&ten, date(END)), 9);
        assert_eq!(maturity_days(&ten[1..], date(END)), MATURITY_DAYS_DEFAULT);
        // What happens later is not known yet.
        assert_eq!(maturity_days(&ten, date(YEAR) + Duration::days(10)), MATURITY_DAYS_DEFAULT);
    }

    #[test]
    fn stages_are_dated_through_the_calendar() {
        let hours = WorkHours::standard(chrono_tz::UTC);
        // From Friday to Monday is one workday, within a week four.
        let trials = [
            trial("2026-06-05", Some("2026-06-08")),
            trial("2026-06-01", Some("2026-06-05")),
            trial("2026-06-01", Some("2026-07-01")),
            trial("2026-06-05", None),
            trial("2026-06-05", Some("2027-06-01")),
        ];
        let lag = Lag::of(&trials, date(END), &hours);
        assert_eq!(lag, Some(Lag { workdays: 4, conversions: 3 }));
        assert_eq!(Lag::of(&trials[3..], date(END), &hours), None);

        let lags =
            Lags { lead_to_prospect: Some(Lag { workdays: 5, conversions: 5 }), prospect_to_deal: lag };
        let dates = stage_dates((date("2026-11-02"), date("2026-11-30")), lags, &hours, &[]).expect("dates");
        let seen: Vec<_> = dates.iter().map(|stage| (stage.stage, stage.first_on, stage.last_on)).collect();
        assert_eq!(
            seen,
            [
                (FunnelStage::Leads, date("2026-10-20"), date("2026-11-17")),
                (FunnelStage::Calls, date("2026-10-27"), date("2026-11-24")),
                (FunnelStage::Prospects, date("2026-10-27"), date("2026-11-24")),
                (FunnelStage::Deals, date("2026-11-02"), date("2026-11-30")),
            ]
        );
        let far = Lags { prospect_to_deal: Some(Lag { workdays: u32::MAX, conversions: 1 }), ..lags };
        assert!(stage_dates((date("2026-11-02"), date("2026-11-30")), far, &hours, &[]).is_err());
    }

    #[test]
    fn a_lag_of_few_conversions_gives_way_to_the_teams() {
        let lag = |workdays, conversions| Some(Lag { workdays, conversions });
        let lags = |prospect_to_deal| Lags { lead_to_prospect: None, prospect_to_deal };
        for (own, team, wanted) in [
            (lag(3, 5), lag(9, 50), lag(3, 5)),
            (lag(3, 4), lag(9, 50), lag(9, 50)),
            (lag(3, 4), None, lag(3, 4)),
            (None, lag(9, 1), lag(9, 1)),
            (None, None, None),
        ] {
            assert_eq!(lags(own).or(lags(team)), lags(wanted), "{own:?} {team:?}");
        }
    }

    proptest! {
        #[test]
        fn more_trials_never_make_n_fall(
            trials in prop::collection::vec((0_i64..500, prop::option::of(0_i64..200)), 0..40),
            cut in any::<prop::sample::Index>(),
            days in 0_u32..400,
        ) {
            let trials: Vec<_> = trials
                .into_iter()
                .map(|(offset, took)| {
                    let began_on = date("2025-10-01") + Duration::days(offset);
                    Trial { began_on, converted_on: took.map(|days| began_on + Duration::days(days)) }
                })
                .collect();
            let some = &trials[..if trials.is_empty() { 0 } else { cut.index(trials.len()) }];
            let (before, after) = (Cohort::mature(some, window(), days), Cohort::mature(&trials, window(), days));
            prop_assert!(before.trials <= after.trials && before.successes <= after.successes);
            prop_assert!(after.successes <= after.trials);
        }
    }
}
