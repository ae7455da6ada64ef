//! Backtests: the past months of everybody, each with what was known when it began.

use std::collections::HashMap;

use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::backtest::Case;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::time::{Period, Timestamp};
use evenhand_persistence::Reader;

use crate::derivations::history;
use crate::door::Query;

/// The past of a person or a team.
#[derive(Clone, Debug)]
pub struct Past {
    /// Name of the person or team.
    pub name: String,
    /// Each month that can be replayed.
    pub cases: Vec<Case>,
}

/// The past of an organisation.
#[derive(Clone, Debug, Default)]
pub struct PastMonths {
    /// The months, oldest first.
    pub months: Vec<Period>,
    /// Everybody who has won a deal, by name.
    pub people: Vec<Past>,
    /// Every team in which somebody has, seen as one with the teams below it, by name.
    pub teams: Vec<Past>,
}

/// The last whole months on record, of everybody and every team.
#[derive(Debug)]
pub struct ReplayMonths {
    /// How many.
    pub months: u32,
}

impl Query for ReplayMonths {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = PastMonths;

    async fn run(&self, reader: &Reader<'_>) -> Result<PastMonths> {
        if reader.grant().scope() != Scope::Organization {
            return Err(Error::Forbidden);
        }
        let span = reader.unscoped_record_span().await?;
        let months = span.past_months(self.months, reader.grant().today(reader.now()));
        let (Some(first), Some(last)) = (months.first(), months.last()) else {
            return Ok(PastMonths::default());
        };
        let zone = reader.grant().zone();
        let window = (Timestamp::start_of(first.start(), zone), Timestamp::start_of(last.end(), zone));
        let stays = reader.unscoped_stays(window, None).await?;
        let mut users = reader.all_users().await?;
        users.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
        // What came of the last month is known at its end.
        let ends: Vec<_> = months.iter().map(|month| month.start()).chain([last.end()]).collect();
        let history = history(reader, &ids, stays, span, (&ends, None)).await?;

        let mut people = Vec::new();
        for user in users {
            people.push(Past { cases: history.cases_of(user.id, &months)?, name: user.name });
        }
        let (below, hours) = (teams_below(reader).await?, reader.default_hours().await?);
        let mut named = reader.teams_by_ids(&below.keys().copied().collect::<Vec<_>>()).await?;
        named.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let mut teams = Vec::new();
        for team in named {
            let cases = history.cases_of_team(team.id, (&below[&team.id], &hours), &months)?;
            teams.push(Past { cases, name: team.name });
        }
        people.retain(|past| !past.cases.is_empty());
        teams.retain(|past| !past.cases.is_empty());
        Ok(PastMonths { months, people, teams })
    }
}

/// For each team the teams below it, itself included.
async fn teams_below(reader: &Reader<'_>) -> Result<HashMap<TeamId, Vec<TeamId>>> {
    let mut below: HashMap<TeamId, Vec<TeamId>> = HashMap::new();
    for (team, above) in reader.unscoped_teams_above().await? {
        for upper in above {
            below.entry(upper).or_default().push(team);
        }
    }
    Ok(below)
}
