//! The people of a team beside each other.

use std::collections::HashMap;

use chrono::Days;
use evenhand_domain::access::Permission;
use evenhand_domain::attainment::{Crew, Progress, actual, attain, sum};
use evenhand_domain::daily_facts::{Fact, Figures};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::targets::{Metric, Quantity, TargetLevel, TargetLine, TargetOwner};
use evenhand_domain::time::{DateRange, Period, Timestamp};
use evenhand_persistence::Reader;

use super::{check_visible, no_line};
use crate::derivations::{day_within, people_in};
use crate::door::Query;

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
        let at = Timestamp::start_of(day_within(period, today), zone);
        let people = people_in(&reader.unscoped_stays((at, at), Some(&[team])).await?);
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
    let found = attain(&[line], figures, &Progress::of(&[], 0), &[])?.pop();
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
