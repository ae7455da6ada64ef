//! Surveys of how complaints were handled: sent and followed up by the clock, answered by whoever holds the link.
//!
//! The token of a link names the survey and proves itself by a keyed fingerprint, so that nothing of it is stored.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evenhand_domain::access::Permission;
use evenhand_domain::change::SubjectType;
use evenhand_domain::complaints::{
    Complaint, ComplaintState, NewAnswer, REMINDERS, Reopening, Survey, SurveyScore, SurveyState,
    SurveyVerdict, SurveyWithdrawal, invalid_survey, mean_score, survey_score, verdict,
};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::fraction::Fraction;
use evenhand_domain::id::{ComplaintId, EntityId, OrganizationId, SurveyId};
use evenhand_domain::messages::{MessageState, MessageText, NewMessage, Purpose, Recipient};
use evenhand_domain::organizations::Organization;
use evenhand_domain::time::Period;
use evenhand_persistence::{Reader, Tx};
use uuid::Uuid;

use super::handling::Basis;
use super::notices;
use crate::door::{App, Command, Query};
use crate::outbox::sealed;
use crate::secrets::Sealer;

/// What the tokens of surveys are keyed with.
const SURVEY_CONTEXT: &str = "survey";
/// Bytes of the two ids in a token.
const IDS_BYTES: usize = 32;
/// Surveys that one look at the clock takes a step further.
const SURVEYS_AT_ONCE: u64 = 1_000;

/// The token by which a survey is answered without an account.
///
/// # Errors
/// As [`Sealer::mac`].
pub fn survey_token(sealer: &Sealer, organization: OrganizationId, survey: SurveyId) -> Result<String> {
    let ids = [*organization.uuid().as_bytes(), *survey.uuid().as_bytes()].concat();
    let tag = sealer.mac(SURVEY_CONTEXT, &ids)?;
    Ok(URL_SAFE_NO_PAD.encode([ids.as_slice(), tag.as_slice()].concat()))
}

fn read_token(sealer: &Sealer, token: &str) -> Result<(OrganizationId, SurveyId)> {
    let invalid = || Error::from(invalid_survey());
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let (ids, tag) = bytes.split_at_checked(IDS_BYTES).ok_or_else(invalid)?;
    if !sealer.verify(SURVEY_CONTEXT, ids, tag)? {
        return Err(invalid());
    }
    let (organization, survey) = ids.split_at(IDS_BYTES / 2);
    let id = |bytes| Uuid::from_slice(bytes).map_err(|_| invalid());
    Ok((OrganizationId::from_uuid(id(organization)?), SurveyId::from_uuid(id(survey)?)))
}

/// What whoever holds the link of a survey sees of it: whose complaint it was they know.
#[derive(Clone, Debug)]
pub struct SurveyForm {
    /// Who asks.
    pub organization: String,
    /// The number of the complaint.
    pub number: String,
    /// What is asked.
    pub questions: Vec<String>,
}

impl App {
    /// Takes the surveys that are due a step further: sends them, reminds, or ends the wait. True when more may be due.
    ///
    /// # Errors
    /// When the database cannot be reached. What goes wrong with one survey is tried again later.
    pub async fn proceed_surveys(&self) -> Result<bool> {
        let due = self.store().unscoped_due_surveys(self.now(), SURVEYS_AT_ONCE).await?;
        let (found, mut done) = (due.len() as u64, false);
        for (organization, id) in due {
            let step = async {
                let actor = self.system(organization).await?;
                self.execute(&actor, "surveys", &ProceedSurvey { id, organization, app: self }).await
            };
            match step.await {
                Ok(()) => done = true,
                Err(error) => {
                    tracing::warn!(survey = %id, %error, "a survey could not be taken further; trying again");
                }
            }
        }
        Ok(done && found == SURVEYS_AT_ONCE)
    }

