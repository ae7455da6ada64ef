//! Writes the complaints of a customer: each act at its time, and between them what the timer would have done, so that
//! rungs are raised, promises missed and surveys sent as they would have been.

use chrono::Duration;
use evenhand_domain::access::Role;
use evenhand_domain::calendars::WorkHours;
use evenhand_domain::change::Change;
use evenhand_domain::complaints::{
    Answered, Assessment, Awaited, Case, ClockMinutes, CloseComplaint, Complaint, ComplaintState,
    Confidentiality, Criteria, EscalationRole, Handling, NewAnswer, NewAwait, NewComplaint, NewNote,
    NewResponse, NewSlaPolicy, NoteAudience, Remedy, Reopening, Service, Severity, SlaPolicy, Standing,
    Survey, SurveyState, SurveyVerdict, SurveyWithdrawal, choose,
};
use evenhand_domain::customers::Customer;
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{ProductId, UserId};
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::User;
use evenhand_persistence::Tx;

use super::calendar;
use super::story::{Act, ComplaintStory};
use super::words;

/// How long it takes until somebody takes charge of a rung, in minutes.
const CHARGE_MINUTES: i64 = 35;
/// Nobody takes charge of a complaint that was begun, with so many acts, and then lies.
const UNMINDED_ACTS: usize = 3;

/// The policies of the organisation: one for everything, and a quicker one.
pub(super) async fn policies(tx: &mut Tx) -> Result<Vec<SlaPolicy>> {
    let quick = ClockMinutes { ack: 60, first_response: 240, update: 480, resolution: 2_400 };
    let mut policies = Vec::new();
    for (name, severity, minutes) in
        [("Standard", None, ClockMinutes::STANDARD), ("Critical", Some(Severity::Critical), quick)]
    {
        let criteria = Criteria { severity, ..Criteria::default() };
        let input = NewSlaPolicy { name: name.into(), criteria, calendar_id: None, minutes, ladder: None };
        let change = SlaPolicy::create(&input, tx.new_id(), tx.now())?;
        policies.push(tx.save(change).await?);
    }
    Ok(policies)
}

/// Who takes part.
pub(super) struct Cast<'a> {
    pub(super) policies: &'a [SlaPolicy],
    pub(super) agent: &'a User,
    pub(super) manager: UserId,
    pub(super) admin: UserId,
    /// Until when the history goes.
    pub(super) end: Timestamp,
}

/// What is to be saved.
#[derive(Default)]
pub(super) struct Handled {
    /// Those that others are merged into come first.
    pub(super) complaints: Vec<Change<Complaint>>,
    pub(super) duplicates: Vec<Change<Complaint>>,
    pub(super) surveys: Vec<Change<Survey>>,
}

impl Handled {
    /// Takes over what another complaint left.
    pub(super) fn add(&mut self, other: Self) {
        self.complaints.extend(other.complaints);
        self.duplicates.extend(other.duplicates);
        self.surveys.extend(other.surveys);
    }
}

/// A complaint on its way.
struct Desk<'a> {
    tx: &'a Tx,
    cast: &'a Cast<'a>,
    story: &'a ComplaintStory,
    hours: WorkHours,
    record: NewComplaint,
    case: Case,
    complaint: Complaint,
    survey: Option<Survey>,
    handled: Handled,
}

/// What is done next.
enum Next {
    Act(Act),
    Job,
    Charge,
    Survey,
    Answer(i32),
}

