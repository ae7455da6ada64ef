//! Activities in GraphQL.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result};
use evenhand_app::activities::{
    ActivitiesByIds, ActivitiesOfCustomers, CountActivities, CountActivitiesOfCustomers, ListActivities,
    LogActivity,
};
use evenhand_domain::activities::{self as domain, ActivityKind, ActivityTerm, SECONDS_MAX};
use evenhand_domain::error::{Code, Error, Problem, Problems};
use evenhand_domain::filter::{Filter, OneOf};
use evenhand_domain::id::{ActivityId, CustomerId};
use evenhand_domain::page::Page;
use futures_util::FutureExt;

use crate::complaints::open::{CustomerWarning, warnings_of};
use crate::context::{Request, total};
use crate::customers::{self, Customer};
use crate::deals::{self, Deal, hidden};
use crate::error::payload;
use crate::filters::{BooleanFilter, DateTimeFilter, IdFilter, OptionalIdFilter, combine, enum_filter};
use crate::ids;
use crate::loaders;
use crate::page::{PageArgs, Total, connection};
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

/// The order of the list, as its cursors know it.
const BY_START: &str = "activities:startedAt";

/// Something that a person did for a customer or a deal.
#[derive(Clone)]
pub(crate) struct Activity(domain::Activity);

impl From<domain::Activity> for Activity {
    fn from(activity: domain::Activity) -> Self {
        Self(activity)
    }
}

connection!(ActivityConnection, ActivityEdge, Activity, "activities");

/// Something that a person did for a customer or a deal. Activities are logged once and never changed.
#[Object]
impl Activity {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// What was done.
    async fn kind(&self) -> Wire<ActivityKind> {
        Wire(self.0.kind)
    }

    /// With which customer; null where there is none or you may not see it.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<Customer>> {
        match self.0.customer_id {
            Some(id) => customers::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// For which deal; null where there is none or you may not see it.
    async fn deal(&self, ctx: &Context<'_>) -> Result<Option<Deal>> {
        match self.0.deal_id {
            Some(id) => deals::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Who did it.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.user_id).await
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// How long it took, in seconds; for calls, visits and meetings.
    async fn seconds(&self) -> Option<u32> {
        self.0.seconds
    }

    /// Whether somebody answered; for calls only.
    async fn connected(&self) -> Option<bool> {
        self.0.connected
    }

    /// What came of it, in a word.
    async fn outcome(&self) -> Option<&str> {
        self.0.outcome.as_deref()
    }

    /// What was said.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// Who recorded it; null for an import.
    async fn recorded_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.recorded_by {
            Some(id) => users::load(ctx, id).await,
            None => Ok(None),
        }
    }
}

/// The activity with this id; null where there is none or the caller may not see it.
pub(crate) async fn load(ctx: &Context<'_>, id: ActivityId) -> Result<Option<Activity>> {
    let request = Request::of(ctx).asker();
    let activity = Request::of(ctx).loaders().activities.load(id, |ids| async move {
        let activities = request.query(&ActivitiesByIds(ids)).await?;
        Ok(activities.into_iter().map(|activity| (activity.id, activity)).collect())
    });
    Ok(hidden(activity.await)?.map(Activity))
}

/// The activities with a customer, newest first; none for callers who may not read activities. First pages of
/// many customers are read together.
pub(crate) async fn of_customer(
    ctx: &Context<'_>,
    customer: CustomerId,
    args: PageArgs,
) -> Result<ActivityConnection> {
    let request = Request::of(ctx);
    let page = args.parse(BY_START)?;
    let found = if page.backward || page.after.is_some() || page.before.is_some() {
        let filter = Filter::Term(ActivityTerm::Customer(OneOf::In(vec![customer])));
        request.query(&ListActivities { page, filter }).await
    } else {
        newest(request, customer, page.size).await
    };
    Ok(ActivityConnection::new(hidden(found)?, BY_START, total_of_customer(request, customer)))
}

async fn newest(
    request: &Request,
    customer: CustomerId,
    size: u32,
) -> std::result::Result<Page<domain::Activity>, Error> {
    let batch = request.asker();
    let page = request.loaders().customer_activities.load((customer, size), |keys| async move {
        loaders::by_size(keys, |customers, size| {
            let batch = batch.clone();
            async move { batch.query(&ActivitiesOfCustomers { customers, size }).await }
        })
        .await
    });
    Ok(page.await?.unwrap_or_default())
}

/// The `totalCount` of the activities with a customer, counted for all customers of the answer together.
fn total_of_customer(request: &Request, customer: CustomerId) -> Total {
    let request = request.clone();
    Box::new(move || {
        let request = request.clone();
        async move {
            let batch = request.asker();
            let count = request.loaders().customer_activity_counts.load(customer, |customers| async move {
                batch.query(&CountActivitiesOfCustomers(customers)).await
            });
            Ok(hidden(count.await)?.unwrap_or_default())
        }
        .boxed()
    })
}

enum_filter!(ActivityKindFilter, ActivityKind, "the kind of an activity");

/// Which activities. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct ActivityFilter {
    /// By kind.
    kind: Option<ActivityKindFilter>,
    /// By who did it.
    user: Option<IdFilter>,
    /// By customer.
    customer: Option<OptionalIdFilter>,
    /// By deal.
    deal: Option<OptionalIdFilter>,
    /// By when it began.
    started_at: Option<DateTimeFilter>,
    /// By whether somebody answered; only calls match.
    connected: Option<BooleanFilter>,
    /// All of these must hold as well.
    and: Option<Vec<ActivityFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<ActivityFilter>>,
    /// This must not hold.
    not: Option<Box<ActivityFilter>>,
}

