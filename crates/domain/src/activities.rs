//! Activities: calls, visits, meetings, messages and notes. They are logged once and never changed;
//! `started_at` is when it happened, `recorded_at` when we were told.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::filter::{OneOf, Range};
use crate::id::{ActivityId, CustomerId, DealId, EntityId, UserId};
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// How far a caller's clock may run ahead of ours, in minutes.
pub const CLOCK_SKEW_MINUTES_MAX: i64 = 5;
/// How long ago an activity may have started, in days: ten years.
pub const AGE_DAYS_MAX: i64 = 3_653;
/// Longest activity, in seconds: one day.
pub const SECONDS_MAX: u32 = 86_400;

wire_enum! {
    /// What was done.
    ActivityKind {
        /// A telephone call, answered or not.
        Call = "CALL",
        /// A visit to the customer.
        Visit = "VISIT",
        /// A meeting anywhere else, or by video.
        Meeting = "MEETING",
        /// An e-mail.
        Email = "EMAIL",
        /// A text message.
        Sms = "SMS",
        /// A fax.
        Fax = "FAX",
        /// Something worth writing down.
        Note = "NOTE",
    }
}

impl ActivityKind {
    /// True for what has a duration.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Call | Self::Visit | Self::Meeting)
    }
}

/// Something that a person did for a customer or a deal.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// Always 1: activities are not changed.
    pub version: Version,
    /// What was done.
    pub kind: ActivityKind,
    /// With which customer.
    pub customer_id: Option<CustomerId>,
    /// For which deal.
    pub deal_id: Option<DealId>,
    /// Who did it.
    pub user_id: UserId,
    /// When it began (business time).
    pub started_at: Timestamp,
    /// How long it took, in seconds, at most [`SECONDS_MAX`]; for calls, visits and meetings.
    pub seconds: Option<u32>,
    /// Whether somebody answered; set for calls only, and for every call.
    pub connected: Option<bool>,
    /// What came of it, in a word.
    pub outcome: Option<String>,
    /// What was said.
    pub note: Option<String>,
    /// When we were told (system time).
    pub recorded_at: Timestamp,
    /// Who told us; `None` for a job or an import.
    pub recorded_by: Option<UserId>,
}

/// Input of [`Activity::log`].
#[derive(Clone, Debug)]
pub struct NewActivity {
    /// What was done.
    pub kind: ActivityKind,
    /// With which customer.
    pub customer_id: Option<CustomerId>,
    /// For which deal.
    pub deal_id: Option<DealId>,
    /// Who did it.
    pub user_id: UserId,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in seconds.
    pub seconds: Option<u32>,
    /// Whether somebody answered the call.
    pub connected: Option<bool>,
    /// What came of it.
    pub outcome: Option<String>,
    /// What was said.
    pub note: Option<String>,
}

impl Activity {
    /// Logs an activity. `by` is who tells us, which need not be who did it.
    ///
    /// # Errors
    /// `REQUIRED` (no customer, deal or note; a call without `connected`; a note without text), `IN_FUTURE`,
    /// `OUT_OF_RANGE` (too old, too long), `NOT_APPLICABLE` (a field of another kind), or a wrong text.
    pub fn log(
        input: &NewActivity,
        id: ActivityId,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let started_at = problems.take("startedAt", started(input.started_at, now));
        let connected = problems.take("connected", connected(input));
        let seconds = problems.take("seconds", seconds(input));
        let outcome = problems.take("outcome", input.outcome.as_deref().map(text::label).transpose());
        let note = problems.take("note", note(input));
        if input.customer_id.is_none() && input.deal_id.is_none() && input.note.is_none() {
            problems.push(Problem::new(Code::Required, "Name a customer or a deal, or write a note."));
        }
        let activity = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                kind: input.kind,
                customer_id: input.customer_id,
                deal_id: input.deal_id,
                user_id: input.user_id,
                started_at: started_at?,
                seconds: seconds?,
                connected: connected?,
                outcome: outcome?,
                note: note?,
                recorded_at: now,
                recorded_by: by,
            })
        })?;
        Ok(Change::created(EventKind::ActivityLogged, activity))
    }
}

