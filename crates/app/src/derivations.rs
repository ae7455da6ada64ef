//! What a target rests on, gathered from the work on record.
//!
//! Rates are as good as what is known: a deal that was entered stands for a prospect, a customer beyond the
//! first stage for a usable lead. Where nothing is known, the derivation says so.

use std::collections::{BTreeMap, HashMap};

use chrono::{Months, NaiveDate};
use evenhand_domain::activities::{ActivityKind, ActivityTerm};
use evenhand_domain::calendars::WorkHours;
use evenhand_domain::customers::{CustomerStage, CustomerTerm};
use evenhand_domain::deals::{Deal, DealSort, DealTerm};
use evenhand_domain::derivation::{
    Assumed, COUNT_MAX, Cohort, DRAWS_DEFAULT, DayCount, DealSizes, FunnelCounts, Goal, Inputs, Lag, Lags,
    Priors, Trial, day_series, maturity_days,
};
use evenhand_domain::error::{Problem, Result};
use evenhand_domain::filter::{Direction, Filter, OneOf, Range};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::page::{PAGE_SIZE_MAX, PageRequest};
use evenhand_domain::targets::{Bands, TargetLevel, TargetOwner};
use evenhand_domain::time::{DateRange, Period, Timestamp};
use evenhand_domain::users::Membership;
use evenhand_persistence::Reader;

/// How much history is looked at, in months.
pub const WINDOW_MONTHS: u32 = 12;

/// What is asked of the owner of a target.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// For which period.
    pub period: Period,
    /// How likely it should be.
    pub level: TargetLevel,
    /// How much.
    pub goal: Goal,
    /// Wanted share of usable leads in parts per million; `None` takes the owner's own rate.
    pub quality_ppm: Option<u32>,
    /// Rates for use where neither owner nor team has a history.
    pub assumed: Assumed,
}

/// Whose work counts.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Whose target it is; of a team, the one who signs for it.
    user_id: UserId,
    /// First day of work, of a person.
    hired_on: Option<NaiveDate>,
    /// The people whose work is the owner's: the person, or the members of the team.
    people: Vec<UserId>,
    /// The people of the team, those included.
    team: Vec<UserId>,
}

impl Subject {
    /// The owner of a target with the team as it stands today; `lead` signs for a team.
    pub(crate) async fn of(reader: &Reader<'_>, owner: TargetOwner, lead: Option<UserId>) -> Result<Self> {
        let today = reader.grant().today(reader.now());
        match owner {
            TargetOwner::Team(team) => {
                let people = people_of(reader, team, today).await?;
                let user_id = lead.ok_or_else(|| Problem::required("ownerId"))?;
                Ok(Self { user_id, hired_on: None, team: people.clone(), people })
            }
            TargetOwner::User(user_id) => {
                let user = reader.user(user_id).await?;
                let lasts = |stay: &&Membership| {
                    stay.valid_from <= today && stay.valid_to.is_none_or(|until| until > today)
                };
                let team = match user.memberships.iter().find(lasts) {
                    Some(stay) => people_of(reader, stay.team_id, today).await?,
                    None => vec![user_id],
                };
                Ok(Self { user_id, hired_on: user.hired_on, people: vec![user_id], team })
            }
        }
    }
}

/// Everybody who is in the team or below it on a day.
pub(crate) async fn people_of(reader: &Reader<'_>, team: TeamId, day: NaiveDate) -> Result<Vec<UserId>> {
    let at = Timestamp::start_of(day, reader.grant().zone());
    let stays = reader.unscoped_stays((at, at), Some(&[team])).await?;
    let mut people: Vec<UserId> = stays.iter().map(|stay| stay.user_id).collect();
    people.sort_unstable();
    people.dedup();
    Ok(people)
}

/// The day of the period that lies nearest to `today`.
pub(crate) fn day_within(period: Period, today: NaiveDate) -> NaiveDate {
    let last = period.end().pred_opt().unwrap_or(period.start());
    today.clamp(period.start(), last)
}