impl ActivityFilter {
    pub(crate) fn parse(self, depth: usize) -> std::result::Result<Filter<ActivityTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(kind) = self.kind {
            terms.push(ActivityTerm::Kind(kind.parse("kind")?));
        }
        if let Some(user) = &self.user {
            terms.push(ActivityTerm::User(user.parse().map_err(|problem| problem.at("user"))?));
        }
        if let Some(range) = self.started_at {
            terms.extend(range.parse("startedAt")?.into_iter().map(ActivityTerm::StartedAt));
        }
        terms.extend(self.connected.map(|connected| ActivityTerm::Connected(connected.parse())));
        let mut all = Vec::new();
        if let Some(customer) = &self.customer {
            all.push(customer.parse(ActivityTerm::Customer).map_err(|problem| problem.at("customer"))?);
        }
        if let Some(deal) = &self.deal {
            all.push(deal.parse(ActivityTerm::Deal).map_err(|problem| problem.at("deal"))?);
        }
        all.push(combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)?);
        Ok(Filter::All(all))
    }
}

/// Queries about activities.
#[derive(Default)]
pub(crate) struct ActivityQueries;

#[Object]
impl ActivityQueries {
    /// The activities that you may see, newest first.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of activities, 1 to 100; 20 if neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of activities at the end of the list, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor to go back before.")] before: Option<String>,
        #[graphql(desc = "Which activities; all if not given.")] filter: Option<ActivityFilter>,
    ) -> Result<ActivityConnection> {
        let request = Request::of(ctx);
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let list = ListActivities { page: PageArgs { first, after, last, before }.parse(BY_START)?, filter };
        let page = request.query(&list).await?;
        Ok(ActivityConnection::new(page, BY_START, total(request, CountActivities(list.filter))))
    }
}

/// Input of `logActivity`.
#[derive(InputObject)]
pub(crate) struct LogActivityInput {
    /// What was done.
    kind: Wire<ActivityKind>,
    /// With which customer; that of the deal if not given.
    customer_id: Option<ID>,
    /// For which deal.
    deal_id: Option<ID>,
    /// Who did it: you or somebody in a team that you lead; you if not given.
    user_id: Option<ID>,
    /// When it began, within the last ten years; now if not given.
    started_at: Option<DateTime>,
    /// How long it took, in seconds, at most one day; for calls, visits and meetings.
    seconds: Option<i32>,
    /// Whether somebody answered; required for calls.
    connected: Option<bool>,
    /// What came of it, 1 to 100 characters.
    outcome: Option<String>,
    /// What was said, 1 to 10,000 characters; required for notes.
    note: Option<String>,
}

impl LogActivityInput {
    fn parse(self) -> std::result::Result<LogActivity, Error> {
        let mut problems = Problems::default();
        let customer_id = problems.take("customerId", ids::decode_opt(self.customer_id.as_ref()));
        let deal_id = problems.take("dealId", ids::decode_opt(self.deal_id.as_ref()));
        let user_id = problems.take("userId", ids::decode_opt(self.user_id.as_ref()));
        let seconds = problems.take(
            "seconds",
            self.seconds.map(u32::try_from).transpose().map_err(|_| {
                Problem::new(Code::OutOfRange, format!("Seconds must lie between 0 and {SECONDS_MAX}."))
            }),
        );
        problems.finish_with(|| {
            Some(LogActivity {
                kind: self.kind.0,
                customer_id: customer_id?,
                deal_id: deal_id?,
                user_id: user_id?,
                started_at: self.started_at.map(|at| at.0),
                seconds: seconds?,
                connected: self.connected,
                outcome: self.outcome,
                note: self.note,
            })
        })
    }
}

payload! {
    /// Result of `logActivity`.
    #[graphql(complex)]
    LogActivityPayload {
        /// The new activity; null when the input was wrong.
        activity: Activity
    }
}

#[ComplexObject]
impl LogActivityPayload {
    /// What to know about the customer, as in `Customer.warnings`.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<CustomerWarning>> {
        warnings_of(ctx, self.activity.as_ref().and_then(|activity| activity.0.customer_id)).await
    }
}

/// Mutations of activities.
#[derive(Default)]
pub(crate) struct ActivityMutations;

#[Object]
impl ActivityMutations {
    /// Logs a call, visit, meeting, message or note.
    async fn log_activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was done.")] input: LogActivityInput,
    ) -> Result<LogActivityPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await };
        LogActivityPayload::of(result.await)
    }
}
