//! History: what is on record of people, cut at any day and turned into the inputs of a derivation.
//!
//! It is read once for many people and days; what was known before a day is then a matter of dates. The
//! team of a person is the one whose member they were on that day, with everybody who was in it then.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;

use super::{
    Assumed, Band, Cohort, DRAWS_DEFAULT, DayCount, DealSizes, FunnelCounts, Goal, Inputs, Lag, Lags,
    MonthOutput, Priors, RAMP_MONTHS, Ramp, SETTLED_MONTHS, Season, TEAM_SERIES_MAX, Trial, day_series,
    employment_month, maturity_days, number_of,
};
use crate::backtest::Case;
use crate::calendars::{WorkHours, WorkTime};
use crate::error::{Error, Result};
use crate::id::{EntityId, TeamId, UserId};
use crate::money::{Currency, Money};
use crate::reconciliation::Stay;
use crate::time::{DateRange, Period, PeriodKind, Timestamp};

/// Length of the window of history, in months.
pub const WINDOW_MONTHS: u32 = 12;
/// How far back months are looked at for the season, in years.
pub const SEASON_YEARS_MAX: u32 = 5;
/// Fewest months from which a season is taken: within less than a year it cannot be told from a trend.
pub const SEASON_MONTHS_MIN: usize = 12;

/// What is to be derived, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct DerivationRequest {
    /// Whose target it is.
    pub user_id: UserId,
    /// For which period.
    pub period: Period,
    /// What is asked for.
    pub goal: Goal,
    /// The probabilities that the level of the target allows.
    pub band: Band,
    /// Wanted share of usable leads in parts per million; `None` takes the person's own rate.
    pub quality_ppm: Option<u32>,
    /// Rates that somebody states.
    pub assumed: Assumed,
    /// Only days that were over before this instant are known.
    pub until: Timestamp,
}

/// A deal that was won, and perhaps taken back. Days are local.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastDeal {
    /// Whose deal it is.
    pub owner_id: UserId,
    /// When it was won.
    pub won_on: NaiveDate,
    /// When it was cancelled.
    pub cancelled_on: Option<NaiveDate>,
    /// What it is worth.
    pub value: Money,
}

/// A customer that became a prospect. Days are local.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastProspect {
    /// Whose work it was.
    pub user_id: UserId,
    /// When it was collected as a lead.
    pub collected_on: NaiveDate,
    /// When it became a prospect.
    pub began_on: NaiveDate,
    /// When its first deal was won.
    pub won_on: Option<NaiveDate>,
}

/// What a person did between two cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastCounts {
    /// Who.
    pub user_id: UserId,
    /// Number of cuts that lie before it.
    pub segment: usize,
    /// Leads, usable leads, calls and prospects.
    pub counts: FunnelCounts,
}

/// When the records of an organisation begin and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordSpan {
    /// The first day on which a deal was won or lost. Before it nobody can tell whether none was won or none was
    /// written down, so no series of days begins earlier.
    pub closes_from: Option<NaiveDate>,
    /// The last day on which a deal was won, lost or opened, or anything was done.
    pub last_on: Option<NaiveDate>,
}

impl RecordSpan {
    /// The last `count` whole months that are on record and have ended by `today`, oldest first.
    pub fn past_months(&self, count: u32, today: NaiveDate) -> Vec<Period> {
        let (Some(first), Some(last)) = (self.closes_from, self.last_on) else { return vec![] };
        let this_month = Period::around(PeriodKind::Month, today).start();
        let end = Period::around(PeriodKind::Month, last).end().min(this_month);
        let months = (1..=count).rev().filter_map(|back| end.checked_sub_months(Months::new(back)));
        let months = months.map(|start| Period::around(PeriodKind::Month, start));
        months.filter(|month| month.end() > first).collect()
    }
}

/// What is on record of a person.
#[derive(Clone, Debug)]
pub struct PastPerson {
    /// When they work.
    pub time: WorkTime,
    /// First day of work, where known.
    pub hired_on: Option<NaiveDate>,
    /// The first day on which anything of them is on record.
    pub first_on: Option<NaiveDate>,
    counts: BTreeMap<usize, FunnelCounts>,
    deals: Vec<PastDeal>,
    prospects: Vec<PastProspect>,
}

impl PastPerson {
    /// Somebody of whom nothing is counted yet.
    pub fn new(time: WorkTime, hired_on: Option<NaiveDate>, first_on: Option<NaiveDate>) -> Self {
        Self { time, hired_on, first_on, counts: BTreeMap::new(), deals: vec![], prospects: vec![] }
    }

    /// Deals won less cancelled, by day.
    fn by_day(&self) -> BTreeMap<NaiveDate, i64> {
        let mut days = BTreeMap::new();
        for deal in &self.deals {
            *days.entry(deal.won_on).or_insert(0) += 1;
            if let Some(date) = deal.cancelled_on {
                *days.entry(date).or_insert(0) -= 1;
            }
        }
        days
    }
}