/// The hours that people work.
pub(crate) fn hours(reader: &Reader<'_>) -> WorkHours {
    WorkHours::standard(reader.grant().zone())
}

/// Gathers what is known of the subject. The reader sees the work of the whole team: whoever sets targets leads
/// those who do it.
pub(crate) async fn gather(reader: &Reader<'_>, subject: &Subject, ask: &Ask) -> Result<Inputs> {
    let today = reader.grant().today(reader.now());
    let to = ask.period.start().min(today);
    let from = to.checked_sub_months(Months::new(WINDOW_MONTHS)).unwrap_or(NaiveDate::MIN);
    let window = DateRange { from, to };
    let hours = hours(reader);
    let deals = Deals::read(reader, &subject.team, window).await?;
    let currency = match ask.goal {
        Goal::Revenue(money) => money.currency,
        Goal::Deals(_) => reader.organization().await?.currency,
    };
    let team_trials = deals.trials(&subject.team);
    let maturity_days = maturity_days(&team_trials, to);
    let own_trials = deals.trials(&subject.people);
    let counted = |trials: &[Trial], worked: Worked| {
        let cohort = Cohort::mature(trials, window, maturity_days);
        let begun = trials.iter().filter(|trial| window.contains(trial.began_on)).count();
        FunnelCounts {
            leads: worked.leads,
            usable_leads: worked.usable_leads,
            calls: worked.calls,
            prospects: u32::try_from(begun).unwrap_or(COUNT_MAX),
            mature_prospects: cohort.trials,
            won_prospects: cohort.successes,
        }
    };
    let lags =
        |trials: &[Trial]| Lags { lead_to_prospect: None, prospect_to_deal: Lag::of(trials, to, &hours) };
    Ok(Inputs {
        user_id: subject.user_id,
        period: ask.period,
        goal: ask.goal,
        band: Bands::default().of(ask.level),
        quality_ppm: ask.quality_ppm,
        window,
        maturity_days,
        own: counted(&own_trials, Worked::read(reader, &subject.people, window).await?),
        team: counted(&team_trials, Worked::read(reader, &subject.team, window).await?),
        priors: Priors::default(),
        assumed: ask.assumed,
        own_days: deals.days(&subject.people, window, &hours),
        team_days: subject.team.iter().map(|&user| deals.days(&[user], window, &hours)).collect(),
        season: None,
        own_sizes: deals.sizes(&subject.people, window, currency)?,
        team_sizes: deals.sizes(&subject.team, window, currency)?,
        own_lags: lags(&own_trials),
        team_lags: lags(&team_trials),
        hired_on: subject.hired_on,
        ramp: None,
        hours,
        leave: Vec::new(),
        draws: DRAWS_DEFAULT,
        cites: Vec::new(),
    })
}

/// Counts of the first half of the funnel.
#[derive(Clone, Copy, Debug)]
struct Worked {
    leads: u32,
    usable_leads: u32,
    calls: u32,
}

impl Worked {
    async fn read(reader: &Reader<'_>, people: &[UserId], window: DateRange) -> Result<Self> {
        let zone = reader.grant().zone();
        let first = Timestamp::start_of(window.from, zone);
        // Instants are whole microseconds.
        let last = Timestamp::start_of(window.to, zone).plus(chrono::Duration::microseconds(-1));
        let leads = |more: Vec<Filter<CustomerTerm>>| {
            let mut all = vec![
                Filter::Term(CustomerTerm::Owner(OneOf::In(people.to_vec()))),
                Filter::Term(CustomerTerm::CollectedAt(Range::Gte(first))),
                Filter::Term(CustomerTerm::CollectedAt(Range::Lte(last))),
            ];
            all.extend(more);
            Filter::All(all)
        };
        let unqualified = Filter::Term(CustomerTerm::Stage(OneOf::In(vec![CustomerStage::Lead])));
        let calls = Filter::All(vec![
            Filter::Term(ActivityTerm::Kind(OneOf::In(vec![ActivityKind::Call]))),
            Filter::Term(ActivityTerm::User(OneOf::In(people.to_vec()))),
            Filter::Term(ActivityTerm::StartedAt(Range::Gte(first))),
            Filter::Term(ActivityTerm::StartedAt(Range::Lte(last))),
        ]);
        let count = |rows: i64| u32::try_from(rows).unwrap_or(COUNT_MAX);
        Ok(Self {
            leads: count(reader.count_customers(&leads(Vec::new())).await?),
            usable_leads: count(
                reader.count_customers(&leads(vec![Filter::Not(Box::new(unqualified))])).await?,
            ),
            calls: count(reader.count_activities(&calls).await?),
        })
    }
}

