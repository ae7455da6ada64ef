//! One contact with one customer, and what comes of it.

use chrono::{Days, Duration, NaiveDate};
use evenhand_domain::activities::ActivityKind;
use evenhand_domain::customers::{CustomerGrade, CustomerStage};
use evenhand_domain::deals::{CreditKind, DealStage, WHOLE_BP};
use evenhand_domain::time::Timestamp;

use super::calendar;
use super::dice::Dice;
use super::people::GOODS;
use super::seller::{Post, Skill};
use super::story::{Credit, DealStep, DealStepKind, DealStory, Evidence, Opening, Step, Story, Touch};
use super::words;

/// When a day begins, pauses and ends, in seconds after midnight.
const DAY_START: u32 = 30_600;
const NOON: u32 = 43_200;
const NOON_SECONDS: u32 = 2_700;
const DAY_END: u32 = 63_000;
/// Calls in vain after which a customer counts as silent.
const TRIES_MAX: u32 = 7;
/// Days after the beginning of the history on which what is retired now was still sold.
const RETIRED_DAYS: u64 = 190;

/// A story that goes on.
pub(super) struct Open {
    pub(super) story: Story,
    pub(super) goal: Goal,
    /// Contacts towards the goal; while selling, those that are still to come.
    pub(super) tries: u32,
    /// Chance that the customer could buy at all.
    pub(super) usable_percent: u32,
}

/// What the next contact is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// To speak to somebody for the first time.
    Reach,
    /// To raise interest.
    Follow,
    /// To come to an offer.
    Offer,
    /// To win the open deal, the last of the story.
    Sell,
    /// To stay in touch after a sale.
    Care,
}

/// A day at work.
pub(super) struct Day {
    pub(super) date: NaiveDate,
    midnight: Timestamp,
    seconds: u32,
    gap: u32,
}

impl Day {
    /// A day with room for `contacts`.
    pub(super) fn new(date: NaiveDate, contacts: u32) -> Self {
        let gap = (DAY_END - DAY_START - NOON_SECONDS) / contacts.max(1);
        Self { date, midnight: calendar::at(date, 0), seconds: DAY_START, gap }
    }

    /// Lets time pass until the next contact; false when it is time to go home.
    pub(super) fn go_on(&mut self, dice: &mut Dice) -> bool {
        self.pass(self.gap * dice.between(40, 140) / 100);
        self.seconds < DAY_END
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.midnight.plus(Duration::seconds(self.seconds.into()))
    }

    fn pass(&mut self, seconds: u32) {
        let before_noon = self.seconds < NOON;
        self.seconds += seconds;
        if before_noon && self.seconds >= NOON {
            self.seconds += NOON_SECONDS;
        }
    }
}

/// A seller at work.
pub(super) struct Hand<'a> {
    pub(super) post: Post<'a>,
    pub(super) skill: Skill,
    pub(super) dice: Dice,
    /// Last day of the history.
    pub(super) last: NaiveDate,
}

