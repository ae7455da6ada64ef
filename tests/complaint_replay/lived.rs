//! The life of a complaint by the functions of the domain, called as the application and its jobs call them.

use chrono::{DateTime, NaiveDate};
use evenhand_domain::access::Role;
use evenhand_domain::calendars::{
    CalendarException, HoursInput, OpenInterval, Weekday, WeeklyInterval, WorkHours,
};
use evenhand_domain::change::Change;
use evenhand_domain::complaints::{
    Absence, Assessment, Awaited, Channel, ClockMinutes, CloseComplaint, Complaint, ComplaintState,
    Confidentiality, Criteria, EscalationRole, Handling, NewAnswer, NewAwait, NewComplaint, NewNote,
    NewResponse, NewSlaPolicy, NoteAudience, Remedy, Reopening, Rung, Service, Severity, SlaPolicy, Standing,
    Survey, SurveyState,
};
use evenhand_domain::id::EntityId;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::{NewUser, User};
use uuid::Uuid;

use super::script::{
    Act, CLOSED, DAY, Judgement, MAKE_UP, OPEN, Reply, SEVERE, SLIGHT, Script, Step, USUAL, ZONE,
};
use super::{Trace, TracedClock, TracedRung};

fn instant(minute: i64) -> Timestamp {
    Timestamp::new(DateTime::from_timestamp_secs(minute * 60).expect("an instant"))
}

fn minute(at: Timestamp) -> i64 {
    assert_eq!(at.micros() % 60_000_000, 0, "{at} is no whole minute");
    at.micros() / 60_000_000
}

fn id<T: EntityId>(number: usize) -> T {
    T::from_uuid(Uuid::from_u128(number as u128))
}

fn hours() -> WorkHours {
    let date = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).expect("a date");
    let open = |&(from_minute, to_minute): &(i32, i32)| OpenInterval { from_minute, to_minute };
    let closed = CLOSED.map(|day| CalendarException { date: date(day), open: Vec::new() });
    let make_up = CalendarException { date: date(MAKE_UP.0), open: vec![open(&MAKE_UP.1)] };
    let weekly = Weekday::ALL[..5].iter().flat_map(|&weekday| {
        OPEN.map(|(from_minute, to_minute)| WeeklyInterval { weekday, from_minute, to_minute })
    });
    let input = HoursInput {
        time_zone: ZONE.name().into(),
        weekly: weekly.collect(),
        exceptions: closed.into_iter().chain([make_up]).collect(),
    };
    WorkHours::new(&input).expect("hours")
}

fn policy(number: usize, (minutes, ladder): ([i32; 4], &[Step])) -> SlaPolicy {
    let [ack, first_response, update, resolution] = minutes;
    let rung = |&(percent, role, accept_minutes): &Step| Rung {
        percent,
        role: EscalationRole::parse(role).expect("a role"),
        accept_minutes,
    };
    let input = NewSlaPolicy {
        name: "A policy".into(),
        criteria: Criteria::default(),
        calendar_id: None,
        minutes: ClockMinutes { ack, first_response, update, resolution },
        ladder: Some(ladder.iter().map(rung).collect()),
    };
    SlaPolicy::create(&input, id(number), instant(0)).expect("a policy").into_state()
}

/// A complaint on its way, with what was done to it.
struct Life<'a> {
    script: &'a Script,
    complaint: Complaint,
    owner: User,
    /// Names of the events that raised the rungs, in their order.
    events: Vec<&'static str>,
    /// When somebody takes charge of which rung.
    charges: Vec<(i64, usize)>,
    acts: Vec<(i64, Act)>,
    surveys: Vec<Survey>,
    told: Vec<(i64, &'static str)>,
}

