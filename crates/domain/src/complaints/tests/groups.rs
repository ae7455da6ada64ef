//! Figures by group: they add up, and a cause that comes back is seen.

use proptest::prelude::*;

use super::*;

const OCTOBER: &str = "2026-10-01T00:00:00Z";
const NOVEMBER: &str = "2026-11-01T00:00:00Z";
const NOW: &str = "2026-11-25T09:00:00Z";

fn counted(
    recorded_at: Timestamp,
    customer: u128,
    product: Option<u128>,
    cause: Option<&str>,
) -> CountedComplaint {
    let closed = cause.is_some();
    CountedComplaint {
        customer_id: id(customer),
        product_id: product.map(id),
        root_cause: cause.map(str::to_owned),
        severity: None,
        channel: Channel::Phone,
        owner_id: id(1),
        team_id: None,
        figures: ComplaintFigures {
            state: if closed { ComplaintState::Closed } else { ComplaintState::Investigating },
            recorded_at,
            next_action_due: recorded_at.plus(hour(4)),
            ended_at: closed.then(|| recorded_at.plus(hour(1))),
            reopen_count: 0,
            clocks: vec![(ClockKind::Ack, if closed { ClockOutcome::Met } else { ClockOutcome::Running })],
        },
        surveys: Vec::new(),
    }
}

fn grouped(rows: &[CountedComplaint], group: ComplaintGroup) -> Vec<GroupStatistic> {
    let mut statistics = GroupStatistics::new(group, at(NOVEMBER), at(NOW));
    rows.iter().cloned().for_each(|row| statistics.add(row));
    statistics.finish().expect("few groups")
}

#[test]
fn a_cause_comes_back_with_the_same_customer_or_the_same_product() {
    let (october, november) = (at(OCTOBER), at(NOVEMBER));
    // Customer, product, cause; repeats among them.
    for (rows, repeats) in [
        (vec![(1, None, Some("FUSE"))], 0),
        (vec![(1, None, Some("FUSE")), (1, None, Some("FUSE")), (1, None, Some("FUSE"))], 2),
        (vec![(1, None, Some("FUSE")), (2, None, Some("FUSE"))], 0),
        (vec![(1, Some(5), Some("FUSE")), (2, Some(5), Some("FUSE"))], 1),
        (vec![(1, Some(5), Some("FUSE")), (1, Some(5), Some("FUSE"))], 1),
        (vec![(1, Some(5), Some("FUSE")), (2, Some(6), Some("FUSE")), (1, Some(6), Some("FUSE"))], 1),
        (vec![(1, Some(5), Some("FUSE")), (1, Some(5), Some("fuse")), (1, Some(5), Some("WIRE"))], 0),
        (vec![(1, Some(5), None), (1, Some(5), None)], 0),
    ] {
        let place = |start: Timestamp| {
            let mut at = start;
            let row = move |&(customer, product, cause): &(u128, Option<u128>, Option<&str>)| {
                at = at.plus(hour(1));
                counted(at, customer, product, cause)
            };
            rows.iter().map(row).collect::<Vec<_>>()
        };
        // What was in the period before is compared, and repeats nothing of this one.
        let both = [place(october), place(november)].concat();
        for (rows, before) in [(place(november), 0), (both, repeats)] {
            let found = grouped(&rows, ComplaintGroup::Channel);
            let recurrence = found.first().expect("a group").recurrence;
            assert_eq!((recurrence.repeats, recurrence.previous_repeats), (repeats, before), "{rows:?}");
        }
        let before_only = grouped(&place(october), ComplaintGroup::Channel);
        assert_eq!((before_only[0].figures.recorded, before_only[0].recurrence.repeats), (0, 0));
        let recorded = u32::try_from(rows.len()).expect("a count");
        assert_eq!(before_only[0].recurrence.previous_recorded, recorded);
    }
}

#[test]
fn more_groups_than_anybody_reads_are_refused() {
    let mut statistics = GroupStatistics::new(ComplaintGroup::RootCause, at(NOVEMBER), at(NOW));
    for index in 0..=GROUPS_MAX {
        statistics.add(counted(at(NOVEMBER), 1, None, Some(&format!("CAUSE {index}"))));
    }
    assert_eq!(problems(statistics.finish()), ["period TOO_MANY"]);
}

