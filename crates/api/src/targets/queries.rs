//! Which targets there are.

use async_graphql::{Context, InputObject, Object, Result};
use evenhand_app::targets::{CountTargets, ListTargets};
use evenhand_domain::error::Error;
use evenhand_domain::filter::{Filter, Range};
use evenhand_domain::targets::{TargetLevel, TargetState, TargetTerm};
use evenhand_domain::time::PeriodKind;

use super::TargetConnection;
use crate::context::{Request, total};
use crate::filters::{IdFilter, OptionalIdFilter, combine, enum_filter, ranges};
use crate::page::PageArgs;
use crate::scalars::Date;

enum_filter!(TargetLevelFilter, TargetLevel, "the level of a target");
enum_filter!(TargetStateFilter, TargetState, "the state of a target");
enum_filter!(PeriodKindFilter, PeriodKind, "the length of a period");

/// Compares a calendar date. Give at least one.
#[derive(Clone, InputObject)]
pub(crate) struct DateFilter {
    /// Is this day.
    eq: Option<Date>,
    /// Is this day or a later one.
    gte: Option<Date>,
    /// Is this day or an earlier one.
    lte: Option<Date>,
}

impl DateFilter {
    fn parse(
        self,
        field: &str,
    ) -> std::result::Result<Vec<Range<chrono::NaiveDate>>, evenhand_domain::error::Problem> {
        ranges(self.eq.map(|day| day.0), self.gte.map(|day| day.0), self.lte.map(|day| day.0), field)
    }
}

/// Which targets. All given comparisons must hold.
#[derive(Default, InputObject)]
pub(crate) struct TargetFilter {
    /// By id.
    id: Option<IdFilter>,
    /// By the person whose target it is; missing for targets of teams.
    owner_user: Option<OptionalIdFilter>,
    /// By the team whose target it is; missing for targets of persons.
    owner_team: Option<OptionalIdFilter>,
    /// By level.
    level: Option<TargetLevelFilter>,
    /// By state.
    state: Option<TargetStateFilter>,
    /// By the length of its period.
    period_kind: Option<PeriodKindFilter>,
    /// By the first day of its period.
    period_start: Option<DateFilter>,
    /// By the target that it is a part of; missing for those that are a part of none.
    parent: Option<OptionalIdFilter>,
    /// All of these must hold as well.
    and: Option<Vec<TargetFilter>>,
    /// At least one of these must hold as well.
    or: Option<Vec<TargetFilter>>,
    /// This must not hold.
    not: Option<Box<TargetFilter>>,
}

impl TargetFilter {
    fn parse(mut self, depth: usize) -> std::result::Result<Filter<TargetTerm>, Error> {
        let mut terms = Vec::new();
        if let Some(id) = &self.id {
            terms.push(TargetTerm::Id(id.parse().map_err(|problem| problem.at("id"))?));
        }
        if let Some(level) = self.level.take() {
            terms.push(TargetTerm::Level(level.parse("level")?));
        }
        if let Some(state) = self.state.take() {
            terms.push(TargetTerm::State(state.parse("state")?));
        }
        if let Some(kind) = self.period_kind.take() {
            terms.push(TargetTerm::PeriodKind(kind.parse("periodKind")?));
        }
        if let Some(start) = self.period_start.take() {
            terms.extend(start.parse("periodStart")?.into_iter().map(TargetTerm::PeriodStart));
        }
        let mut optional = Vec::new();
        if let Some(user) = &self.owner_user {
            optional.push(user.parse(TargetTerm::OwnerUser).map_err(|problem| problem.at("ownerUser"))?);
        }
        if let Some(team) = &self.owner_team {
            optional.push(team.parse(TargetTerm::OwnerTeam).map_err(|problem| problem.at("ownerTeam"))?);
        }
        if let Some(parent) = &self.parent {
            optional.push(parent.parse(TargetTerm::Parent).map_err(|problem| problem.at("parent"))?);
        }
        optional.push(combine(terms, self.and, self.or, self.not.map(|not| *not), depth, Self::parse)?);
        Ok(Filter::All(optional))
    }
}

/// The order of the list, as its cursors know it.
const NEWEST_FIRST: &str = "targets:newest";

/// Queries about targets.
#[derive(Default)]
pub(crate) struct TargetQueries;

#[Object]
impl TargetQueries {
    /// Targets, newest first: your own, those of your team, those of the people and teams that you lead, and agreed
    /// ones to which your team owes something that you may sign for.
    async fn targets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of targets, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Which targets; all if not given.")] filter: Option<TargetFilter>,
    ) -> Result<TargetConnection> {
        let filter = filter.unwrap_or_default().parse(0)?;
        filter.check().map_err(|problem| Error::from(problem.at("filter")))?;
        let page = PageArgs::forward(first, after).parse(NEWEST_FIRST)?;
        let request = Request::of(ctx);
        let list = ListTargets { page, filter };
        let page = request.query(&list).await?;
        Ok(TargetConnection::new(page, NEWEST_FIRST, total(request, CountTargets(list.filter))))
    }
}