/// Lives the script on a clock that jumps from one moment to the next at which somebody or some job is to act.
pub(super) fn live(script: &Script) -> Trace {
    let hours = hours();
    let policies = [USUAL, SEVERE, SLIGHT]
        .into_iter()
        .enumerate()
        .map(|(number, policy)| self::policy(10 + number, policy));
    let policies: Vec<SlaPolicy> = policies.collect();
    let mut judgement = Judgement::Usual;
    let input = NewUser { name: "Rosa".into(), email: None, role: Role::ServiceAgent, hired_on: None };
    let owner = User::create(&input, id(1), instant(0)).expect("a user").into_state();
    let handling = |judgement: Judgement, now| Handling {
        by: Some(id(1)),
        service: Service::new(Some(&policies[judgement as usize]), None, &hours),
        now: instant(now),
    };
    let record = Complaint::record(&new_complaint(), id(2), &handling(judgement, script.recorded));
    let mut life = Life {
        script,
        complaint: record.expect("a complaint").into_state(),
        owner,
        events: Vec::new(),
        charges: Vec::new(),
        acts: script.acts.clone(),
        surveys: Vec::new(),
        told: Vec::new(),
    };
    let mut now = script.recorded;
    while now < script.end {
        life.run_jobs(&handling(judgement, now));
        if let Some(place) = life.charges.iter().position(|(at, _)| *at <= now) {
            let (_, rung) = life.charges.remove(place);
            life.take_charge(rung, &handling(judgement, now));
        } else if life.acts.first().is_some_and(|(at, _)| *at <= now) {
            let (_, act) = life.acts.remove(0);
            if let Act::Assess(found) = act {
                judgement = found;
            }
            life.act(act, &handling(judgement, now));
        } else if !life.ask(&handling(judgement, now)) {
            now = life.next(&handling(judgement, now)).map_or(script.end, |next| next.max(now + 1));
        }
    }
    life.trace(script.end)
}

fn new_complaint() -> NewComplaint {
    NewComplaint {
        number: "R-1".into(),
        customer_id: id(3),
        contact_id: None,
        reporter: None,
        subject: "A charge".into(),
        description: "A charge\nthat nobody explains.".into(),
        channel: Channel::Fax,
        remedy: Some(Remedy::NoneNamed),
        product_id: None,
        owner_id: id(1),
        account_manager_id: None,
        confidentiality: Confidentiality::Normal,
        is_safety_risk: false,
        attachments: Vec::new(),
        occurred_at: None,
    }
}

