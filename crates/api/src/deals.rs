//! Deals and their credit lines in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result};
use evenhand_app::deals::{
    CountDeals, CountDealsOfCustomers, CreditLinesByDeals, DealsByIds, ListDeals, NewestDealsOfCustomers,
};
use evenhand_domain::deals::{self as domain, CreditBasis, CreditKind, DealSort, DealStage, DealTerm};
use evenhand_domain::error::{Error, Problem};
use evenhand_domain::filter::{Direction, Filter, OneOf, Range};
use evenhand_domain::id::{CustomerId, DealId};
use evenhand_domain::money;
use evenhand_domain::page::Page;
use futures_util::FutureExt;

use crate::context::{Request, total};
use crate::customers::{self, Customer};
use crate::filters::{DateTimeFilter, IdFilter, OptionalIdFilter, TextFilter, combine, enum_filter, ranges};
use crate::ids;
use crate::loaders;
use crate::page::{PageArgs, Total, connection};
use crate::products::{self, Product};
use crate::scalars::{Currency, Date, DateTime, Decimal, Money};
use crate::users::{self, User};
use crate::wire::Wire;

mod mutations;
pub(crate) use mutations::DealMutations;

/// An opportunity to sell.
#[derive(Clone)]
pub(crate) struct Deal(domain::Deal);

impl From<domain::Deal> for Deal {
    fn from(deal: domain::Deal) -> Self {
        Self(deal)
    }
}

connection!(DealConnection, DealEdge, Deal, "deals");

/// An opportunity to sell, from its first sight to won, lost or cancelled. You see the deals of the people in
/// your reach, and those that credit one of them.
#[Object]
impl Deal {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you change the deal.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Number that people call it by, unique in the organisation.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Short description.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// How far it is.
    async fn stage(&self) -> Wire<DealStage> {
        Wire(self.0.stage)
    }

    /// Expected value while open, booked value once won; null while unknown.
    async fn value(&self) -> Option<Money> {
        self.0.value.map(Money)
    }

