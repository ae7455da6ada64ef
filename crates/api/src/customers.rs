//! Customers in GraphQL.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, OneofObject, Result};
use evenhand_app::customers::{
    AdvanceCustomer, AssignCustomer, CountCustomers, CreateCustomer, CustomersByIds, ListCustomers,
    OwnerPeriodsByCustomers, StageChangesByCustomers, UpdateCustomer,
};
use evenhand_app::feed::About;
use evenhand_domain::customers::{
    self as domain, CustomerGrade, CustomerKind, CustomerSort, CustomerStage, CustomerTerm, CustomerUpdate,
    Evidence, OwnerPeriod,
};
use evenhand_domain::error::{Error, Problem, Problems};
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{CustomerId, UserId};

use crate::activities::{self, Activity, ActivityConnection};
use crate::changes::{self, ChangeConnection};
use crate::complaints::open::{CustomerExposure, CustomerWarning, exposure_of, warnings_of};
use crate::complaints::{self, ComplaintConnection};
use crate::context::{Request, total};
use crate::deals::{self, DealConnection};
use crate::error::payload;
use crate::filters::{DateTimeFilter, IdFilter, OptionalIdFilter, TextFilter, combine, enum_filter};
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::patch::patch;
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

/// A company or a person that is or may become a customer.
#[derive(Clone)]
pub(crate) struct Customer(domain::Customer);

impl From<domain::Customer> for Customer {
    fn from(customer: domain::Customer) -> Self {
        Self(customer)
    }
}

connection!(CustomerConnection, CustomerEdge, Customer, "customers");

/// A company or a person that is or may become a customer.
#[Object]
impl Customer {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you update.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Number that people say on the phone; unique in the organisation, ignoring case.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Company or person.
    async fn kind(&self) -> Wire<CustomerKind> {
        Wire(self.0.kind)
    }

    /// How far it has come.
    async fn stage(&self) -> Wire<CustomerStage> {
        Wire(self.0.stage)
    }

    /// How much it is worth looking after; null where nobody has graded it.
    async fn grade(&self) -> Option<Wire<CustomerGrade>> {
        self.0.grade.map(Wire)
    }

    /// Line of business.
    async fn sector(&self) -> Option<&str> {
        self.0.sector.as_deref()
    }

    /// Where the contact came from, e.g. a fair.
    async fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// Who looks after it; null for nobody.
    async fn owner(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who looked after it at that instant; now if not given.")] as_of: Option<DateTime>,
    ) -> Result<Option<User>> {
        let owner = match as_of {
            None => self.0.owner_id,
            Some(at) => {
                let periods = owner_periods(ctx, self.0.id).await?;
                let held = periods
                    .iter()
                    .find(|period| period.from <= at.0 && period.to.is_none_or(|end| at.0 < end));
                held.and_then(|period| period.owner_id)
            }
        };
        user(ctx, owner).await
    }