fn any_complaint() -> impl Strategy<Value = CountedComplaint> {
    let what = (0_u128..3, prop::option::of(0_u128..3), prop::option::of(0_usize..3), 0_usize..4, 0_u128..3);
    let figures =
        (0_usize..ComplaintState::ALL.len(), -40_i64..20, 0_i32..3, prop::collection::vec(0_usize..3, 0..6));
    let surveys = prop::collection::vec((0_usize..SurveyState::ALL.len(), 0_usize..3), 0..3);
    (what, figures, surveys).prop_map(|(what, (state, day, reopen_count, clocks), surveys)| {
        let (customer, product, cause, channel, owner) = what;
        let recorded_at = at(NOVEMBER).plus(Duration::days(day));
        let state = ComplaintState::ALL[state];
        let clocks = clocks.into_iter().map(|outcome| (ClockKind::Update, ClockOutcome::ALL[outcome]));
        let survey = |(state, verdict)| {
            let state = SurveyState::ALL[state];
            (state, (state == SurveyState::Answered).then(|| SurveyVerdict::ALL[verdict]))
        };
        CountedComplaint {
            severity: (channel > 0).then(|| Severity::ALL[channel - 1]),
            channel: Channel::ALL[channel],
            owner_id: id(owner),
            team_id: (owner > 0).then(|| id(owner)),
            figures: ComplaintFigures {
                state,
                recorded_at,
                next_action_due: recorded_at.plus(Duration::days(10)),
                ended_at: (!state.is_open()).then(|| recorded_at.plus(hour(30))),
                reopen_count,
                clocks: clocks.collect(),
            },
            surveys: surveys.into_iter().map(survey).collect(),
            ..counted(recorded_at, customer, product, cause.map(|cause| ["FUSE", "WIRE", "STAFF"][cause]))
        }
    })
}

proptest! {
    #[test]
    fn groups_add_up_to_the_list(mut rows in prop::collection::vec(any_complaint(), 0..60)) {
        rows.sort_by_key(|row| row.figures.recorded_at);
        let inside = rows.iter().filter(|row| row.figures.recorded_at >= at(NOVEMBER));
        let all = statistic(inside.clone().map(|row| &row.figures), at(NOW));
        let listed = inside.clone().filter(|row| row.figures.state != ComplaintState::Merged).count();
        prop_assert_eq!(usize::try_from(all.recorded).expect("a count"), listed);
        let kept = inside.filter(|row| row.figures.state != ComplaintState::Merged);
        let score = survey_score(kept.flat_map(|row| row.surveys.clone()));
        let mut recurrences = Vec::new();
        for &group in ComplaintGroup::ALL {
            let groups = grouped(&rows, group);
            let sum = |of: &dyn Fn(&GroupStatistic) -> u32| groups.iter().map(of).sum::<u32>();
            for (of, whole) in [
                (&|group: &GroupStatistic| group.figures.recorded, all.recorded),
                (&|group: &GroupStatistic| group.figures.open, all.open),
                (&|group: &GroupStatistic| group.figures.overdue, all.overdue),
                (&|group: &GroupStatistic| group.figures.closed, all.closed),
                (&|group: &GroupStatistic| group.figures.out_of_scope, all.out_of_scope),
                (&|group: &GroupStatistic| group.figures.reopened, all.reopened),
                (&|group: &GroupStatistic| group.satisfaction.asked, score.asked),
                (&|group: &GroupStatistic| group.satisfaction.satisfied, score.satisfied),
            ] as [(&dyn Fn(&GroupStatistic) -> u32, u32); 8] {
                prop_assert_eq!(sum(of), whole, "{:?}", group);
            }
            for (index, whole) in all.clocks.iter().enumerate() {
                prop_assert_eq!(sum(&|group| group.figures.clocks[index].met), whole.met);
                prop_assert_eq!(sum(&|group| group.figures.clocks[index].missed), whole.missed);
            }
            prop_assert_eq!(groups.iter().filter_map(|group| group.figures.open_age_max_s).max(), all.open_age_max_s);
            recurrences.push((sum(&|group| group.recurrence.repeats), sum(&|group| group.recurrence.previous_recorded)));
            prop_assert!(groups.is_sorted_by_key(|group| std::cmp::Reverse(group.figures.recorded)));
        }
        prop_assert!(recurrences.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", recurrences);
    }
}
