//! Attainment: how far people and teams are from their targets, from the facts as they stand.
//!
//! Nothing is kept that could go stale: each look reads the facts of the period, in a number of statements that
//! does not depend on people or days.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate};
use evenhand_domain::access::Permission;
use evenhand_domain::attainment::{
    AttainmentLine, Crew, HISTORY_DAYS, Outlook, Progress, actual, attain, sum,
};
use evenhand_domain::calendars::WorkTime;
use evenhand_domain::change::SubjectType;
use evenhand_domain::daily_facts::{Fact, Figures};
use evenhand_domain::error::{Code, Error, Problem, Result};
use evenhand_domain::id::{EntityId, TeamId, UserId};
use evenhand_domain::money::Money;
use evenhand_domain::targets::{Metric, Quantity, Target, TargetLevel, TargetLine, TargetOwner};
use evenhand_domain::time::{DateRange, Period, Timestamp};
use evenhand_persistence::{EventRecord, Reader};

use crate::derivations::{day_within, people_of};
use crate::door::Query;

/// Entries of the feed that one look for news reads.
const NEWS_ROWS: u64 = 200;

/// How far an owner is.
#[derive(Clone, Debug)]
pub struct Attained {
    /// Who.
    pub owner: TargetOwner,
    /// When.
    pub period: Period,
    /// Business time up to which facts count, inclusive.
    pub as_of: Timestamp,
    /// Everything up to this position of the feed is counted.
    pub position: i64,
    /// Whether the period is closed for the target.
    pub frozen: bool,
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
        let Self { owner, period, level, .. } = *self;
        let as_of = self.as_of.unwrap_or_else(|| reader.now());
        if as_of > reader.now() {
            let message = "Nothing has been done yet by then; ask for a moment up to now.";
            return Err(Problem::new(Code::InFuture, message).at("asOf").into());
        }
        check_visible(reader, owner).await?;
        // Each statement may see a later state: what the position promises is read after it.
        let position = reader.feed_position().await?;
        let target = reader.unscoped_live_targets(&[owner], period, level).await?.pop();
        let work = Work::read(reader, owner, period, as_of).await?;
        Ok(Attained {
            owner,
            period,
            as_of,
            position,
            frozen: target.as_ref().is_some_and(|target| target.closed_at.is_some()),
            has_target: target.is_some(),
            lines: work.lines(target.as_ref())?,
            people: work.crew.people(),
        })
    }
}

/// # Errors
/// [`Error::NotFound`] for an owner whose targets the caller may not see.
async fn check_visible(reader: &Reader<'_>, owner: TargetOwner) -> Result<()> {
    let visible = match owner {
        TargetOwner::User(user) => !reader.people_with_visible_targets(&[user]).await?.is_empty(),
        TargetOwner::Team(team) => reader.has_visible_targets(team).await?,
    };
    if visible { Ok(()) } else { Err(Error::NotFound) }
}

/// What an owner has done, and when they work.
struct Work {
    crew: Crew,
    period: DateRange,
    /// Complete days before the look.
    history: DateRange,
    /// The day of the look.
    today: NaiveDate,
    /// What was done on each day of history and period up to the look.
    days: BTreeMap<NaiveDate, Figures>,
    times: HashMap<UserId, WorkTime>,
}

impl Work {
    async fn read(reader: &Reader<'_>, owner: TargetOwner, period: Period, as_of: Timestamp) -> Result<Self> {
        let zone = reader.grant().zone();
        let (period, today) = (period.days(), as_of.date_in(zone));
        let history = DateRange { from: today - Days::new(HISTORY_DAYS), to: today };
        let facts_of = DateRange { from: history.from.min(period.from), to: today + Days::new(1) };
        let whole = DateRange { from: facts_of.from, to: facts_of.to.max(period.to) };
        let crew = match owner {
            TargetOwner::User(user) => Crew::Person(user),
            TargetOwner::Team(team) => {
                let window = (Timestamp::start_of(whole.from, zone), Timestamp::start_of(whole.to, zone));
                Crew::Team(reader.unscoped_stays(window, Some(&[team])).await?)
            }
        };
        let people = crew.people();
        let facts = reader.unscoped_facts(Some(&people), facts_of).await?;
        let days = crew.done(facts, zone, as_of)?;
        let times = reader.work_times(&people, whole).await?;
        Ok(Self { crew, period, history, today, days, times })
    }

    fn lines(&self, target: Option<&Target>) -> Result<Vec<AttainmentLine>> {
        let workdays = self.crew.workdays(&self.times, self.period);
        let figures = sum(&self.days, self.period)?;
        let lines = match target {
            Some(target) => target.lines_over(&workdays),
            None => nothing_asked(&figures, self.period),
        };
        let progress = progress(&workdays, self.today);
        let past = self.crew.workdays(&self.times, self.history);
        let outlook = |line: &TargetLine| {
            let like = (line.metric, line.quantity);
            let found = Outlook::of_own_days(&self.days, &past, self.history, like, progress.days_left);
            Some((line.metric, found?))
        };
        let outlooks: Vec<_> = lines.iter().filter_map(outlook).collect();
        attain(&lines, &figures, &progress, &outlooks)
    }
}

fn progress(workdays: &[(NaiveDate, u64)], today: NaiveDate) -> Progress {
    let weights: Vec<u64> = workdays.iter().map(|&(_, weight)| weight).collect();
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

/// One person on a leaderboard.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// 1 for the most; who has done the same has the same rank, and the next ranks are left out.
    pub rank: u32,
    /// Who.
    pub user: UserId,
    /// What is done; `None` for the quality of no leads.
    pub actual: Option<Quantity>,
    /// What is asked; `None` without a target for this metric.
    pub target: Option<Quantity>,
    /// Actual by target in parts per million.
    pub ratio_ppm: Option<i64>,
}