/// Lives the complaint of a customer until the end of the history; `numbers` are its own and those of what is merged
/// into it.
pub(super) fn handle(
    tx: &Tx,
    cast: &Cast<'_>,
    story: &ComplaintStory,
    customer: &Customer,
    product: Option<ProductId>,
    numbers: &[String],
) -> Result<Handled> {
    let record = NewComplaint {
        number: numbers.first().cloned().unwrap_or_default(),
        customer_id: customer.id,
        contact_id: None,
        reporter: None,
        subject: story.matter.subject.into(),
        description: story.matter.description.into(),
        channel: story.channel,
        remedy: Some(story.matter.remedy.map_or(Remedy::NoneNamed, |remedy| Remedy::Sought(remedy.into()))),
        product_id: product,
        owner_id: cast.agent.id,
        account_manager_id: customer.owner_id,
        confidentiality: if story.is_confidential {
            Confidentiality::Confidential
        } else {
            Confidentiality::Normal
        },
        is_safety_risk: false,
        attachments: Vec::new(),
        occurred_at: None,
    };
    let case =
        Case { severity: None, product_id: product, customer_grade: customer.grade, channel: story.channel };
    let hours = WorkHours::standard(calendar::ZONE);
    let service = Service::of(choose(cast.policies, &case), &[], &hours);
    let handling = Handling { by: Some(cast.agent.id), service, now: story.at };
    let recorded = Complaint::record(&record, tx.new_id(), &handling)?;
    let complaint = recorded.state().clone();
    let handled = Handled { complaints: vec![recorded], ..Handled::default() };
    let mut desk = Desk { tx, cast, story, hours, record, case, complaint, survey: None, handled };
    let (mut acts, mut numbers) = (story.acts.iter().peekable(), numbers.iter().skip(1));
    while let Some((at, next)) = desk.next(acts.peek().copied()) {
        if at >= cast.end {
            break;
        }
        match next {
            Next::Act(Act::Repeat) => desk.repeat(numbers.next().ok_or_else(unplanned)?, at)?,
            Next::Act(act) => desk.act(act, at)?,
            Next::Job => desk.raise(at),
            Next::Charge => desk.take_charge(at)?,
            Next::Survey => desk.ask(at),
            Next::Answer(score) => desk.answer(score, at)?,
        }
        if matches!(next, Next::Act(_)) {
            acts.next();
        }
    }
    Ok(desk.handled)
}