/// The deals of some people that were entered or won in a window, by owner.
struct Deals {
    zone: chrono_tz::Tz,
    by_owner: HashMap<UserId, Vec<Deal>>,
}

impl Deals {
    async fn read(reader: &Reader<'_>, people: &[UserId], window: DateRange) -> Result<Self> {
        let zone = reader.grant().zone();
        let first = Range::Gte(Timestamp::start_of(window.from, zone));
        let filter = Filter::All(vec![
            Filter::Term(DealTerm::Owner(OneOf::In(people.to_vec()))),
            Filter::Any(vec![
                Filter::Term(DealTerm::OpenedAt(first.clone())),
                Filter::Term(DealTerm::WonAt(first)),
            ]),
        ]);
        let mut by_owner: HashMap<UserId, Vec<Deal>> = HashMap::new();
        let mut page = PageRequest { size: PAGE_SIZE_MAX, backward: false, after: None, before: None };
        loop {
            let found = reader.deals(&page, &filter, DealSort::OpenedAt, Direction::Asc).await?;
            page.after = found.items.last().map(|(_, cursor)| cursor.clone());
            for (deal, _) in found.items {
                by_owner.entry(deal.owner_id).or_default().push(deal);
            }
            if !found.has_next {
                return Ok(Self { zone, by_owner });
            }
        }
    }

    fn of<'a>(&'a self, people: &'a [UserId]) -> impl Iterator<Item = &'a Deal> {
        people.iter().filter_map(|user| self.by_owner.get(user)).flatten()
    }

    fn trials(&self, people: &[UserId]) -> Vec<Trial> {
        let date = |at: Timestamp| at.date_in(self.zone);
        self.of(people)
            .map(|deal| Trial { began_on: date(deal.opened_at), converted_on: deal.won_at.map(date) })
            .collect()
    }

    /// Deals won less cancelled on each workday, from the first day on record.
    fn days(&self, people: &[UserId], window: DateRange, hours: &WorkHours) -> Vec<DayCount> {
        let date = |at: Timestamp| at.date_in(self.zone);
        let mut counts: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for deal in self.of(people) {
            for (moment, count) in
                [(deal.won_at, 1), (deal.cancelled_at.filter(|_| deal.won_at.is_some()), -1)]
            {
                if let Some(at) = moment {
                    *counts.entry(date(at)).or_default() += count;
                }
            }
        }
        let first = self.of(people).map(|deal| date(deal.opened_at)).min();
        let Some(first) = first.filter(|&first| first < window.to) else { return Vec::new() };
        day_series(&counts, DateRange { from: first.max(window.from), to: window.to }, hours, &[])
    }

    fn sizes(
        &self,
        people: &[UserId],
        window: DateRange,
        currency: Currency,
    ) -> Result<Option<DealSizes>, Problem> {
        let won = self.of(people).filter(|deal| {
            let day = deal.won_at.map(|at| at.date_in(self.zone));
            day.is_some_and(|day| window.contains(day)) && deal.cancelled_at.is_none()
        });
        let values: Vec<Money> =
            won.filter_map(|deal| deal.value).filter(|value| value.currency == currency).collect();
        DealSizes::of(&values)
    }
}
