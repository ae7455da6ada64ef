//! Calendars: what is refused, whose workdays are whose, and the laws of clocks that run in open hours only.

use chrono::{Duration, NaiveDate};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::time::{DateRange, parse_date};

const NOW: &str = "2026-11-23T10:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn date(text: &str) -> NaiveDate {
    parse_date(text).expect("a date")
}

fn range(from: &str, to: &str) -> DateRange {
    DateRange { from: date(from), to: date(to) }
}

fn open(from_hour: i32, to_hour: i32) -> OpenInterval {
    OpenInterval { from_minute: from_hour * 60, to_minute: to_hour * 60 }
}

fn weekly(weekday: Weekday, from_minute: i32, to_minute: i32) -> WeeklyInterval {
    WeeklyInterval { weekday, from_minute, to_minute }
}

/// Monday to Friday 09:00 to 17:00, with these exceptions.
fn office(zone: Tz, exceptions: &[(&str, &[OpenInterval])]) -> WorkHours {
    let exception =
        |&(day, open): &(&str, &[OpenInterval])| CalendarException { date: date(day), open: open.to_vec() };
    let exceptions = exceptions.iter().map(exception).collect();
    WorkHours::new(&HoursInput { exceptions, ..WorkHours::standard(zone).input() }).expect("hours")
}

