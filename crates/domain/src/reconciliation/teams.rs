//! Won revenue of teams: the direct credits of a person count for the team that the person was in on the local
//! day of the fact, and for every team above it. Whoever was in no team that day counts for the company only.
//!
//! A window is cut into segments at every instant at which a stay in a team begins or ends. Inside a segment
//! nobody moves, so that sums per person and segment are enough, however many credit lines there are; there
//! are at most as many segments as days. Stays are dated, the tree is not: a team counts for those above it today.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{CreditFigure, add};
use crate::error::{Error, Result};
use crate::id::{TeamId, UserId};
use crate::money::{Currency, Money};
use crate::time::Timestamp;

/// A stay of a person in a team: local dates `[valid_from, valid_to)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay {
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub team_id: TeamId,
    /// First day.
    pub valid_from: NaiveDate,
    /// First day that no longer counts; `None` while it lasts.
    pub valid_to: Option<NaiveDate>,
}

impl Stay {
    /// Whether it lasts on `date`.
    pub fn covers(&self, date: NaiveDate) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|end| date < end)
    }
}

/// Direct credits of one person within one segment of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentFigure {
    /// Index of the segment: the number of [`Segments::cuts`] at or before its facts.
    pub segment: usize,
    /// Who and how much.
    pub credit: CreditFigure,
}

/// Won revenue of one team and the teams below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TeamRevenue {
    /// The team.
    pub team_id: TeamId,
    /// Won less cancelled; may be negative.
    pub amount: Money,
}

/// A window, cut wherever a stay begins or ends.
#[derive(Clone, Debug)]
pub struct Segments {
    start: Timestamp,
    cuts: Vec<Timestamp>,
    zone: Tz,
}

impl Segments {
    /// Cuts the window `[from, until)` at the borders of `stays` in `zone`.
    pub fn new((from, until): (Timestamp, Timestamp), zone: Tz, stays: &[Stay]) -> Self {
        let borders: BTreeSet<NaiveDate> =
            stays.iter().flat_map(|stay| [Some(stay.valid_from), stay.valid_to]).flatten().collect();
        let instants: BTreeSet<Timestamp> =
            borders.into_iter().map(|date| Timestamp::start_of(date, zone)).collect();
        let cuts = instants.into_iter().filter(|&at| from < at && at < until).collect();
        Self { start: from, cuts, zone }
    }

    /// Where one segment ends and the next begins, in order; all strictly inside the window.
    pub fn cuts(&self) -> &[Timestamp] {
        &self.cuts
    }

    /// Sums `figures` for each team and currency, ordered by them. `above` names, for each team of a stay, the
    /// teams that it counts for, itself included. What belongs to none of `stays` counts for no team.
    ///
    /// # Errors
    /// [`Error::Internal`] when a sum leaves the range of an i64 or a figure names a segment that does not exist.
    pub fn by_team(
        &self,
        figures: &[SegmentFigure],
        stays: &[Stay],
        above: &HashMap<TeamId, Vec<TeamId>>,
    ) -> Result<Vec<TeamRevenue>> {
        let mut stays_of: HashMap<UserId, Vec<&Stay>> = HashMap::new();
        for stay in stays {
            stays_of.entry(stay.user_id).or_default().push(stay);
        }
        let mut sums: BTreeMap<(TeamId, Currency), i64> = BTreeMap::new();
        for figure in figures {
            let day = self.first_day(figure.segment)?;
            let Some(user) = figure.credit.user_id else { continue };
            let stays = stays_of.get(&user).map(Vec::as_slice).unwrap_or_default();
            let Some(stay) = stays.iter().find(|stay| stay.covers(day)) else { continue };
            let amount = figure.credit.amount;
            for &team in above.get(&stay.team_id).into_iter().flatten() {
                add(sums.entry((team, amount.currency)).or_default(), amount.minor)?;
            }
        }
        let revenue =
            |((team_id, currency), minor)| TeamRevenue { team_id, amount: Money::new(minor, currency) };
        Ok(sums.into_iter().map(revenue).collect())
    }

    fn first_day(&self, segment: usize) -> Result<NaiveDate> {
        let start = match segment.checked_sub(1) {
            None => Some(&self.start),
            Some(cut) => self.cuts.get(cut),
        };
        start
            .map(|at| at.date_in(self.zone))
            .ok_or_else(|| Error::Internal(format!("a figure of segment {segment}, which does not exist")))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::EntityId;
    use crate::time::parse_date;

    const ZONE: Tz = chrono_tz::America::New_York;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    fn id<I: EntityId>(number: u128) -> I {
        I::from_uuid(Uuid::from_u128(number))
    }

    fn stay(user: u128, team: u128, from: &str, to: Option<&str>) -> Stay {
        Stay { user_id: id(user), team_id: id(team), valid_from: date(from), valid_to: to.map(date) }
    }

    fn figure(segment: usize, user: u128, minor: i64) -> SegmentFigure {
        let amount = Money::new(minor, Currency::parse("USD").expect("a currency"));
        SegmentFigure { segment, credit: CreditFigure { user_id: Some(id(user)), amount } }
    }

    fn quarter() -> (Timestamp, Timestamp) {
        (Timestamp::start_of(date("2026-01-01"), ZONE), Timestamp::start_of(date("2026-04-01"), ZONE))
    }

    #[test]
    fn a_window_is_cut_at_local_midnight_of_each_move_inside_it() {
        let stays = [
            stay(1, 10, "2025-05-01", Some("2026-02-10")),
            stay(1, 11, "2026-02-10", None),
            stay(2, 10, "2026-01-01", Some("2026-04-01")),
            stay(3, 10, "2026-03-20", Some("2027-01-01")),
        ];
        let segments = Segments::new(quarter(), ZONE, &stays);
        let cuts: Vec<_> = segments.cuts().iter().map(ToString::to_string).collect();
        // Winter time in February, summer time in March.
        assert_eq!(cuts, ["2026-02-10T05:00:00.000000Z", "2026-03-20T04:00:00.000000Z"]);
    }

    #[test]
    fn credits_follow_the_person_through_a_move_and_up_the_tree() {
        // Teams 10 and 11 stand below 9; person 2 leaves without a new team; person 3 was never in one.
        let stays = [
            stay(1, 10, "2025-05-01", Some("2026-02-10")),
            stay(1, 11, "2026-02-10", None),
            stay(2, 11, "2025-05-01", Some("2026-02-10")),
        ];
        let above: HashMap<TeamId, Vec<TeamId>> =
            [(id(10), vec![id(10), id(9)]), (id(11), vec![id(11), id(9)])].into();
        let segments = Segments::new(quarter(), ZONE, &stays);
        let figures =
            [figure(0, 1, 100), figure(1, 1, 20), figure(0, 2, 3), figure(1, 2, 4_000), figure(0, 3, 50_000)];
        let revenue = segments.by_team(&figures, &stays, &above).expect("sums");
        let found: Vec<_> = revenue.iter().map(|team| (team.team_id, team.amount.minor)).collect();
        assert_eq!(found, [(id(9), 123), (id(10), 100), (id(11), 23)]);
        assert!(segments.by_team(&[figure(2, 1, 1)], &stays, &above).is_err(), "there are two segments");
    }
}
