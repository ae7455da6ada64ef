//! Daily facts in GraphQL.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::daily_facts::{CloseDays, DailyFactsOf, Day};
use evenhand_domain::daily_facts::{Figures, Flag, Implausibility};
use evenhand_domain::error::Error;
use evenhand_domain::id::UserId;
use evenhand_domain::money;

use crate::context::Request;
use crate::error::payload;
use crate::ids;
use crate::scalars::{Date, Money};
use crate::users::{self, User};
use crate::wire::Wire;

/// Sums of a person's work. Cancellations count negative, so a figure may be negative.
#[derive(SimpleObject)]
pub(crate) struct DailyFigures {
    /// Leads collected.
    leads: i64,
    /// Leads found usable.
    qualified: i64,
    /// Calls, answered or not.
    calls: i64,
    /// Calls that somebody answered.
    connected_calls: i64,
    /// Length of all calls, in seconds.
    talk_seconds: i64,
    /// Customers that became prospects.
    prospects: i64,
    /// Deals won less deals cancelled, counted for their owner.
    deals: i64,
    /// Direct credits less those taken back, one amount per currency; none where there is nothing.
    revenue: Vec<Money>,
}

impl From<Figures> for DailyFigures {
    fn from(figures: Figures) -> Self {
        let Figures { leads, qualified, calls, connected_calls, talk_seconds, prospects, deals, revenue } =
            figures;
        let amount = |(currency, minor)| Money(money::Money::new(minor, currency));
        let revenue = revenue.into_iter().map(amount).collect();
        Self { leads, qualified, calls, connected_calls, talk_seconds, prospects, deals, revenue }
    }
}

/// What a person did on one local day, as an exact sum of single facts.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct DailyFact {
    #[graphql(skip)]
    user_id: UserId,
    /// The day.
    date: Date,
    /// Whether the day was closed. The figures of a closed day never change.
    closed: bool,
    #[graphql(flatten)]
    figures: DailyFigures,
    /// What was recorded after the day was closed, or less than a minute before, beside its figures; null when nothing
    /// was.
    late: Option<DailyFigures>,
    /// Work that looks implausible: questions to the person and their manager, which change no figure. Null for
    /// roles that may not see single activities.
    flags: Option<Vec<ImplausibleWork>>,
}

#[ComplexObject]
impl DailyFact {
    /// The person.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.user_id).await
    }
}

impl From<Day> for DailyFact {
    fn from(Day { fact, flags }: Day) -> Self {
        Self {
            user_id: fact.user_id,
            date: Date(fact.date),
            closed: fact.closed_at.is_some(),
            late: fact.has_late().then(|| fact.late.into()),
            figures: fact.figures.into(),
            flags: flags.map(|flags| flags.iter().map(ImplausibleWork::from).collect()),
        }
    }
}

/// A day's work that looks implausible.
#[derive(SimpleObject)]
pub(crate) struct ImplausibleWork {
    /// Why.
    kind: Wire<Implausibility>,
    /// The reason as a sentence.
    message: String,
}

impl From<&Flag> for ImplausibleWork {
    fn from(flag: &Flag) -> Self {
        Self { kind: Wire(flag.reason), message: flag.message() }
    }
}

/// Queries about daily facts.
#[derive(Default)]
pub(crate) struct DailyFactQueries;

#[Object]
impl DailyFactQueries {
    /// What a person did on each day, oldest first, days without work included. Up to date with every change; an
    /// error for people beyond your reach.
    async fn daily_facts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The person.")] user_id: ID,
        #[graphql(desc = "First day.")] from: Date,
        #[graphql(desc = "Last day, less than 400 days after the first.")] to: Date,
    ) -> Result<Vec<DailyFact>> {
        let user = ids::decode(&user_id).map_err(|problem| Error::from(problem.at("userId")))?;
        let days = Request::of(ctx).query(&DailyFactsOf { user, from: from.0, to: to.0 }).await?;
        Ok(days.into_iter().map(DailyFact::from).collect())
    }
}

/// Input of `closeDays`.
#[derive(InputObject)]
pub(crate) struct CloseDaysInput {
    /// The last day to be closed; it must be over. All days before it are closed with it.
    through: Date,
}

payload! {
    /// Result of `closeDays`.
    CloseDaysPayload {
        /// The last closed day. One call closes at most 31 days: call again while this lies before the day that you
        /// asked for. Null when the input was wrong.
        closed_through: Date
    }
}

/// Mutations of daily facts.
#[derive(Default)]
pub(crate) struct DailyFactMutations;

#[Object]
impl DailyFactMutations {
    /// Closes days: their figures are frozen, and what is recorded for them later is shown beside, as is what was
    /// recorded less than a minute before. For finance and administrators.
    async fn close_days(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Up to which day.")] input: CloseDaysInput,
    ) -> Result<CloseDaysPayload> {
        let command = CloseDays { through: input.through.0 };
        CloseDaysPayload::of(Request::of(ctx).execute(&command).await.map(Date))
    }
}
