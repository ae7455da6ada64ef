//! Attainment: how far people and teams are from their targets, from the facts as they stand.
//!
//! Nothing is kept that could go stale, except the results of closed periods: each look reads the facts of the period
//! and of a quarter before it, in a number of statements that does not depend on people, targets or days.

use std::collections::HashMap;

use chrono::{Days, Duration, NaiveDate};
use evenhand_domain::access::Permission;
use evenhand_domain::attainment::{
    AttainmentLine, Crew, DealCourse, HISTORY_DAYS, PIPELINE_DAYS, Past, Pipeline, Progress, Snapshot,
    attain, sum,
};
use evenhand_domain::calendars::WorkTime;
use evenhand_domain::daily_facts::{Fact, Figures};
use evenhand_domain::derivation::Season;
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{DerivationId, TargetId, TeamId, UserId};
use evenhand_domain::money::Money;
use evenhand_domain::targets::{Metric, Quantity, Target, TargetLevel, TargetLine, TargetOwner};
use evenhand_domain::time::{DateRange, Period, PeriodKind, Timestamp};
use evenhand_persistence::Reader;

use crate::door::Query;

mod leaderboard;
mod news;

pub use leaderboard::{Leaderboard, Standing};
pub use news::AttainmentNews;

/// How far an owner is.
#[derive(Clone, Debug)]
pub struct Attained {
    /// Who.
    pub owner: TargetOwner,
    /// When.
    pub period: Period,
    /// Business time up to which facts count, inclusive.
    pub as_of: Timestamp,
    /// All work up to this position of the feed is counted.
    pub position: i64,
    /// The frozen result of a closed target.
    pub frozen: Option<Snapshot>,
    /// Whether there is a target; without one the lines ask for nothing.
    pub has_target: bool,
    /// Each number.
    pub lines: Vec<AttainmentLine>,
    /// Whose work counts on some day.
    pub people: Vec<UserId>,
}

/// How far an owner is from their target, at any moment.
#[derive(Clone, Copy, Debug)]
pub struct AttainmentOf {
    /// Who.
    pub owner: TargetOwner,
    /// When.
    pub period: Period,
    /// Which of their targets.
    pub level: TargetLevel,
    /// Business time up to which facts count, inclusive; `None` means now.
    pub as_of: Option<Timestamp>,
}

impl Query for AttainmentOf {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Attained;

    async fn run(&self, reader: &Reader<'_>) -> Result<Attained> {
        let Self { owner, period, level, as_of } = *self;
        check_visible(reader, owner).await?;
        let target = reader.unscoped_live_targets(&[owner], period, level).await?.pop();
        let look = Look { owner, period, target: target.as_ref(), as_of: moment(reader, as_of)? };
        attain_all(reader, &[look]).await?.pop().ok_or(Error::NotFound)
    }
}

/// How far the owners of some targets are from them. The targets are those that the caller has read; of those that
/// only their department sees they are told no numbers.
#[derive(Clone, Debug)]
pub struct AttainmentOfTargets {
    /// Which.
    pub targets: Vec<Target>,
    /// Business time up to which facts count, inclusive; `None` means now.
    pub as_of: Option<Timestamp>,
}

impl Query for AttainmentOfTargets {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = HashMap<TargetId, Attained>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let as_of = moment(reader, self.as_of)?;
        let ids: Vec<TargetId> = self.targets.iter().map(|target| target.id).collect();
        let own = reader.own_among(&ids).await?;
        let (own, others): (Vec<_>, Vec<_>) =
            self.targets.iter().partition(|target| own.contains(&target.id));
        let looks: Vec<_> = own.iter().map(|target| Look::at(target, as_of)).collect();
        let found = own.iter().map(|target| target.id).zip(attain_all(reader, &looks).await?);
        let hidden = |target: &Target| Attained {
            owner: target.owner,
            period: target.period,
            as_of,
            position: 0,
            frozen: None,
            has_target: true,
            lines: Vec::new(),
            people: Vec::new(),
        };
        Ok(found.chain(others.into_iter().map(|target| (target.id, hidden(target)))).collect())
    }
}

/// # Errors
/// `IN_FUTURE`.
fn moment(reader: &Reader<'_>, as_of: Option<Timestamp>) -> Result<Timestamp> {
    match as_of {
        Some(at) if at > reader.now() => {
            let message = "Nothing has been done yet by then; ask for a moment up to now.";
            Err(Problem::new(Code::InFuture, message).at("asOf").into())
        }
        at => Ok(at.unwrap_or_else(|| reader.now())),
    }
}

/// # Errors
/// [`Error::NotFound`] for an owner whose targets the caller may not see.
async fn check_visible(reader: &Reader<'_>, owner: TargetOwner) -> Result<()> {
    let visible = match owner {
        TargetOwner::User(user) => reader.person_has_visible_targets(user).await?,
        TargetOwner::Team(team) => reader.team_has_visible_targets(team).await?,
    };
    if visible { Ok(()) } else { Err(Error::NotFound) }
}