    /// Who collected it.
    async fn collected_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user(ctx, self.0.collected_by).await
    }

    /// When it was collected.
    async fn collected_at(&self) -> DateTime {
        DateTime(self.0.collected_at)
    }

    /// When it was recorded.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// The steps through the stages, oldest first. Steps are never changed or removed.
    async fn stage_history(&self, ctx: &Context<'_>) -> Result<Vec<StageChange>> {
        let request = Request::of(ctx).asker();
        let steps = Request::of(ctx).loaders().stage_changes.load(self.0.id, |ids| async move {
            let mut histories: HashMap<CustomerId, Vec<domain::StageChange>> = HashMap::new();
            for step in request.query(&StageChangesByCustomers(ids)).await? {
                histories.entry(step.customer_id).or_default().push(step);
            }
            Ok(histories)
        });
        Ok(steps.await?.unwrap_or_default().into_iter().map(StageChange).collect())
    }

    /// What was done with this customer, newest first.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of activities, 1 to 100; 20 if neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of activities at the end of the list, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor to go back before.")] before: Option<String>,
    ) -> Result<ActivityConnection> {
        activities::of_customer(ctx, self.0.id, PageArgs { first, after, last, before }).await
    }

    /// The deals with this customer, newest first.
    async fn deals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of deals, 1 to 100; 20 if neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of deals at the end of the list, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor to go back before.")] before: Option<String>,
    ) -> Result<DealConnection> {
        deals::customer_deals(ctx, self.0.id, PageArgs { first, after, last, before }).await
    }

    /// The complaints of this customer, newest first.
    async fn complaints(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of complaints, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
    ) -> Result<ComplaintConnection> {
        complaints::of_customer(ctx, self.0.id, PageArgs::forward(first, after)).await
    }

    /// What is at stake with this customer while complaints are open; null where your role may not read complaints.
    async fn complaint_exposure(&self, ctx: &Context<'_>) -> Result<Option<CustomerExposure>> {
        exposure_of(ctx, self.0.id).await
    }

    /// What to know before you contact this customer: that a serious complaint is open, among those that you may see.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<CustomerWarning>> {
        warnings_of(ctx, Some(self.0.id)).await
    }

    /// Everything that happened to this customer, the deals with it, its complaints and what was done for it, as far
    /// as you may see it, oldest first. A part of the feed: `endCursor` works in `changes` too.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of changes, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after; the beginning if not given.")] after: Option<String>,
    ) -> Result<ChangeConnection> {
        changes::history(ctx, About::Customer(self.0.id), first, after).await
    }
}

/// One dated step through the stages.
pub(crate) struct StageChange(domain::StageChange);

/// One dated step of a customer through the stages. Steps are never changed or removed.
#[Object]
impl StageChange {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// The stage before; null for the first step.
    async fn from(&self) -> Option<Wire<CustomerStage>> {
        self.0.from.map(Wire)
    }

    /// The stage reached.
    async fn to(&self) -> Wire<CustomerStage> {
        Wire(self.0.to)
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// Who recorded it; null for an import.
    async fn recorded_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user(ctx, self.0.by).await
    }

    /// Why.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The activity that shows it; null where there is none or you may not see it.
    async fn evidence_activity(&self, ctx: &Context<'_>) -> Result<Option<Activity>> {
        match &self.0.evidence {
            Some(Evidence::Activity(id)) => activities::load(ctx, *id).await,
            _ => Ok(None),
        }
    }

    /// Title or URL of the document that shows it.
    async fn evidence_document(&self) -> Option<&str> {
        match &self.0.evidence {
            Some(Evidence::Document(document)) => Some(document),
            _ => None,
        }
    }
}

async fn user(ctx: &Context<'_>, id: Option<UserId>) -> Result<Option<User>> {
    match id {
        Some(id) => users::load(ctx, id).await,
        None => Ok(None),
    }
}

async fn owner_periods(ctx: &Context<'_>, id: CustomerId) -> Result<Vec<OwnerPeriod>> {
    let request = Request::of(ctx).asker();
    let periods = Request::of(ctx).loaders().owner_periods.load(id, |ids| async move {
        let mut histories: HashMap<CustomerId, Vec<OwnerPeriod>> = HashMap::new();
        for period in request.query(&OwnerPeriodsByCustomers(ids)).await? {
            histories.entry(period.customer_id).or_default().push(period);
        }
        Ok(histories)
    });
    Ok(periods.await?.unwrap_or_default())
}

/// The customer with this id; null where there is none or the caller may not see it.
pub(crate) async fn load(ctx: &Context<'_>, id: CustomerId) -> Result<Option<Customer>> {
    let request = Request::of(ctx).asker();
    let customer = Request::of(ctx).loaders().customers.load(id, |ids| async move {
        let customers = request.query(&CustomersByIds(ids)).await?;
        Ok(customers.into_iter().map(|customer| (customer.id, customer)).collect())
    });
    Ok(customer.await?.map(Customer))
}