fn started(at: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if at > now.plus(Duration::minutes(CLOCK_SKEW_MINUTES_MAX)) {
        return Err(Problem::new(Code::InFuture, "The start lies in the future; log what has happened."));
    }
    if at < now.plus(-Duration::days(AGE_DAYS_MAX)) {
        return Err(Problem::new(Code::OutOfRange, "The start lies more than ten years back."));
    }
    Ok(at)
}

fn connected(input: &NewActivity) -> Result<Option<bool>, Problem> {
    match (input.kind, input.connected) {
        (ActivityKind::Call, None) => {
            Err(Problem::new(Code::Required, "Say whether somebody answered the call."))
        }
        (ActivityKind::Call, connected) => Ok(connected),
        (_, None) => Ok(None),
        (kind, Some(_)) => Err(not_applicable(kind, "Only a CALL can be connected or not")),
    }
}

fn seconds(input: &NewActivity) -> Result<Option<u32>, Problem> {
    let Some(seconds) = input.seconds else { return Ok(None) };
    if !input.kind.is_timed() {
        return Err(not_applicable(input.kind, "Only a CALL, VISIT or MEETING has a duration"));
    }
    if input.connected == Some(false) && seconds > 0 {
        let message = "A call that nobody answered has no duration; leave out the seconds or set connected.";
        return Err(Problem::new(Code::OutOfRange, message));
    }
    if seconds > SECONDS_MAX {
        return Err(Problem::new(
            Code::OutOfRange,
            format!("At most {SECONDS_MAX} seconds (one day) are allowed."),
        ));
    }
    Ok(Some(seconds))
}

fn note(input: &NewActivity) -> Result<Option<String>, Problem> {
    let note = input.note.as_deref().map(text::note).transpose()?;
    if note.is_none() && input.kind == ActivityKind::Note {
        return Err(Problem::new(Code::Required, "Write the note."));
    }
    Ok(note)
}

fn not_applicable(kind: ActivityKind, rule: &str) -> Problem {
    Problem::new(Code::NotApplicable, format!("{rule}; leave this out for {}.", kind.as_str()))
}

impl Aggregate for Activity {
    const SUBJECT: SubjectType = SubjectType::Activity;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        json!({
            "kind": self.kind.as_str(), "customerId": self.customer_id, "dealId": self.deal_id,
            "userId": self.user_id, "startedAt": self.started_at, "seconds": self.seconds,
            "connected": self.connected, "outcome": self.outcome, "note": self.note,
            "recordedAt": self.recorded_at, "recordedById": self.recorded_by,
        })
    }
}

