//! Surveys and figures.

use proptest::prelude::*;

use super::*;
use crate::derivation::statistics::wilson_95;

fn survey() -> Survey {
    let complaint = at_state(ComplaintState::Accepted);
    let now = handling_at(at("2026-11-23T16:00:00Z"));
    let hours = office();
    let handling = Handling { service: service(&hours), ..now };
    complaint.close(&closing(&complaint), id(5), &handling).expect("an end").survey.into_state()
}

fn handling_at(now: Timestamp) -> Handling<'static> {
    static HOURS: std::sync::LazyLock<WorkHours> = std::sync::LazyLock::new(office);
    Handling { by: None, service: service(&HOURS), now }
}

fn sent() -> Survey {
    let survey = survey();
    survey.proceed(survey.next_due_at.expect("due")).expect("sent").into_state()
}

fn answer(scores: [i32; 5]) -> NewAnswer {
    NewAnswer { scores: scores.to_vec(), comment: None }
}

#[test]
fn a_silent_customer_is_reminded_twice_and_counted_as_silent() {
    let mut survey = survey();
    let mut seen = Vec::new();
    while let Some(due) = survey.next_due_at {
        assert!(survey.proceed(due.plus(-Duration::microseconds(1))).is_none());
        let change = survey.proceed(due).expect("a step");
        seen.push((due.to_string()[..10].to_owned(), change.event().kind));
        survey = change.into_state();
    }
    assert_eq!(
        seen,
        [
            ("2026-11-24".to_owned(), EventKind::SurveySent),
            ("2026-11-27".to_owned(), EventKind::SurveyReminded),
            ("2026-12-01".to_owned(), EventKind::SurveyReminded),
            ("2026-12-08".to_owned(), EventKind::SurveyUnanswered),
        ]
    );
    assert_eq!(
        (survey.state, survey.reminders, survey.verdict()),
        (SurveyState::NoResponse, REMINDERS, None)
    );
    assert!(survey.proceed(at("2027-12-08T00:00:00Z")).is_none());
    let score = survey_score([(survey.state, survey.verdict())]);
    assert_eq!((score.asked, score.answered, score.satisfied, score.silent), (1, 0, 0, 1));
    assert_eq!((score.response_rate_ppm, score.satisfied_ppm, score.interval), (Some(0), None, None));
}

#[test]
fn a_survey_is_answered_once_and_whole() {
    let now = at("2026-11-25T09:00:00Z");
    let scheduled = survey();
    assert_eq!(problems(scheduled.answer(&answer([5; 5]), now)), ["token INVALID_SURVEY"]);
    let sent = sent();
    let wrong = NewAnswer { scores: vec![0, 5, 6, 5], comment: Some(" ".into()) };
    assert_eq!(
        problems(sent.answer(&wrong, now)),
        ["scores OUT_OF_RANGE", "scores.0 OUT_OF_RANGE", "scores.2 OUT_OF_RANGE", "comment REQUIRED"]
    );
    for (scores, verdict) in [
        ([4, 4, 4, 4, 4], SurveyVerdict::Satisfied),
        ([5, 5, 5, 4, 1], SurveyVerdict::Satisfied),
        ([5, 5, 4, 4, 1], SurveyVerdict::Neutral),
        ([3, 3, 3, 3, 3], SurveyVerdict::Neutral),
        ([5, 5, 2, 1, 1], SurveyVerdict::Dissatisfied),
        ([1, 1, 1, 1, 1], SurveyVerdict::Dissatisfied),
    ] {
        let answered = sent.answer(&answer(scores), now).expect("an answer");
        assert_eq!(answered.verdict, verdict, "{scores:?}");
        let survey = answered.change.into_state();
        assert_eq!((survey.state, survey.verdict()), (SurveyState::Answered, Some(verdict)));
        assert_eq!(problems(survey.answer(&answer(scores), now)), ["token INVALID_SURVEY"]);
        assert!(
            survey.proceed(at("2027-01-01T00:00:00Z")).is_none()
                && survey.withdraw(SurveyWithdrawal::Reopened, now).is_none()
        );
    }
    // What is taken back is neither reminded of nor counted.
    let withdrawn = sent.withdraw(SurveyWithdrawal::Reopened, now).expect("a change").into_state();
    assert_eq!(problems(withdrawn.answer(&answer([5; 5]), now)), ["token INVALID_SURVEY"]);
    assert_eq!(survey_score([(withdrawn.state, withdrawn.verdict())]), SurveyScore::default());
}

