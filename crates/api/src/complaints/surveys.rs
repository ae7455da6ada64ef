//! Surveys of how complaints were handled, in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use evenhand_app::complaints::{ScoreSurveys, ScoredSurveys, SurveysByIds, SurveysOfComplaints};
use evenhand_domain::complaints::{
    self as domain, NewAnswer, SurveyState, SurveyVerdict, SurveyWithdrawal, mean_score,
};
use evenhand_domain::error::Error;
use evenhand_domain::fraction::Fraction;
use evenhand_domain::id::{ComplaintId, SurveyId};

use super::Complaint;
use crate::access::bounded;
use crate::context::Request;
use crate::deals::hidden;
use crate::error::{UserError, outcome};
use crate::ids;
use crate::scalars::{DateTime, Decimal, PeriodInput};
use crate::wire::Wire;

/// Decimals of a share.
const SHARE_DECIMALS: u32 = 6;
/// Decimals of a mean score.
const SCORE_DECIMALS: u32 = 2;

/// Questions to a customer.
#[derive(Clone)]
pub(crate) struct Survey(domain::Survey);

impl From<domain::Survey> for Survey {
    fn from(survey: domain::Survey) -> Self {
        Self(survey)
    }
}

/// Questions to a customer on how a complaint was handled: sent by mail to who complained a day after the complaint was
/// closed, answered once by a link that needs no account, and followed by two reminders. Silence is neither satisfied nor
/// dissatisfied.
#[Object]
impl Survey {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Of which complaint.
    async fn complaint(&self, ctx: &Context<'_>) -> Result<Option<Complaint>> {
        super::load(ctx, self.0.complaint_id).await
    }

    /// How far it is.
    async fn state(&self) -> Wire<SurveyState> {
        Wire(self.0.state)
    }

    /// Why it was taken back; null unless it was.
    async fn withdrawal(&self) -> Option<Wire<SurveyWithdrawal>> {
        self.0.withdrawal.map(Wire)
    }

    /// What is asked.
    async fn questions(&self) -> &[String] {
        &self.0.questions
    }

    /// The score of each question, from 1 to 5, the best; empty without an answer.
    async fn scores(&self) -> &[i32] {
        &self.0.scores
    }

    /// The mean of the scores, to two decimals; null without an answer.
    async fn mean_score(&self) -> Option<Decimal> {
        mean_score([self.0.scores.as_slice()]).map(mean)
    }

    /// What the answer says; null without one.
    async fn verdict(&self) -> Option<Wire<SurveyVerdict>> {
        self.0.verdict().map(Wire)
    }

    /// What the customer adds.
    async fn comment(&self) -> Option<&str> {
        self.0.comment.as_deref()
    }

    /// How often the customer was reminded.
    async fn reminders(&self) -> i32 {
        self.0.reminders
    }

    /// When it is sent, the customer reminded, or the wait over; later where the last mail went out late. Null once it is
    /// over.
    async fn next_due_at(&self) -> Option<DateTime> {
        self.0.next_due_at.map(DateTime)
    }

    /// When it was handed to the outbox.
    async fn sent_at(&self) -> Option<DateTime> {
        self.0.sent_at.map(DateTime)
    }

    /// When it was answered.
    async fn answered_at(&self) -> Option<DateTime> {
        self.0.answered_at.map(DateTime)
    }

    /// When the complaint was closed.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

fn mean(mean: Fraction) -> Decimal {
    Decimal(mean.decimal(SCORE_DECIMALS))
}

/// The survey with this id; null where there is none or the caller may not see its complaint.
pub(crate) async fn load(ctx: &Context<'_>, id: SurveyId) -> Result<Option<Survey>> {
    let request = Request::of(ctx).asker();
    let survey = Request::of(ctx).loaders().surveys.load(id, |ids| async move {
        let surveys = request.query(&SurveysByIds(ids)).await?;
        Ok(surveys.into_iter().map(|survey| (survey.id, survey)).collect())
    });
    Ok(hidden(survey.await)?.map(Survey))
}

/// The surveys of a complaint, the newest first; those of many complaints cost one statement together.
pub(super) async fn of_complaint(ctx: &Context<'_>, id: ComplaintId) -> Result<Vec<Survey>> {
    let request = Request::of(ctx).asker();
    let surveys = Request::of(ctx).loaders().complaint_surveys.load(id, |ids| async move {
        let mut found: std::collections::HashMap<ComplaintId, Vec<domain::Survey>> = Default::default();
        for survey in request.query(&SurveysOfComplaints(ids)).await? {
            found.entry(survey.complaint_id).or_default().push(survey);
        }
        Ok(found)
    });
    Ok(surveys.await?.unwrap_or_default().into_iter().map(Survey).collect())
}

/// What is asked of whoever holds the link of a survey.
#[derive(SimpleObject)]
pub(crate) struct SurveyForm {
    /// Who asks.
    organization: String,
    /// The number of the complaint.
    complaint_number: String,
    /// What is asked; each question is scored from 1 to 5, the best.
    questions: Vec<String>,
}

/// How satisfied those are who answered the surveys that were sent in a period, and how many did. Silence is neither.
pub(crate) struct SurveyScore(ScoredSurveys);

/// How satisfied those are who answered the surveys that were sent in a period, and how many did. Silence is neither.
#[Object]
impl SurveyScore {
    /// Surveys that customers got and that were not taken back.
    async fn sent(&self) -> u32 {
        self.0.score.asked
    }

