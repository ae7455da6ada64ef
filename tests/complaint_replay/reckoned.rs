//! The same life, reckoned minute by minute: each clock writes down the instant of every open minute that has passed.

use chrono::{Datelike, NaiveDate, TimeZone};

use super::script::{
    Act, CLOSED, DAY, Judgement, MAKE_UP, OPEN, Reply, SEVERE, SLIGHT, Script, Step, USUAL, ZONE,
};
use super::{Trace, TracedClock, TracedRung};

const KINDS: [&str; 4] = ["ACK", "FIRST_RESPONSE", "UPDATE", "RESOLUTION"];
/// Where everything begins that is not a share of a clock's time.
const SECOND_RUNG: i32 = 2;
const ANSWER_WITHIN: i64 = 14 * DAY;
const SURVEY_AFTER: i64 = DAY;
const REMINDED_AFTER: [i64; 2] = [3 * DAY, 7 * DAY];
const OVER_AFTER: i64 = 14 * DAY;

/// Which minutes are open.
pub(super) struct Calendar {
    first: i64,
    open: Vec<bool>,
}

impl Calendar {
    pub(super) fn new() -> Self {
        let date = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).expect("a date");
        let midnight = |day: NaiveDate| {
            let local = day.and_hms_opt(0, 0, 0).expect("a midnight");
            ZONE.from_local_datetime(&local).unwrap().timestamp() / 60
        };
        let (from, to) = (date((2012, 1, 1)), date((2019, 1, 1)));
        let mut calendar = Self { first: midnight(from), open: vec![false; 8 * 366 * 1_440] };
        for day in from.iter_days().take_while(|day| *day < to) {
            let open = if day == date(MAKE_UP.0) {
                vec![MAKE_UP.1]
            } else if CLOSED.iter().any(|closed| date(*closed) == day)
                || day.weekday().number_from_monday() > 5
            {
                Vec::new()
            } else {
                OPEN.to_vec()
            };
            for (from, to) in open {
                // Clocks change at night, on days on which nobody is there.
                for minute in from..to {
                    let place = midnight(day) - calendar.first + i64::from(minute);
                    calendar.open[usize::try_from(place).expect("a place")] = true;
                }
            }
        }
        calendar
    }

    fn is_open(&self, minute: i64) -> bool {
        self.open[usize::try_from(minute - self.first).expect("a minute of the calendar")]
    }

    fn next_open(&self, from: i64) -> i64 {
        (from..).find(|minute| self.is_open(*minute)).expect("an open minute")
    }

    /// When so many open minutes have passed that do not lie in the pause.
    fn after(&self, from: i64, minutes: usize, pause: Option<(i64, i64)>) -> i64 {
        let counts = |minute: &i64| {
            self.is_open(*minute) && !pause.is_some_and(|(from, to)| from <= *minute && *minute < to)
        };
        (from..).filter(counts).nth(minutes - 1).expect("a minute") + 1
    }
}

struct Clock {
    kind: usize,
    round: i32,
    target: usize,
    /// When how many open minutes had passed, from none.
    passed: Vec<i64>,
    pause: Option<(i64, i64)>,
    due: i64,
    revisions: usize,
    stopped: Option<i64>,
    missed: Option<i64>,
}

impl Clock {
    fn is_running(&self) -> bool {
        self.stopped.is_none()
    }

    fn note_miss(&mut self, now: i64) {
        if self.is_running() && self.missed.is_none() && self.due <= now {
            self.missed = Some(self.due);
        }
    }

    /// The deadline, as it looks now.
    fn find_due(&mut self, calendar: &Calendar, now: i64) {
        let due = self.passed.get(self.target).copied();
        let due = due.unwrap_or_else(|| calendar.after(now, self.target + 1 - self.passed.len(), self.pause));
        if due != self.due {
            self.due = due;
            self.revisions += 1;
        }
    }
}

struct Survey {
    sent: Option<i64>,
    ended: i64,
    reminders: usize,
    over: bool,
}

