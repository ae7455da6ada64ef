//! Won revenue of persons, teams and the company, and the proof that they agree.
//!
//! All figures are computed from the deals and credit lines at each call; nothing is kept that could go stale.

use std::collections::{BTreeMap, HashMap};

use evenhand_domain::access::{Permission, Scope};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::reconciliation::{CreditFigure, Reconciliation, Segments, TeamRevenue, window};
use evenhand_domain::time::{Period, Timestamp};
use evenhand_persistence::Reader;

use crate::derivations::people_in;
use crate::door::Query;

/// Which facts count: those of a period, up to an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The period, in local days of the organisation.
    pub period: Period,
    /// Business time up to which facts count, inclusive; `None` means now.
    pub as_of: Option<Timestamp>,
}

impl Facts {
    fn as_of(&self, reader: &Reader<'_>) -> Timestamp {
        self.as_of.unwrap_or_else(|| reader.now())
    }

    fn window(&self, reader: &Reader<'_>) -> (Timestamp, Timestamp) {
        window(self.period, reader.grant().zone(), self.as_of(reader))
    }
}

/// The proof for a period, with the figures of the teams.
#[derive(Clone, Debug)]
pub struct Report {
    /// Both sides of the law.
    pub proof: Reconciliation,
    /// Won revenue of each team and the teams below it, ordered by team and currency.
    pub teams: Vec<TeamRevenue>,
}

/// The proof that personal figures make up the company's.
#[derive(Debug)]
pub struct Reconcile(pub Facts);

impl Query for Reconcile {
    const PERMISSION: Permission = Permission::ReadReconciliation;
    type Output = Report;

    async fn run(&self, reader: &Reader<'_>) -> Result<Report> {
        prove(reader, &self.0).await
    }
}

/// The proof of the whole organisation, whoever asks.
pub(crate) async fn prove(reader: &Reader<'_>, facts: &Facts) -> Result<Report> {
    let window = facts.window(reader);
    let stays = reader.unscoped_stays(window, None).await?;
    let above = reader.unscoped_teams_above().await?;
    let segments = Segments::new(window, reader.grant().zone(), &stays);
    let (company, credited) = reader.unscoped_figures(window, segments.cuts()).await?;
    let differences = reader.unscoped_first_differences(window).await?;
    let teams = segments.by_team(&credited, &stays, &above)?;
    let credits: Vec<CreditFigure> = credited.iter().map(|figure| figure.credit).collect();
    let proof = Reconciliation::build(facts.period, facts.as_of(reader), &company, &credits, &differences)?;
    Ok(Report { proof, teams })
}

/// The company's won revenue by currency, for callers who answer for the whole organisation; else `None`.
#[derive(Debug)]
pub struct OrganizationRevenue(pub Facts);

impl Query for OrganizationRevenue {
    const PERMISSION: Permission = Permission::ReadRevenue;
    type Output = Option<Vec<Money>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        if reader.grant().scope() != Scope::Organization {
            return Ok(None);
        }
        let (company, _) = reader.unscoped_figures(self.0.window(reader), &[]).await?;
        let as_of = self.0.as_of(reader);
        let figures = Reconciliation::build(self.0.period, as_of, &company, &[], &[])?;
        let total = |side: &evenhand_domain::reconciliation::CurrencyReconciliation| {
            Money::new(side.company_total_minor, side.currency)
        };
        Ok(Some(figures.currencies.iter().map(total).collect()))
    }
}

/// Won revenue of some people by currency; people beyond the caller's reach are left out.
#[derive(Debug)]
pub struct RevenueOfUsers {
    /// Who.
    pub users: Vec<UserId>,
    /// Which facts count.
    pub facts: Facts,
}

impl Query for RevenueOfUsers {
    const PERMISSION: Permission = Permission::ReadRevenue;
    type Output = HashMap<UserId, Vec<Money>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let visible: Vec<UserId> =
            reader.users_with_visible_revenue(&self.users).await?.into_iter().collect();
        let figures = reader.unscoped_credits_of_users(&visible, self.facts.window(reader), &[]).await?;
        let credits =
            figures.iter().filter_map(|figure| Some((figure.credit.user_id?, figure.credit.amount)));
        totals(visible.iter().copied(), credits)
    }
}

/// Won revenue of some teams, with the teams below each, by currency; teams beyond the caller's reach are
/// left out.
#[derive(Debug)]
pub struct RevenueOfTeams {
    /// Which teams.
    pub teams: Vec<TeamId>,
    /// Which facts count.
    pub facts: Facts,
}

impl Query for RevenueOfTeams {
    const PERMISSION: Permission = Permission::ReadRevenue;
    type Output = HashMap<TeamId, Vec<Money>>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Self::Output> {
        let visible: Vec<TeamId> =
            reader.teams_with_visible_revenue(&self.teams).await?.into_iter().collect();
        if visible.is_empty() {
            return Ok(HashMap::new());
        }
        let window = self.facts.window(reader);
        let stays = reader.unscoped_stays(window, Some(&visible)).await?;
        let above = reader.unscoped_teams_above().await?;
        let segments = Segments::new(window, reader.grant().zone(), &stays);
        let users = people_in(&stays);
        let credited = reader.unscoped_credits_of_users(&users, window, segments.cuts()).await?;
        let revenue = segments.by_team(&credited, &stays, &above)?;
        // Teams above the visible ones got a part of their figure; it is not theirs to show.
        let shown = revenue.iter().filter(|team| visible.contains(&team.team_id));
        totals(visible.iter().copied(), shown.map(|team| (team.team_id, team.amount)))
    }
}

/// Adds up `amounts` by owner and currency, ordered by currency; each of `owners` has an entry.
fn totals<K: Copy + Eq + std::hash::Hash>(
    owners: impl Iterator<Item = K>,
    amounts: impl Iterator<Item = (K, Money)>,
) -> Result<HashMap<K, Vec<Money>>> {
    let mut sums: HashMap<K, BTreeMap<&str, (Currency, i64)>> =
        owners.map(|owner| (owner, BTreeMap::new())).collect();
    for (owner, amount) in amounts {
        let of_owner = sums.entry(owner).or_default();
        let (_, sum) = of_owner.entry(amount.currency.code()).or_insert((amount.currency, 0));
        *sum = sum
            .checked_add(amount.minor)
            .ok_or_else(|| Error::Internal("a sum of revenue leaves the range of an i64".into()))?;
    }
    let list = |sums: BTreeMap<&str, (Currency, i64)>| {
        sums.into_values().map(|(currency, minor)| Money::new(minor, currency)).collect()
    };
    Ok(sums.into_iter().map(|(owner, sums)| (owner, list(sums))).collect())
}