    /// Who buys; null while unknown, or where you may not see the customer.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<Customer>> {
        match self.0.customer_id {
            Some(id) => customers::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// What is sold; null while unknown.
    async fn product(&self, ctx: &Context<'_>) -> Result<Option<Product>> {
        match self.0.product_id {
            Some(id) => products::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Who sells.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        users::load(ctx, self.0.owner_id).await
    }

    /// When it began.
    async fn opened_at(&self) -> DateTime {
        DateTime(self.0.opened_at)
    }

    /// Day on which it is expected to be won.
    async fn expected_close_on(&self) -> Option<Date> {
        self.0.expected_close_on.map(Date)
    }

    /// When it was won; stays when it is cancelled.
    async fn won_at(&self) -> Option<DateTime> {
        self.0.won_at.map(DateTime)
    }

    /// When it was lost.
    async fn lost_at(&self) -> Option<DateTime> {
        self.0.lost_at.map(DateTime)
    }

    /// When it was cancelled after it had been won.
    async fn cancelled_at(&self) -> Option<DateTime> {
        self.0.cancelled_at.map(DateTime)
    }

    /// Why it was lost or cancelled.
    async fn close_reason(&self) -> Option<&str> {
        self.0.close_reason.as_deref()
    }

    /// Who is credited with which part, oldest first: the lines of the win, and after a cancellation their
    /// reversals. Empty while the deal is not won.
    async fn credits(&self, ctx: &Context<'_>) -> Result<Vec<CreditLine>> {
        let request = Request::of(ctx).asker();
        let lines = Request::of(ctx)
            .loaders()
            .credit_lines
            .load(self.0.id, |deals| async move { request.query(&CreditLinesByDeals(deals)).await });
        Ok(lines.await?.unwrap_or_default().into_iter().map(CreditLine).collect())
    }

    /// When it was entered here.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A person's share of a won deal, or its reversal.
pub(crate) struct CreditLine(domain::CreditLine);

/// A person's share of a won deal, or its reversal. Lines are never changed: a correction is a new line.
#[Object]
impl CreditLine {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Who is credited; null for a share that is assigned to nobody.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.user_id {
            Some(id) => users::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Whether it counts to the company's total.
    async fn kind(&self) -> Wire<CreditKind> {
        Wire(self.0.kind)
    }

    /// At which step it counts.
    async fn basis(&self) -> Wire<CreditBasis> {
        Wire(self.0.basis)
    }

    /// Share of the deal in basis points, 1 to 10000 (100 %).
    async fn share_bp(&self) -> i32 {
        self.0.share_bp
    }

    /// Share of the deal in money; negative in a reversal. The direct lines of a win sum to the value exactly.
    async fn amount(&self) -> Money {
        Money(self.0.amount)
    }

    /// When the deal was won, or cancelled for a reversal.
    async fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// When the line was written.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// Id of the line that this one takes back; null for a line of a win.
    async fn reverses_id(&self) -> Option<ID> {
        self.0.reverses.map(ids::encode)
    }
}

/// What a role may not read at all is absent inside other objects, like any single deal that it may not see:
/// a refusal would take the whole page of customers with it. The root field `deals` does refuse.
pub(crate) fn hidden<T: Default>(result: std::result::Result<T, Error>) -> std::result::Result<T, Error> {
    match result {
        Err(Error::Forbidden) => Ok(T::default()),
        result => result,
    }
}

/// The deal with this id; null where there is none or the caller may not see it.
pub(crate) async fn load(ctx: &Context<'_>, id: DealId) -> Result<Option<Deal>> {
    let request = Request::of(ctx).asker();
    let deal = Request::of(ctx).loaders().deals.load(id, |ids| async move {
        let deals = request.query(&DealsByIds(ids)).await?;
        Ok(deals.into_iter().map(|deal| (deal.id, deal)).collect())
    });
    Ok(hidden(deal.await)?.map(Deal))
}

/// The deals with a customer, newest first. The first pages of many customers cost one statement together;
/// empty for callers who may not read deals.
pub(crate) async fn customer_deals(
    ctx: &Context<'_>,
    customer: CustomerId,
    args: PageArgs,
) -> Result<DealConnection> {
    let sort = cursor_sort(DealSort::CreatedAt, Direction::Desc);
    let page = args.parse(&sort)?;
    let request = Request::of(ctx);
    let deals = if page.backward || page.after.is_some() || page.before.is_some() {
        let filter = Filter::Term(DealTerm::Customer(OneOf::In(vec![customer])));
        request
            .query(&ListDeals { page, filter, sort: DealSort::CreatedAt, direction: Direction::Desc })
            .await
    } else {
        newest(request, customer, page.size).await
    };
    Ok(DealConnection::new(hidden(deals)?, &sort, customer_total(request, customer)))
}

async fn newest(
    request: &Request,
    customer: CustomerId,
    size: u32,
) -> std::result::Result<Page<domain::Deal>, Error> {
    let batch = request.asker();
    let page = request.loaders().newest_deals.load((customer, size), |keys| async move {
        loaders::by_size(keys, |customers, size| {
            let batch = batch.clone();
            async move { batch.query(&NewestDealsOfCustomers { customers, size }).await }
        })
        .await
    });
    Ok(page.await?.unwrap_or_default())
}

/// The `totalCount` of the deals with a customer, counted for all customers of the answer together.
fn customer_total(request: &Request, customer: CustomerId) -> Total {
    let request = request.clone();
    Box::new(move || {
        let request = request.clone();
        async move {
            let batch = request.asker();
            let count = request.loaders().deal_counts.load(customer, |customers| async move {
                batch.query(&CountDealsOfCustomers(customers)).await
            });
            Ok(hidden(count.await)?.unwrap_or(0))
        }
        .boxed()
    })
}

enum_filter!(DealStageFilter, DealStage, "the stage of a deal");

/// Compares an amount of money; amounts in other currencies never match. Give at least one of the bounds.
#[derive(Clone, InputObject)]
pub(crate) struct MoneyFilter {
    /// The currency.
    currency: Currency,
    /// Is exactly this.
    eq: Option<Decimal>,
    /// Is at least this.
    gte: Option<Decimal>,
    /// Is at most this.
    lte: Option<Decimal>,
}

impl MoneyFilter {
    fn parse(self, field: &str) -> std::result::Result<Vec<Range<money::Money>>, Problem> {
        let money = |name: &str, amount: Option<Decimal>| {
            let amount = amount.map(|amount| money::Money::parse(&amount.0, self.currency.0)).transpose();
            amount.map_err(|problem| problem.at(name).at(field))
        };
        ranges(money("eq", self.eq)?, money("gte", self.gte)?, money("lte", self.lte)?, field)
    }
}

/// Which deals. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct DealFilter {
    /// By id.
    id: Option<IdFilter>,
    /// By number, ignoring case and spacing.
    number: Option<TextFilter>,
    /// By stage.
    stage: Option<DealStageFilter>,
    /// By who sells.
    owner: Option<IdFilter>,
    /// By who buys.
    customer: Option<OptionalIdFilter>,
    /// By what is sold.
    product: Option<OptionalIdFilter>,
    /// By value, in one currency.
    value: Option<MoneyFilter>,
    /// By when it began.
    opened_at: Option<DateTimeFilter>,
    /// By when it was won.
    won_at: Option<DateTimeFilter>,
    /// By when it was lost.
    lost_at: Option<DateTimeFilter>,
    /// By when it was cancelled.
    cancelled_at: Option<DateTimeFilter>,
    /// By when it was entered here.
    created_at: Option<DateTimeFilter>,
    /// By its last change.
    updated_at: Option<DateTimeFilter>,
    /// All of these must hold as well.
    and: Option<Vec<DealFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<DealFilter>>,
    /// This must not hold.
    not: Option<Box<DealFilter>>,
}

impl DealFilter {
    pub(crate) fn parse(mut self, depth: usize) -> std::result::Result<Filter<DealTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(id) = &self.id {
            terms.push(DealTerm::Id(id.parse().map_err(|problem| problem.at("id"))?));
        }
        if let Some(number) = self.number.take() {
            terms.extend(number.parse("number")?.into_iter().map(DealTerm::Number));
        }
        if let Some(stage) = self.stage.take() {
            terms.push(DealTerm::Stage(stage.parse("stage")?));
        }
        if let Some(owner) = &self.owner {
            terms.push(DealTerm::Owner(owner.parse().map_err(|problem| problem.at("owner"))?));
        }
        if let Some(value) = self.value.take() {
            terms.extend(value.parse("value")?.into_iter().map(DealTerm::Value));
        }
        let mut optional = Vec::new();
        if let Some(customer) = &self.customer {
            optional.push(customer.parse(DealTerm::Customer).map_err(|problem| problem.at("customer"))?);
        }
        if let Some(product) = &self.product {
            optional.push(product.parse(DealTerm::Product).map_err(|problem| problem.at("product"))?);
        }
        self.moments(&mut terms)?;
        optional.push(combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)?);
        Ok(Filter::All(optional))
    }

    fn moments(&mut self, terms: &mut Vec<DealTerm>) -> std::result::Result<(), Problem> {
        let moments = [
            ("openedAt", self.opened_at.take(), DealTerm::OpenedAt as fn(_) -> _),
            ("wonAt", self.won_at.take(), DealTerm::WonAt),
            ("lostAt", self.lost_at.take(), DealTerm::LostAt),
            ("cancelledAt", self.cancelled_at.take(), DealTerm::CancelledAt),
            ("createdAt", self.created_at.take(), DealTerm::CreatedAt),
            ("updatedAt", self.updated_at.take(), DealTerm::UpdatedAt),
        ];
        for (field, comparison, term) in moments {
            if let Some(comparison) = comparison {
                terms.extend(comparison.parse(field)?.into_iter().map(term));
            }
        }
        Ok(())
    }
}

/// Order of deals; deals with the same value are ordered by id.
#[derive(InputObject)]
pub(crate) struct DealOrder {
    /// By what.
    field: Wire<DealSort>,
    /// Which end comes first.
    #[graphql(default_with = "Wire(Direction::Asc)")]
    direction: Wire<Direction>,
}

/// The order of a list, as its cursors know it.
fn cursor_sort(sort: DealSort, direction: Direction) -> String {
    format!("deals:{}:{}", sort.as_str(), direction.as_str())
}

/// Queries about deals.
#[derive(Default)]
pub(crate) struct DealQueries;

#[Object]
impl DealQueries {
    /// Deals, newest first if no order is given: those of the people in your reach, and those that credit one
    /// of them.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field in the public schema")]
    async fn deals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of deals from the start, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of deals from the end, 1 to 100; not together with `first`.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Cursor to end before.")] before: Option<String>,
        #[graphql(desc = "Which deals; all if not given.")] filter: Option<DealFilter>,
        #[graphql(desc = "Their order; newest first if not given.")] order_by: Option<DealOrder>,
    ) -> Result<DealConnection> {
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let (sort, direction) = order_by
            .map_or((DealSort::CreatedAt, Direction::Desc), |order| (order.field.0, order.direction.0));
        let cursors = cursor_sort(sort, direction);
        let page = PageArgs { first, after, last, before }.parse(&cursors)?;
        let request = Request::of(ctx);
        let list = ListDeals { page, filter, sort, direction };
        let page = request.query(&list).await?;
        Ok(DealConnection::new(page, &cursors, total(request, CountDeals(list.filter))))
    }
}