/// One look at an owner's distance.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    owner: TargetOwner,
    period: Period,
    target: Option<&'a Target>,
    as_of: Timestamp,
}

impl<'a> Look<'a> {
    /// At the owner of a target.
    pub(crate) fn at(target: &'a Target, as_of: Timestamp) -> Self {
        Self { owner: target.owner, period: target.period, target: Some(target), as_of }
    }

    /// The moment up to which facts matter: what came after the period is no part of it.
    fn until(&self, reader: &Reader<'_>) -> Timestamp {
        self.as_of.min(last_instant(self.period, reader))
    }

    /// Complete days before the look.
    fn history(&self, today: NaiveDate) -> DateRange {
        DateRange { from: today - Days::new(HISTORY_DAYS), to: today }
    }

    /// The days whose facts matter.
    fn days(&self, reader: &Reader<'_>) -> DateRange {
        let today = self.until(reader).date_in(reader.grant().zone());
        let history = self.history(today).from;
        let from = if today < self.period.start() { history } else { history.min(self.period.start()) };
        DateRange { from, to: today + Days::new(1) }
    }
}

/// The end of a period; instants are whole microseconds.
pub(crate) fn last_instant(period: Period, reader: &Reader<'_>) -> Timestamp {
    period.bounds(reader.grant().zone()).1.plus(Duration::microseconds(-1))
}

/// What several looks have in common.
struct Work {
    crews: HashMap<TargetOwner, Crew>,
    position: i64,
    facts: HashMap<UserId, Vec<Fact>>,
    times: HashMap<UserId, WorkTime>,
    courses: Vec<DealCourse>,
    seasons: HashMap<DerivationId, Season>,
}

impl Work {
    async fn read(reader: &Reader<'_>, looks: &[Look<'_>]) -> Result<Self> {
        let days: Vec<DateRange> = looks.iter().map(|look| look.days(reader)).collect();
        let from = days.iter().map(|days| days.from).min().unwrap_or_default();
        let to = days.iter().map(|days| days.to).max().unwrap_or_default();
        let facts_of = DateRange { from, to };
        let end = looks.iter().map(|look| look.period.end()).max().unwrap_or_default();
        let whole = DateRange { from, to: to.max(end) };
        let crews = crews(reader, looks, whole).await?;
        let mut people: Vec<UserId> = crews.values().flat_map(Crew::people).collect();
        people.sort_unstable();
        people.dedup();
        let (position, found) = reader.unscoped_facts_with_position(Some(&people), facts_of).await?;
        let mut facts: HashMap<UserId, Vec<Fact>> = HashMap::new();
        for fact in found {
            facts.entry(fact.user_id).or_default().push(fact);
        }
        let times = reader.work_times(&people, whole).await?;
        let opened = DateRange { from: from - Days::new(PIPELINE_DAYS - HISTORY_DAYS), to };
        let courses = reader.unscoped_deal_courses(&people, opened).await?;
        Ok(Self { crews, position, facts, times, courses, seasons: seasons(reader, looks).await? })
    }

    fn attained(&self, reader: &Reader<'_>, look: &Look<'_>) -> Result<Attained> {
        let crew = self.crews.get(&look.owner).ok_or(Error::NotFound)?;
        let people = crew.people();
        if matches!(crew, Crew::Person(user) if !self.times.contains_key(user)) {
            return Err(Error::NotFound);
        }
        let (until, zone) = (look.until(reader), reader.grant().zone());
        let facts = people.iter().filter_map(|user| self.facts.get(user)).flatten().copied();
        let days = crew.done(facts, zone, until)?;
        let (period, today) = (look.period.days(), until.date_in(zone));
        let figures = sum(&days, period)?;
        let workdays = crew.workdays(&self.times, period);
        let lines = match look.target {
            Some(target) => target.lines_over(&workdays),
            None => nothing_asked(&figures, period),
        };
        let season = look.target.and_then(|target| self.seasons.get(&target.terms.derivation_id));
        let progress = progress(&workdays, season, today);
        let history = look.history(today);
        let past = Past {
            history,
            days: &days,
            workdays: &crew.workdays(&self.times, history),
            pipeline: &Pipeline::at(crew, &self.courses, zone, until),
        };
        let outlook = |line: &TargetLine| {
            let found = past.outlook((line.metric, line.quantity), progress.days_left, period.to);
            Some((line.metric, found?))
        };
        let outlooks: Vec<_> = lines.iter().filter_map(outlook).collect();
        Ok(Attained {
            owner: look.owner,
            period: look.period,
            as_of: look.as_of,
            position: self.position,
            frozen: None,
            has_target: look.target.is_some(),
            lines: attain(&lines, &figures, &progress, &outlooks)?,
            people,
        })
    }
}