enum_filter!(CustomerKindFilter, CustomerKind, "the kind of a customer");
enum_filter!(CustomerStageFilter, CustomerStage, "the stage of a customer");
enum_filter!(CustomerGradeFilter, CustomerGrade, "the grade of a customer");

/// Which customers. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct CustomerFilter {
    /// By id.
    id: Option<IdFilter>,
    /// By name, ignoring case and spacing.
    name: Option<TextFilter>,
    /// By number, ignoring case and spacing.
    number: Option<TextFilter>,
    /// By kind.
    kind: Option<CustomerKindFilter>,
    /// By stage.
    stage: Option<CustomerStageFilter>,
    /// By grade.
    grade: Option<CustomerGradeFilter>,
    /// By line of business, ignoring case and spacing.
    sector: Option<TextFilter>,
    /// By origin, ignoring case and spacing.
    source: Option<TextFilter>,
    /// By present owner.
    owner: Option<OptionalIdFilter>,
    /// By when they were collected.
    collected_at: Option<DateTimeFilter>,
    /// By when they were recorded.
    created_at: Option<DateTimeFilter>,
    /// By last change.
    updated_at: Option<DateTimeFilter>,
    /// All of these must hold as well.
    and: Option<Vec<CustomerFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<CustomerFilter>>,
    /// This must not hold.
    not: Option<Box<CustomerFilter>>,
}

impl CustomerFilter {
    pub(crate) fn parse(self, depth: usize) -> std::result::Result<Filter<CustomerTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(id) = &self.id {
            terms.push(CustomerTerm::Id(id.parse().map_err(|problem| problem.at("id"))?));
        }
        if let Some(kind) = self.kind {
            terms.push(CustomerTerm::Kind(kind.parse("kind")?));
        }
        if let Some(stage) = self.stage {
            terms.push(CustomerTerm::Stage(stage.parse("stage")?));
        }
        if let Some(grade) = self.grade {
            terms.push(CustomerTerm::Grade(grade.parse("grade")?));
        }
        for (text, field, term) in [
            (self.name, "name", CustomerTerm::Name as fn(_) -> _),
            (self.number, "number", CustomerTerm::Number),
            (self.sector, "sector", CustomerTerm::Sector),
            (self.source, "source", CustomerTerm::Source),
        ] {
            if let Some(text) = text {
                terms.extend(text.parse(field)?.into_iter().map(term));
            }
        }
        for (range, field, term) in [
            (self.collected_at, "collectedAt", CustomerTerm::CollectedAt as fn(_) -> _),
            (self.created_at, "createdAt", CustomerTerm::CreatedAt),
            (self.updated_at, "updatedAt", CustomerTerm::UpdatedAt),
        ] {
            if let Some(range) = range {
                terms.extend(range.parse(field)?.into_iter().map(term));
            }
        }
        let rest = combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)?;
        match self.owner {
            Some(owner) => {
                let owner = owner.parse(CustomerTerm::Owner).map_err(|problem| problem.at("owner"))?;
                Ok(Filter::All(vec![owner, rest]))
            }
            None => Ok(rest),
        }
    }
}

/// The order of a list of customers.
#[derive(InputObject)]
pub(crate) struct CustomerOrder {
    /// By what.
    field: Wire<CustomerSort>,
    /// Which end comes first.
    #[graphql(default_with = "Wire(Direction::Asc)")]
    direction: Wire<Direction>,
}

/// Queries about customers.
#[derive(Default)]
pub(crate) struct CustomerQueries;

