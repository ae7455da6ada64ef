//! Complaints in GraphQL; their clocks and policies stand in [`policies`].

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use evenhand_app::complaints::{
    ComplaintsByIds, CountComplaints, CountComplaintsOfCustomers, ListComplaints, NewestComplaintsOfCustomers,
};
use evenhand_app::feed::About;
use evenhand_domain::complaints::{
    self as domain, Channel, ComplaintSort, ComplaintState, ComplaintTerm, Confidentiality, Severity,
};
use evenhand_domain::error::Error;
use evenhand_domain::filter::{Direction, Filter, OneOf};
use evenhand_domain::id::{ComplaintId, CustomerId};
use evenhand_domain::page::Page;
use futures_util::FutureExt;

use crate::changes::{self, ChangeConnection};
use crate::context::{Request, total};
use crate::customers::{self, Customer};
use crate::deals::hidden;
use crate::ids;
use crate::loaders;
use crate::page::{PageArgs, Total, connection};
use crate::products::{self, Product};
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

mod escalations;
mod filter;
mod inputs;
mod live;
mod mutations;
pub(crate) mod open;
pub(crate) mod policies;
pub(crate) mod statistics;
pub(crate) mod surveys;

use escalations::Escalation;
pub(crate) use filter::ComplaintFilter;
use filter::ComplaintOrder;
pub(crate) use live::ComplaintSubscriptions;
pub(crate) use mutations::ComplaintMutations;
use policies::SlaClock;
use surveys::Survey;

/// What a customer holds against us.
#[derive(Clone)]
pub(crate) struct Complaint(Box<domain::Complaint>);

impl From<domain::Complaint> for Complaint {
    fn from(complaint: domain::Complaint) -> Self {
        Self(Box::new(complaint))
    }
}

connection!(ComplaintConnection, ComplaintEdge, Complaint, "complaints");

/// What a customer holds against us, from the first word to a settled case. It has an owner and a time at which
/// something is due as long as it is open. You see the complaints that people in your reach own, and those of
/// customers whom they look after; confidential ones are for their owner, the service department and administrators.
#[Object]
impl Complaint {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; send it back when you change the complaint.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Number that people call it by, unique in the organisation.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Whose complaint it is; null where you may not see the customer.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<Customer>> {
        customers::load(ctx, self.0.customer_id).await
    }

    /// Who complained, where that was written down.
    async fn reporter(&self) -> Option<ComplaintReporter> {
        self.0.reporter.as_ref().map(ComplaintReporter::from)
    }

    /// What it is about, in a line.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What happened.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// How it came.
    async fn channel(&self) -> Wire<Channel> {
        Wire(self.0.channel)
    }

    /// How far it is.
    async fn state(&self) -> Wire<ComplaintState> {
        Wire(self.0.state)
    }

    /// How bad it is for the customer; null before it is assessed, like the next two.
    async fn severity(&self) -> Option<Wire<Severity>> {
        self.0.severity.map(Wire)
    }

    /// How bad it is beyond this customer.
    async fn impact(&self) -> Option<Wire<Severity>> {
        self.0.impact.map(Wire)
    }

    /// How soon it gets worse.
    async fn urgency(&self) -> Option<Wire<Severity>> {
        self.0.urgency.map(Wire)
    }

    /// Whether somebody's safety is at stake.
    async fn is_safety_risk(&self) -> bool {
        self.0.is_safety_risk
    }

    /// Who may read it.
    async fn confidentiality(&self) -> Wire<Confidentiality> {
        Wire(self.0.confidentiality)
    }

    /// What the customer wants; null where they were asked and named nothing.
    async fn remedy_sought(&self) -> Option<&str> {
        self.0.remedy.sought()
    }

