//! Figures on complaints by group.

use chrono::Days;
use evenhand_domain::access::Permission;
use evenhand_domain::complaints::{ComplaintGroup, ComplaintTerm, GroupStatistic, GroupStatistics};
use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::filter::{Filter, Range};
use evenhand_domain::time::Period;
use evenhand_persistence::Reader;

use crate::door::Query;

/// Most complaints in one answer, those of the period before included: more take longer to count than a request may.
const COMPLAINTS_MAX: i64 = 100_000;

/// Figures on the complaints that were recorded in a period, by group, compared with the period before.
#[derive(Clone, Copy, Debug)]
pub struct ComplaintStatistics {
    /// When they were recorded.
    pub period: Period,
    /// By what they are counted.
    pub group: ComplaintGroup,
}

impl Query for ComplaintStatistics {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<GroupStatistic>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<GroupStatistic>> {
        let Self { period, group } = *self;
        let zone = reader.grant().zone();
        let before = Period::around(period.kind(), period.start() - Days::new(1));
        let ((start, from), (_, until)) = (before.bounds(zone), period.bounds(zone));
        let recorded = [Range::Gte(start), Range::Lte(period.last_instant(zone))];
        let recorded = recorded.map(|range| Filter::Term(ComplaintTerm::RecordedAt(range)));
        if reader.count_complaints(&Filter::All(recorded.into())).await? > COMPLAINTS_MAX {
            let message = format!(
                "In this period and the one before, more than {COMPLAINTS_MAX} complaints were recorded; ask for a \
                 shorter period."
            );
            return Err(Problem::new(Code::TooMany, message).at("period").into());
        }
        let mut statistics = GroupStatistics::new(group, from, reader.now());
        reader.tally_complaints(&mut statistics, (start, from), false).await?;
        reader.tally_complaints(&mut statistics, (from, until), true).await?;
        statistics.finish()
    }
}