async fn crews(
    reader: &Reader<'_>,
    looks: &[Look<'_>],
    days: DateRange,
) -> Result<HashMap<TargetOwner, Crew>> {
    let mut crews: HashMap<TargetOwner, Crew> = HashMap::new();
    let mut teams: Vec<TeamId> = Vec::new();
    for look in looks {
        match look.owner {
            TargetOwner::User(user) => drop(crews.insert(look.owner, Crew::Person(user))),
            TargetOwner::Team(team) => teams.push(team),
        }
    }
    teams.sort_unstable();
    teams.dedup();
    if teams.is_empty() {
        return Ok(crews);
    }
    let zone = reader.grant().zone();
    let window = (Timestamp::start_of(days.from, zone), Timestamp::start_of(days.to, zone));
    let stays = reader.unscoped_stays(window, Some(&teams)).await?;
    let above = if teams.len() > 1 { reader.unscoped_teams_above().await? } else { HashMap::new() };
    for &team in &teams {
        let below =
            |id: &TeamId| teams.len() == 1 || above.get(id).is_some_and(|above| above.contains(&team));
        let stays = stays.iter().filter(|stay| below(&stay.team_id)).copied().collect();
        crews.insert(TargetOwner::Team(team), Crew::Team(stays));
    }
    Ok(crews)
}

/// The distance at each of `looks`, in their order. A closed target tells its frozen result, unless an earlier moment is
/// asked for.
pub(crate) async fn attain_all(reader: &Reader<'_>, looks: &[Look<'_>]) -> Result<Vec<Attained>> {
    let closed = |look: &Look<'_>| {
        let target = look.target.filter(|target| target.closed_at.is_some())?;
        (look.as_of >= last_instant(look.period, reader)).then_some(target.id)
    };
    let ids: Vec<TargetId> = looks.iter().filter_map(closed).collect();
    let snapshots = if ids.is_empty() { HashMap::new() } else { reader.unscoped_snapshots(&ids).await? };
    let frozen = |look: &Look<'_>| closed(look).and_then(|id| snapshots.get(&id));
    let open: Vec<Look<'_>> = looks.iter().filter(|look| frozen(look).is_none()).copied().collect();
    let work = if open.is_empty() { None } else { Some(Work::read(reader, &open).await?) };
    let attained = |look: &Look<'_>| match (frozen(look), &work) {
        (Some(snapshot), _) => Ok(Attained {
            owner: look.owner,
            period: look.period,
            as_of: snapshot.as_of,
            position: snapshot.position,
            lines: snapshot.lines.clone(),
            frozen: Some(snapshot.clone()),
            has_target: true,
            people: Vec::new(),
        }),
        (None, Some(work)) => work.attained(reader, look),
        (None, None) => Err(Error::NotFound),
    };
    looks.iter().map(attained).collect()
}

/// The seasons on which targets of several months rest; within a month all days weigh the same.
async fn seasons(reader: &Reader<'_>, looks: &[Look<'_>]) -> Result<HashMap<DerivationId, Season>> {
    let long = |look: &&Look<'_>| matches!(look.period.kind(), PeriodKind::Quarter | PeriodKind::Year);
    let targets = looks.iter().filter(long).filter_map(|look| look.target);
    let ids: Vec<DerivationId> = targets.map(|target| target.terms.derivation_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = reader.derivations_by_ids(&ids).await?;
    Ok(found.into_iter().filter_map(|(id, derivation)| Some((id, derivation.inputs.season?))).collect())
}

/// How far the period is after the work of `today`: each workday weighs by the people at work and by the season.
fn progress(workdays: &[(NaiveDate, u64)], season: Option<&Season>, today: NaiveDate) -> Progress {
    let index = |day| season.map_or(1, |season| u64::from(season.index_on(day)));
    let weights: Vec<u64> = workdays.iter().map(|&(day, weight)| weight * index(day)).collect();
    Progress::of(&weights, workdays.partition_point(|&(day, _)| day <= today))
}

/// A line of nothing for each metric, so that an owner without a target sees what is done.
fn nothing_asked(figures: &Figures, period: DateRange) -> Vec<TargetLine> {
    let counts =
        Metric::FUNNEL.into_iter().filter_map(|metric| Some((metric, Quantity::of(metric, 0, None)?)));
    let revenue = figures.revenue.keys();
    let revenue = revenue.map(|&currency| (Metric::Revenue, Quantity::Money(Money::new(0, currency))));
    counts.chain(revenue).map(|(metric, quantity)| no_line(metric, quantity, period)).collect()
}

fn no_line(metric: Metric, quantity: Quantity, period: DateRange) -> TargetLine {
    TargetLine { metric, quantity, per_workday: None, due_by: period.to }
}