impl Desk<'_> {
    /// What happens first: of what happens at one moment, what the timer does.
    fn next(&self, act: Option<&(Timestamp, Act)>) -> Option<(Timestamp, Next)> {
        let service = self.service();
        let rung = self.complaint.pending_rungs(&service, None).into_iter().next();
        let minded = self.complaint.state.is_open() && self.story.acts.len() > UNMINDED_ACTS;
        let charge = self.complaint.escalations.iter().filter(|rung| minded && rung.accepted.is_none());
        let charge = charge.map(|rung| rung.notify_at.plus(Duration::minutes(CHARGE_MINUTES))).min();
        let due = self.survey.as_ref().and_then(|survey| survey.next_due_at);
        let sent = self.survey.as_ref().filter(|survey| survey.state == SurveyState::Sent);
        let answer = sent.and_then(|survey| survey.sent_at).zip(self.story.reply);
        let moments = [
            rung.map(|rung| (rung.arises_at.max(self.complaint.updated_at), Next::Job)),
            charge.map(|at| (at.max(self.complaint.updated_at), Next::Charge)),
            due.map(|at| (at, Next::Survey)),
            answer.map(|(at, (hours, score))| (at.plus(Duration::hours(hours.into())), Next::Answer(score))),
            act.map(|(at, act)| (*at, Next::Act(*act))),
        ];
        moments.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn service(&self) -> Service<'_> {
        Service::of(choose(self.cast.policies, &self.case), &[], &self.hours)
    }

    fn handling(&self, now: Timestamp) -> Handling<'_> {
        Handling { by: Some(self.cast.agent.id), service: self.service(), now }
    }

    fn keep(&mut self, change: Change<Complaint>) {
        self.complaint = change.state().clone();
        self.handled.complaints.push(change);
    }

    fn keep_survey(&mut self, change: Change<Survey>) {
        self.survey = Some(change.state().clone());
        self.handled.surveys.push(change);
    }

    fn raise(&mut self, now: Timestamp) {
        let raised = self.complaint.escalate(None, self.tx.new_id(), &self.handling(now));
        if let Some(change) = raised {
            self.keep(change);
        }
    }

    /// Whoever the rung names takes charge of it.
    fn take_charge(&mut self, now: Timestamp) -> Result<()> {
        let open = self.complaint.escalations.iter().find(|rung| {
            rung.accepted.is_none() && rung.notify_at.plus(Duration::minutes(CHARGE_MINUTES)) <= now
        });
        let Some(rung) = open else { return Ok(()) };
        let (user_id, role) = match rung.role {
            EscalationRole::Managers | EscalationRole::OwnerLead => (self.cast.manager, Role::Manager),
            EscalationRole::Admins => (self.cast.admin, Role::Admin),
            _ => (self.cast.agent.id, Role::ServiceAgent),
        };
        let by = Standing { user_id, role, leads_owner: role == Role::Manager };
        let change = self.complaint.accept_escalation(rung.id, &by, &self.handling(now))?;
        self.keep(change);
        Ok(())
    }

    fn act(&mut self, act: Act, now: Timestamp) -> Result<()> {
        let ComplaintStory { severity, matter, .. } = *self.story;
        if act == Act::Assess {
            self.case.severity = Some(severity);
        }
        let (complaint, handling) = (&self.complaint, self.handling(now));
        let wait = |side, whom: &str, until| NewAwait { side, whom: whom.to_owned(), until };
        let change = match act {
            Act::Acknowledge => complaint.acknowledge(&handling),
            Act::Assess => {
                let is_safety_risk = matter.root_cause == words::DANGER;
                let assessment = Assessment { severity, impact: severity, urgency: severity, is_safety_risk };
                complaint.assess(&assessment, &handling)
            }
            Act::Begin => complaint.assign(self.cast.agent, &handling),
            Act::Tell(text) => {
                let (text, audience) = (text.to_owned(), NoteAudience::Customer);
                complaint.add_note(&NewNote { text, audience, attachments: Vec::new() }, &handling)
            }
            Act::AwaitCustomer(until) => {
                complaint.wait(&wait(Awaited::Customer, "The customer: a photograph", until), &handling)
            }
            Act::AwaitUs(until) => complaint.wait(&wait(Awaited::Internal, "The workshop", until), &handling),
            Act::Resume => complaint.resume(&handling),
            Act::Offer => {
                let response = NewResponse { text: matter.response.into(), answer_by: None };
                complaint.offer_response(&response, &handling)
            }
            Act::Dispute => complaint.dispute_response(words::DISPUTED, self.tx.new_id(), &handling),
            Act::Accept => complaint.accept_response(&handling),
            Act::Close => return self.close(now),
            Act::Reopen => {
                let reopening = Reopening::Asked { reason: words::AGAIN };
                complaint.reopen(reopening, self.tx.new_id(), &handling)
            }
            Act::DeclareOutOfScope => complaint.declare_out_of_scope(words::NOT_OURS, &handling),
            Act::Repeat => return Err(unplanned()),
        };
        let change = change?;
        self.keep(change);
        if act == Act::Reopen
            && let Some(withdrawn) =
                self.survey.as_ref().and_then(|survey| survey.withdraw(SurveyWithdrawal::Reopened, now))
        {
            self.keep_survey(withdrawn);
        }
        Ok(())
    }

    fn close(&mut self, now: Timestamp) -> Result<()> {
        let accepted = self.complaint.state == ComplaintState::Accepted;
        let recourse = (!accepted).then(|| words::RECOURSE.to_owned());
        let input = CloseComplaint { root_cause: self.story.matter.root_cause.into(), recourse };
        let closed = self.complaint.close(&input, self.tx.new_id(), &self.handling(now))?;
        self.keep(closed.change);
        self.keep_survey(closed.survey);
        Ok(())
    }

    fn ask(&mut self, now: Timestamp) {
        if let Some(change) = self.survey.as_ref().and_then(|survey| survey.proceed(now)) {
            self.keep_survey(change);
        }
    }

    fn answer(&mut self, score: i32, now: Timestamp) -> Result<()> {
        let Some(survey) = &self.survey else { return Ok(()) };
        // A second time they are content.
        let score = if self.complaint.reopen_count > 0 { 4 } else { score };
        let answer = NewAnswer { scores: vec![score; survey.questions.len()], comment: None };
        let answered = survey.answer(&answer, now)?;
        if answered.verdict == SurveyVerdict::Dissatisfied {
            let reopening = Reopening::Survey(&answered);
            let change = self.complaint.reopen(reopening, self.tx.new_id(), &self.handling(now))?;
            self.keep(change);
        }
        let Answered { change, .. } = answered;
        self.keep_survey(change);
        Ok(())
    }

    /// The customer complains of the same again, which is merged into this complaint at once.
    fn repeat(&mut self, number: &str, now: Timestamp) -> Result<()> {
        let record = NewComplaint { number: number.to_owned(), ..self.record.clone() };
        let handling = self.handling(now);
        let duplicate = Complaint::record(&record, self.tx.new_id(), &handling)?;
        let merged = duplicate.state().merge_into(&self.complaint, &handling)?;
        self.handled.duplicates.extend([duplicate, merged.duplicate]);
        self.keep(merged.survivor);
        Ok(())
    }
}

fn unplanned() -> Error {
    Error::Internal("the plan of the demo repeats a complaint that has no number left".into())
}