#[test]
fn a_dissatisfied_customer_reopens_the_complaint_on_the_second_rung() {
    let closed = at_state(ComplaintState::Closed);
    let sent = sent();
    // Later than the window within which somebody may ask for it.
    let late = handling_at(at("2027-03-01T10:00:00Z"));
    let low = sent.answer(&answer([1; 5]), late.now).expect("an answer");
    let change = closed.reopen(Reopening::Survey(&low), id(60), &late).expect("open");
    assert_eq!(change.event().kind, EventKind::ComplaintReopened);
    assert_eq!(change.event().after["surveyId"], sent.id.to_string());
    let open = change.into_state();
    let escalation = open.escalations.last().expect("an escalation");
    assert_eq!((open.state, escalation.key.rung, open.level), (ComplaintState::Investigating, 2, 2));
    let fine = sent.answer(&answer([3; 5]), late.now).expect("an answer");
    assert!(matches!(closed.reopen(Reopening::Survey(&fine), id(60), &late), Err(Error::Internal(_))));
    let other = Complaint { id: id(77), ..closed };
    assert!(matches!(other.reopen(Reopening::Survey(&low), id(60), &late), Err(Error::Internal(_))));
}

#[test]
fn scores_come_with_their_n_and_interval() {
    use SurveyState::*;
    let satisfied = (Answered, Some(SurveyVerdict::Satisfied));
    let mut surveys = vec![satisfied; 6];
    surveys.extend([(Answered, Some(SurveyVerdict::Neutral)), (Answered, Some(SurveyVerdict::Dissatisfied))]);
    surveys.extend([(NoResponse, None), (Sent, None), (Scheduled, None), (Withdrawn, None)]);
    let score = survey_score(surveys);
    assert_eq!(
        (score.asked, score.answered, score.satisfied, score.dissatisfied, score.silent),
        (10, 8, 6, 1, 1)
    );
    assert_eq!((score.response_rate_ppm, score.satisfied_ppm), (Some(800_000), Some(750_000)));
    assert_eq!(score.interval, wilson_95(6, 8));
}

#[test]
fn figures_count_what_happened_and_leave_duplicates_out() {
    let hours = office();
    let now = at("2026-11-24T09:00:00Z");
    let reopened = {
        let closed = at_state(ComplaintState::Closed);
        let again = Handling { now: closed.updated_at.plus(hour(1)), ..handling(&hours, MONDAY) };
        closed.reopen(Reopening::Asked { reason: "Again" }, id(22), &again).expect("open").into_state()
    };
    let complaints = [
        recorded(&hours, MONDAY),
        at_state(ComplaintState::Closed),
        at_state(ComplaintState::OutOfScope),
        at_state(ComplaintState::Merged),
        reopened,
    ];
    let rows: Vec<_> = complaints.iter().map(|complaint| complaint.figures(now)).collect();
    let found = statistic(&rows, now);
    assert_eq!((found.recorded, found.open, found.closed, found.out_of_scope), (4, 2, 1, 1));
    // The first one was to be acknowledged on Monday.
    assert_eq!((found.overdue, found.reopened, found.reopen_rate_ppm), (1, 1, Some(500_000)));
    let day = 86_400;
    assert_eq!((found.open_age_median_s, found.open_age_max_s), (Some(day), Some(day)));
    assert_eq!(found.closed_age_median_s, Some(6 * 3_600));
    let count = |kind| *found.clocks.iter().find(|count| count.kind == kind).expect("a count");
    let ack = ClockCount { kind: ClockKind::Ack, met: 3, missed: 1, running: 0 };
    assert_eq!(count(ClockKind::Ack), ack);
    let resolution = ClockCount { kind: ClockKind::Resolution, met: 3, missed: 0, running: 2 };
    assert_eq!(count(ClockKind::Resolution), resolution);
    assert_eq!(found.exposure, exposure(2));

    let nothing = statistic(&[], now);
    assert_eq!((nothing.recorded, nothing.reopen_rate_ppm, nothing.open_age_max_s), (0, None, None));
}

#[test]
fn one_complaint_is_told_to_616_people_as_the_claim_goes() {
    assert_eq!(exposure(1), Exposure { first: 11, second: 605, hearers: 616 });
    assert_eq!((exposure(0).hearers, exposure(3).hearers, HEARERS_OF_ONE), (0, 1_848, 616));
    assert_eq!(exposure(u32::MAX).hearers, u64::from(u32::MAX) * 616);
}

proptest! {
    #[test]
    fn silence_never_counts_as_satisfaction(answers in prop::collection::vec(0_usize..3, 0..50), silent in 0_usize..50) {
        let answered = answers.iter().map(|&index| (SurveyState::Answered, Some(SurveyVerdict::ALL[index])));
        let silence = std::iter::repeat_n((SurveyState::NoResponse, None), silent);
        let (with, without) = (survey_score(answered.clone().chain(silence)), survey_score(answered));
        let said = |score: SurveyScore| (score.satisfied, score.satisfied_ppm, score.interval);
        prop_assert_eq!(said(with), said(without));
        prop_assert!(with.response_rate_ppm <= without.response_rate_ppm || without.response_rate_ppm.is_none());
        prop_assert_eq!(usize::try_from(with.asked).expect("a count"), answers.len() + silent);
    }
}