/// The people of a team, ranked by what each has done of a metric up to now. Ranks count everybody; rows are shown
/// for those in the caller's reach.
#[derive(Clone, Copy, Debug)]
pub struct Leaderboard {
    /// The team, with those below it.
    pub team: TeamId,
    /// When.
    pub period: Period,
    /// Of what.
    pub metric: Metric,
}

impl Query for Leaderboard {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Vec<Standing>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Standing>> {
        let Self { team, period, metric } = *self;
        check_visible(reader, TargetOwner::Team(team)).await?;
        let (zone, now) = (reader.grant().zone(), reader.now());
        let today = now.date_in(zone);
        let people = people_of(reader, team, day_within(period, today)).await?;
        // Amounts are comparable in one currency only.
        let currency = match metric {
            Metric::Revenue => Some(reader.organization().await?.currency),
            _ => None,
        };
        let like = Quantity::of(metric, 0, currency)
            .ok_or_else(|| Error::Internal(format!("no unit of {}", metric.as_str())))?;
        let owners: Vec<_> = people.iter().map(|&user| TargetOwner::User(user)).collect();
        let targets = reader.unscoped_live_targets(&owners, period, TargetLevel::Base).await?;
        let period = period.days();
        let range = DateRange { from: period.from, to: period.to.min(today + Days::new(1)).max(period.from) };
        let facts = reader.unscoped_facts(Some(&people), range).await?;
        let times = reader.work_times(&people, period).await?;
        let mut facts_of: HashMap<UserId, Vec<Fact>> = HashMap::new();
        for fact in facts {
            facts_of.entry(fact.user_id).or_default().push(fact);
        }
        let mut standings = Vec::new();
        for &user in &people {
            let crew = Crew::Person(user);
            let facts = facts_of.remove(&user).unwrap_or_default();
            let figures = sum(&crew.done(facts, zone, now)?, period)?;
            let target = targets.iter().find(|target| target.owner == TargetOwner::User(user));
            let workdays = crew.workdays(&times, period);
            let asked = target.and_then(|target| {
                let mut lines = target.lines_over(&workdays).into_iter();
                lines.find(|line| line.metric == metric && line.quantity.currency() == currency)
            });
            standings.push(standing(user, asked, &figures, (metric, like, period))?);
        }
        ranked(&mut standings);
        let shown = reader.people_with_visible_targets(&people).await?;
        standings.retain(|standing| shown.contains(&standing.user));
        Ok(standings)
    }
}

fn standing(
    user: UserId,
    asked: Option<TargetLine>,
    figures: &Figures,
    (metric, like, period): (Metric, Quantity, DateRange),
) -> Result<Standing> {
    let line = asked.unwrap_or_else(|| no_line(metric, like, period));
    let found = attain(&[line], figures, &progress(&[], period.from), &[])?.pop();
    Ok(Standing {
        rank: 0,
        user,
        actual: actual(figures, metric, like),
        target: asked.map(|line| line.quantity),
        ratio_ppm: found.and_then(|line| line.ratio_ppm).filter(|_| asked.is_some()),
    })
}

/// Orders by what is done, most first, nothing known last, then by person; and gives the ranks.
fn ranked(standings: &mut [Standing]) {
    let done = |standing: &Standing| standing.actual.map(Quantity::value);
    standings.sort_by_key(|standing| (std::cmp::Reverse(done(standing)), standing.user));
    let mut last: Option<(u32, Option<i64>)> = None;
    for (place, standing) in (1..).zip(standings) {
        let value = done(standing);
        standing.rank = match last {
            Some((rank, same)) if same == value => rank,
            _ => place,
        };
        last = Some((standing.rank, value));
    }
}

/// Whether anything after a position can have changed somebody's attainment. Asks for the right to see it anew.
#[derive(Clone, Debug)]
pub struct AttainmentNews {
    /// Who.
    pub owner: TargetOwner,
    /// Whose work counts for them.
    pub people: Vec<UserId>,
    /// Everything up to here is counted.
    pub after: i64,
}

impl Query for AttainmentNews {
    const PERMISSION: Permission = Permission::ReadTargets;
    /// The position up to which there is nothing, and whether there is something behind it.
    type Output = (i64, bool);

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        check_visible(reader, self.owner).await?;
        let events = reader.unscoped_events_after(self.after, &[], NEWS_ROWS).await?;
        let last = events.last().map_or(self.after, |event| event.position);
        Ok((last, events.iter().any(|event| self.concerns(event))))
    }
}

impl AttainmentNews {
    /// Whoever works or is credited, moves or is away, is named in the views of the event by their id.
    fn concerns(&self, event: &EventRecord) -> bool {
        match (event.subject, self.owner) {
            // Hours may be anybody's, and somebody new may have come to the team.
            (SubjectType::WorkCalendar, _) | (SubjectType::User, TargetOwner::Team(_)) => return true,
            (SubjectType::Session | SubjectType::Invitation | SubjectType::Product, _) => return false,
            _ => {}
        }
        let owner = match self.owner {
            TargetOwner::User(user) => user.uuid(),
            TargetOwner::Team(team) => team.uuid(),
        };
        let named = |id: uuid::Uuid| {
            let text = id.to_string();
            event.subject_id == id
                || event.after.contains(&text)
                || event.before.as_ref().is_some_and(|before| before.contains(&text))
        };
        named(owner) || self.people.iter().any(|user| named(user.uuid()))
    }
}