    /// Which product it is about.
    async fn product(&self, ctx: &Context<'_>) -> Result<Option<Product>> {
        match self.0.product_id {
            Some(id) => products::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Who answers for it; once it has ended, the last one.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User> {
        let owner = users::load(ctx, self.0.owner_id).await?;
        Ok(owner.ok_or_else(|| Error::Internal("a complaint without an owner".into()))?)
    }

    /// Who looked after the customer when it was recorded; null for nobody.
    async fn account_manager(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.account_manager_id {
            Some(id) => users::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Documents, which lie elsewhere.
    async fn attachments(&self) -> Vec<ComplaintAttachment> {
        self.0.attachments.iter().cloned().map(ComplaintAttachment::from).collect()
    }

    /// When we were first told, of this complaint or of a duplicate. Clocks count from here.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// When it happened.
    async fn occurred_at(&self) -> Option<DateTime> {
        self.0.occurred_at.map(DateTime)
    }

    /// When something is to be done next: the first deadline of a clock, or the end of a wait; once it has ended, the
    /// last one.
    async fn next_action_due(&self) -> DateTime {
        DateTime(self.0.next_action_due)
    }

    /// All clocks that ever ran, in the order in which they began.
    async fn clocks(&self) -> Vec<SlaClock> {
        self.0.clocks.iter().cloned().map(SlaClock).collect()
    }

    /// The rungs of the ladder that were raised, in that order: who was told that something was about to be late, was
    /// late, or was left alone, and who took charge.
    async fn escalations(&self) -> Vec<Escalation> {
        self.0.escalations.iter().cloned().map(Escalation).collect()
    }

    /// Who is awaited; null while nobody is, and while the customer is to answer a response.
    async fn waiting_for(&self) -> Option<&str> {
        self.0.waiting.as_ref().map(|waiting| waiting.whom.as_str())
    }

    /// Until when somebody is awaited, the customer's answer to a response included.
    async fn waiting_until(&self) -> Option<DateTime> {
        self.0.waits_until().map(DateTime)
    }

    /// The last response that was offered to the customer.
    async fn response(&self) -> Option<&str> {
        self.0.response.as_ref().map(|response| response.text.as_str())
    }

    /// The code of what caused it; null while it is open.
    async fn root_cause(&self) -> Option<&str> {
        self.0.root_cause.as_deref()
    }

    /// Where the customer can turn to, as they were told when it was closed without their consent.
    async fn recourse(&self) -> Option<&str> {
        self.0.recourse.as_deref()
    }

    /// Why it is not for us to settle, as the customer was told.
    async fn out_of_scope_reason(&self) -> Option<&str> {
        self.0.out_of_scope_reason.as_deref()
    }

    /// The complaint that it is a duplicate of; null for none, or where you may not see it.
    async fn merged_into(&self, ctx: &Context<'_>) -> Result<Option<Complaint>> {
        match self.0.merged_into_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Complaints of the same customer that may be the same, the likeliest first, at most 5: their subjects are alike, or
    /// less alike and of the same product or reporter. Open ones, and those that were recorded in the last 30 days. Empty
    /// once this one has ended.
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<Complaint>> {
        open::duplicates_of(ctx, &self.0).await
    }

    /// How often it was reopened.
    async fn reopen_count(&self) -> i32 {
        self.0.reopen_count
    }

    /// When it ended, for the last time; null while it is open.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }

    /// Surveys of how it was handled, the newest first: one for each time that it was closed.
    async fn surveys(&self, ctx: &Context<'_>) -> Result<Vec<Survey>> {
        surveys::of_complaint(ctx, self.0.id).await
    }

    /// All that was done, notes included, oldest first: what everybody shares who may read the complaint. A part of
    /// the feed: `endCursor` works in `changes` too.
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of changes, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after; the beginning if not given.")] after: Option<String>,
    ) -> Result<ChangeConnection> {
        changes::history(ctx, About::Complaint(self.0.id), first, after).await
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

/// Who complained, where the customer has no such contact.
#[derive(SimpleObject)]
pub(crate) struct ComplaintReporter {
    /// Their name.
    name: String,
    /// Where to reach them; at least one.
    addresses: Vec<ReporterAddress>,
}

/// Where to reach somebody.
#[derive(SimpleObject)]
pub(crate) struct ReporterAddress {
    /// By what.
    channel: Wire<Channel>,
    /// The address or number.
    address: String,
}

impl From<&domain::Reporter> for ComplaintReporter {
    fn from(reporter: &domain::Reporter) -> Self {
        let address = |address: &domain::ReporterAddress| ReporterAddress {
            channel: Wire(address.channel),
            address: address.address.clone(),
        };
        Self { name: reporter.name.clone(), addresses: reporter.addresses.iter().map(address).collect() }
    }
}

/// A document that lies elsewhere.
#[derive(SimpleObject)]
pub(crate) struct ComplaintAttachment {
    /// Name of the file.
    name: String,
    /// Where it lies.
    reference: String,
    /// Its type, such as `application/pdf`.
    media_type: String,
    /// Its size.
    bytes: i64,
}

impl From<domain::Attachment> for ComplaintAttachment {
    fn from(attachment: domain::Attachment) -> Self {
        let domain::Attachment { name, reference, media_type, bytes } = attachment;
        Self { name, reference, media_type, bytes }
    }
}

/// The complaint with this id; null where there is none or the caller may not see it.
pub(crate) async fn load(ctx: &Context<'_>, id: ComplaintId) -> Result<Option<Complaint>> {
    let request = Request::of(ctx).asker();
    let complaint = Request::of(ctx).loaders().complaints.load(id, |ids| async move {
        let complaints = request.query(&ComplaintsByIds(ids)).await?;
        Ok(complaints.into_iter().map(|complaint| (complaint.id, complaint)).collect())
    });
    Ok(hidden(complaint.await)?.map(Complaint::from))
}

/// The complaints of a customer, newest first. The first pages of many customers cost one statement together; empty
/// for callers who may not read complaints.
pub(crate) async fn of_customer(
    ctx: &Context<'_>,
    customer: CustomerId,
    args: PageArgs,
) -> Result<ComplaintConnection> {
    let (sort, direction) = (ComplaintSort::RecordedAt, Direction::Desc);
    let cursors = cursor_sort(sort, direction);
    let page = args.parse(&cursors)?;
    let request = Request::of(ctx);
    let complaints = if page.after.is_some() {
        let filter = Filter::Term(ComplaintTerm::Customer(OneOf::In(vec![customer])));
        request.query(&ListComplaints { page, filter, sort, direction }).await
    } else {
        newest(request, customer, page.size).await
    };
    Ok(ComplaintConnection::new(hidden(complaints)?, &cursors, customer_total(request, customer)))
}

async fn newest(
    request: &Request,
    customer: CustomerId,
    size: u32,
) -> std::result::Result<Page<domain::Complaint>, Error> {
    let batch = request.asker();
    let page = request.loaders().newest_complaints.load((customer, size), |keys| async move {
        loaders::by_size(keys, |customers, size| {
            let batch = batch.clone();
            async move { batch.query(&NewestComplaintsOfCustomers { customers, size }).await }
        })
        .await
    });
    Ok(page.await?.unwrap_or_default())
}

/// The `totalCount` of the complaints of a customer, counted for all customers of the answer together.
fn customer_total(request: &Request, customer: CustomerId) -> Total {
    let request = request.clone();
    Box::new(move || {
        let request = request.clone();
        async move {
            let batch = request.asker();
            let count = request.loaders().complaint_counts.load(customer, |customers| async move {
                batch.query(&CountComplaintsOfCustomers(customers)).await
            });
            Ok(hidden(count.await)?.unwrap_or(0))
        }
        .boxed()
    })
}

/// The order of a list, as its cursors know it.
fn cursor_sort(sort: ComplaintSort, direction: Direction) -> String {
    format!("complaints:{}:{}", sort.as_str(), direction.as_str())
}

/// Queries about complaints.
#[derive(Default)]
pub(crate) struct ComplaintQueries;

#[Object]
impl ComplaintQueries {
    /// Complaints, newest first if no order is given: those that people in your reach own, and those of customers whom
    /// they look after. `isOpen` with the order `NEXT_ACTION_DUE` is what is to be done.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field in the public schema")]
    async fn complaints(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of complaints from the start, 1 to 100; 20 if not given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Number of complaints from the end, 1 to 100; not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor to end before.")] before: Option<String>,
        #[graphql(desc = "Which complaints; all if not given.")] filter: Option<ComplaintFilter>,
        #[graphql(desc = "Their order; newest first if not given.")] order_by: Option<ComplaintOrder>,
    ) -> Result<ComplaintConnection> {
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let (sort, direction) = order_by
            .map_or((ComplaintSort::RecordedAt, Direction::Desc), |order| (order.field.0, order.direction.0));
        let cursors = cursor_sort(sort, direction);
        let page = PageArgs { first, after, last, before }.parse(&cursors)?;
        let request = Request::of(ctx);
        let list = ListComplaints { page, filter, sort, direction };
        let page = request.query(&list).await?;
        Ok(ComplaintConnection::new(page, &cursors, total(request, CountComplaints(list.filter))))
    }
}