impl Hand<'_> {
    /// Makes the next contact. Answers in how many days the story goes on, if it does.
    pub(super) fn contact(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        match open.goal {
            Goal::Reach => self.reach(open, day),
            Goal::Follow => self.follow(open, day),
            Goal::Offer => self.offer(open, day),
            Goal::Sell => self.sell(open, day),
            Goal::Care => self.care(open, day),
        }
    }

    fn reach(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        if !self.call(open, day, self.skill.connect_percent) {
            return self.in_vain(open, day);
        }
        if self.dice.percent(open.usable_percent) {
            open.outcome("qualified");
            open.advance(CustomerStage::Qualified, day.now(), None, None);
            open.aim(Goal::Follow);
            return Some(self.dice.between(2, 7));
        }
        if self.dice.percent(65) {
            open.outcome("not a fit");
            let reason = self.dice.pick(words::NO_LEAD);
            open.advance(CustomerStage::Lost, day.now(), Some(reason), None);
            return None;
        }
        open.outcome("call back");
        Some(self.dice.between(3, 10))
    }

    fn follow(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        if self.dice.percent(15) {
            self.message(open, day, "information sent");
            return Some(self.dice.between(3, 8));
        }
        if !self.call(open, day, self.skill.connect_percent + 14) {
            return self.in_vain(open, day);
        }
        if self.dice.percent(self.skill.interest_percent) {
            open.outcome("wants an offer");
            let evidence = Evidence::Touch(open.story.touches.len() - 1);
            open.advance(CustomerStage::Prospect, day.now(), None, Some(evidence));
            open.aim(Goal::Offer);
            return Some(self.dice.between(1, 5));
        }
        if self.dice.percent(22) {
            open.outcome("no interest");
            let reason = self.dice.pick(words::NO_INTEREST);
            open.advance(CustomerStage::Lost, day.now(), Some(reason), None);
            return None;
        }
        open.outcome("call back");
        Some(self.dice.between(5, 16))
    }

    fn offer(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        open.tries += 1;
        if self.talk(open, day, None) && self.dice.percent(32) {
            return Some(self.open_deal(open, day));
        }
        if open.tries < 4 {
            return Some(self.dice.between(4, 14));
        }
        if self.dice.percent(55) {
            let reason = self.dice.pick(words::NO_INTEREST);
            open.advance(CustomerStage::Lost, day.now(), Some(reason), None);
        } else {
            open.advance(CustomerStage::Dormant, day.now(), None, None);
        }
        None
    }

    fn care(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        if self.dice.percent(25) {
            let note = self.dice.pick(words::NOTES);
            open.touch(ActivityKind::Note, day.now(), None);
            open.note(note);
        } else if self.dice.percent(40) {
            self.message(open, day, "asked how it goes");
        } else {
            if self.talk(open, day, None) && self.dice.percent(16) {
                return Some(self.open_deal(open, day));
            }
        }
        Some(self.dice.between(35, 90))
    }

    /// Opens a deal; answers the days to its next contact.
    pub(super) fn open_deal(&mut self, open: &mut Open, day: &Day) -> u32 {
        let retired_on = calendar::first_day(self.last) + Days::new(RETIRED_DAYS);
        let sold = |retired: bool| !retired || day.date < retired_on;
        let goods: Vec<(usize, u32)> = (0..)
            .zip(&GOODS)
            .filter(|(_, good)| sold(good.retired))
            .map(|(index, good)| (index, good.weight))
            .collect();
        let good = *self.dice.weighted(&goods);
        let most = GOODS[good].pieces_max;
        let pieces = self.dice.between(1, most).min(self.dice.between(1, most));
        let discount_bp = self.dice.between(0, self.skill.discount_steps_max) * 250;
        let Some(value) = GOODS[good].price(self.post.team, pieces, discount_bp) else { return 0 };
        // The larger the sum, the more people decide.
        let contacts = match value.minor {
            0..200_000 => self.dice.between(1, 2),
            200_000..1_000_000 => self.dice.between(2, 4),
            _ => self.dice.between(3, 6),
        };
        let expected_on = calendar::workday_from(day.date + Days::new(u64::from(contacts * 11)));
        let opening = Opening { person: self.post.person, good, pieces, value, at: day.now(), expected_on };
        open.story.deals.push(DealStory { number: 0, opening, steps: Vec::new() });
        open.goal = Goal::Sell;
        open.tries = contacts;
        self.dice.between(3, 12)
    }

    fn sell(&mut self, open: &mut Open, day: &mut Day) -> Option<u32> {
        let deal = open.story.deals.len().checked_sub(1)?;
        if !self.talk(open, day, Some(deal)) {
            return Some(self.dice.between(1, 3));
        }
        let left = open.tries.saturating_sub(1);
        // At the end of a quarter, what can be decided is decided.
        let push = calendar::is_quarter_end(day.date) && left <= 2 && self.dice.percent(45);
        if left == 0 || push {
            return self.decide(open, day, push);
        }
        let stage = if left == 1 { DealStage::Negotiating } else { DealStage::Engaging };
        let steps = &mut open.story.deals[deal].steps;
        if steps.last().is_none_or(|step| step.kind != DealStepKind::Move(stage)) {
            steps.push(DealStep { at: day.now(), kind: DealStepKind::Move(stage) });
        }
        open.tries = left;
        Some(self.dice.between(4, 18))
    }

    /// The customer decides on the open deal.
    fn decide(&mut self, open: &mut Open, day: &Day, push: bool) -> Option<u32> {
        let is_signed = open.story.steps.last().is_some_and(|step| step.stage == CustomerStage::Signed);
        let season = calendar::season_percent(day.date).clamp(80, 110);
        let bonus = match open.story.lead.grade {
            Some(CustomerGrade::A) => 10,
            Some(CustomerGrade::B) => 4,
            _ => 0,
        };
        let loyal = if is_signed { 15 } else { 0 };
        let deal = open.story.deals.last_mut()?;
        if self.dice.percent((self.skill.win_percent + bonus + loyal) * season / 100) {
            self.win(deal, day, push);
            if !is_signed {
                open.advance(CustomerStage::Signed, day.now(), None, None);
            }
            open.aim(Goal::Care);
            return Some(self.dice.between(20, 60));
        }
        let reason = self.dice.pick(words::NO_DEAL);
        deal.steps.push(DealStep { at: day.now(), kind: DealStepKind::Lose(reason) });
        if is_signed {
            open.aim(Goal::Care);
            return Some(self.dice.between(45, 100));
        }
        match self.dice.below(100) {
            0..50 => open.advance(CustomerStage::Lost, day.now(), Some(reason), None),
            50..70 => open.advance(CustomerStage::Dormant, day.now(), None, None),
            _ => {
                open.aim(Goal::Offer);
                return Some(self.dice.between(40, 80));
            }
        }
        None
    }

    /// Wins the deal, and takes some back later.
    fn win(&mut self, deal: &mut DealStory, day: &Day, push: bool) {
        let Opening { good, pieces, value, .. } = deal.opening;
        // A deal that is hurried costs something, up to the expected value.
        let hurried = GOODS[good].price(self.post.team, pieces, self.dice.between(4, 8) * 250);
        let value = hurried.filter(|hurried| push && hurried.minor < value.minor).unwrap_or(value);
        let credits = self.credits(day.date);
        deal.steps.push(DealStep { at: day.now(), kind: DealStepKind::Win { value, credits } });
        if self.dice.percent(4) {
            let date = calendar::workday_from(day.date + Days::new(self.dice.between(5, 45).into()));
            let reason = self.dice.pick(words::TAKEN_BACK);
            if date <= self.last {
                let at = calendar::at(date, self.dice.between(DAY_START, NOON));
                deal.steps.push(DealStep { at, kind: DealStepKind::Cancel(reason) });
            }
        }
    }

    /// Who is credited; mostly the owner alone.
    fn credits(&mut self, date: NaiveDate) -> Vec<Credit> {
        let owner = Some(self.post.person);
        let direct = |person, share_bp| Credit { person, kind: CreditKind::Direct, share_bp };
        let mates: Vec<usize> =
            self.post.mates.iter().filter(|(_, from)| *from <= date).map(|(person, _)| *person).collect();
        match self.dice.below(100) {
            0..9 if !mates.is_empty() => {
                let mate = Some(*self.dice.pick(&mates));
                let share = *self.dice.pick(&[5_000, 4_000, 3_333, 2_500]);
                vec![direct(owner, WHOLE_BP - share), direct(mate, share)]
            }
            9..12 => {
                let manager = Some(self.post.manager);
                let overlay = Credit { person: manager, kind: CreditKind::Overlay, share_bp: 1_000 };
                if manager == owner { Vec::new() } else { vec![direct(owner, WHOLE_BP), overlay] }
            }
            12..14 => {
                let share = *self.dice.pick(&[1_000, 1_500, 10_000]);
                let rest = WHOLE_BP - share;
                let owned = (rest > 0).then(|| direct(owner, rest));
                owned.into_iter().chain([direct(None, share)]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Calls; true when somebody answers.
    fn call(&mut self, open: &mut Open, day: &mut Day, connect_percent: u32) -> bool {
        let connected = self.dice.percent(connect_percent);
        open.touch(ActivityKind::Call, day.now(), None);
        let seconds = connected.then(|| self.dice.between(45, 600));
        if let Some(touch) = open.story.touches.last_mut() {
            touch.connected = Some(connected);
            touch.seconds = seconds;
            touch.outcome = (!connected).then(|| *self.dice.pick(words::UNANSWERED));
        }
        day.pass(seconds.unwrap_or(30));
        connected
    }

    fn in_vain(&mut self, open: &mut Open, day: &Day) -> Option<u32> {
        open.tries += 1;
        if open.tries < TRIES_MAX {
            return Some(self.dice.between(1, 6));
        }
        open.advance(CustomerStage::Dormant, day.now(), None, None);
        None
    }

    /// Meets, visits, calls or writes to somebody who is interested; true when they are reached.
    fn talk(&mut self, open: &mut Open, day: &mut Day, deal: Option<usize>) -> bool {
        let kinds = [
            (ActivityKind::Call, 38),
            (ActivityKind::Email, 30),
            (ActivityKind::Meeting, 18),
            (ActivityKind::Visit, 14),
        ];
        let mut reached = true;
        match *self.dice.weighted(&kinds) {
            ActivityKind::Call => {
                reached = self.call(open, day, 80);
                if reached {
                    open.outcome("details agreed");
                }
            }
            ActivityKind::Email => self.message(open, day, "offer sent"),
            kind => {
                let seconds = self.dice.between(20, 75) * 60;
                open.touch(kind, day.now(), Some(seconds));
                open.outcome("offer discussed");
                day.pass(seconds);
            }
        }
        if self.dice.percent(12) {
            let note = *self.dice.pick(words::NOTES);
            open.note(note);
        }
        if let Some(touch) = open.story.touches.last_mut() {
            touch.deal = deal;
        }
        reached
    }

    fn message(&mut self, open: &mut Open, day: &mut Day, outcome: &'static str) {
        let kinds = [(ActivityKind::Email, 88), (ActivityKind::Sms, 11), (ActivityKind::Fax, 1)];
        open.touch(*self.dice.weighted(&kinds), day.now(), None);
        open.outcome(outcome);
        day.pass(120);
    }
}

impl Open {
    fn touch(&mut self, kind: ActivityKind, at: Timestamp, seconds: Option<u32>) {
        self.story.touches.push(Touch {
            kind,
            at,
            seconds,
            connected: None,
            outcome: None,
            note: None,
            deal: None,
        });
    }

    fn outcome(&mut self, outcome: &'static str) {
        if let Some(touch) = self.story.touches.last_mut() {
            touch.outcome = Some(outcome);
        }
    }

    fn note(&mut self, note: &'static str) {
        if let Some(touch) = self.story.touches.last_mut() {
            touch.note = Some(note);
        }
    }

    pub(super) fn advance(
        &mut self,
        stage: CustomerStage,
        at: Timestamp,
        reason: Option<&'static str>,
        evidence: Option<Evidence>,
    ) {
        self.story.steps.push(Step { stage, at, reason, evidence });
    }

    pub(super) fn aim(&mut self, goal: Goal) {
        self.goal = goal;
        self.tries = 0;
    }
}
