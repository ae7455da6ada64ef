//! The whole history of the demo organisation, week by week, before anything is written: a pure function of
//! the seed and the last day.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, Days, NaiveDate};
use evenhand_domain::access::Role;
use evenhand_domain::customers::CustomerKind;
use evenhand_domain::time::Timestamp;
use evenhand_domain::users::TeamRole;

use super::calendar;
use super::dice::Dice;
use super::people::{self, REGIONS, Team};
use super::seller::{self, Post};
use super::story::{DealStep, Evidence, Lead, Opening, Step, Story, Touch};

/// Percent of the reps who are hired while the history lasts.
const NEW_HIRES_PERCENT: u32 = 25;
/// Percent of the reps who change teams.
const MOVERS_PERCENT: u32 = 9;
/// Percent of their time that managers of teams sell themselves.
const MANAGER_LOAD_PERCENT: u32 = 22;
/// Streams of chance: one for who works when, and one for each seller.
const PEOPLE_STREAM: u64 = 0;
const SELLER_STREAM: u64 = 1_000;

/// A history.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) people: Vec<Person>,
    pub(super) weeks: Vec<Week>,
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

/// What happens in a week, each list in order of time. Customers and deals are numbered over all weeks, in the
/// order in which they appear.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Week {
    pub(super) leads: Vec<Lead>,
    pub(super) openings: Vec<(usize, Opening)>,
    /// Customer, deal, and what was done by the customer's collector.
    pub(super) touches: Vec<PlannedTouch>,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) deal_steps: Vec<(usize, DealStep)>,
}

/// A touch with its references.
#[derive(Debug, PartialEq)]
pub(super) struct PlannedTouch {
    pub(super) person: usize,
    pub(super) customer: usize,
    pub(super) deal: Option<usize>,
    pub(super) touch: Touch,
}

/// A step with its references.
#[derive(Debug, PartialEq)]
pub(super) struct PlannedStep {
    pub(super) person: usize,
    pub(super) customer: usize,
    /// With evidence from the same week.
    pub(super) step: Step,
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
    Plan { people, weeks: weeks(stories, first, last) }
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

/// Cuts the stories, which are in order of their beginning, into weeks.
fn weeks(stories: Vec<Story>, first: NaiveDate, last: NaiveDate) -> Vec<Week> {
    let count = (last - first).num_days() / 7 + 1;
    let mut weeks: Vec<Week> = (0..count).map(|_| Week::default()).collect();
    let place = |at: Timestamp| {
        let days = (at.date_in(calendar::ZONE) - first).num_days();
        usize::try_from(days / 7).unwrap_or(0).min(count as usize - 1)
    };
    let deals = number_deals(&stories);
    // Where a touch ended up, by customer and place in the story.
    let mut touches = BTreeMap::new();
    for (customer, story) in stories.iter().enumerate() {
        for (index, touch) in story.touches.iter().enumerate() {
            touches.insert((touch.at, customer, index), touch);
        }
    }
    let mut evidence = HashMap::new();
    for ((at, customer, index), touch) in touches {
        let week = &mut weeks[place(at)].touches;
        evidence.insert((customer, index), week.len());
        let deal = touch.deal.and_then(|deal| deals.get(&(customer, deal)).copied());
        let person = stories[customer].lead.person;
        week.push(PlannedTouch { person, customer, deal, touch: touch.clone() });
    }
    for (customer, story) in stories.into_iter().enumerate() {
        let person = story.lead.person;
        weeks[place(story.lead.at)].leads.push(story.lead);
        for mut step in story.steps {
            if let Some(Evidence::Touch(touch)) = &mut step.evidence {
                *touch = evidence.get(&(customer, *touch)).copied().unwrap_or_default();
            }
            weeks[place(step.at)].steps.push(PlannedStep { person, customer, step });
        }
        for (index, story) in story.deals.into_iter().enumerate() {
            let Some(&deal) = deals.get(&(customer, index)) else { continue };
            weeks[place(story.opening.at)].openings.push((customer, story.opening));
            for step in story.steps {
                weeks[place(step.at)].deal_steps.push((deal, step));
            }
        }
    }
    for week in &mut weeks {
        // Stable: what follows at the same moment stays in order.
        week.steps.sort_by_key(|planned| planned.step.at);
        week.openings.sort_by_key(|(customer, opening)| (opening.at, *customer));
        week.deal_steps.sort_by_key(|(deal, step)| (step.at, *deal));
    }
    weeks
}

/// Numbers of the deals by customer and place in the story: in order of their opening.
fn number_deals(stories: &[Story]) -> HashMap<(usize, usize), usize> {
    let mut openings: Vec<_> = stories
        .iter()
        .enumerate()
        .flat_map(|(customer, story)| {
            story.deals.iter().enumerate().map(move |(index, deal)| (deal.opening.at, customer, index))
        })
        .collect();
    openings.sort_unstable();
    openings
        .into_iter()
        .enumerate()
        .map(|(number, (_, customer, index))| ((customer, index), number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenhand_domain::customers::CustomerStage;
    use evenhand_domain::time::parse_date;

    fn plan(seed: u64) -> Plan {
        generate(seed, parse_date("2026-11-22").expect("a date"))
    }

    #[test]
    fn the_same_seed_and_day_give_the_same_history_and_another_seed_another() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7).weeks, plan(8).weeks);
    }

    #[test]
    fn the_organisation_has_the_size_that_the_demo_promises() {
        let plan = plan(7);
        let count = |of: fn(&Week) -> usize| plan.weeks.iter().map(of).sum::<usize>();
        let between = |what: &str, count: usize, low: usize, high: usize| {
            assert!((low..=high).contains(&count), "{count} {what}, not {low} to {high}");
        };
        assert_eq!((plan.people.len(), team_tree().len()), (43, 9));
        assert!(
            plan.people
                .iter()
                .filter(
                    |person| person.hired_on > calendar::first_day(parse_date("2026-11-22").expect("a date"))
                )
                .count()
                >= 5
        );
        between("customers", count(|week| week.leads.len()), 9_000, 15_000);
        between("activities", count(|week| week.touches.len()), 70_000, 110_000);
        between("deals", count(|week| week.openings.len()), 2_000, 3_500);
    }

    #[test]
    fn prospects_come_from_answered_calls_and_deals_from_prospects() {
        let plan = plan(7);
        let mut stages: HashMap<usize, Vec<(Timestamp, CustomerStage)>> = HashMap::new();
        for week in &plan.weeks {
            for PlannedStep { customer, step, .. } in &week.steps {
                stages.entry(*customer).or_default().push((step.at, step.stage));
                match step.evidence {
                    Some(Evidence::Touch(place)) => {
                        let call = &week.touches[place];
                        assert_eq!((call.customer, call.touch.connected), (*customer, Some(true)));
                    }
                    evidence => assert!((step.stage == CustomerStage::Prospect) == evidence.is_some()),
                }
            }
        }
        let mut openings = Vec::new();
        for week in &plan.weeks {
            for (customer, opening) in &week.openings {
                let before = stages[customer].iter().take_while(|(at, _)| *at <= opening.at);
                let stage = before.last().map(|(_, stage)| *stage);
                assert!(matches!(stage, Some(CustomerStage::Prospect | CustomerStage::Signed)), "{stage:?}");
                openings.push(opening);
            }
            for (deal, step) in &week.deal_steps {
                assert!(step.at >= openings[*deal].at, "a step before the deal");
            }
        }
    }
}