#[Object]
impl CustomerQueries {
    /// The customers that you may see, the latest recorded first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    async fn customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of customers, 1 to 100; 20 if neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of customers at the end of the list, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor to go back before.")] before: Option<String>,
        #[graphql(desc = "Which customers; all if not given.")] filter: Option<CustomerFilter>,
        #[graphql(desc = "The order; the latest recorded first if not given.")] order_by: Option<
            CustomerOrder,
        >,
    ) -> Result<CustomerConnection> {
        let request = Request::of(ctx);
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let (sort, direction) = order_by
            .map_or((CustomerSort::CreatedAt, Direction::Desc), |order| (order.field.0, order.direction.0));
        let name = format!("customers:{}", sort.as_str());
        let page = PageArgs { first, after, last, before }.parse(&name)?;
        let list = ListCustomers { page, filter, sort, direction };
        let page = request.query(&list).await?;
        Ok(CustomerConnection::new(page, &name, total(request, CountCustomers(list.filter))))
    }
}

/// Input of `createCustomer`.
#[derive(InputObject)]
pub(crate) struct CreateCustomerInput {
    /// Number, unique in the organisation, 1 to 100 characters; the next free one if not given.
    number: Option<String>,
    /// Name, 1 to 200 characters.
    name: String,
    /// Company or person.
    kind: Wire<CustomerKind>,
    /// How much it is worth looking after.
    grade: Option<Wire<CustomerGrade>>,
    /// Line of business, 1 to 100 characters.
    sector: Option<String>,
    /// Where the contact came from, 1 to 100 characters.
    source: Option<String>,
    /// Who looks after it: you or somebody in a team that you lead. If not given: you, or nobody when you are an
    /// administrator.
    owner_id: Option<ID>,
    /// Who collected it; as for the owner if not given.
    collected_by_id: Option<ID>,
    /// When it was collected; now if not given.
    collected_at: Option<DateTime>,
}

impl CreateCustomerInput {
    fn parse(self) -> std::result::Result<CreateCustomer, Error> {
        let mut problems = Problems::default();
        let owner_id = problems.take("ownerId", ids::decode_opt(self.owner_id.as_ref()));
        let collected_by = problems.take("collectedById", ids::decode_opt(self.collected_by_id.as_ref()));
        problems.finish_with(|| {
            Some(CreateCustomer {
                number: self.number,
                name: self.name,
                kind: self.kind.0,
                grade: self.grade.map(|grade| grade.0),
                sector: self.sector,
                source: self.source,
                owner_id: owner_id?,
                collected_by: collected_by?,
                collected_at: self.collected_at.map(|at| at.0),
            })
        })
    }
}

/// Input of `updateCustomer`. What is left out stays as it is; null clears a value that may be missing.
#[derive(InputObject)]
pub(crate) struct UpdateCustomerInput {
    /// The customer.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New name.
    name: Option<String>,
    /// New kind.
    kind: Option<Wire<CustomerKind>>,
    /// New grade.
    grade: MaybeUndefined<Wire<CustomerGrade>>,
    /// New line of business.
    sector: MaybeUndefined<String>,
    /// New origin.
    source: MaybeUndefined<String>,
}

impl UpdateCustomerInput {
    fn parse(self) -> std::result::Result<UpdateCustomer, Error> {
        let id = ids::decode(&self.id).map_err(|problem| problem.at("id"))?;
        let update = CustomerUpdate {
            name: self.name,
            kind: self.kind.map(|kind| kind.0),
            grade: patch(self.grade.map_value(|grade| grade.0)),
            sector: patch(self.sector),
            source: patch(self.source),
        };
        Ok(UpdateCustomer { id, version: self.version, update })
    }
}

/// What shows that a customer reached a stage. Give exactly one.
#[derive(OneofObject)]
pub(crate) enum EvidenceInput {
    /// An activity with this customer.
    #[graphql(name = "activityId")]
    Activity(ID),
    /// Title or URL of a document, 1 to 2,000 characters.
    Document(String),
}

impl EvidenceInput {
    fn parse(self) -> std::result::Result<Evidence, Problem> {
        match self {
            Self::Activity(id) => {
                ids::decode(&id).map(Evidence::Activity).map_err(|problem| problem.at("activityId"))
            }
            Self::Document(document) => Ok(Evidence::Document(document)),
        }
    }
}

