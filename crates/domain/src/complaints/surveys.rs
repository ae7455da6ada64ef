//! What customers think of how a complaint was handled: some questions, one answer, two reminders. Who keeps silent
//! is neither satisfied nor dissatisfied, and is counted as silent.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::derivation::statistics::{PpmRange, wilson_95};
use crate::error::{Code, Problem, Problems, Result};
use crate::fraction::Fraction;
use crate::id::{ComplaintId, EntityId, SurveyId};
use crate::text;
use crate::time::Timestamp;
use crate::wire::wire_enum;

/// What is asked: the last question sums up.
pub const STANDARD_QUESTIONS: [&str; 5] = [
    "How easy was it to reach us with your complaint?",
    "How content are you with how soon you heard from us?",
    "How well did we keep you informed?",
    "How fairly were you treated?",
    "How content are you, all in all, with how we handled your complaint?",
];
/// The best score of a question; the worst is 1.
pub const SCORE_MAX: i32 = 5;
/// A mean of at least this is satisfied.
pub const SATISFIED_FROM: i32 = 4;
/// A mean below this is dissatisfied: the complaint is reopened.
pub const DISSATISFIED_BELOW: i32 = 3;
/// How often a silent customer is reminded.
pub const REMINDERS: i32 = 2;

/// Hours from the end of the complaint to the survey.
const SEND_AFTER_HOURS: i64 = 24;
/// Days from the survey to the first reminder, from that to the second, and from that to the end.
const WAIT_DAYS: [i64; 3] = [3, 4, 7];

wire_enum! {
    /// How far a survey is. The last three are final.
    SurveyState {
        /// Will be sent.
        Scheduled = "SCHEDULED",
        /// Sent; the customer can answer.
        Sent = "SENT",
        /// Answered.
        Answered = "ANSWERED",
        /// Not answered, after all reminders.
        NoResponse = "NO_RESPONSE",
        /// Taken back; `withdrawal` says why.
        Withdrawn = "WITHDRAWN",
    }
}

wire_enum! {
    /// Why a survey was taken back.
    SurveyWithdrawal {
        /// Its complaint was taken up again.
        Reopened = "REOPENED",
        /// Nobody wrote down an e-mail address of who complained.
        NoAddress = "NO_ADDRESS",
        /// The mail could not be delivered; the outbox tells why.
        Undelivered = "UNDELIVERED",
    }
}

wire_enum! {
    /// What an answer says.
    SurveyVerdict {
        /// The mean of the scores is at least 4.
        Satisfied = "SATISFIED",
        /// In between.
        Neutral = "NEUTRAL",
        /// The mean of the scores is below 3.
        Dissatisfied = "DISSATISFIED",
    }
}

/// The survey of how one complaint was handled.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// Its id.
    pub id: SurveyId,
    /// Counts changes.
    pub version: Version,
    /// Of which complaint.
    pub complaint_id: ComplaintId,
    /// How far it is.
    pub state: SurveyState,
    /// What is asked.
    pub questions: Vec<String>,
    /// One score for each question; empty without an answer.
    pub scores: Vec<i32>,
    /// What the customer adds.
    pub comment: Option<String>,
    /// Why it was taken back.
    pub withdrawal: Option<SurveyWithdrawal>,
    /// How often the customer was reminded.
    pub reminders: i32,
    /// When it is sent, the customer reminded, or the wait over; `None` once it is final.
    pub next_due_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it was scheduled.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input of [`Survey::answer`].
#[derive(Clone, Debug)]
pub struct NewAnswer {
    /// One score for each question, in their order.
    pub scores: Vec<i32>,
    /// What the customer adds.
    pub comment: Option<String>,
}

/// An answered survey with what it says: DISSATISFIED reopens the complaint, see
/// [`Reopening::Survey`](super::Reopening::Survey).
#[derive(Clone, Debug)]
#[must_use]
pub struct Answered {
    /// New state and event.
    pub change: Change<Survey>,
    /// What it says.
    pub verdict: SurveyVerdict,
}