/// What is on record of some people.
#[derive(Clone, Debug)]
pub struct History {
    zone: Tz,
    currency: Currency,
    span: RecordSpan,
    cuts: Vec<NaiveDate>,
    stays: Vec<Stay>,
    people: HashMap<UserId, PastPerson>,
}

/// The window of history of what was known before `to`.
pub fn window(to: NaiveDate) -> DateRange {
    DateRange { from: to.checked_sub_months(Months::new(WINDOW_MONTHS)).unwrap_or(NaiveDate::MIN), to }
}

/// The first and last day of each window, in order: where counts must be cut.
pub fn cuts(ends: impl IntoIterator<Item = NaiveDate>) -> Vec<NaiveDate> {
    let mut cuts: Vec<_> = ends.into_iter().map(window).flat_map(|window| [window.from, window.to]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

impl History {
    /// An organisation of which nothing is counted yet. `cuts` are those of [`cuts`].
    pub fn new(
        (zone, currency): (Tz, Currency),
        span: RecordSpan,
        cuts: Vec<NaiveDate>,
        stays: Vec<Stay>,
        people: HashMap<UserId, PastPerson>,
    ) -> Self {
        Self { zone, currency, span, cuts, stays, people }
    }

    /// Adds what is on record of its people; what belongs to others is left out.
    pub fn record(&mut self, counts: &[PastCounts], deals: &[PastDeal], prospects: &[PastProspect]) {
        for &PastCounts { user_id, segment, counts } in counts {
            if let Some(person) = self.people.get_mut(&user_id) {
                let sum = person.counts.entry(segment).or_default();
                *sum = plus(sum, &counts);
            }
        }
        for deal in deals {
            if let Some(person) = self.people.get_mut(&deal.owner_id) {
                person.deals.push(*deal);
            }
        }
        for prospect in prospects {
            if let Some(person) = self.people.get_mut(&prospect.user_id) {
                person.prospects.push(*prospect);
            }
        }
    }

    /// Everything that the derivation for a person rests on.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a person of whom no history was read; `CURRENCY_MISMATCH` and `OUT_OF_RANGE` as for
    /// [`DealSizes::of`].
    pub fn inputs(&self, request: &DerivationRequest) -> Result<Inputs> {
        let to = request.until.date_in(self.zone);
        let person = self.people.get(&request.user_id).ok_or(Error::NotFound)?;
        let team = self.team_of(request.user_id, to).map(|team| self.members(&[team], to));
        let team = team.unwrap_or_default();
        let all: Vec<_> = team.iter().filter_map(|id| self.people.get(id)).collect();
        let (own, team) = (Group { of: self, people: vec![person] }, Group { of: self, people: all });
        let mut team_days: Vec<_> =
            team.people.iter().map(|person| self.days_of(person, window(to))).collect();
        team_days.retain(|days| !days.is_empty());
        team_days.truncate(TEAM_SERIES_MAX);
        let (own_days, time) = (self.days_of(person, window(to)), &person.time);
        let inputs = self.joined(request, to, (&own, own_days), (&team, team_days), time)?;
        Ok(Inputs { hired_on: person.hired_on, ..inputs })
    }

    /// What the derivation for a whole team rests on, seen as one: the days of `members` added up. Nobody else's
    /// days are drawn from, and the person of the request only stands for the team. It works the hours that all
    /// members share, else those of the organisation, `default`.
    ///
    /// # Errors
    /// As for [`History::inputs`].
    pub fn inputs_of_team(
        &self,
        (members, default): (&[UserId], &WorkHours),
        request: &DerivationRequest,
    ) -> Result<Inputs> {
        let to = request.until.date_in(self.zone);
        let people: Vec<_> = members.iter().filter_map(|id| self.people.get(id)).collect();
        let mut days: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for day in people.iter().flat_map(|person| self.days_of(person, window(to))) {
            *days.entry(day.date).or_insert(0) += day.count;
        }
        let days = days.into_iter().map(DayCount::from).collect();
        let first = people.first().map_or(default, |person| &person.time.hours);
        let shared = people.iter().all(|person| person.time.hours == *first);
        let time = WorkTime { hours: if shared { first } else { default }.clone(), leave: vec![] };
        let group = Group { of: self, people };
        self.joined(request, to, (&group, days), (&group, vec![]), &time)
    }

    /// A request for `period` with what was known when it began. No forecast depends on the goal.
    fn replayed(&self, user_id: UserId, period: Period) -> DerivationRequest {
        DerivationRequest {
            user_id,
            period,
            goal: Goal::Deals(1),
            band: Band::BASE,
            quality_ppm: None,
            assumed: Assumed::default(),
            until: Timestamp::start_of(period.start(), self.zone),
        }
    }

    fn joined(
        &self,
        request: &DerivationRequest,
        to: NaiveDate,
        (own, own_days): (&Group<'_>, Vec<DayCount>),
        (team, team_days): (&Group<'_>, Vec<Vec<DayCount>>),
        time: &WorkTime,
    ) -> Result<Inputs> {
        let window = window(to);
        let maturity_days = maturity_days(&team.trials_to_deal(window), to);
        Ok(Inputs {
            user_id: request.user_id,
            period: request.period,
            goal: request.goal,
            band: request.band,
            quality_ppm: request.quality_ppm,
            window,
            maturity_days,
            own: own.counts(window, maturity_days),
            team: team.counts(window, maturity_days),
            priors: Priors::default(),
            assumed: request.assumed,
            own_days,
            team_days,
            season: team.season(to),
            own_sizes: own.sizes(window)?,
            team_sizes: team.sizes(window)?,
            own_lags: own.lags(window, &time.hours),
            team_lags: team.lags(window, &time.hours),
            hired_on: None,
            ramp: Some(team.ramp(to)),
            hours: time.hours.clone(),
            leave: time.leave.clone(),
            draws: DRAWS_DEFAULT,
            cites: vec![],
        })
    }

    /// A person's days within `window`, from the first on which anything of them is on record.
    fn days_of(&self, person: &PastPerson, window: DateRange) -> Vec<DayCount> {
        let (Some(first_on), Some(closes_from)) = (person.first_on, self.span.closes_from) else {
            return vec![];
        };
        let range = DateRange { from: window.from.max(first_on).max(closes_from), to: window.to };
        day_series(&person.by_day(), range, &person.time.hours, &person.time.leave)
    }

    fn team_of(&self, user: UserId, on: NaiveDate) -> Option<TeamId> {
        let mut stays = self.stays.iter().filter(|stay| stay.user_id == user && stay.covers(on));
        stays.next().map(|stay| stay.team_id)
    }

    /// The people who were in one of `teams` on a day, by id.
    fn members(&self, teams: &[TeamId], on: NaiveDate) -> Vec<UserId> {
        let inside = self.stays.iter().filter(|stay| teams.contains(&stay.team_id) && stay.covers(on));
        let mut members: Vec<_> = inside.map(|stay| stay.user_id).collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Each of `months` as it would have been forecast for a person; without those in which they were in no team, or
    /// had no workday. Empty for somebody who never won a deal.
    ///
    /// # Errors
    /// As for [`History::inputs`].
    pub fn cases_of(&self, user: UserId, months: &[Period]) -> Result<Vec<Case>> {
        let Some(person) = self.people.get(&user).filter(|person| !person.deals.is_empty()) else {
            return Ok(vec![]);
        };
        let works = |month: &&Period| {
            let from = person.hired_on.unwrap_or(month.start()).max(month.start());
            self.team_of(user, month.start()).is_some()
                && person.time.workdays(DateRange { from, to: month.end() }) > 0
        };
        let case = |&month: &Period| {
            Ok(Case { inputs: self.inputs(&self.replayed(user, month))?, actual: won(&[person], month) })
        };
        months.iter().filter(works).map(case).collect()
    }

    /// Each of `months` as it would have been forecast for the people who were then in `team` or one of those `below`
    /// it (itself included), without months in which there were none. `default` are the hours of the organisation.
    ///
    /// # Errors
    /// As for [`History::inputs`].
    pub fn cases_of_team(
        &self,
        team: TeamId,
        (below, default): (&[TeamId], &WorkHours),
        months: &[Period],
    ) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        for &month in months {
            let members = self.members(below, month.start());
            let people: Vec<_> = members.iter().filter_map(|id| self.people.get(id)).collect();
            if people.iter().any(|person| !person.deals.is_empty()) {
                // The team's own id stands for a person's.
                let request = self.replayed(UserId::from_uuid(team.uuid()), month);
                let inputs = self.inputs_of_team((&members, default), &request)?;
                cases.push(Case { inputs, actual: won(&people, month) });
            }
        }
        Ok(cases)
    }
}

/// Deals won less cancelled in a period.
fn won(people: &[&PastPerson], period: Period) -> i64 {
    people
        .iter()
        .flat_map(|person| person.by_day().into_iter())
        .filter(|(date, _)| period.days().contains(*date))
        .map(|(_, count)| count)
        .sum()
}

/// Some people, taken together.
struct Group<'a> {
    of: &'a History,
    people: Vec<&'a PastPerson>,
}

impl Group<'_> {
    fn counts(&self, window: DateRange, maturity_days: u32) -> FunnelCounts {
        let cut = |date: &NaiveDate| self.of.cuts.partition_point(|cut| cut <= date);
        let segments = cut(&window.from)..cut(&window.to);
        let parts = self.people.iter().flat_map(|person| person.counts.range(segments.clone()));
        let sum = parts.fold(FunnelCounts::default(), |sum, (_, counts)| plus(&sum, counts));
        let Cohort { trials, successes } =
            Cohort::mature(&self.trials_to_deal(window), window, maturity_days);
        FunnelCounts { mature_prospects: trials, won_prospects: successes, ..sum }
    }

    fn prospects(&self, window: DateRange) -> impl Iterator<Item = &PastProspect> {
        let all = self.people.iter().flat_map(|person| &person.prospects);
        all.filter(move |prospect| window.contains(prospect.began_on))
    }

    fn trials_to_deal(&self, window: DateRange) -> Vec<Trial> {
        let trial =
            |prospect: &PastProspect| Trial { began_on: prospect.began_on, converted_on: prospect.won_on };
        self.prospects(window).map(trial).collect()
    }

    fn lags(&self, window: DateRange, hours: &WorkHours) -> Lags {
        let to_prospect = |prospect: &PastProspect| Trial {
            began_on: prospect.collected_on,
            converted_on: Some(prospect.began_on),
        };
        let to_prospect: Vec<_> = self.prospects(window).map(to_prospect).collect();
        Lags {
            lead_to_prospect: Lag::of(&to_prospect, window.to, hours),
            prospect_to_deal: Lag::of(&self.trials_to_deal(window), window.to, hours),
        }
    }

    /// Sizes of the deals won in the window that still stood at its end, in the organisation's currency.
    fn sizes(&self, window: DateRange) -> Result<Option<DealSizes>> {
        let stood = |deal: &&PastDeal| {
            window.contains(deal.won_on)
                && deal.cancelled_on.is_none_or(|date| date >= window.to)
                && deal.value.currency == self.of.currency
        };
        let deals = self.people.iter().flat_map(|person| &person.deals).filter(stood);
        Ok(DealSizes::of(&deals.map(|deal| deal.value).collect::<Vec<_>>())?)
    }

    /// The season of the whole months before `to` that are on record; `None` for less than a year.
    fn season(&self, to: NaiveDate) -> Option<Season> {
        let from = to.checked_sub_months(Months::new(12 * SEASON_YEARS_MAX))?;
        let mut months: BTreeMap<NaiveDate, (i64, u32)> = BTreeMap::new();
        for person in &self.people {
            let days = self.of.days_of(person, DateRange { from, to });
            let began = person.first_on.max(self.of.span.closes_from).unwrap_or(to).max(from);
            for days in
                days.chunk_by(|a, b| (a.date.year(), a.date.month()) == (b.date.year(), b.date.month()))
            {
                let month = Period::around(PeriodKind::Month, days[0].date);
                if began <= month.start() && month.end() <= to {
                    let (output, workdays) = months.entry(month.start()).or_default();
                    *output += days.iter().map(|day| day.count).sum::<i64>();
                    *workdays += number_of(days.len());
                }
            }
        }
        let enough = months.len() >= SEASON_MONTHS_MIN;
        let output = |(month, (output, workdays))| MonthOutput {
            month,
            output: u32::try_from(output).unwrap_or(0),
            workdays,
        };
        enough.then(|| Season::of(&months.into_iter().map(output).collect::<Vec<_>>()))
    }

    /// The ramp of those whose first year of employment is on record.
    fn ramp(&self, to: NaiveDate) -> Ramp {
        const MONTHS: usize = RAMP_MONTHS + SETTLED_MONTHS;
        let outputs = |person: &&PastPerson| {
            let hired_on =
                person.hired_on.filter(|date| self.of.span.closes_from.is_some_and(|from| from <= *date))?;
            employment_month(hired_on, to).filter(|months| *months >= MONTHS)?;
            let mut outputs = [0_i64; MONTHS];
            for (date, count) in person.by_day() {
                if let Some(output) =
                    employment_month(hired_on, date).and_then(|month| outputs.get_mut(month))
                {
                    *output += count;
                }
            }
            Some(outputs.map(|output| u32::try_from(output).unwrap_or(0)).to_vec())
        };
        Ramp::of(&self.people.iter().filter_map(outputs).collect::<Vec<_>>())
    }
}

fn plus(a: &FunnelCounts, b: &FunnelCounts) -> FunnelCounts {
    FunnelCounts {
        leads: a.leads.saturating_add(b.leads),
        usable_leads: a.usable_leads.saturating_add(b.usable_leads),
        calls: a.calls.saturating_add(b.calls),
        prospects: a.prospects.saturating_add(b.prospects),
        ..*a
    }
}

#[cfg(test)]
mod tests;
