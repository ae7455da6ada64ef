//! Attainment: how far people and teams are from their targets, from the facts as they stand.
//!
//! Nothing is kept that could go stale, except the results of closed periods: looks read the facts of their periods and
//! of half a year before each, in a number of statements that does not depend on people or targets.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
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

use crate::derivations::each_once;
use crate::door::Query;

mod leaderboard;
mod news;

/// Most days of facts that are read together: a year, the half a year before it, and some.
const SPAN_DAYS_MAX: i64 = 600;

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

/// How far the owners of some targets are from them, each at a moment, in their order. The targets are those that the
/// caller has read; of those whose owners are not in reach they are told no numbers.
#[derive(Clone, Debug)]
pub struct AttainmentOfTargets(
    /// Which, and the business time up to which facts count, inclusive; `None` means now.
    pub Vec<(Target, Option<Timestamp>)>,
);

impl Query for AttainmentOfTargets {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Vec<Attained>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let ids: Vec<TargetId> = self.0.iter().map(|(target, _)| target.id).collect();
        let in_reach = reader.targets_in_reach(&ids).await?;
        let looks = self.0.iter().map(|(target, as_of)| Ok(Look::at(target, moment(reader, *as_of)?)));
        let looks = looks.collect::<Result<Vec<_>>>()?;
        let seen = |look: &&Look<'_>| look.target.is_some_and(|target| in_reach.contains(&target.id));
        let shown: Vec<Look<'_>> = looks.iter().filter(seen).copied().collect();
        let mut attained = attain_all(reader, &shown).await?.into_iter();
        let of = |look: &Look<'_>| match seen(&look) {
            true => attained.next(),
            false => Some(look.told(0, None, Vec::new(), Vec::new())),
        };
        looks.iter().map(of).collect::<Option<_>>().ok_or(Error::NotFound)
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

    /// What is told of it.
    fn told(
        &self,
        position: i64,
        frozen: Option<Snapshot>,
        lines: Vec<AttainmentLine>,
        people: Vec<UserId>,
    ) -> Attained {
        let &Self { owner, period, target, as_of } = self;
        let as_of = frozen.as_ref().map_or(as_of, |frozen| frozen.as_of);
        Attained { owner, period, as_of, position, frozen, has_target: target.is_some(), lines, people }
    }

    /// The moment up to which facts matter: what came after the period is no part of it.
    fn until(&self, reader: &Reader<'_>) -> Timestamp {
        self.as_of.min(self.period.last_instant(reader.grant().zone()))
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
        let people = each_once(crews.values().flat_map(Crew::people));
        let (position, found) = reader.unscoped_facts_with_position(Some(&people), facts_of).await?;
        let mut facts: HashMap<UserId, Vec<Fact>> = HashMap::new();
        for fact in found {
            facts.entry(fact.user_id).or_default().push(fact);
        }
        let times = reader.work_times_since_hire(&people, whole).await?;
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
        let pipeline = (today >= period.from).then(|| Pipeline::at(crew, &self.courses, zone, until));
        let past = Past {
            history,
            days: &days,
            workdays: &crew.workdays(&self.times, history),
            pipeline: pipeline.as_ref(),
        };
        let outlook = |line: &TargetLine| {
            let found = past.outlook((line.metric, line.quantity), progress.days_left, period.to);
            Some((line.metric, found?))
        };
        let outlooks: Vec<_> = lines.iter().filter_map(outlook).collect();
        let lines = attain(&lines, &figures, &progress, &outlooks)?;
        Ok(look.told(self.position, None, lines, people))
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
    let teams = each_once(teams.into_iter());
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
        let stays = stays.iter().filter(|stay| below(&stay.team_id)).copied();
        crews.insert(TargetOwner::Team(team), Crew::team(stays));
    }
    Ok(crews)
}

/// The distance at each of `looks`, in their order. A closed target tells its frozen result, unless an earlier moment is
/// asked for.
pub(crate) async fn attain_all(reader: &Reader<'_>, looks: &[Look<'_>]) -> Result<Vec<Attained>> {
    let zone = reader.grant().zone();
    let closed = |look: &Look<'_>| {
        let target = look.target.filter(|target| target.closed_at.is_some())?;
        (look.as_of >= look.period.last_instant(zone)).then_some(target.id)
    };
    let ids: Vec<TargetId> = looks.iter().filter_map(closed).collect();
    let snapshots = if ids.is_empty() { HashMap::new() } else { reader.unscoped_snapshots(&ids).await? };
    let mut attained: Vec<Option<Attained>> = Vec::new();
    for look in looks {
        // One target can be looked at twice.
        let frozen = closed(look).and_then(|id| snapshots.get(&id));
        attained.push(frozen.map(|frozen| {
            look.told(frozen.position, Some(frozen.clone()), frozen.lines.clone(), Vec::new())
        }));
    }
    let open = looks.iter().enumerate().filter(|&(place, _)| attained[place].is_none());
    for together in spans(reader, open.collect()) {
        let of_span: Vec<Look<'_>> = together.iter().map(|&(_, look)| *look).collect();
        let work = Work::read(reader, &of_span).await?;
        for (place, look) in together {
            attained[place] = Some(work.attained(reader, look)?);
        }
    }
    Ok(attained.into_iter().flatten().collect())
}

/// Looks by their place, parted so that those of a part need no more than [`SPAN_DAYS_MAX`] together.
fn spans<'a, 'b>(
    reader: &Reader<'_>,
    mut looks: Vec<(usize, &'a Look<'b>)>,
) -> Vec<Vec<(usize, &'a Look<'b>)>> {
    looks.sort_by_key(|(_, look)| look.days(reader).from);
    let mut spans: Vec<(NaiveDate, Vec<_>)> = Vec::new();
    for (place, look) in looks {
        let days = look.days(reader);
        match spans.last_mut() {
            Some((from, span)) if (days.to - *from).num_days() <= SPAN_DAYS_MAX => span.push((place, look)),
            _ => spans.push((days.from, vec![(place, look)])),
        }
    }
    spans.into_iter().map(|(_, span)| span).collect()
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