    /// What is asked, for whoever holds the link; `None` when it is not valid, or no longer.
    ///
    /// # Errors
    /// [`Error::Throttled`] after many wrong links from one address.
    pub async fn survey_form(&self, token: &str, address: Option<IpAddr>) -> Result<Option<SurveyForm>> {
        let form = async {
            let (organization, id) = self.survey_of(token, address).await?;
            self.query(&self.system(organization).await?, &FormOf(id)).await
        };
        match form.await {
            Ok(form) => Ok(form),
            Err(Error::Rejected(_) | Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a survey for whoever holds the link. A dissatisfied answer reopens the complaint and escalates it.
    ///
    /// # Errors
    /// `INVALID_SURVEY` for every link that does not work, whatever the cause; what is wrong with the answer;
    /// [`Error::Throttled`].
    pub async fn answer_survey(
        &self,
        token: &str,
        answer: &NewAnswer,
        address: Option<IpAddr>,
        request_id: &str,
    ) -> Result<()> {
        let (organization, id) = self.survey_of(token, address).await?;
        let answered = async {
            let actor = self.system(organization).await?;
            self.execute(&actor, request_id, &AnswerSurvey { id, answer }).await
        };
        answered.await.map_err(|error| match error {
            Error::NotFound => invalid_survey().into(),
            other => other,
        })
    }

    async fn survey_of(&self, token: &str, address: Option<IpAddr>) -> Result<(OrganizationId, SurveyId)> {
        let bucket =
            format!("survey:{}", address.map_or_else(|| "-".to_owned(), |address| address.to_string()));
        self.count_guess(&bucket).await?;
        let survey = read_token(&self.services().sealer, token)?;
        self.forgive_guess(&bucket).await?;
        Ok(survey)
    }
}

fn about(id: SurveyId) -> (SubjectType, Uuid) {
    (SubjectType::Survey, id.uuid())
}

/// Takes a survey back, with the mail that still waits.
pub(super) async fn withdraw(tx: &mut Tx, survey: &Survey, why: SurveyWithdrawal) -> Result<()> {
    if let Some(withdrawn) = survey.withdraw(why, tx.now()) {
        tx.drop_messages(about(survey.id), "the survey was taken back").await?;
        tx.save(withdrawn).await?;
    }
    Ok(())
}

struct ProceedSurvey<'a> {
    id: SurveyId,
    organization: OrganizationId,
    app: &'a App,
}

impl Command for ProceedSurvey<'_> {
    const PERMISSION: Permission = Permission::HandleComplaints;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let survey = tx.read().survey(self.id).await?;
        // None where another worker was faster.
        let Some(change) = survey.proceed(tx.now()) else { return Ok(()) };
        match tx.read().last_message_state(about(survey.id)).await? {
            Some(MessageState::Waiting) => return Ok(()),
            // Who has the survey is not asked in vain because a reminder was lost.
            Some(MessageState::Failed | MessageState::Dropped) if survey.reminders == 0 => {
                return withdraw(tx, &survey, SurveyWithdrawal::Undelivered).await;
            }
            _ => {}
        }
        let complaint = tx.read().complaint(survey.complaint_id).await?;
        let Some(address) = complaint.reporter.as_ref().and_then(|reporter| reporter.email()) else {
            return withdraw(tx, &survey, SurveyWithdrawal::NoAddress).await;
        };
        let survey = tx.save(change).await?;
        if survey.state != SurveyState::Sent {
            return Ok(());
        }
        let organization = tx.read().organization().await?;
        let number = &complaint.number;
        let (purpose, subject) = match survey.reminders {
            0 => (Purpose::Survey, format!("How did we handle your complaint {number}?")),
            _ => (Purpose::SurveyReminder, format!("Reminder: how did we handle your complaint {number}?")),
        };
        let message = NewMessage {
            purpose,
            to: Recipient::Address(address.to_owned()),
            about: about(survey.id),
            subject,
            text: self.text(&survey, &complaint, &organization)?,
            due_at: tx.now(),
        };
        tx.queue(&[message]).await
    }
}

impl ProceedSurvey<'_> {
    fn text(
        &self,
        survey: &Survey,
        complaint: &Complaint,
        organization: &Organization,
    ) -> Result<MessageText> {
        let services = self.app.services();
        let token = survey_token(&services.sealer, self.organization, survey.id)?;
        let name = complaint.reporter.as_ref().map_or("", |reporter| reporter.name.as_str());
        let reminder = match survey.reminders {
            0 => String::new(),
            reminders => format!(
                "We asked you already and would still like to know. This is reminder {reminders} of {REMINDERS}.\n\n"
            ),
        };
        let text = format!(
            "Hello {name},\n\n{reminder}we have closed your complaint {} of {}. Please tell us how we handled it: \
             {} short questions, without an account.\n\n{}/survey#token={token}\n\nThe link works once. If you are \
             not content, we take your complaint up again.\n\n{}\n",
            complaint.number,
            complaint.recorded_at.date_in(organization.time_zone),
            survey.questions.len(),
            services.access.public_url,
            organization.name,
        );
        sealed(&services.sealer, &text)
    }
}