impl Life<'_> {
    fn absence(&self) -> Option<Absence> {
        self.script.owner_away_from.map(|from| Absence::Away(instant(from)))
    }

    /// What the timer does: raises all that is due.
    fn run_jobs(&mut self, handling: &Handling<'_>) {
        while let Some(change) =
            self.complaint.escalate(self.absence(), id(100 + self.events.len()), handling)
        {
            self.take(change);
        }
    }

    /// Takes over a change, and notes the rung that it raised and who will take charge of it.
    fn take(&mut self, change: Change<Complaint>) {
        let kind = change.event().kind.as_str();
        self.complaint = change.into_state();
        if self.complaint.escalations.len() > self.events.len() {
            let place = self.events.len();
            let rung = &self.complaint.escalations[place];
            self.events.push(kind);
            let cause = rung.key.cause.as_str();
            if let Some(wait) = self.script.takes_charge(cause, rung.key.rung, rung.key.revision) {
                self.charges.push((minute(rung.raised_at) + wait, place));
                self.charges.sort();
            }
        }
    }

    fn take_charge(&mut self, place: usize, handling: &Handling<'_>) {
        if self.complaint.state.is_open() {
            let rung = self.complaint.escalations[place].id;
            let by = Standing { user_id: id(1), role: Role::Admin, leads_owner: false };
            let change = self.complaint.accept_escalation(rung, &by, handling);
            self.take(change.expect("a hand"));
        }
    }

    fn act(&mut self, act: Act, handling: &Handling<'_>) {
        let complaint = &self.complaint;
        let wait = |side, until| NewAwait { side, whom: "Ada".into(), until: instant(until) };
        let severity = Severity::Medium;
        let assessment = Assessment {
            severity,
            impact: severity,
            urgency: severity,
            is_safety_risk: self.script.is_dangerous,
        };
        let note =
            NewNote { text: "Soon.".into(), audience: NoteAudience::Customer, attachments: Vec::new() };
        let response = NewResponse { text: "We explain it.".into(), answer_by: None };
        let change = match act {
            Act::Acknowledge => complaint.acknowledge(handling),
            Act::Assess(_) => complaint.assess(&assessment, handling),
            Act::Begin => complaint.assign(&self.owner, handling),
            Act::Await(until) => complaint.wait(&wait(Awaited::Customer, until), handling),
            Act::AwaitInternally(until) => complaint.wait(&wait(Awaited::Internal, until), handling),
            Act::Resume => complaint.resume(handling),
            Act::News => complaint.add_note(&note, handling),
            Act::Offer => complaint.offer_response(&response, handling),
            Act::Dispute => {
                complaint.dispute_response("It explains nothing.", id(100 + self.events.len()), handling)
            }
            Act::Accept => complaint.accept_response(handling),
            Act::Close => {
                let accepted = complaint.state == ComplaintState::Accepted;
                let recourse = (!accepted).then(|| "The authority".to_owned());
                let input = CloseComplaint { root_cause: "FEE".into(), recourse };
                complaint.close(&input, id(90 + self.surveys.len()), handling).map(|closed| {
                    self.surveys.push(closed.survey.into_state());
                    closed.change
                })
            }
        };
        let change = change.unwrap_or_else(|error| panic!("{act:?} of {:?}: {error}", self.script));
        self.take(change);
    }

    /// What is due with the survey; true when something was done.
    fn ask(&mut self, handling: &Handling<'_>) -> bool {
        let Some(survey) = self.surveys.last_mut() else { return false };
        let now = minute(handling.now);
        if let Some(change) = survey.proceed(handling.now) {
            *survey = change.into_state();
            let what = match (survey.state, survey.reminders) {
                (SurveyState::Sent, 0) => "SENT",
                (SurveyState::Sent, _) => "REMINDED",
                _ => "NO_RESPONSE",
            };
            self.told.push((now, what));
            return true;
        }
        // The second survey of a complaint stays without an answer.
        let (wait, score) = match self.script.reply {
            Reply::Content(wait) => (wait, 5),
            Reply::Annoyed(wait) => (wait, 1),
            Reply::Never => return false,
        };
        let sent = survey.sent_at.filter(|_| survey.state == SurveyState::Sent);
        if self.told.iter().any(|(_, what)| *what == "ANSWERED")
            || sent.is_none_or(|sent| now < minute(sent) + wait)
        {
            return false;
        }
        let answer = NewAnswer { scores: vec![score; survey.questions.len()], comment: None };
        let answered = survey.answer(&answer, handling.now).expect("an answer");
        *survey = answered.change.state().clone();
        self.told.push((now, "ANSWERED"));
        if score == 1 {
            let reopening = Reopening::Survey(&answered);
            let change = self.complaint.reopen(reopening, id(100 + self.events.len()), handling);
            self.take(change.expect("open again"));
            self.acts =
                vec![(now + DAY, Act::Offer), (now + 3 * DAY, Act::Accept), (now + 4 * DAY, Act::Close)];
        }
        true
    }

    /// The next moment at which anything can happen.
    fn next(&self, handling: &Handling<'_>) -> Option<i64> {
        let rung = self.complaint.pending_rungs(&handling.service, self.absence()).into_iter().next();
        let survey = self.surveys.last();
        let reply = match self.script.reply {
            Reply::Content(wait) | Reply::Annoyed(wait) => survey
                .and_then(|survey| survey.sent_at)
                .map(|sent| minute(sent) + wait)
                .filter(|at| *at > minute(handling.now)),
            Reply::Never => None,
        };
        let moments = [
            rung.map(|rung| minute(rung.arises_at)),
            self.charges.first().map(|(at, _)| *at),
            self.acts.first().map(|(at, _)| *at),
            survey.and_then(|survey| survey.next_due_at).map(minute),
            reply,
        ];
        moments.into_iter().flatten().min()
    }

    fn trace(self, end: i64) -> Trace {
        let clocks = self.complaint.clocks.iter().map(|clock| TracedClock {
            kind: clock.kind.as_str(),
            round: clock.round,
            start: minute(clock.starts_at),
            due: minute(clock.due_at),
            revisions: clock.revisions.len(),
            stopped: clock.stopped_at.map(minute),
            missed: clock.breached_at(instant(end)).map(minute),
        });
        let rungs = self.complaint.escalations.iter().zip(&self.events).map(|(rung, event)| TracedRung {
            raised: minute(rung.raised_at),
            cause: rung.key.cause.as_str(),
            occurrence: rung.key.occurrence,
            rung: rung.key.rung,
            revision: rung.key.revision,
            role: rung.role.as_str(),
            event,
            arises: minute(rung.arises_at),
            notify: minute(rung.notify_at),
            accept_by: minute(rung.accept_by),
            accepted: rung.accepted.map(|(_, at)| minute(at)),
        });
        Trace {
            clocks: clocks.collect(),
            rungs: rungs.collect(),
            level: self.complaint.level,
            surveys: self.told,
        }
    }
}
