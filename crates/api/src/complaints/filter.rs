//! Which complaints, and in which order.

use async_graphql::InputObject;
use evenhand_domain::complaints::{Channel, ComplaintSort, ComplaintState, ComplaintTerm, Severity};
use evenhand_domain::error::Error;
use evenhand_domain::filter::{Direction, Filter};

use crate::filters::{
    BooleanFilter, CodeFilter, DateTimeFilter, IdFilter, OptionalIdFilter, TextFilter, combine, enum_filter,
};
use crate::wire::Wire;

enum_filter!(ComplaintStateFilter, ComplaintState, "the state of a complaint");
enum_filter!(SeverityFilter, Severity, "a severity; what is not judged yet does not match");
enum_filter!(ChannelFilter, Channel, "the way by which a complaint came");

/// Which complaints. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct ComplaintFilter {
    /// By id.
    id: Option<IdFilter>,
    /// By number, ignoring case and spacing.
    number: Option<TextFilter>,
    /// By what it is about, ignoring case and spacing.
    subject: Option<TextFilter>,
    /// By state.
    state: Option<ComplaintStateFilter>,
    /// By whether somebody has to do something.
    is_open: Option<BooleanFilter>,
    /// By how bad it is.
    severity: Option<SeverityFilter>,
    /// By how it came.
    channel: Option<ChannelFilter>,
    /// By whose complaint it is.
    customer: Option<IdFilter>,
    /// By which product it is about.
    product: Option<OptionalIdFilter>,
    /// By who answers for it.
    owner: Option<IdFilter>,
    /// By the team that who answers for it is in today, without the teams below it.
    team: Option<OptionalIdFilter>,
    /// By what caused it.
    root_cause: Option<CodeFilter>,
    /// By when we were first told.
    recorded_at: Option<DateTimeFilter>,
    /// By when something is to be done next.
    next_action_due: Option<DateTimeFilter>,
    /// By its last change.
    updated_at: Option<DateTimeFilter>,
    /// All of these must hold as well.
    and: Option<Vec<ComplaintFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<ComplaintFilter>>,
    /// This must not hold.
    not: Option<Box<ComplaintFilter>>,
}

impl ComplaintFilter {
    pub(crate) fn parse(self, depth: usize) -> Result<Filter<ComplaintTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(id) = &self.id {
            terms.push(ComplaintTerm::Id(id.parse().map_err(|problem| problem.at("id"))?));
        }
        if let Some(customer) = &self.customer {
            terms.push(ComplaintTerm::Customer(customer.parse().map_err(|problem| problem.at("customer"))?));
        }
        if let Some(owner) = &self.owner {
            terms.push(ComplaintTerm::Owner(owner.parse().map_err(|problem| problem.at("owner"))?));
        }
        if let Some(state) = self.state {
            terms.push(ComplaintTerm::State(state.parse("state")?));
        }
        if let Some(severity) = self.severity {
            terms.push(ComplaintTerm::Severity(severity.parse("severity")?));
        }
        if let Some(channel) = self.channel {
            terms.push(ComplaintTerm::Channel(channel.parse("channel")?));
        }
        terms.extend(self.is_open.map(|open| ComplaintTerm::Open(open.eq)));
        for (text, field, term) in [
            (self.number, "number", ComplaintTerm::Number as fn(_) -> _),
            (self.subject, "subject", ComplaintTerm::Subject),
        ] {
            if let Some(text) = text {
                terms.extend(text.parse(field)?.into_iter().map(term));
            }
        }
        for (range, field, term) in [
            (self.recorded_at, "recordedAt", ComplaintTerm::RecordedAt as fn(_) -> _),
            (self.next_action_due, "nextActionDue", ComplaintTerm::NextActionDue),
            (self.updated_at, "updatedAt", ComplaintTerm::UpdatedAt),
        ] {
            if let Some(range) = range {
                terms.extend(range.parse(field)?.into_iter().map(term));
            }
        }
        let product = self.product.map(|product| product.parse(ComplaintTerm::Product)).transpose();
        let product = product.map_err(|problem| problem.at("product"))?;
        let team = self.team.map(|team| team.parse(ComplaintTerm::Team)).transpose();
        let team = team.map_err(|problem| problem.at("team"))?;
        let cause = self.root_cause.map(|cause| cause.parse(ComplaintTerm::RootCause)).transpose();
        let cause = cause.map_err(|problem| problem.at("rootCause"))?;
        let rest = combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)?;
        Ok(Filter::All(product.into_iter().chain(team).chain(cause).chain([rest]).collect()))
    }
}

/// Order of complaints; complaints with the same value are ordered by id.
#[derive(InputObject)]
pub(crate) struct ComplaintOrder {
    /// By what.
    pub(super) field: Wire<ComplaintSort>,
    /// Which end comes first.
    #[graphql(default_with = "Wire(Direction::Asc)")]
    pub(super) direction: Wire<Direction>,
}