struct Reckoning<'a> {
    script: &'a Script,
    calendar: &'a Calendar,
    minutes: [i32; 4],
    ladder: &'a [Step],
    is_open: bool,
    is_dangerous: bool,
    clocks: Vec<Clock>,
    rungs: Vec<TracedRung>,
    charges: Vec<(i64, usize)>,
    level: i32,
    acts: Vec<(i64, Act)>,
    surveys: Vec<Survey>,
    told: Vec<(i64, &'static str)>,
}

pub(super) fn reckon(script: &Script, calendar: &Calendar) -> Trace {
    let mut reckoning = Reckoning {
        script,
        calendar,
        minutes: USUAL.0,
        ladder: USUAL.1,
        is_open: true,
        is_dangerous: false,
        clocks: Vec::new(),
        rungs: Vec::new(),
        charges: Vec::new(),
        level: 0,
        acts: script.acts.clone(),
        surveys: Vec::new(),
        told: Vec::new(),
    };
    (0..KINDS.len()).for_each(|kind| reckoning.start(kind, script.recorded));
    for now in script.recorded..script.end {
        while reckoning.happens(now) {}
        for clock in reckoning.clocks.iter_mut().filter(|clock| clock.is_running()) {
            let stands = clock.pause.is_some_and(|(from, to)| from <= now && now < to);
            if calendar.is_open(now) && !stands {
                clock.passed.push(now + 1);
            }
        }
    }
    reckoning.clocks.iter_mut().for_each(|clock| clock.note_miss(script.end));
    reckoning.trace()
}