impl Survey {
    pub(super) fn schedule(complaint_id: ComplaintId, id: SurveyId, now: Timestamp) -> Change<Self> {
        let survey = Self {
            id,
            version: 0,
            complaint_id,
            state: SurveyState::Scheduled,
            questions: STANDARD_QUESTIONS.map(str::to_owned).to_vec(),
            scores: Vec::new(),
            comment: None,
            withdrawal: None,
            reminders: 0,
            next_due_at: Some(now.plus(Duration::hours(SEND_AFTER_HOURS))),
            sent_at: None,
            answered_at: None,
            created_at: now,
            updated_at: now,
        };
        Change::created(EventKind::SurveyScheduled, survey)
    }

    /// How long the customer has to answer after so many reminders.
    pub fn wait(reminders: i32) -> Option<Duration> {
        let days = usize::try_from(reminders).ok().and_then(|index| WAIT_DAYS.get(index));
        days.map(|&days| Duration::days(days))
    }

    /// What is due by now: the survey is sent, the customer reminded, or the wait over. `None` when nothing is.
    /// The message is queued with the change, so that nobody is asked twice.
    pub fn proceed(&self, now: Timestamp) -> Option<Change<Self>> {
        if self.next_due_at.is_none_or(|due| now < due) {
            return None;
        }
        let mut after = Self { updated_at: now, ..self.clone() };
        let event = match self.state {
            SurveyState::Scheduled => {
                after.state = SurveyState::Sent;
                after.sent_at = Some(now);
                EventKind::SurveySent
            }
            SurveyState::Sent if self.reminders < REMINDERS => {
                after.reminders += 1;
                EventKind::SurveyReminded
            }
            SurveyState::Sent => {
                after.state = SurveyState::NoResponse;
                EventKind::SurveyUnanswered
            }
            SurveyState::Answered | SurveyState::NoResponse | SurveyState::Withdrawn => return None,
        };
        let wait = Self::wait(after.reminders).filter(|_| after.state == SurveyState::Sent);
        after.next_due_at = wait.map(|wait| now.plus(wait));
        Some(Change::updated(event, self, after))
    }

    /// The customer answers: once, and all questions.
    ///
    /// # Errors
    /// `INVALID_SURVEY` unless it was sent and is not over; `OUT_OF_RANGE` for a score outside 1 to 5, and for
    /// more or fewer scores than questions; a wrong comment.
    pub fn answer(&self, input: &NewAnswer, now: Timestamp) -> Result<Answered> {
        if self.state != SurveyState::Sent {
            return Err(invalid_survey().into());
        }
        let mut problems = Problems::default();
        if input.scores.len() != self.questions.len() {
            let message = format!("There are {} questions; score each of them.", self.questions.len());
            problems.push(Problem::new(Code::OutOfRange, message).at("scores"));
        }
        for (index, score) in input.scores.iter().enumerate().take(self.questions.len()) {
            if !(1..=SCORE_MAX).contains(score) {
                let message = format!("A score lies between 1 and {SCORE_MAX}.");
                problems.push(Problem::new(Code::OutOfRange, message).at(index.to_string()).at("scores"));
            }
        }
        let comment = problems.take("comment", input.comment.as_deref().map(text::note).transpose());
        let after = problems.finish_with(|| {
            Some(Self {
                state: SurveyState::Answered,
                scores: input.scores.clone(),
                comment: comment?,
                next_due_at: None,
                answered_at: Some(now),
                updated_at: now,
                ..self.clone()
            })
        })?;
        let verdict = after.verdict().unwrap_or(SurveyVerdict::Neutral);
        Ok(Answered { change: Change::updated(EventKind::SurveyAnswered, self, after), verdict })
    }

