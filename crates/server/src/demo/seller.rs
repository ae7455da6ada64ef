//! One seller's work, day by day: who is called, who answers, who buys, and when.
//!
//! Prospects come from calls and deals from prospects; a day has room for so many contacts, and what does not
//! fit waits for the next. All chances are whole percent.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use chrono::{Datelike, Days, Months, NaiveDate};
use evenhand_domain::customers::{CustomerGrade, CustomerKind, CustomerStage};

use super::calendar;
use super::contact::{Day, Goal, Hand, Open};
use super::dice::Dice;
use super::people::Team;
use super::story::{Evidence, Lead, Story};
use super::words;

/// Contacts that an average seller makes on an average day.
const CONTACTS_PER_DAY: u32 = 14;
/// Percent of the contacts of a day for which a new lead is collected.
const LEADS_PER_CONTACT_PERCENT: u32 = 11;
/// What a new hire gets done, in percent, by month of service; later months are full.
const RAMP_PERCENT: [u32; 4] = [25, 50, 75, 100];
/// Percent of the customers that are persons.
const PERSONS_PERCENT: u32 = 8;

/// What is given about a seller.
pub(super) struct Post<'a> {
    /// Place in the plan's list of people.
    pub(super) person: usize,
    pub(super) team: &'static Team,
    pub(super) manager: usize,
    /// Colleagues of the team and their first days.
    pub(super) mates: &'a [(usize, NaiveDate)],
    /// First day of work.
    pub(super) from: NaiveDate,
    /// Whether that day begins the career here.
    pub(super) is_new: bool,
    /// Share of the time for selling; those who lead have less.
    pub(super) load_percent: u32,
}

/// What a person is like; 100 is average where it is a factor.
pub(super) struct Skill {
    pub(super) pace: u32,
    pub(super) lead_quality: u32,
    pub(super) connect_percent: u32,
    pub(super) interest_percent: u32,
    pub(super) win_percent: u32,
    pub(super) discount_steps_max: u32,
}

impl Skill {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            pace: dice.between(82, 116),
            lead_quality: dice.between(85, 115),
            connect_percent: dice.between(27, 40),
            interest_percent: dice.between(17, 31),
            win_percent: dice.between(32, 58),
            discount_steps_max: dice.between(2, 6),
        }
    }
}

/// Customers that somebody has who was there before the history: how many at full load, how far, and what for.
const CARRIED_OVER: [(u32, CustomerStage, Goal); 4] = [
    (24, CustomerStage::Qualified, Goal::Follow),
    (8, CustomerStage::Prospect, Goal::Offer),
    (9, CustomerStage::Prospect, Goal::Sell),
    (9, CustomerStage::Signed, Goal::Care),
];
/// Over how many days before the history these were collected, and after its beginning are contacted again.
const CARRIED_OVER_DAYS: u32 = 120;
const CONTACTED_AGAIN_DAYS: u32 = 45;
/// What shows that they are that far.
const OLD_RECORDS: &str = "Records from before the change of systems";

/// Stories by the day on which they go on.
type Agenda = BinaryHeap<Reverse<(NaiveDate, usize)>>;

struct Seller<'a> {
    hand: Hand<'a>,
    away: BTreeSet<NaiveDate>,
    /// How the present week goes, in percent.
    week_percent: u32,
    stories: Vec<Open>,
    deals: Agenda,
    calls: Agenda,
}

/// Everything that the seller's customers live through until `last`, the last day included.
pub(super) fn work(post: Post<'_>, last: NaiveDate, mut dice: Dice) -> Vec<Story> {
    let skill = Skill::draw(&mut dice);
    let away = days_off(&post, last, &mut dice);
    let from = post.from;
    let mut seller = Seller {
        hand: Hand { post, skill, dice, last },
        away,
        week_percent: 100,
        stories: Vec::new(),
        deals: Agenda::new(),
        calls: Agenda::new(),
    };
    if !seller.hand.post.is_new {
        seller.carry_over(from);
    }
    for date in from.iter_days().take_while(|date| *date <= last) {
        seller.day(date);
    }
    seller.stories.into_iter().map(|open| open.story).collect()
}

/// Vacations and sick days.
fn days_off(post: &Post<'_>, last: NaiveDate, dice: &mut Dice) -> BTreeSet<NaiveDate> {
    let mut away = BTreeSet::new();
    let mut block = |start: NaiveDate, days: u32| {
        away.extend(start.iter_days().filter(|date| calendar::is_workday(*date)).take(days as usize));
    };
    for year in post.from.year()..=last.year() {
        // Two weeks in summer, one around Easter, one in autumn, and the days between the years.
        for (month, days, spread) in [(7, 10, 50), (3, 5, 40), (10, 5, 30), (12, 3, 1)] {
            let start = NaiveDate::from_ymd_opt(year, month, if month == 12 { 27 } else { 1 });
            let shift = Days::new(dice.below(spread).into());
            block(start.unwrap_or(last) + shift, days);
        }
    }
    for date in post.from.iter_days().take_while(|date| *date <= last) {
        if dice.permille(11) {
            block(date, dice.between(1, 5));
        }
    }
    away
}

