//! The whole history of the demo organisation, before anything is written: a pure function of the seed and the
//! last day.

use std::collections::HashMap;

use chrono::{Datelike, Days, NaiveDate};
use evenhand_domain::access::Role;
use evenhand_domain::customers::CustomerKind;
use evenhand_domain::users::TeamRole;

use super::calendar;
use super::complaints;
use super::dice::Dice;
use super::people::{self, REGIONS, Team};
use super::seller::{self, Post};
use super::story::Story;

/// Percent of the reps who are hired while the history lasts.
const NEW_HIRES_PERCENT: u32 = 25;
/// Percent of the reps who change teams.
const MOVERS_PERCENT: u32 = 14;
/// Percent of their time that managers of teams sell themselves.
const MANAGER_LOAD_PERCENT: u32 = 22;
/// Streams of chance: one for who works when, one for complaints, and one for each seller.
const PEOPLE_STREAM: u64 = 0;
const COMPLAINTS_STREAM: u64 = 1;
const SELLER_STREAM: u64 = 1_000;

/// A history.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) people: Vec<Person>,
    /// One for each customer, in the order in which they were collected.
    pub(super) stories: Vec<Story>,
}

/// Somebody who works here.
#[derive(Debug, PartialEq)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) hired_on: NaiveDate,
    /// Teams by place in [`team_tree`], oldest first.
    pub(super) stays: Vec<(usize, TeamRole, NaiveDate)>,
}

/// Names of the teams with the places of the teams above: the regions first.
pub(super) fn team_tree() -> Vec<(&'static str, Option<usize>)> {
    let regions = REGIONS.iter().map(|region| (region.name, None));
    let teams = REGIONS
        .iter()
        .enumerate()
        .flat_map(|(place, region)| region.teams.iter().map(move |team| (team.name, Some(place))));
    regions.chain(teams).collect()
}

/// The history that ends with the day `last`.
pub(super) fn generate(seed: u64, last: NaiveDate) -> Plan {
    let first = calendar::first_day(last);
    let mut dice = Dice::new(seed, PEOPLE_STREAM);
    let mut people = staff(first, &mut dice);
    let mut stories = Vec::new();
    for (place, team) in people::teams().enumerate() {
        stories.extend(sell(seed, first, last, (place, team), &mut people, &mut dice));
    }
    stories.sort_by_key(|story| (story.lead.at, story.lead.person));
    tell_apart(&mut stories);
    number_deals(&mut stories);
    complaints::complain(&mut stories, &agents(&people), last, Dice::new(seed, COMPLAINTS_STREAM));
    Plan { people, stories }
}

/// Those who do not belong to a team, the region managers, and then the managers of the teams.
fn staff(first: NaiveDate, dice: &mut Dice) -> Vec<Person> {
    let [service, more_service] = people::SERVICE;
    let office = [
        (people::ADMIN, Role::Admin),
        (people::FINANCE, Role::Finance),
        (service, Role::ServiceAgent),
        (more_service, Role::ServiceAgent),
    ];
    let office = office.map(|(name, role)| (name, role, None));
    let regions =
        REGIONS.iter().enumerate().map(|(place, region)| (region.manager, Role::Manager, Some(place)));
    let teams = people::teams()
        .enumerate()
        .map(|(place, team)| (team.manager, Role::Manager, Some(REGIONS.len() + place)));
    office
        .into_iter()
        .chain(regions)
        .chain(teams)
        .map(|(name, role, team)| {
            let hired_on = long_ago(first, dice);
            let stays = team.map(|team| (team, TeamRole::Lead, hired_on)).into_iter().collect();
            Person { name, role, hired_on, stays }
        })
        .collect()
}

/// The reps of a team, added to `people`, and what they and their manager sell.
fn sell(
    seed: u64,
    first: NaiveDate,
    last: NaiveDate,
    (place, team): (usize, &'static Team),
    people: &mut Vec<Person>,
    dice: &mut Dice,
) -> Vec<Story> {
    let team_place = REGIONS.len() + place;
    let manager = people.iter().position(|person| person.name == team.manager).unwrap_or_default();
    let mut mates = vec![(manager, people[manager].hired_on)];
    let signs_in = people::accounts().map(|(_, name)| name);
    for name in team.reps {
        let is_new = dice.percent(NEW_HIRES_PERCENT) && !signs_in.contains(&name);
        let hired_on = if is_new {
            calendar::workday_from(first + Days::new(dice.between(20, 330).into()))
        } else {
            long_ago(first, dice)
        };
        let mut stays = vec![(team_place, TeamRole::Member, hired_on)];
        if !is_new && dice.percent(MOVERS_PERCENT) && !signs_in.contains(&name) {
            // To the other team of the region.
            let other = REGIONS.len() + (place ^ 1);
            let day = first + Days::new(dice.between(120, 300).into());
            stays.push((other, TeamRole::Member, day.with_day(1).unwrap_or(day)));
        }
        mates.push((people.len(), hired_on));
        people.push(Person { name, role: Role::Rep, hired_on, stays });
    }
    let mut stories = Vec::new();
    for &(person, hired_on) in &mates {
        let others: Vec<_> =
            mates.iter().filter(|(mate, _)| *mate != person && *mate != manager).copied().collect();
        let post = Post {
            person,
            team,
            manager,
            mates: &others,
            from: hired_on.max(first),
            is_new: hired_on > first,
            load_percent: if person == manager { MANAGER_LOAD_PERCENT } else { 100 },
        };
        let stream = SELLER_STREAM + person as u64;
        stories.extend(seller::work(post, last, Dice::new(seed, stream)));
    }
    stories
}

/// Who handles complaints, by place.
fn agents(people: &[Person]) -> Vec<usize> {
    let agents = people.iter().enumerate().filter(|(_, person)| person.role == Role::ServiceAgent);
    agents.map(|(place, _)| place).collect()
}

/// A first day of work one to nine years before the history.
fn long_ago(first: NaiveDate, dice: &mut Dice) -> NaiveDate {
    let day = first - Days::new(dice.between(365, 3_300).into());
    day.with_day(1).unwrap_or(day)
}

/// Companies with a name that was there before get their city, too.
fn tell_apart(stories: &mut [Story]) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for lead in stories.iter_mut().map(|story| &mut story.lead) {
        let times = seen.entry(lead.name.clone()).or_default();
        *times += 1;
        if *times > 1 && lead.kind == CustomerKind::Company {
            lead.name = format!("{}, {}", lead.name, lead.city);
        }
    }
}

