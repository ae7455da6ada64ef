//! Figures on complaints by group, and how often causes came back.
//!
//! A complaint belongs to the period in which it was recorded, and to the group that it is in now. Groups do not
//! overlap, so their figures add up to those of all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use super::statistics::Tally;
use super::surveys::survey_score;
use super::{
    Channel, ComplaintFigures, ComplaintGroup, ComplaintState, ComplaintStatistic, Severity, SurveyScore,
    SurveyState, SurveyVerdict,
};
use crate::error::{Code, Problem, Result};
use crate::id::{CustomerId, ProductId, TeamId, UserId};
use crate::time::Timestamp;

/// Most groups in one answer.
pub const GROUPS_MAX: usize = 1_000;

/// What the complaints of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupKey {
    /// How bad they are; `None` while nobody has judged it.
    Severity(Option<Severity>),
    /// How they came.
    Channel(Channel),
    /// What they are about; `None` for no product.
    Product(Option<ProductId>),
    /// What caused them, letter by letter; `None` while it is not known.
    RootCause(Option<String>),
    /// Who answers for them.
    Owner(UserId),
    /// The team that who answers for them is in today; `None` for no team.
    Team(Option<TeamId>),
    /// How far they are.
    State(ComplaintState),
}

/// One complaint as it is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CountedComplaint {
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What it is about.
    pub product_id: Option<ProductId>,
    /// What caused it; known once it is closed.
    pub root_cause: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// How it came.
    pub channel: Channel,
    /// Who answers for it.
    pub owner_id: UserId,
    /// The team that they are in today; needed for groups by team only.
    pub team_id: Option<TeamId>,
    /// What is counted of it.
    pub figures: ComplaintFigures,
    /// Its surveys.
    pub surveys: Vec<(SurveyState, Option<SurveyVerdict>)>,
}

impl CountedComplaint {
    fn key(&self, group: ComplaintGroup) -> GroupKey {
        match group {
            ComplaintGroup::Severity => GroupKey::Severity(self.severity),
            ComplaintGroup::Channel => GroupKey::Channel(self.channel),
            ComplaintGroup::Product => GroupKey::Product(self.product_id),
            ComplaintGroup::RootCause => GroupKey::RootCause(self.root_cause.clone()),
            ComplaintGroup::Owner => GroupKey::Owner(self.owner_id),
            ComplaintGroup::Team => GroupKey::Team(self.team_id),
            ComplaintGroup::State => GroupKey::State(self.figures.state),
        }
    }
}

/// How often causes came back, in a period and in the one before it.
///
/// A complaint is a repeat when one that was recorded before it, in the same period, has the same cause and is of the
/// same customer or about the same product. Of n complaints of one customer with one cause, n - 1 are repeats. A
/// complaint whose cause is not known is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recurrence {
    /// Repeats among the complaints of the period.
    pub repeats: u32,
    /// How many complaints were recorded in the period before.
    pub previous_recorded: u32,
    /// Repeats among those.
    pub previous_repeats: u32,
}

/// The figures of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatistic {
    /// Which.
    pub key: GroupKey,
    /// Its figures.
    pub figures: ComplaintStatistic,
    /// What its customers say of how their complaints were handled.
    pub satisfaction: SurveyScore,
    /// How often causes came back.
    pub recurrence: Recurrence,
}

/// What recurs: a cause with a customer, and a cause with a product.
#[derive(Clone, Debug, Default)]
struct Seen {
    customers: HashSet<(String, CustomerId)>,
    products: HashSet<(String, ProductId)>,
}

impl Seen {
    /// Whether the complaint repeats one that was told before, and tells it.
    fn repeats(&mut self, complaint: &CountedComplaint) -> bool {
        let Some(cause) = &complaint.root_cause else { return false };
        let of_customer = !self.customers.insert((cause.clone(), complaint.customer_id));
        let of_product =
            complaint.product_id.is_some_and(|product| !self.products.insert((cause.clone(), product)));
        of_customer || of_product
    }
}

#[derive(Clone, Debug, Default)]
struct Counting {
    tally: Tally,
    surveys: Vec<(SurveyState, Option<SurveyVerdict>)>,
    recurrence: Recurrence,
}

/// Figures by group that are being counted.
#[derive(Clone, Debug)]
pub struct GroupStatistics {
    group: ComplaintGroup,
    from: Timestamp,
    now: Timestamp,
    groups: BTreeMap<GroupKey, Counting>,
    seen: Seen,
    seen_before: Seen,
}

impl GroupStatistics {
    /// Nothing yet; the period begins at `from`.
    pub fn new(group: ComplaintGroup, from: Timestamp, now: Timestamp) -> Self {
        let (seen, seen_before) = Default::default();
        Self { group, from, now, groups: BTreeMap::new(), seen, seen_before }
    }

    /// By what complaints are counted.
    pub fn group(&self) -> ComplaintGroup {
        self.group
    }

    /// Counts a complaint of the period or of the one before it, the earlier recorded first. Duplicates are left out.
    pub fn add(&mut self, complaint: CountedComplaint) {
        if complaint.figures.state == ComplaintState::Merged {
            return;
        }
        let Counting { tally, surveys, recurrence } =
            self.groups.entry(complaint.key(self.group)).or_default();
        if complaint.figures.recorded_at < self.from {
            recurrence.previous_recorded += 1;
            recurrence.previous_repeats += u32::from(self.seen_before.repeats(&complaint));
        } else {
            recurrence.repeats += u32::from(self.seen.repeats(&complaint));
            tally.add(&complaint.figures, self.now);
            surveys.extend(complaint.surveys);
        }
    }

    /// The groups, those with the most complaints first.
    ///
    /// # Errors
    /// `TOO_MANY` for more than [`GROUPS_MAX`] groups.
    pub fn finish(self) -> Result<Vec<GroupStatistic>> {
        if self.groups.len() > GROUPS_MAX {
            let message = format!("These are more than {GROUPS_MAX} groups; ask for a shorter period.");
            return Err(Problem::new(Code::TooMany, message).at("period").into());
        }
        let statistic = |(key, counting): (GroupKey, Counting)| GroupStatistic {
            key,
            figures: counting.tally.finish(),
            satisfaction: survey_score(counting.surveys),
            recurrence: counting.recurrence,
        };
        let mut groups: Vec<_> = self.groups.into_iter().map(statistic).collect();
        groups.sort_by_key(|group| Reverse(group.figures.recorded));
        Ok(groups)
    }
}
