//! Leave: days on which a person is away. It belongs to the person, whose version it moves.

use chrono::{Days, NaiveDate};
use serde_json::json;

use super::User;
use crate::change::{Change, EventKind};
use crate::error::{Code, Problem, Result};
use crate::id::{LeaveId, UserId};
use crate::time::{DateRange, Timestamp};

/// Longest leave, in days: ten years.
pub const LEAVE_DAYS_MAX: i64 = 3_660;

/// Days on which a person is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Its id.
    pub id: LeaveId,
    /// Who is away.
    pub user_id: UserId,
    /// The days.
    pub days: DateRange,
}

/// Input of [`User::record_leave`].
#[derive(Clone, Copy, Debug)]
pub struct NewLeave {
    /// Its id.
    pub id: LeaveId,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

/// A person with the leave that belongs to the change: both are written, or neither.
#[derive(Clone, Debug)]
#[must_use]
pub struct LeaveChange {
    /// New state and event.
    pub change: Change<User>,
    /// The leave that was recorded or taken back.
    pub leave: Leave,
}

impl User {
    /// Records days on which the person is away; `present` is the leave that they have.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` when the last day lies before the first or too far after it; `LEAVE_OVERLAP`.
    pub fn record_leave(&self, input: &NewLeave, present: &[Leave], now: Timestamp) -> Result<LeaveChange> {
        let &NewLeave { id, from, to } = input;
        if !(0..LEAVE_DAYS_MAX).contains(&(to - from).num_days()) {
            let message = format!("The last day follows the first within {LEAVE_DAYS_MAX} days.");
            return Err(Problem::new(Code::OutOfRange, message).at("to").into());
        }
        let days = DateRange { from, to: to + Days::new(1) };
        if let Some(other) = present.iter().find(|leave| leave.days.from < days.to && from < leave.days.to) {
            let message =
                format!("The person is on leave from {} on already; cancel that first.", other.days.from);
            return Err(Problem::new(Code::LeaveOverlap, message).at("from").into());
        }
        let leave = Leave { id, user_id: self.id, days };
        Ok(self.with_leave(EventKind::LeaveRecorded, leave, now))
    }

    /// Takes back recorded leave of this person.
    pub fn cancel_leave(&self, leave: Leave, now: Timestamp) -> LeaveChange {
        self.with_leave(EventKind::LeaveCancelled, leave, now)
    }

    fn with_leave(&self, kind: EventKind, leave: Leave, now: Timestamp) -> LeaveChange {
        let detail = json!({ "id": leave.id, "from": leave.days.from, "to": leave.last_day() });
        let change = Change::updated(kind, self, Self { updated_at: now, ..self.clone() });
        LeaveChange { change: change.with_detail("leave", detail), leave }
    }
}

impl Leave {
    /// The last day.
    pub fn last_day(&self) -> NaiveDate {
        self.days.to - Days::new(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::error::Error;
    use crate::id::EntityId;
    use crate::time::parse_date;
    use crate::users::NewUser;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).expect("a date")
    }

    #[test]
    fn leave_has_an_order_a_bound_and_no_overlap() {
        let now = Timestamp::parse("2026-01-15T09:00:00Z").expect("an instant");
        let new = NewUser { name: "Rosa".into(), email: None, role: Role::Rep, hired_on: None };
        let user =
            User::create(&new, UserId::from_uuid(uuid::Uuid::nil()), now).expect("a user").into_state();
        let id = LeaveId::from_uuid(uuid::Uuid::nil());
        let leave = |from: &str, to: &str| NewLeave { id, from: date(from), to: date(to) };
        let summer = leave("2026-07-06", "2026-07-17");
        let summer = user.record_leave(&summer, &[], now).expect("leave").leave;
        assert_eq!((summer.days.to, summer.last_day()), (date("2026-07-18"), date("2026-07-17")));
        for (from, to, expected) in [
            ("2026-07-18", "2026-07-18", None),
            ("2026-07-01", "2026-07-05", None),
            ("2026-07-01", "2026-07-06", Some(Code::LeaveOverlap)),
            ("2026-07-17", "2026-07-20", Some(Code::LeaveOverlap)),
            ("2026-07-08", "2026-07-08", Some(Code::LeaveOverlap)),
            ("2026-07-02", "2026-07-01", Some(Code::OutOfRange)),
            ("2027-01-01", "2037-01-07", None),
            ("2027-01-01", "2037-01-08", Some(Code::OutOfRange)),
        ] {
            let code = match user.record_leave(&leave(from, to), &[summer], now) {
                Err(Error::Rejected(problems)) => problems.first().map(|problem| problem.code),
                recorded => recorded.map(|_| None).expect("recorded or rejected"),
            };
            assert_eq!(code, expected, "{from} {to}");
        }
    }
}