/// Numbers the deals in order of their opening.
fn number_deals(stories: &mut [Story]) {
    let mut deals: Vec<_> = stories.iter_mut().flat_map(|story| &mut story.deals).collect();
    deals.sort_by_key(|deal| (deal.opening.at, deal.opening.person));
    for (number, deal) in deals.into_iter().enumerate() {
        deal.number = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::story::{Evidence, Step};
    use evenhand_domain::customers::CustomerStage;
    use evenhand_domain::time::{Timestamp, parse_date};

    fn last_day() -> NaiveDate {
        parse_date("2026-11-22").expect("a date")
    }

    fn plan(seed: u64) -> Plan {
        generate(seed, last_day())
    }

    #[test]
    fn the_same_seed_and_day_give_the_same_history_and_another_seed_another() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7).stories, plan(8).stories);
    }

    #[test]
    fn the_organisation_has_the_size_that_the_demo_promises() {
        let plan = plan(7);
        let count = |of: fn(&Story) -> usize| plan.stories.iter().map(of).sum::<usize>();
        let between = |what: &str, count: usize, low: usize, high: usize| {
            assert!((low..=high).contains(&count), "{count} {what}, not {low} to {high}");
        };
        assert_eq!((plan.people.len(), team_tree().len()), (43, 9));
        let first = calendar::first_day(last_day());
        let hired = plan.people.iter().filter(|person| person.hired_on > first).count();
        between("new hires", hired, 5, 15);
        between("customers", plan.stories.len(), 9_000, 14_000);
        between("activities", count(|story| story.touches.len()), 70_000, 100_000);
        between("deals", count(|story| story.deals.len()), 2_200, 3_500);
        assert_eq!(count(|story| story.complaints.len()), 54);
    }

    #[test]
    fn complaints_are_about_what_was_bought_and_handled_in_order() {
        let plan = plan(7);
        let complaints: Vec<_> = plan.stories.iter().flat_map(|story| &story.complaints).collect();
        for story in plan.stories.iter().filter(|story| !story.complaints.is_empty()) {
            assert!(story.steps.iter().any(|step| step.stage == CustomerStage::Signed));
        }
        for complaint in &complaints {
            let times: Vec<_> =
                [complaint.at].into_iter().chain(complaint.acts.iter().map(|(at, _)| *at)).collect();
            assert!(times.is_sorted(), "acts run backwards");
            assert!(times.iter().all(|at| at.date_in(calendar::ZONE) <= last_day()), "{complaint:?}");
            assert_eq!(plan.people[complaint.agent].role, Role::ServiceAgent);
        }
        let mut numbers: Vec<_> = complaints.iter().map(|complaint| complaint.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), complaints.len());
    }

    #[test]
    fn prospects_come_from_answered_calls_and_deals_from_prospects() {
        for story in &plan(7).stories {
            let mut since = story.lead.at;
            for Step { stage, at, evidence, .. } in &story.steps {
                assert!(*at >= since, "a step before the one before it");
                since = *at;
                match evidence {
                    Some(Evidence::Touch(place)) => assert_eq!(story.touches[*place].connected, Some(true)),
                    evidence => assert_eq!(*stage == CustomerStage::Prospect, evidence.is_some()),
                }
            }
            let stage_at = |moment: Timestamp| {
                story.steps.iter().take_while(|step| step.at <= moment).last().map(|step| step.stage)
            };
            for deal in &story.deals {
                let stage = stage_at(deal.opening.at);
                assert!(matches!(stage, Some(CustomerStage::Prospect | CustomerStage::Signed)), "{stage:?}");
                assert!(deal.steps.is_sorted_by_key(|step| step.at), "steps run backwards");
                assert!(deal.steps.iter().all(|step| step.at >= deal.opening.at), "a step before the deal");
            }
            assert!(story.touches.iter().all(|touch| touch.at.date_in(calendar::ZONE) <= last_day()));
        }
    }
}