    /// Answers: the n of mean and share.
    async fn answered(&self) -> u32 {
        self.0.score.answered
    }

    /// Answers that are satisfied.
    async fn satisfied(&self) -> u32 {
        self.0.score.satisfied
    }

    /// Answers that are dissatisfied.
    async fn dissatisfied(&self) -> u32 {
        self.0.score.dissatisfied
    }

    /// Surveys that stayed without an answer to the end.
    async fn silent(&self) -> u32 {
        self.0.score.silent
    }

    /// The answers among those sent, to six decimals; null when none was.
    async fn response_rate(&self) -> Option<Decimal> {
        self.0.score.response_rate_ppm.map(share)
    }

    /// The mean of all scores, from 1 to 5, to two decimals; null without answers.
    async fn mean_score(&self) -> Option<Decimal> {
        self.0.mean.map(mean)
    }

    /// The satisfied among the answers, to six decimals; null without answers.
    async fn satisfied_share(&self) -> Option<Decimal> {
        self.0.score.satisfied_ppm.map(share)
    }

    /// Lower end of the interval of 95 % around that share (Wilson); null without answers.
    async fn low(&self) -> Option<Decimal> {
        self.0.score.interval.map(|interval| share(interval.low))
    }

    /// Upper end of that interval.
    async fn high(&self) -> Option<Decimal> {
        self.0.score.interval.map(|interval| share(interval.high))
    }
}

fn share(ppm: i64) -> Decimal {
    Decimal(Fraction::millionths(ppm).decimal(SHARE_DECIMALS))
}

/// Queries about surveys.
#[derive(Default)]
pub(crate) struct SurveyQueries;

#[Object]
impl SurveyQueries {
    /// What is asked of whoever holds the link of a survey; needs no other token. Null for a link that is unknown, used
    /// or no longer valid.
    async fn survey_form(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token of the link.", secret)] token: String,
    ) -> Result<Option<SurveyForm>> {
        bounded(&token, "token")?;
        let request = Request::of(ctx);
        let form = request.app().survey_form(&token, request.address()).await?;
        Ok(form.map(|form| SurveyForm {
            organization: form.organization,
            complaint_number: form.number,
            questions: form.questions,
        }))
    }

    /// How satisfied customers are with how the complaints that you may see were handled, by the surveys that were sent in
    /// a period.
    async fn survey_score(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The period in which the surveys were sent.")] period: PeriodInput,
    ) -> Result<SurveyScore> {
        let period = period.parse().map_err(|problem| Error::from(problem.at("period")))?;
        Ok(SurveyScore(Request::of(ctx).query(&ScoreSurveys(period)).await?))
    }
}

/// Input of `answerSurvey`.
#[derive(InputObject)]
pub(crate) struct AnswerSurveyInput {
    /// The token of the link.
    #[graphql(secret)]
    token: String,
    /// One score for each question, in their order: 1 to 5, the best.
    scores: Vec<i32>,
    /// What you want to add, 1 to 10,000 characters.
    comment: Option<String>,
}

/// Result of `answerSurvey`.
#[derive(SimpleObject)]
pub(crate) struct AnswerSurveyPayload {
    /// True when the answer was taken.
    answered: bool,
    /// What is wrong with the input; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Mutations of surveys.
#[derive(Default)]
pub(crate) struct SurveyMutations;

#[Object]
impl SurveyMutations {
    /// Answers a survey, once; needs no token but that of the link. An answer whose mean is below 3 takes the complaint up
    /// again and escalates it.
    async fn answer_survey(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The link and the answer.")] input: AnswerSurveyInput,
    ) -> Result<AnswerSurveyPayload> {
        let request = Request::of(ctx);
        let result = async {
            bounded(&input.token, "token")?;
            let answer = NewAnswer { scores: input.scores, comment: input.comment };
            let (app, address) = (request.app(), request.address());
            app.answer_survey(&input.token, &answer, address, request.request_id()).await
        };
        let (done, user_errors) = outcome(result.await)?;
        Ok(AnswerSurveyPayload { answered: done.is_some(), user_errors })
    }
}
