//! Work that looks implausible. A flag is a question to manager and owner; it never removes or changes a figure.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate};
use chrono_tz::Tz;

use super::{Fact, FactKind};
use crate::activities::ActivityKind;
use crate::id::UserId;
use crate::wire::wire_enum;

/// An answered call up to this long, in seconds, is too short for a talk.
pub const SHORT_CALL_SECONDS_MAX: u32 = 5;
/// Fewest short calls in a day that raise a flag, if they are also half of the day's answered calls.
pub const SHORT_CALLS_MIN: u32 = 20;
/// Most plausible talk in a day, in seconds: 16 hours.
pub const TALK_SECONDS_PER_DAY_MAX: u64 = 57_600;
/// Entries up to this many days after they happened raise no flag.
pub const ENTRY_DELAY_DAYS_MAX: i64 = 7;

wire_enum! {
    /// Why a day's work looks implausible.
    Implausibility {
        /// Many answered calls that lasted only seconds.
        ShortCalls = "SHORT_CALLS",
        /// More talk than a day has room for.
        TooMuchTalk = "TOO_MUCH_TALK",
        /// Prospects entered and given up on the same day.
        ProspectsDropped = "PROSPECTS_DROPPED",
        /// Entries made long after they happened.
        EnteredLate = "ENTERED_LATE",
    }
}

/// A day's work that looks implausible, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The person.
    pub user_id: UserId,
    /// The local day of the work.
    pub date: NaiveDate,
    /// Why.
    pub reason: Implausibility,
    /// Number of calls, prospects or entries; hours for too much talk.
    pub count: u32,
}

impl Flag {
    /// The reason as a sentence, for the person and their manager.
    pub fn message(&self) -> String {
        let count = self.count;
        match self.reason {
            Implausibility::ShortCalls => {
                format!("{count} answered calls lasted at most {SHORT_CALL_SECONDS_MAX} seconds.")
            }
            Implausibility::TooMuchTalk => format!("The calls add up to {count} hours of talk."),
            Implausibility::ProspectsDropped => {
                format!("Prospects entered and given up on the same day: {count}.")
            }
            Implausibility::EnteredLate => {
                format!("Entries made more than {ENTRY_DELAY_DAYS_MAX} days after they happened: {count}.")
            }
        }
    }
}

/// What a day holds that could be flagged.
#[derive(Default)]
struct Doubts {
    answered: u32,
    short: u32,
    talk_seconds: u64,
    dropped: u32,
    delayed: u32,
}

impl Doubts {
    fn flags(&self) -> impl Iterator<Item = (Implausibility, u32)> {
        let short = self.short >= SHORT_CALLS_MIN && self.short >= self.answered.div_ceil(2);
        let talk = self.talk_seconds > TALK_SECONDS_PER_DAY_MAX;
        let hours = u32::try_from(self.talk_seconds / 3_600).unwrap_or(u32::MAX);
        [
            short.then_some((Implausibility::ShortCalls, self.short)),
            talk.then_some((Implausibility::TooMuchTalk, hours)),
            (self.dropped > 0).then_some((Implausibility::ProspectsDropped, self.dropped)),
            (self.delayed > 0).then_some((Implausibility::EnteredLate, self.delayed)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Flags what looks implausible in the facts, ordered by person, day and reason.
pub fn flags(facts: &[Fact], zone: Tz) -> Vec<Flag> {
    let day = |fact: &Fact| fact.occurred_at.date_in(zone);
    // The last time on each day that a customer was given up.
    let mut drops = BTreeMap::new();
    for fact in facts {
        if let FactKind::ProspectDropped(customer) = fact.kind {
            let last = drops.entry((customer, day(fact))).or_insert(fact.occurred_at);
            *last = fact.occurred_at.max(*last);
        }
    }
    let mut days: BTreeMap<(UserId, NaiveDate), Doubts> = BTreeMap::new();
    for fact in facts {
        let doubts = days.entry((fact.user_id, day(fact))).or_default();
        match fact.kind {
            FactKind::Activity {
                kind: ActivityKind::Call,
                seconds: Some(seconds),
                connected: Some(true),
            } => {
                doubts.answered += 1;
                doubts.short += u32::from(seconds <= SHORT_CALL_SECONDS_MAX);
                doubts.talk_seconds += u64::from(seconds);
            }
            FactKind::BecameProspect(customer) => {
                let dropped = drops.get(&(customer, day(fact)));
                doubts.dropped += u32::from(dropped.is_some_and(|&at| at >= fact.occurred_at));
            }
            _ => {}
        }
        let delay = fact.recorded_at.since(fact.occurred_at);
        doubts.delayed += u32::from(delay > Duration::days(ENTRY_DELAY_DAYS_MAX));
    }
    let flag = |((user_id, date), doubts): ((UserId, NaiveDate), Doubts)| {
        let flags: Vec<_> = doubts.flags().collect();
        flags.into_iter().map(move |(reason, count)| Flag { user_id, date, reason, count })
    };
    days.into_iter().flat_map(flag).collect()
}
