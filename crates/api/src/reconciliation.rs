//! Won revenue and the proof that personal figures make up the company's, in GraphQL.

use std::collections::HashMap;
use std::hash::Hash;

use async_graphql::{Context, Object, Result};
use evenhand_app::reconciliation::{
    Facts, OrganizationRevenue, Reconcile, Report, RevenueOfTeams, RevenueOfUsers,
};
use evenhand_domain::error::Error;
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::money;
use evenhand_domain::reconciliation as domain;

use crate::context::Request;
use crate::deals::{self, Deal};
use crate::scalars::{Currency, DateTime, Money, Period, PeriodInput};
use crate::teams::{self, Team};
use crate::users::{self, User};

/// The proof for a period.
pub(crate) struct Reconciliation(Report);

/// The proof that personal figures equal the company's: in every currency, the credits of all persons and the
/// unassigned part sum to what the deals say, at any moment. The two sides are computed independently.
#[Object]
impl Reconciliation {
    /// The period.
    async fn period(&self) -> Period {
        self.0.proof.period.into()
    }

    /// What had happened by then is counted, whenever it was entered.
    async fn as_of(&self) -> DateTime {
        DateTime(self.0.proof.as_of)
    }

    /// True when both sides agree in every currency, in sum and for each deal.
    async fn balanced(&self) -> bool {
        self.0.proof.balanced()
    }

    /// Both sides in each currency that occurs, by code; empty when nothing was won or cancelled.
    async fn currencies(&self) -> Vec<CurrencyReconciliation> {
        let side = |side: &domain::CurrencyReconciliation| CurrencyReconciliation {
            teams: self
                .0
                .teams
                .iter()
                .filter(|team| team.amount.currency == side.currency)
                .copied()
                .collect(),
            side: side.clone(),
        };
        self.0.proof.currencies.iter().map(side).collect()
    }
}

/// Both sides in one currency.
pub(crate) struct CurrencyReconciliation {
    side: domain::CurrencyReconciliation,
    teams: Vec<domain::TeamRevenue>,
}

/// Both sides of the proof in one currency.
#[Object]
impl CurrencyReconciliation {
    /// The currency.
    async fn currency(&self) -> Currency {
        Currency(self.side.currency)
    }

    /// Value of the deals won less that of the deals cancelled, according to the deals; may be negative.
    async fn company_total(&self) -> Money {
        Money(money::Money::new(self.side.company_total_minor, self.side.currency))
    }

    /// Number of deals won, those cancelled later included.
    async fn won_deals(&self) -> i64 {
        self.side.won_deals
    }

    /// Number of deals cancelled.
    async fn cancelled_deals(&self) -> i64 {
        self.side.cancelled_deals
    }

    /// Sum of the figures of all persons, according to the credit lines.
    async fn credited(&self) -> Result<Money> {
        let sum: i128 = self.side.persons.iter().map(|person| i128::from(person.amount.minor)).sum();
        let minor = i64::try_from(sum)
            .map_err(|_| Error::Internal("the sum of all persons leaves the range of an i64".into()))?;
        Ok(Money(money::Money::new(minor, self.side.currency)))
    }

    /// What is credited to nobody.
    async fn unassigned(&self) -> Money {
        Money(self.side.unassigned)
    }

    /// True when `credited` and `unassigned` make up `companyTotal`, and no deal differs.
    async fn balanced(&self) -> bool {
        self.side.balanced()
    }

    /// The figure of each person who has one.
    async fn persons(&self) -> Vec<PersonRevenue> {
        self.side.persons.iter().copied().map(PersonRevenue).collect()
    }

    /// The figure of each team that has one, teams below it included. A person's credit counts for the team
    /// that the person was in on the day of the win or cancellation.
    async fn teams(&self) -> Vec<TeamRevenue> {
        self.teams.iter().copied().map(TeamRevenue).collect()
    }

    /// The first deal whose credit lines differ from its value; null when all agree.
    async fn first_difference(&self) -> Option<Difference> {
        self.side.first_difference.map(Difference)
    }
}

/// Won revenue of one person.
pub(crate) struct PersonRevenue(domain::PersonRevenue);

/// Won revenue of one person.
#[Object]
impl PersonRevenue {
    /// The person.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.user_id).await
    }

    /// Credited less taken back; may be negative.
    async fn amount(&self) -> Money {
        Money(self.0.amount)
    }
}

/// Won revenue of one team.
pub(crate) struct TeamRevenue(domain::TeamRevenue);