/// One comparison in a filter of activities.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum ActivityTerm {
    /// What was done.
    Kind(OneOf<ActivityKind>),
    /// Who did it.
    User(OneOf<UserId>),
    /// With which customer.
    Customer(OneOf<CustomerId>),
    /// For which deal.
    Deal(OneOf<DealId>),
    /// When it began.
    StartedAt(Range<Timestamp>),
    /// Whether the call was answered; missing for everything else.
    Connected(OneOf<bool>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    /// The least valid activity of a kind.
    fn input(kind: ActivityKind) -> NewActivity {
        NewActivity {
            kind,
            customer_id: Some(CustomerId::from_uuid(Uuid::from_u128(1))),
            deal_id: None,
            user_id: UserId::from_uuid(Uuid::from_u128(2)),
            started_at: at(NOW),
            seconds: None,
            connected: (kind == ActivityKind::Call).then_some(true),
            outcome: None,
            note: (kind == ActivityKind::Note).then(|| "Prefers mornings.".into()),
        }
    }

    fn log(input: &NewActivity) -> Result<Activity> {
        let by = Some(UserId::from_uuid(Uuid::from_u128(3)));
        Activity::log(input, ActivityId::from_uuid(Uuid::from_u128(4)), by, at(NOW)).map(Change::into_state)
    }

    fn problems(input: &NewActivity) -> Vec<(String, Code)> {
        match log(input) {
            Ok(_) => Vec::new(),
            Err(Error::Rejected(problems)) => {
                problems.into_iter().map(|problem| (problem.field.join("."), problem.code)).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_kind_is_logged_with_both_clocks_and_an_exact_view() {
        for &kind in ActivityKind::ALL {
            assert_eq!(ActivityKind::parse(kind.as_str()), Some(kind));
            assert_eq!(problems(&input(kind)), [], "{kind:?}");
        }
        let call = NewActivity {
            started_at: at("2026-11-20T08:00:00Z"),
            seconds: Some(90),
            outcome: Some(" call back ".into()),
            ..input(ActivityKind::Call)
        };
        assert_eq!(
            log(&call).expect("an activity").view(),
            json!({
                "kind": "CALL", "customerId": Uuid::from_u128(1), "dealId": null, "userId": Uuid::from_u128(2),
                "startedAt": "2026-11-20T08:00:00Z", "seconds": 90, "connected": true, "outcome": "call back",
                "note": null, "recordedAt": NOW, "recordedById": Uuid::from_u128(3),
            })
        );
    }

    #[test]
    fn fields_of_another_kind_and_impossible_values_are_refused() {
        use ActivityKind::*;
        let one = |field: &str, code| vec![(field.to_owned(), code)];
        for (case, wanted) in [
            (NewActivity { connected: None, ..input(Call) }, one("connected", Code::Required)),
            (NewActivity { connected: Some(false), seconds: Some(0), ..input(Call) }, vec![]),
            (
                NewActivity { connected: Some(false), seconds: Some(1), ..input(Call) },
                one("seconds", Code::OutOfRange),
            ),
            (NewActivity { connected: Some(true), ..input(Visit) }, one("connected", Code::NotApplicable)),
            (NewActivity { seconds: Some(1), ..input(Email) }, one("seconds", Code::NotApplicable)),
            (NewActivity { seconds: Some(SECONDS_MAX), ..input(Meeting) }, vec![]),
            (
                NewActivity { seconds: Some(SECONDS_MAX + 1), ..input(Meeting) },
                one("seconds", Code::OutOfRange),
            ),
            (NewActivity { note: None, ..input(Note) }, one("note", Code::Required)),
            (NewActivity { note: Some(" ".into()), ..input(Sms) }, one("note", Code::Required)),
            (NewActivity { customer_id: None, ..input(Fax) }, one("", Code::Required)),
            (NewActivity { customer_id: None, ..input(Note) }, vec![]),
            (
                NewActivity { outcome: Some("a\nb".into()), ..input(Visit) },
                one("outcome", Code::InvalidCharacter),
            ),
        ] {
            assert_eq!(problems(&case), wanted, "{case:?}");
        }
    }

    #[test]
    fn the_start_lies_within_ten_years_and_the_skew_of_clocks() {
        for (start, wanted) in [
            ("2026-11-23T10:05:00Z", None),
            ("2026-11-23T10:05:00.000001Z", Some(Code::InFuture)),
            ("2016-11-24T00:00:00Z", None),
            ("2016-11-22T00:00:00Z", Some(Code::OutOfRange)),
        ] {
            let case = NewActivity { started_at: at(start), ..input(ActivityKind::Visit) };
            let wanted: Vec<_> = wanted.into_iter().map(|code| ("startedAt".to_owned(), code)).collect();
            assert_eq!(problems(&case), wanted, "{start}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_keeps_the_rules(
            kind in prop::sample::select(ActivityKind::ALL),
            seconds in prop::option::of(0..SECONDS_MAX * 2),
            connected in prop::option::of(any::<bool>()),
            note in prop::option::of("[ a-c\0]{0,3}"),
            with_customer in any::<bool>(),
        ) {
            let base = input(kind);
            let customer_id = base.customer_id.filter(|_| with_customer);
            let case = NewActivity { seconds, connected, note, customer_id, ..base };
            if let Ok(activity) = log(&case) {
                prop_assert_eq!(activity.connected.is_some(), kind == ActivityKind::Call);
                prop_assert!(activity.seconds.is_none_or(|seconds| kind.is_timed() && seconds <= SECONDS_MAX));
                prop_assert!(activity.connected != Some(false) || activity.seconds.unwrap_or(0) == 0);
                prop_assert!(activity.customer_id.is_some() || activity.note.is_some());
                prop_assert!(activity.note.is_none_or(|note| !note.is_empty() && !note.contains('\0')));
            }
        }
    }
}