fn problems(result: Result<Change<WorkCalendar>>) -> Vec<(String, Code)> {
    match result {
        Ok(_) => Vec::new(),
        Err(Error::Rejected(problems)) => {
            problems.into_iter().map(|problem| (problem.field.join("."), problem.code)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn create(hours: HoursInput) -> Result<Change<WorkCalendar>> {
    let id = WorkCalendarId::from_uuid(Uuid::from_u128(1));
    WorkCalendar::create(&NewWorkCalendar { name: " Office ".into(), hours, is_default: false }, id, at(NOW))
}

#[test]
fn a_calendar_is_created_and_changed_with_an_exact_view() {
    let hours = HoursInput {
        time_zone: "Asia/Shanghai".into(),
        weekly: vec![weekly(Weekday::Monday, 810, 1080), weekly(Weekday::Monday, 540, 720)],
        exceptions: vec![
            CalendarException { date: date("2026-02-28"), open: vec![open(9, 12)] },
            CalendarException { date: date("2026-02-16"), open: vec![] },
        ],
    };
    let created = create(hours).expect("a calendar");
    let view = json!({
        "name": "Office", "timeZone": "Asia/Shanghai", "isDefault": false,
        "weekly": [
            { "weekday": "MONDAY", "fromMinute": 540, "toMinute": 720 },
            { "weekday": "MONDAY", "fromMinute": 810, "toMinute": 1080 },
        ],
        "exceptions": [
            { "date": "2026-02-16", "open": [] },
            { "date": "2026-02-28", "open": [{ "fromMinute": 540, "toMinute": 720 }] },
        ],
    });
    assert_eq!((created.event().kind, &created.event().after), (EventKind::WorkCalendarCreated, &view));
    let calendar = created.into_state();
    let update = WorkCalendarUpdate { exceptions: Some(vec![]), ..WorkCalendarUpdate::default() };
    let updated = calendar.update(&update, at(NOW)).expect("a change");
    assert_eq!((updated.event().kind, updated.state().version), (EventKind::WorkCalendarUpdated, 2));
    assert!(updated.state().hours.input().exceptions.is_empty());
    let never = WorkCalendarUpdate { weekly: Some(vec![]), ..update };
    assert_eq!(problems(calendar.update(&never, at(NOW))), [("weekly".into(), Code::NeverOpen)]);
}

#[test]
fn wrong_hours_are_refused_with_every_place() {
    use Weekday::{Friday, Monday};
    let fine =
        || HoursInput { time_zone: "UTC".into(), weekly: vec![weekly(Monday, 540, 720)], exceptions: vec![] };
    let week = |intervals: &[WeeklyInterval]| HoursInput { weekly: intervals.to_vec(), ..fine() };
    let exception =
        |day: &str, open: &[OpenInterval]| CalendarException { date: date(day), open: open.to_vec() };
    let exceptions = |list: &[CalendarException]| HoursInput { exceptions: list.to_vec(), ..fine() };
    let one = |field: &str, code| vec![(field.to_owned(), code)];
    let days = |count: i64| (0..count).map(|day| date("2026-01-01") + Duration::days(day));
    let closed = |date| CalendarException { date, open: vec![] };
    for (case, wanted) in [
        (fine(), vec![]),
        (week(&[weekly(Monday, 0, 1440)]), vec![]),
        (week(&[weekly(Monday, 540, 720), weekly(Monday, 720, 721)]), vec![]),
        (HoursInput { time_zone: "Mars/Olympus".into(), ..fine() }, one("timeZone", Code::InvalidFormat)),
        (week(&[weekly(Monday, 540, 540)]), one("weekly.0.toMinute", Code::OutOfRange)),
        (week(&[weekly(Monday, 720, 540)]), one("weekly.0.toMinute", Code::OutOfRange)),
        (week(&[weekly(Monday, -1, 540)]), one("weekly.0.fromMinute", Code::OutOfRange)),
        (week(&[weekly(Monday, 540, 1441)]), one("weekly.0.toMinute", Code::OutOfRange)),
        (week(&[weekly(Monday, i32::MIN, i32::MAX)]), one("weekly.0.fromMinute", Code::OutOfRange)),
        (
            week(&[weekly(Monday, 600, 720), weekly(Friday, 0, 1), weekly(Monday, 540, 601)]),
            one("weekly.0", Code::IntervalOverlap),
        ),
        (
            week(&(0..9).map(|hour| weekly(Friday, hour * 60, hour * 60 + 30)).collect::<Vec<_>>()),
            one("weekly.8", Code::TooMany),
        ),
        (week(&[weekly(Monday, 0, 1); 57]), one("weekly", Code::TooMany)),
        (week(&[]), one("weekly", Code::NeverOpen)),
        (
            exceptions(&[exception("2026-12-25", &[]), exception("2026-12-25", &[open(9, 10)])]),
            one("exceptions.1.date", Code::Duplicate),
        ),
        (
            exceptions(&[exception("2026-12-25", &[open(9, 12), open(11, 13)])]),
            one("exceptions.0.open.1", Code::IntervalOverlap),
        ),
        (
            exceptions(&[exception("2026-12-25", &[open(12, 9)])]),
            one("exceptions.0.open.0.toMinute", Code::OutOfRange),
        ),
        (exceptions(&days(1_001).map(closed).collect::<Vec<_>>()), one("exceptions", Code::TooMany)),
        // Every Monday of the next year is closed, by as many exceptions.
        (exceptions(&days(1_000).map(closed).collect::<Vec<_>>()), one("weekly", Code::NeverOpen)),
    ] {
        assert_eq!(problems(create(case.clone())), wanted, "{case:?}");
    }
    // One make-up day within the year is enough, one after it is not.
    for (day, wanted) in [("2027-11-23", vec![]), ("2027-11-24", one("weekly", Code::NeverOpen))] {
        let exceptions = vec![exception(day, &[open(9, 10)])];
        assert_eq!(problems(create(HoursInput { exceptions, ..week(&[]) })), wanted, "{day}");
    }
}

#[test]
fn workdays_mind_holidays_make_up_days_and_leave() {
    // The Spring Festival of 2026: closed from 16 to 23 February, Saturdays 14 and 28 worked.
    let festival: Vec<_> = (16..=23).map(|day| format!("2026-02-{day}")).collect();
    let mut exceptions: Vec<(&str, &[OpenInterval])> =
        festival.iter().map(|day| (day.as_str(), &[][..])).collect();
    let worked = [open(9, 17)];
    exceptions.extend([("2026-02-14", &worked[..]), ("2026-02-28", &worked[..])]);
    let hours = office(chrono_tz::Asia::Shanghai, &exceptions);
    let february = range("2026-02-01", "2026-03-01");
    for (leave, workdays) in [
        (vec![], 16),
        (vec![range("2026-02-02", "2026-02-04")], 14),
        (vec![range("2026-02-02", "2026-02-04"), range("2026-02-03", "2026-02-05")], 13),
        (vec![range("2026-02-14", "2026-02-24")], 15),
        (vec![february], 0),
        (vec![range("2026-02-04", "2026-02-02")], 16),
    ] {
        assert_eq!(hours.workdays(february, &leave), workdays, "{leave:?}");
    }
    assert!(hours.is_workday(date("2026-02-28"), &[]) && !hours.is_workday(date("2026-02-16"), &[]));
    assert_eq!(hours.open_intervals(date("2026-02-14")), worked);
    let last: Vec<_> = hours.workday_dates(range("2026-02-12", "2026-02-26"), &[]).collect();
    assert_eq!(last, ["2026-02-12", "2026-02-13", "2026-02-14", "2026-02-24", "2026-02-25"].map(date));
    for (day, count, wanted) in [
        ("2026-02-24", 0, Some("2026-02-24")),
        ("2026-02-24", 1, Some("2026-02-14")),
        ("2026-02-22", 0, Some("2026-02-14")),
        ("2026-02-22", 2, Some("2026-02-12")),
        ("2026-02-22", 4_000, None),
    ] {
        assert_eq!(hours.workday_before(date(day), count, &[]), wanted.map(date), "{count} before {day}");
    }
}

#[test]
fn clocks_run_in_open_hours_only() {
    let utc = office(chrono_tz::UTC, &[("2026-11-28", &[open(10, 14)]), ("2026-12-25", &[])]);
    let lunch = WorkHours::new(&HoursInput {
        weekly: Weekday::ALL[..5]
            .iter()
            .flat_map(|&day| [weekly(day, 540, 720), weekly(day, 810, 1020)])
            .collect(),
        ..WorkHours::standard(chrono_tz::UTC).input()
    })
    .expect("hours");
    let hour = Duration::hours;
    for (hours, start, open, due) in [
        // 2026-11-20 is a Friday whose Saturday is closed; the one of 2026-11-27 is a make-up day.
        (&utc, "2026-11-20T16:30:00Z", hour(1), "2026-11-23T09:30:00Z"),
        (&utc, "2026-11-27T16:30:00Z", hour(1), "2026-11-28T10:30:00Z"),
        (&utc, "2026-11-27T16:30:00Z", hour(5), "2026-11-30T09:30:00Z"),
        (&utc, "2026-11-20T16:30:00Z", Duration::minutes(30), "2026-11-20T17:00:00Z"),
        (&utc, "2026-11-21T12:00:00Z", Duration::zero(), "2026-11-21T12:00:00Z"),
        (&utc, "2026-11-21T12:00:00Z", Duration::microseconds(1), "2026-11-23T09:00:00.000001Z"),
        (&utc, "2026-12-24T16:00:00Z", hour(2), "2026-12-28T10:00:00Z"),
        (&lunch, "2026-11-23T11:30:00Z", hour(1), "2026-11-23T14:00:00Z"),
        (&lunch, "2026-11-23T12:15:00Z", hour(1), "2026-11-23T14:30:00Z"),
    ] {
        assert_eq!(hours.add(at(start), open), Some(at(due)), "{start} + {open}");
        assert_eq!(hours.elapsed(at(start), at(due)), open, "{start} to {due}");
    }
    // A pause over the weekend adds nothing.
    assert_eq!(utc.elapsed(at("2026-11-20T17:00:00Z"), at("2026-11-23T09:00:00Z")), hour(0));
    assert_eq!(utc.elapsed(at("2026-11-23T09:00:00Z"), at("2026-11-20T16:00:00Z")), hour(-1));
    assert_eq!(utc.add(at(NOW), hour(-1)), None);
    assert_eq!(utc.add(at(NOW), hour(8 * 5 * 53 * 10)), None);
}

#[test]
fn a_change_of_clocks_lengthens_or_shortens_what_is_open() {
    let nights = |zone: &str| {
        let weekly = Weekday::ALL.iter().map(|&day| weekly(day, 0, 360)).collect();
        WorkHours::new(&HoursInput { time_zone: zone.into(), weekly, exceptions: vec![] }).expect("hours")
    };
    for (zone, from, to, open_hours) in [
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 5),
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 7),
        ("America/Sao_Paulo", "2018-11-04T02:00:00Z", "2018-11-05T02:00:00Z", 5),
        ("Asia/Shanghai", "2026-03-28T16:00:00Z", "2026-03-29T16:00:00Z", 6),
        // The whole day was skipped.
        ("Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", 6),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", 6),
    ] {
        let elapsed = nights(zone).elapsed(at(from), at(to));
        assert_eq!(elapsed, Duration::hours(open_hours), "{zone} {from}");
    }
}

/// Zones with and without changes of clocks, in both hemispheres; St John's fell back across midnight.
const ZONES: [Tz; 6] = [
    chrono_tz::UTC,
    chrono_tz::Asia::Shanghai,
    chrono_tz::Europe::Berlin,
    chrono_tz::America::New_York,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::America::St_Johns,
];

prop_compose! {
    fn any_open()(
        mut bounds in prop::collection::btree_set(0..=MINUTES_PER_DAY, 0..6),
    ) -> Vec<OpenInterval> {
        if bounds.len() % 2 == 1 {
            bounds.pop_last();
        }
        let bounds: Vec<_> = bounds.into_iter().collect();
        let pair = |pair: &[i32]| OpenInterval { from_minute: pair[0], to_minute: pair[1] };
        bounds.chunks_exact(2).map(pair).collect()
    }
}

prop_compose! {
    /// Hours that open somewhere, over the changes of clocks of the years 2006 to 2010.
    pub(crate) fn any_hours()(
        zone in prop::sample::select(&ZONES[..]),
        days in prop::collection::vec(any_open(), Weekday::ALL.len()),
        exceptions in prop::collection::btree_map(0_i64..1_500, any_open(), 0..10),
    ) -> WorkHours {
        let weekly = Weekday::ALL.iter().zip(&days).flat_map(|(&day, intervals)| {
            intervals.iter().map(move |open| weekly(day, open.from_minute, open.to_minute))
        });
        let weekly = weekly.chain(days.concat().is_empty().then_some(weekly_default()));
        let first = date("2006-03-01");
        let exceptions = exceptions
            .into_iter()
            .map(|(day, open)| CalendarException { date: first + Duration::days(day), open });
        let input = HoursInput {
            time_zone: zone.name().into(),
            weekly: weekly.collect(),
            exceptions: exceptions.collect(),
        };
        WorkHours::new(&input).expect("hours")
    }
}

fn weekly_default() -> WeeklyInterval {
    weekly(Weekday::Wednesday, 540, 1020)
}

prop_compose! {
    pub(crate) fn any_instant()(minutes in 0_i64..1_500 * 1_440, micros in 0_i64..60_000_000) -> Timestamp {
        at("2006-03-01T00:00:00Z").plus(Duration::minutes(minutes) + Duration::microseconds(micros))
    }
}

proptest! {
    #[test]
    fn what_was_added_has_elapsed(hours in any_hours(), start in any_instant(), minutes in 0_i64..6_000) {
        let open = Duration::minutes(minutes);
        if let Some(due) = hours.add(start, open) {
            prop_assert!(due >= start);
            prop_assert_eq!(hours.elapsed(start, due), open);
            // It is the earliest such instant.
            let before = due.plus(-Duration::microseconds(1));
            prop_assert!(minutes == 0 || hours.elapsed(start, before) < open);
        }
    }

    #[test]
    fn elapsed_time_adds_up_and_never_runs_backwards(
        hours in any_hours(),
        [a, b, c] in [any_instant(), any_instant(), any_instant()],
    ) {
        prop_assert_eq!(hours.elapsed(a, c), hours.elapsed(a, b) + hours.elapsed(b, c));
        let (early, late) = (b.min(c), b.max(c));
        prop_assert!(hours.elapsed(a, early) <= hours.elapsed(a, late));
        prop_assert!(hours.elapsed(early, late) <= late.since(early));
    }

    #[test]
    fn more_time_or_a_later_start_is_never_due_earlier(
        hours in any_hours(),
        [a, b] in [any_instant(), any_instant()],
        [short, long] in [0_i64..3_000, 0_i64..3_000],
    ) {
        let (early, late) = (a.min(b), a.max(b));
        let (short, long) = (Duration::minutes(short.min(long)), Duration::minutes(short.max(long)));
        if let (Some(first), Some(last)) = (hours.add(early, short), hours.add(early, long)) {
            prop_assert!(first <= last);
        }
        if let (Some(first), Some(last)) = (hours.add(early, long), hours.add(late, long)) {
            prop_assert!(first <= last);
        }
    }

    #[test]
    fn the_next_open_instant_is_the_first(hours in any_hours(), at in any_instant()) {
        if let Some(open) = hours.next_open(at) {
            prop_assert!(open >= at);
            prop_assert_eq!(hours.elapsed(at, open), Duration::zero());
            let after = open.plus(Duration::microseconds(1));
            prop_assert_eq!(hours.elapsed(open, after), Duration::microseconds(1));
        }
    }

    #[test]
    fn adding_in_two_steps_is_adding_at_once(
        hours in any_hours(),
        start in any_instant(),
        [first, second] in [0_i64..3_000, 0_i64..3_000],
    ) {
        let (first, second) = (Duration::minutes(first), Duration::minutes(second));
        if let (Some(between), Some(due)) = (hours.add(start, first), hours.add(start, first + second)) {
            // Nothing added after a closing time stays there; the same open time has passed all the same.
            let stepwise = hours.add(between, second).expect("not later than at once");
            prop_assert_eq!(hours.elapsed(start, stepwise), hours.elapsed(start, due));
            prop_assert!(second == Duration::zero() || stepwise == due);
        }
    }

    #[test]
    fn around_the_clock_all_time_is_open(zone in prop::sample::select(&ZONES[..]), a in any_instant(), b in any_instant()) {
        let weekly = Weekday::ALL.iter().map(|&day| weekly(day, 0, MINUTES_PER_DAY)).collect();
        let input = HoursInput { time_zone: zone.name().into(), weekly, exceptions: vec![] };
        prop_assert_eq!(WorkHours::new(&input).expect("hours").elapsed(a, b), b.since(a));
    }

    #[test]
    fn hours_survive_writing_and_reading(hours in any_hours()) {
        let written = serde_json::to_string(&hours).expect("text");
        prop_assert_eq!(serde_json::from_str::<WorkHours>(&written).expect("hours"), hours);
    }

    #[test]
    fn workdays_of_parts_add_up(hours in any_hours(), [a, b, c] in [0_i64..800, 0_i64..800, 0_i64..800]) {
        let day = |offset: i64| date("2006-03-01") + Duration::days(offset);
        let mut bounds = [day(a), day(b), day(c)];
        bounds.sort();
        let count = |from, to| hours.workdays(DateRange { from, to }, &[]);
        prop_assert_eq!(count(bounds[0], bounds[2]), count(bounds[0], bounds[1]) + count(bounds[1], bounds[2]));
    }
}