/// Won revenue of one team and the teams below it.
#[Object]
impl TeamRevenue {
    /// The team.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        teams::load(ctx, self.0.team_id).await
    }

    /// Credited less taken back; may be negative.
    async fn amount(&self) -> Money {
        Money(self.0.amount)
    }
}

/// A deal on which the two sides differ.
pub(crate) struct Difference(domain::Difference);

/// A deal on which the two sides of the proof differ.
#[Object(name = "ReconciliationDifference")]
impl Difference {
    /// The deal.
    async fn deal(&self, ctx: &Context<'_>) -> Result<Option<Deal>> {
        deals::load(ctx, self.0.deal_id).await
    }

    /// What the deal adds to the company's total.
    async fn deal_amount(&self) -> Money {
        Money(self.0.deal_amount)
    }

    /// Sum of its direct credit lines.
    async fn credited_amount(&self) -> Money {
        Money(self.0.credited_amount)
    }
}

fn facts(period: &PeriodInput, as_of: Option<DateTime>) -> std::result::Result<Facts, Error> {
    Ok(Facts { period: period.parse()?, as_of: as_of.map(|at| at.0) })
}

/// Amounts as the schema shows them; a role that may read no revenue at all gets null, like anybody who asks
/// for a person or a team beyond their reach.
fn amounts(found: std::result::Result<Option<Vec<money::Money>>, Error>) -> Result<Option<Vec<Money>>> {
    match found {
        Err(Error::Forbidden) => Ok(None),
        found => Ok(found?.map(|amounts| amounts.into_iter().map(Money).collect())),
    }
}

/// Keys that ask for the same facts go to the database together.
fn by_facts<K>(keys: Vec<(K, Facts)>) -> HashMap<Facts, Vec<K>> {
    let mut groups: HashMap<Facts, Vec<K>> = HashMap::new();
    for (key, facts) in keys {
        groups.entry(facts).or_default().push(key);
    }
    groups
}

fn keyed<K: Eq + Hash>(
    facts: Facts,
    found: HashMap<K, Vec<money::Money>>,
) -> impl Iterator<Item = ((K, Facts), Vec<money::Money>)> {
    found.into_iter().map(move |(key, amounts)| ((key, facts), amounts))
}

/// Won revenue of a person, one amount per currency; null where the caller may not see it.
pub(crate) async fn user_revenue(
    ctx: &Context<'_>,
    user: UserId,
    period: &PeriodInput,
    as_of: Option<DateTime>,
) -> Result<Option<Vec<Money>>> {
    let key = (user, facts(period, as_of)?);
    let request = Request::of(ctx).asker();
    let found = Request::of(ctx).loaders().user_revenue.load(key, |keys| async move {
        let mut revenue = HashMap::new();
        for (facts, users) in by_facts(keys) {
            revenue.extend(keyed(facts, request.query(&RevenueOfUsers { users, facts }).await?));
        }
        Ok(revenue)
    });
    amounts(found.await)
}

/// Won revenue of a team and the teams below it, one amount per currency; null where the caller may not see it.
pub(crate) async fn team_revenue(
    ctx: &Context<'_>,
    team: TeamId,
    period: &PeriodInput,
    as_of: Option<DateTime>,
) -> Result<Option<Vec<Money>>> {
    let key = (team, facts(period, as_of)?);
    let request = Request::of(ctx).asker();
    let found = Request::of(ctx).loaders().team_revenue.load(key, |keys| async move {
        let mut revenue = HashMap::new();
        for (facts, teams) in by_facts(keys) {
            revenue.extend(keyed(facts, request.query(&RevenueOfTeams { teams, facts }).await?));
        }
        Ok(revenue)
    });
    amounts(found.await)
}

/// Won revenue of the whole organisation, one amount per currency; null where the caller may not see it.
pub(crate) async fn organization_revenue(
    ctx: &Context<'_>,
    period: &PeriodInput,
    as_of: Option<DateTime>,
) -> Result<Option<Vec<Money>>> {
    let query = OrganizationRevenue(facts(period, as_of)?);
    amounts(Request::of(ctx).query(&query).await)
}

/// Queries about won revenue.
#[derive(Default)]
pub(crate) struct ReconciliationQueries;

#[Object]
impl ReconciliationQueries {
    /// The proof that personal figures equal the company's. For finance and administrators.
    async fn reconciliation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period, in local days of the organisation.")] period: PeriodInput,
        #[graphql(desc = "Count only what had happened by then; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Reconciliation> {
        let query = Reconcile(facts(&period, as_of)?);
        Ok(Reconciliation(Request::of(ctx).query(&query).await?))
    }
}