struct FormOf(SurveyId);

impl Query for FormOf {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Option<SurveyForm>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Option<SurveyForm>> {
        let survey = reader.survey(self.0).await?;
        if survey.state != SurveyState::Sent {
            return Ok(None);
        }
        let complaint = reader.complaint(survey.complaint_id).await?;
        let organization = reader.organization().await?.name;
        Ok(Some(SurveyForm { organization, number: complaint.number, questions: survey.questions }))
    }
}

struct AnswerSurvey<'a> {
    id: SurveyId,
    answer: &'a NewAnswer,
}

impl Command for AnswerSurvey<'_> {
    const PERMISSION: Permission = Permission::HandleComplaints;
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let survey = tx.read().survey(self.id).await?;
        let answered = survey.answer(self.answer, tx.now())?;
        let complaint = tx.read().complaint(survey.complaint_id).await?;
        if answered.verdict == SurveyVerdict::Dissatisfied && complaint.state == ComplaintState::Closed {
            let basis = Basis::followed(tx, &complaint).await?;
            let reopening = Reopening::Survey(&answered);
            let change = complaint.reopen(reopening, tx.new_id(), &basis.handling(tx))?;
            let reopened = tx.save(change).await?;
            notices::tell_raised(tx, &reopened, complaint.escalations.len()).await?;
        }
        tx.drop_messages(about(survey.id), "the survey was answered").await?;
        tx.save(answered.change).await.map(drop)
    }
}

/// Surveys by id; those whose complaint the caller may not see are left out.
#[derive(Debug)]
pub struct SurveysByIds(pub Vec<SurveyId>);

impl Query for SurveysByIds {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<Survey>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Survey>> {
        reader.surveys_by_ids(&self.0).await
    }
}

/// The surveys of some complaints, the newest first; complaints that the caller may not see have none.
#[derive(Debug)]
pub struct SurveysOfComplaints(pub Vec<ComplaintId>);

impl Query for SurveysOfComplaints {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = Vec<Survey>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Survey>> {
        reader.surveys_of_complaints(&self.0).await
    }
}

/// What customers say of how the complaints that the caller sees were handled: surveys that were sent in a period.
#[derive(Clone, Copy, Debug)]
pub struct ScoreSurveys(pub Period);

/// Figures on some surveys.
#[derive(Clone, Copy, Debug)]
pub struct ScoredSurveys {
    /// How many were asked, answered, and were content.
    pub score: SurveyScore,
    /// The mean of all scores; `None` without answers.
    pub mean: Option<Fraction>,
}

impl Query for ScoreSurveys {
    const PERMISSION: Permission = Permission::ReadComplaints;
    type Output = ScoredSurveys;

    async fn run(&self, reader: &Reader<'_>) -> Result<ScoredSurveys> {
        let surveys = reader.sent_surveys(self.0.bounds(reader.grant().zone())).await?;
        let mean = mean_score(surveys.iter().map(|(_, scores)| scores.as_slice()));
        let score = survey_score(surveys.iter().map(|(state, scores)| (*state, verdict(scores))));
        Ok(ScoredSurveys { score, mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_unaltered_and_with_its_secret() {
        let sealer = Sealer::new("q7Vn2xKf9Lw4Zt8RbY3mHc6Jd1Ps5GaE").expect("a sealer");
        let ids = (OrganizationId::from_uuid(Uuid::from_u128(1)), SurveyId::from_uuid(Uuid::from_u128(2)));
        let token = survey_token(&sealer, ids.0, ids.1).expect("a token");
        assert_eq!(read_token(&sealer, &token).expect("read"), ids);
        let other = Sealer::new("another secret").expect("a sealer");
        assert!(read_token(&other, &token).is_err());
        for index in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            assert!(read_token(&sealer, &String::from_utf8(altered).expect("ASCII")).is_err());
            assert!(read_token(&sealer, &token[..index]).is_err());
        }
        assert!(read_token(&sealer, &(token + "AAAA")).is_err());
    }
}