/// Input of `advanceCustomer`.
#[derive(InputObject)]
pub(crate) struct AdvanceCustomerInput {
    /// The customer.
    id: ID,
    /// The version that you read.
    version: i32,
    /// The stage reached. LEAD leads to QUALIFIED, QUALIFIED to PROSPECT, PROSPECT to SIGNED; each of these may
    /// end in LOST or DORMANT, from where the customer can become a LEAD again.
    stage: Wire<CustomerStage>,
    /// When it happened, not before the present stage was reached; now if not given.
    occurred_at: Option<DateTime>,
    /// Why; required for LOST.
    reason: Option<String>,
    /// What shows it; required for PROSPECT.
    evidence: Option<EvidenceInput>,
}

impl AdvanceCustomerInput {
    fn parse(self) -> std::result::Result<AdvanceCustomer, Error> {
        let mut problems = Problems::default();
        let id = problems.take("id", ids::decode(&self.id));
        let evidence = problems.take("evidence", self.evidence.map(EvidenceInput::parse).transpose());
        problems.finish_with(|| {
            Some(AdvanceCustomer {
                id: id?,
                version: self.version,
                stage: self.stage.0,
                occurred_at: self.occurred_at.map(|at| at.0),
                reason: self.reason,
                evidence: evidence?,
            })
        })
    }
}

/// Input of `assignCustomer`.
#[derive(InputObject)]
pub(crate) struct AssignCustomerInput {
    /// The customer.
    id: ID,
    /// The version that you read.
    version: i32,
    /// Who looks after it from now on; null for nobody. It must be given.
    owner_id: MaybeUndefined<ID>,
}

impl AssignCustomerInput {
    fn parse(self) -> std::result::Result<AssignCustomer, Error> {
        let mut problems = Problems::default();
        let id = problems.take("id", ids::decode(&self.id));
        if self.owner_id.is_undefined() {
            problems.push(Problem::required("ownerId"));
        }
        let owner_id = problems.take("ownerId", ids::decode_opt(self.owner_id.value()));
        problems.finish_with(|| Some(AssignCustomer { id: id?, version: self.version, owner_id: owner_id? }))
    }
}

payload! {
    /// Result of `createCustomer`.
    CreateCustomerPayload {
        /// The new customer; null when the input was wrong.
        customer: Customer
    }
}

payload! {
    /// Result of `updateCustomer`.
    UpdateCustomerPayload {
        /// The customer after the change; null when the input was wrong.
        customer: Customer
    }
}

payload! {
    /// Result of `advanceCustomer`.
    AdvanceCustomerPayload {
        /// The customer in its new stage; null when the input was wrong.
        customer: Customer
    }
}

payload! {
    /// Result of `assignCustomer`.
    AssignCustomerPayload {
        /// The customer with its new owner; null when the input was wrong.
        customer: Customer
    }
}

/// Mutations of customers.
#[derive(Default)]
pub(crate) struct CustomerMutations;

#[Object]
impl CustomerMutations {
    /// Records a new lead.
    async fn create_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new customer.")] input: CreateCustomerInput,
    ) -> Result<CreateCustomerPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await };
        CreateCustomerPayload::of(result.await)
    }

    /// Changes details of a customer; stage and owner have mutations of their own.
    async fn update_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateCustomerInput,
    ) -> Result<UpdateCustomerPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await };
        UpdateCustomerPayload::of(result.await)
    }

    /// Moves a customer to another stage and adds the step to its history.
    async fn advance_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The step.")] input: AdvanceCustomerInput,
    ) -> Result<AdvanceCustomerPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await };
        AdvanceCustomerPayload::of(result.await)
    }

    /// Gives a customer to another owner, or to nobody. For managers, within their teams, and administrators.
    async fn assign_customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who gets which customer.")] input: AssignCustomerInput,
    ) -> Result<AssignCustomerPayload> {
        let result = async { Request::of(ctx).execute(&input.parse()?).await };
        AssignCustomerPayload::of(result.await)
    }
}
