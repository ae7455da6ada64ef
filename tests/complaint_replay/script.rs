//! What is done with a complaint, and when: from the dates of a file, with hours and days between them that follow
//! from its number, since the file tells none.

use std::collections::HashMap;
use std::io::Read;

use chrono::{NaiveDate, TimeZone};

/// The zone in which the dates of the file, and the hours of service, are.
pub(super) const ZONE: chrono_tz::Tz = chrono_tz::America::New_York;
pub(super) const HOUR: i64 = 60;
pub(super) const DAY: i64 = 24 * HOUR;
/// How long a complaint is watched after the last thing that was done.
const WATCHED: i64 = 45 * DAY;

/// Open minutes of the day, Monday to Friday: an hour for lunch is closed.
pub(super) const OPEN: [(i32, i32); 2] = [(9 * 60, 12 * 60 + 30), (13 * 60 + 30, 17 * 60 + 30)];
/// Days that are closed, as (year, month, day).
pub(super) const CLOSED: [(i32, u32, u32); 8] = [
    (2016, 5, 30),
    (2016, 7, 4),
    (2016, 11, 24),
    (2016, 12, 26),
    (2017, 1, 2),
    (2017, 1, 16),
    (2017, 2, 20),
    (2017, 5, 29),
];
/// A Saturday on which people work in the morning.
pub(super) const MAKE_UP: ((i32, u32, u32), (i32, i32)) = ((2017, 4, 22), (10 * 60, 14 * 60));

/// A rung: percent, role, minutes to take charge.
pub(super) type Step = (i32, &'static str, i32);
/// Minutes to acknowledge, to respond, for news and to settle, and the ladder; before the assessment, and for what is
/// not severe, and for what is.
pub(super) const USUAL: ([i32; 4], &[Step]) = (
    [240, 480, 960, 4_800],
    &[(50, "OWNER", 120), (75, "OWNER_LEAD", 120), (100, "MANAGERS", 60), (150, "ADMINS", 60)],
);
pub(super) const SEVERE: ([i32; 4], &[Step]) =
    ([120, 240, 400, 2_400], &[(25, "SERVICE_AGENTS", 30), (50, "OWNER", 45), (100, "MANAGERS", 60)]);
/// Not severe, and with more time than before the assessment.
pub(super) const SLIGHT: ([i32; 4], &[Step]) = ([480, 960, 1_600, 9_600], USUAL.1);

/// How bad a complaint turns out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Judgement {
    Usual,
    Severe,
    Slight,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Acknowledge,
    Assess(Judgement),
    Begin,
    /// The customer is awaited until then.
    Await(i64),
    /// Somebody of ours is.
    AwaitInternally(i64),
    Resume,
    /// The customer hears how it goes.
    News,
    Offer,
    Dispute,
    Accept,
    Close,
}

/// Who answers the survey, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reply {
    Never,
    /// So many minutes after it was sent.
    Content(i64),
    /// Which takes the complaint up again; it is closed again after a while.
    Annoyed(i64),
}

/// The life of one complaint. Times are whole minutes since 1970.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) number: u64,
    pub(super) recorded: i64,
    pub(super) acts: Vec<(i64, Act)>,
    /// Somebody's safety is at stake, as the assessment shows.
    pub(super) is_dangerous: bool,
    pub(super) owner_away_from: Option<i64>,
    pub(super) reply: Reply,
    pub(super) end: i64,
}

impl Script {
    pub(super) fn is_disputed(&self) -> bool {
        self.acts.iter().any(|(_, act)| *act == Act::Dispute)
    }

    /// After how many minutes somebody takes charge of a rung, if anybody does.
    pub(super) fn takes_charge(&self, cause: &str, rung: i32, revision: i32) -> Option<i64> {
        let sum = self.number + cause.len() as u64 + u64::try_from(rung * 7 + revision * 3).expect("a rung");
        sum.is_multiple_of(3).then_some(11 + i64::try_from(sum % 50).expect("minutes"))
    }
}

/// One script for each row.
pub(super) fn scripts(file: impl Read) -> Vec<Script> {
    let mut file = csv::Reader::from_reader(file);
    let headers = file.headers().expect("a header").clone();
    let rows = file.records().map(|row| {
        let row = row.expect("a row");
        headers.iter().zip(&row).map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    });
    rows.map(|row| script(&row)).collect()
}

fn script(row: &HashMap<String, String>) -> Script {
    let number: u64 = row["complaint_id"].parse().expect("a number");
    // Minutes in 0..most that follow from the number, other ones for each salt.
    let some = |salt: u64, most: i64| -> i64 {
        let mixed =
            (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(salt | 1) >> 33;
        i64::try_from(mixed).expect("positive") % most
    };
    let moment = |column: &str, salt: u64| {
        let date: NaiveDate = row[column].parse().expect("a date");
        let local = date.and_hms_opt(7, 0, 0).expect("a time");
        ZONE.from_local_datetime(&local).unwrap().timestamp() / 60 + some(salt, 12 * HOUR)
    };
    let recorded = moment("date_received", 3);
    let mut now = moment("date_sent_to_company", 5).max(recorded + 15);
    let mut acts = vec![(now, Act::Acknowledge)];
    let mut then = |minutes: i64, act: Act| {
        now += minutes;
        acts.push((now, act));
        now
    };
    let judgement = [Judgement::Usual, Judgement::Severe, Judgement::Slight][(number % 3) as usize];
    then(some(7, 5 * HOUR), Act::Assess(judgement));
    let begun = then(some(11, DAY), Act::Begin);
    let is_timely = row["timely_response"] == "true";
    match row["company_response_to_consumer"].as_str() {
        "Untimely response" => {}
        "In progress" => {
            then(some(13, DAY), Act::News);
            then(2 * HOUR, Act::AwaitInternally(begun + 10 * DAY));
            then(6 * DAY, Act::Resume);
        }
        _ => {
            match number % 4 {
                // The customer answers before the time is up, or long after it.
                1 => {
                    then(90, Act::Await(begun + 90 + 4 * DAY));
                    then(2 * DAY + some(17, DAY), Act::Resume);
                }
                2 => {
                    then(75, Act::Await(begun + 75 + 2 * DAY));
                    then(4 * DAY + some(19, DAY), Act::Resume);
                }
                _ => {}
            }
            then(if is_timely { some(23, 2 * DAY) } else { 20 * DAY }, Act::Offer);
            if row["consumer_disputed"] == "Yes" {
                then(some(29, 3 * DAY), Act::Dispute);
                then(2 * DAY + some(31, 5 * DAY), Act::Offer);
            }
            if number.is_multiple_of(2) {
                then(some(37, 4 * DAY), Act::Accept);
            }
            then(some(41, 4 * DAY), Act::Close);
        }
    }
    let reply = match number % 5 {
        0 => Reply::Content(some(43, 3 * DAY)),
        1 => Reply::Content(3 * DAY + some(47, 4 * DAY)),
        2 => Reply::Annoyed(some(53, 10 * DAY)),
        _ => Reply::Never,
    };
    Script {
        number,
        recorded,
        is_dangerous: number.is_multiple_of(13),
        owner_away_from: number.is_multiple_of(7).then_some(begun + some(59, 2 * DAY)),
        reply,
        end: now + WATCHED,
        acts,
    }
}