impl Seller<'_> {
    /// Takes over customers from the time before the history, which begins on `first`.
    fn carry_over(&mut self, first: NaiveDate) {
        use CustomerStage::{Prospect, Qualified, Signed};
        for (count, stage, goal) in CARRIED_OVER {
            for _ in 0..count * self.hand.post.load_percent / 100 {
                let dice = &mut self.hand.dice;
                let ago = dice.between(7, CARRIED_OVER_DAYS);
                let date = calendar::workday_from(first - Days::new(ago.into()));
                let mut day = Day::new(date, CONTACTS_PER_DAY);
                day.go_on(dice);
                let again = first + Days::new(dice.below(CONTACTED_AGAIN_DAYS).into());
                let index = self.collect(&day);
                let open = &mut self.stories[index];
                for step in [Qualified, Prospect, Signed] {
                    let evidence = (step == Prospect).then_some(Evidence::Document(OLD_RECORDS));
                    open.advance(step, day.now(), None, evidence);
                    if step == stage {
                        break;
                    }
                }
                if goal == Goal::Sell {
                    self.hand.open_deal(open, &day);
                    self.deals.push(Reverse((again, index)));
                } else {
                    open.aim(goal);
                    self.calls.push(Reverse((again, index)));
                }
            }
        }
    }

    fn day(&mut self, date: NaiveDate) {
        let dice = &mut self.hand.dice;
        if date.weekday() == chrono::Weekday::Mon {
            self.week_percent = if dice.percent(8) { 55 } else { dice.between(92, 108) };
        }
        if !calendar::is_workday(date) || self.away.contains(&date) {
            return;
        }
        let contacts = self.contacts(date);
        let mut day = Day::new(date, contacts);
        for _ in 0..contacts {
            if !day.go_on(&mut self.hand.dice) {
                break;
            }
            if self.hand.dice.percent(LEADS_PER_CONTACT_PERCENT) {
                let lead = self.collect(&day);
                let wait = self.hand.dice.below(3);
                self.calls.push(Reverse((date + Days::new(wait.into()), lead)));
            }
            // Those who want to buy come first; with nobody left to call, somebody new is found.
            let index = match due(&mut self.deals, date).or_else(|| due(&mut self.calls, date)) {
                Some(index) => index,
                None => self.collect(&day),
            };
            let open = &mut self.stories[index];
            if let Some(days) = self.hand.contact(open, &mut day) {
                let next = Reverse((date + Days::new(days.into()), index));
                let agenda = if open.goal == Goal::Sell { &mut self.deals } else { &mut self.calls };
                agenda.push(next);
            }
        }
    }

    /// How many contacts there is room for.
    fn contacts(&mut self, date: NaiveDate) -> u32 {
        let dice = &mut self.hand.dice;
        let mood = if dice.percent(6) { 45 } else { dice.between(85, 115) };
        let push = if calendar::is_quarter_end(date) { 112 } else { 100 };
        let post = &self.hand.post;
        let ramp =
            match RAMP_PERCENT.iter().zip(1..).find(|(_, month)| date < months_after(post.from, *month)) {
                Some((percent, _)) if post.is_new => *percent,
                _ => 100,
            };
        let factors = [
            post.load_percent,
            self.hand.skill.pace,
            ramp,
            calendar::season_percent(date),
            push,
            mood,
            self.week_percent,
        ];
        // In thousandths, so that small factors do not vanish; the rest is thrown for.
        let milli = factors.iter().fold(CONTACTS_PER_DAY * 1_000, |milli, factor| milli * factor / 100);
        milli / 1_000 + u32::from(dice.permille(milli % 1_000))
    }

    /// A new lead; answers its place.
    fn collect(&mut self, day: &Day) -> usize {
        let Hand { post, skill, dice, .. } = &mut self.hand;
        let &(source, usable) = dice.weighted(words::SOURCES);
        let (trade, sector) = *dice.pick(words::TRADES);
        let is_person = dice.percent(PERSONS_PERCENT);
        let name = if is_person {
            format!("{} {}", dice.pick(words::GIVEN_NAMES), dice.pick(words::FAMILY_NAMES))
        } else {
            format!("{} {trade} {}", dice.pick(words::STEMS), dice.pick(post.team.forms))
        };
        let grades = [
            (Some(CustomerGrade::A), 10),
            (Some(CustomerGrade::B), 25),
            (Some(CustomerGrade::C), 30),
            (Some(CustomerGrade::D), 12),
            (None, 23),
        ];
        let &city = dice.pick(&post.team.cities);
        let grade = *dice.weighted(&grades);
        let bonus = match grade {
            Some(CustomerGrade::A) => 15,
            Some(CustomerGrade::B) => 7,
            _ => 0,
        };
        let lead = Lead {
            person: post.person,
            name,
            city,
            kind: if is_person { CustomerKind::Person } else { CustomerKind::Company },
            grade,
            sector,
            source,
            at: day.now(),
        };
        let story =
            Story { lead, touches: Vec::new(), steps: Vec::new(), deals: Vec::new(), complaints: Vec::new() };
        let usable_percent = usable * skill.lead_quality / 100 + bonus;
        self.stories.push(Open { story, goal: Goal::Reach, tries: 0, usable_percent });
        self.stories.len() - 1
    }
}

fn months_after(date: NaiveDate, months: u32) -> NaiveDate {
    date.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// Takes the earliest story out that goes on by `date`.
fn due(agenda: &mut Agenda, date: NaiveDate) -> Option<usize> {
    let Reverse((day, index)) = *agenda.peek()?;
    if day > date {
        return None;
    }
    agenda.pop();
    Some(index)
}