    /// Takes an open survey back; `None` for one that is over.
    pub fn withdraw(&self, why: SurveyWithdrawal, now: Timestamp) -> Option<Change<Self>> {
        if !matches!(self.state, SurveyState::Scheduled | SurveyState::Sent) {
            return None;
        }
        let after = Self {
            state: SurveyState::Withdrawn,
            withdrawal: Some(why),
            next_due_at: None,
            updated_at: now,
            ..self.clone()
        };
        Some(Change::updated(EventKind::SurveyWithdrawn, self, after))
    }

    /// What the answer says; `None` without one.
    pub fn verdict(&self) -> Option<SurveyVerdict> {
        verdict(&self.scores)
    }
}

/// What the scores of an answer say; `None` without scores.
pub fn verdict(scores: &[i32]) -> Option<SurveyVerdict> {
    let count = i32::try_from(scores.len()).ok().filter(|&count| count > 0)?;
    let sum: i32 = scores.iter().sum();
    Some(if sum >= SATISFIED_FROM * count {
        SurveyVerdict::Satisfied
    } else if sum < DISSATISFIED_BELOW * count {
        SurveyVerdict::Dissatisfied
    } else {
        SurveyVerdict::Neutral
    })
}

/// The mean of all scores of some answers; `None` without any.
pub fn mean_score<'a>(answers: impl IntoIterator<Item = &'a [i32]>) -> Option<Fraction> {
    let sum = |(sum, count), score: &i32| (sum + i128::from(*score), count + 1);
    let (sum, count) = answers.into_iter().flatten().fold((0, 0), sum);
    Fraction::new(sum, count)
}

/// The one answer for links of surveys that are unknown, used, withdrawn or too old alike.
pub fn invalid_survey() -> Problem {
    Problem::new(Code::InvalidSurvey, "The link is unknown, used or no longer valid.").at("token")
}

/// How satisfied those are who answered, and how many did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SurveyScore {
    /// Surveys that customers got and were not taken back.
    pub asked: u32,
    /// Answers: the n of the score.
    pub answered: u32,
    /// Answers that are satisfied.
    pub satisfied: u32,
    /// Answers that are dissatisfied.
    pub dissatisfied: u32,
    /// Surveys that stayed without an answer to the end.
    pub silent: u32,
    /// Answers among those asked, in parts per million; `None` when nobody was.
    pub response_rate_ppm: Option<i64>,
    /// The satisfied among the answers, in parts per million; `None` without answers.
    pub satisfied_ppm: Option<i64>,
    /// The interval of 95 % around that (Wilson).
    pub interval: Option<PpmRange>,
}

/// The score of some surveys, each given by its state and verdict.
pub fn survey_score(surveys: impl IntoIterator<Item = (SurveyState, Option<SurveyVerdict>)>) -> SurveyScore {
    let mut score = SurveyScore::default();
    for (state, verdict) in surveys {
        let answered = state == SurveyState::Answered;
        let says = |wanted| u32::from(answered && verdict == Some(wanted));
        score.asked +=
            u32::from(matches!(state, SurveyState::Sent | SurveyState::Answered | SurveyState::NoResponse));
        score.answered += u32::from(answered);
        score.satisfied += says(SurveyVerdict::Satisfied);
        score.dissatisfied += says(SurveyVerdict::Dissatisfied);
        score.silent += u32::from(state == SurveyState::NoResponse);
    }
    score.response_rate_ppm = share_ppm(score.answered, score.asked);
    score.satisfied_ppm = share_ppm(score.satisfied, score.answered);
    score.interval = wilson_95(score.satisfied, score.answered);
    score
}

/// `part` of `whole` in parts per million, halves to even; `None` of nothing.
pub(super) fn share_ppm(part: u32, whole: u32) -> Option<i64> {
    Fraction::new(part.into(), whole.into())?.ppm()
}

impl Aggregate for Survey {
    const SUBJECT: SubjectType = SubjectType::Survey;
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
            "complaintId": self.complaint_id, "state": self.state, "scores": self.scores, "withdrawal": self.withdrawal,
            "reminders": self.reminders, "nextDueAt": self.next_due_at, "sentAt": self.sent_at,
            "answeredAt": self.answered_at,
        })
    }
}