impl Reckoning<'_> {
    /// Does the first thing that is to be done in this minute; false when there is none.
    fn happens(&mut self, now: i64) -> bool {
        self.clocks.iter_mut().for_each(|clock| clock.note_miss(now));
        if let Some(rung) = self.due_rung(now) {
            self.raise(rung, now);
        } else if let Some(place) = self.charges.iter().position(|(at, _)| *at <= now) {
            let (_, rung) = self.charges.remove(place);
            if self.is_open {
                self.rungs[rung].accepted = Some(now);
            }
        } else if self.acts.first().is_some_and(|(at, _)| *at <= now) {
            let (_, act) = self.acts.remove(0);
            self.act(act, now);
        } else {
            return self.ask(now);
        }
        true
    }

    fn last_rung(&self) -> i32 {
        i32::try_from(self.ladder.len()).expect("a short ladder")
    }

    /// The rung that has waited longest.
    fn due_rung(&self, now: i64) -> Option<TracedRung> {
        if !self.is_open {
            return None;
        }
        let blank = |cause, occurrence, rung, revision: usize, arises, event| TracedRung {
            raised: now,
            cause,
            occurrence,
            rung,
            revision: i32::try_from(revision).expect("few revisions"),
            role: "",
            event,
            arises,
            notify: 0,
            accept_by: 0,
            accepted: None,
        };
        let mut found = Vec::new();
        for clock in self.clocks.iter().filter(|clock| clock.is_running()) {
            for (&(percent, ..), rung) in self.ladder.iter().zip(1..) {
                let share = clock.target * usize::try_from(percent).expect("a share") / 100;
                let Some(&arises) = clock.passed.get(share) else { continue };
                let event = if percent < 100 { "complaint.clock_warned" } else { "complaint.clock_breached" };
                if clock.kind != 2 || percent != 100 {
                    found.push(blank(KINDS[clock.kind], clock.round, rung, clock.revisions, arises, event));
                }
            }
            if clock.kind == 2 && clock.passed.len() > clock.target {
                let rung = SECOND_RUNG.min(self.last_rung());
                let (arises, event) = (clock.passed[clock.target], "complaint.clock_breached");
                found.push(blank("UPDATE_MISSED", clock.round, rung, clock.revisions, arises, event));
            }
        }
        let escalated = "complaint.escalated";
        if let Some(since) = self.script.owner_away_from {
            found.push(blank("OWNER_AWAY", 1, SECOND_RUNG.min(self.last_rung()), 0, since, escalated));
        }
        for rung in self.rungs.iter().filter(|rung| rung.accepted.is_none() && rung.rung < self.last_rung()) {
            let outdone = self.rungs.iter().any(|other| {
                (other.cause, other.occurrence) == (rung.cause, rung.occurrence)
                    && (other.rung, other.revision) > (rung.rung, rung.revision)
            });
            if !outdone && self.still_holds(rung) {
                let revision = usize::try_from(rung.revision).expect("a revision");
                let next = rung.rung + 1;
                found.push(blank(rung.cause, rung.occurrence, next, revision, rung.accept_by, escalated));
            }
        }
        found.retain(|rung| rung.arises <= now && !self.is_raised(rung));
        found.into_iter().min_by_key(|rung| rung.arises)
    }

    fn still_holds(&self, rung: &TracedRung) -> bool {
        let kind = if rung.cause == "UPDATE_MISSED" { "UPDATE" } else { rung.cause };
        match KINDS.iter().position(|name| *name == kind) {
            Some(kind) => self
                .clocks
                .iter()
                .any(|clock| clock.kind == kind && clock.round == rung.occurrence && clock.is_running()),
            None => true,
        }
    }

    /// Once for a deadline; for the next one only where it lies later.
    fn is_raised(&self, rung: &TracedRung) -> bool {
        self.rungs.iter().any(|other| {
            (other.cause, other.occurrence, other.rung) == (rung.cause, rung.occurrence, rung.rung)
                && (other.revision == rung.revision || other.arises >= rung.arises)
        })
    }

    fn raise(&mut self, mut rung: TracedRung, now: i64) {
        let place = usize::try_from(rung.rung - 1).expect("a rung").min(self.ladder.len() - 1);
        let (_, role, wait) = self.ladder[place];
        rung.role = role;
        if self.is_dangerous {
            (rung.notify, rung.accept_by) = (now, now + i64::from(wait));
        } else {
            rung.notify = self.calendar.next_open(now);
            rung.accept_by = self.calendar.after(rung.notify, usize::try_from(wait).expect("a wait"), None);
        }
        if let Some(wait) = self.script.takes_charge(rung.cause, rung.rung, rung.revision) {
            self.charges.push((now + wait, self.rungs.len()));
            self.charges.sort();
        }
        self.level = self.level.max(rung.rung);
        self.rungs.push(rung);
    }

    /// A rung that a step raises by itself.
    fn raise_for(&mut self, cause: &'static str, rung: i32, event: &'static str, now: i64) {
        let before = self.rungs.iter().filter(|other| other.cause == cause).map(|other| other.occurrence);
        let rung = TracedRung {
            raised: now,
            cause,
            occurrence: before.max().unwrap_or(0) + 1,
            rung: rung.min(self.last_rung()),
            revision: 0,
            role: "",
            event,
            arises: now,
            notify: 0,
            accept_by: 0,
            accepted: None,
        };
        self.raise(rung, now);
    }

    fn start(&mut self, kind: usize, now: i64) {
        let round = self.clocks.iter().filter(|clock| clock.kind == kind).count() + 1;
        let target = usize::try_from(self.minutes[kind]).expect("minutes");
        self.clocks.push(Clock {
            kind,
            round: i32::try_from(round).expect("few rounds"),
            target,
            passed: vec![now],
            pause: None,
            due: self.calendar.after(now, target, None),
            revisions: 0,
            stopped: None,
            missed: None,
        });
    }

    fn running(&mut self) -> impl Iterator<Item = &mut Clock> {
        self.clocks.iter_mut().filter(|clock| clock.is_running())
    }

    fn stop(&mut self, kind: Option<usize>, now: i64) {
        for clock in self.running().filter(|clock| kind.is_none_or(|kind| clock.kind == kind)) {
            clock.note_miss(now);
            clock.stopped = Some(now);
        }
    }

    fn news(&mut self, now: i64) {
        self.stop(Some(2), now);
        self.start(2, now);
    }

    fn pause(&mut self, until: i64, now: i64) {
        let calendar = self.calendar;
        for clock in self.running() {
            clock.pause = Some((now, until));
            clock.find_due(calendar, now);
        }
    }

    fn unpause(&mut self, now: i64) {
        let calendar = self.calendar;
        for clock in self.running() {
            clock.pause = clock.pause.map(|(from, to)| (from, to.min(now)));
            clock.find_due(calendar, now);
        }
    }

    fn judge(&mut self, judgement: Judgement, now: i64) {
        (self.minutes, self.ladder) = match judgement {
            Judgement::Usual => USUAL,
            Judgement::Severe => SEVERE,
            Judgement::Slight => SLIGHT,
        };
        self.is_dangerous = self.script.is_dangerous;
        let (calendar, minutes) = (self.calendar, self.minutes);
        for clock in self.running() {
            clock.target = usize::try_from(minutes[clock.kind]).expect("minutes");
            clock.find_due(calendar, now);
        }
    }

    fn act(&mut self, act: Act, now: i64) {
        match act {
            Act::Acknowledge => {
                self.stop(Some(0), now);
                self.news(now);
            }
            Act::Assess(judgement) => self.judge(judgement, now),
            Act::Begin | Act::AwaitInternally(_) => {}
            Act::Await(until) => {
                self.stop(Some(1), now);
                self.news(now);
                self.pause(until, now);
            }
            Act::News => {
                self.stop(Some(1), now);
                self.news(now);
            }
            Act::Offer => {
                self.stop(Some(1), now);
                self.news(now);
                self.pause(now + ANSWER_WITHIN, now);
            }
            Act::Resume | Act::Accept => self.unpause(now),
            Act::Dispute => {
                self.unpause(now);
                let rung = self.level + 1;
                self.raise_for("DISPUTED", rung, "complaint.response_disputed", now);
                self.level = rung;
            }
            Act::Close => {
                self.stop(None, now);
                self.is_open = false;
                self.surveys.push(Survey { sent: None, ended: now, reminders: 0, over: false });
            }
        }
    }

    /// What happens to the survey in this minute.
    fn ask(&mut self, now: i64) -> bool {
        let Some(survey) = self.surveys.last_mut().filter(|survey| !survey.over) else { return false };
        let Some(sent) = survey.sent else {
            let is_due = now >= survey.ended + SURVEY_AFTER;
            if is_due {
                survey.sent = Some(now);
                self.told.push((now, "SENT"));
            }
            return is_due;
        };
        if REMINDED_AFTER.get(survey.reminders).is_some_and(|after| now >= sent + after) {
            survey.reminders += 1;
            self.told.push((now, "REMINDED"));
            return true;
        }
        if now >= sent + OVER_AFTER {
            survey.over = true;
            self.told.push((now, "NO_RESPONSE"));
            return true;
        }
        let (wait, is_annoyed) = match self.script.reply {
            Reply::Content(wait) => (wait, false),
            Reply::Annoyed(wait) => (wait, true),
            Reply::Never => return false,
        };
        if self.told.iter().any(|(_, what)| *what == "ANSWERED") || now < sent + wait {
            return false;
        }
        survey.over = true;
        self.told.push((now, "ANSWERED"));
        if is_annoyed {
            self.is_open = true;
            self.start(2, now);
            self.start(3, now);
            self.raise_for("REOPENED", SECOND_RUNG, "complaint.reopened", now);
            self.acts =
                vec![(now + DAY, Act::Offer), (now + 3 * DAY, Act::Accept), (now + 4 * DAY, Act::Close)];
        }
        true
    }

    fn trace(mut self) -> Trace {
        self.rungs.sort();
        let clocks = self.clocks.iter().map(|clock| TracedClock {
            kind: KINDS[clock.kind],
            round: clock.round,
            start: clock.passed[0],
            due: clock.due,
            revisions: clock.revisions,
            stopped: clock.stopped,
            missed: clock.missed,
        });
        Trace { clocks: clocks.collect(), rungs: self.rungs, level: self.level, surveys: self.told }
    }
}
