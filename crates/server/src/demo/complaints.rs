//! Who complains about what they bought, and what becomes of it.

use chrono::{Days, Duration, NaiveDate};
use evenhand_domain::complaints::{Channel, Severity};
use evenhand_domain::time::Timestamp;

use super::calendar;
use super::dice::Dice;
use super::story::{Act, ComplaintStory, DealStepKind, Story};
use super::words;

/// When the service department works, in seconds after midnight.
const DAY_START: u32 = 32_400;
const DAY_END: u32 = 60_000;
const AFTERNOON: u32 = 50_000;
/// Those that are over began between so many workdays ago.
const OVER_WORKDAYS: (u32, u32) = (50, 240);
/// A complaint is about something that was bought at least and at most so many days before.
const BOUGHT_DAYS: (u64, u64) = (3, 150);

/// What becomes of a complaint.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Settled,
    Repeated,
    Unconvinced,
    Disputed,
    Annoyed,
    Again,
    OutOfScope,
    Recorded,
    Acknowledged,
    Assessed,
    InWork,
    Forgotten,
    AwaitsCustomer,
    AwaitsUs,
    Offered,
    Accepted,
    OpenAgain,
}

/// How often, and for those that are open how many workdays ago they began.
const FATES: [(Fate, usize, Option<u32>); 17] = [
    (Fate::Settled, 20, None),
    (Fate::Repeated, 2, None),
    (Fate::Unconvinced, 4, None),
    (Fate::Disputed, 4, None),
    (Fate::Annoyed, 2, None),
    (Fate::Again, 1, None),
    (Fate::OutOfScope, 3, None),
    (Fate::Recorded, 2, Some(0)),
    (Fate::Acknowledged, 2, Some(0)),
    (Fate::Assessed, 1, Some(0)),
    (Fate::InWork, 3, Some(1)),
    (Fate::Forgotten, 3, Some(18)),
    (Fate::AwaitsCustomer, 2, Some(3)),
    (Fate::AwaitsUs, 1, Some(1)),
    (Fate::Offered, 2, Some(6)),
    (Fate::Accepted, 1, Some(7)),
    (Fate::OpenAgain, 1, Some(18)),
];

/// Adds complaints to the stories of customers who bought something; `agents` handle them.
pub(super) fn complain(stories: &mut [Story], agents: &[usize], last: NaiveDate, mut dice: Dice) {
    let mut bought: Vec<(usize, usize, NaiveDate)> = Vec::new();
    for (place, story) in stories.iter().enumerate() {
        for deal in &story.deals {
            let won = deal.steps.iter().find(|step| matches!(step.kind, DealStepKind::Win { .. }));
            bought.extend(won.map(|step| (place, deal.opening.good, step.at.date_in(calendar::ZONE))));
        }
    }
    for (fate, count, ago) in FATES {
        for turn in 0..count {
            let ago = ago.unwrap_or_else(|| dice.between(OVER_WORKDAYS.0, OVER_WORKDAYS.1));
            let date = calendar::workday_before(last, ago);
            let fits = |(_, _, won): &&(usize, usize, NaiveDate)| {
                *won + Days::new(BOUGHT_DAYS.0) <= date && date <= *won + Days::new(BOUGHT_DAYS.1)
            };
            let candidates: Vec<_> = bought.iter().filter(fits).copied().collect();
            if candidates.is_empty() {
                continue;
            }
            let (place, good, _) = *dice.pick(&candidates);
            // Nobody complains twice: the two would have to know of each other.
            bought.retain(|(other, ..)| *other != place);
            let agent = *dice.pick(agents);
            let complaint = Desk::new(date, &mut dice).handle(fate, good, agent, turn == 0);
            stories[place].complaints.push(complaint);
        }
    }
    number(stories);
}

/// Numbers the complaints in order of their record; a repeated one takes two numbers.
fn number(stories: &mut [Story]) {
    let mut complaints: Vec<_> = stories.iter_mut().flat_map(|story| &mut story.complaints).collect();
    complaints.sort_by_key(|complaint| complaint.at);
    let mut next = 0;
    for complaint in complaints {
        complaint.number = next;
        next += complaint.numbers();
    }
}

impl ComplaintStory {
    /// How many numbers it takes.
    pub(super) fn numbers(&self) -> usize {
        1 + self.acts.iter().filter(|(_, act)| *act == Act::Repeat).count()
    }
}

/// Somebody who handles one complaint, day by day.
struct Desk<'d> {
    dice: &'d mut Dice,
    date: NaiveDate,
    seconds: u32,
    acts: Vec<(Timestamp, Act)>,
}

impl<'d> Desk<'d> {
    /// Just before the complaint comes in, on that day.
    fn new(date: NaiveDate, dice: &'d mut Dice) -> Self {
        let seconds = dice.between(DAY_START, DAY_END - 10_000);
        Self { dice, date, seconds, acts: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        calendar::at(self.date, self.seconds)
    }

    /// So many workdays later, or within the hour.
    fn wait(&mut self, workdays: u32) {
        if workdays == 0 {
            self.seconds += self.dice.between(300, 2_400);
        } else {
            self.date = calendar::workday_after(self.date, workdays);
            self.seconds = self.dice.between(DAY_START, DAY_END);
        }
    }

    fn act(&mut self, workdays: u32, act: Act) {
        self.wait(workdays);
        self.acts.push((self.now(), act));
    }

    fn handle(mut self, fate: Fate, good: usize, agent: usize, is_first: bool) -> ComplaintStory {
        if fate == Fate::Recorded {
            // So late that nobody is late yet.
            self.seconds = self.dice.between(AFTERNOON, DAY_END);
        }
        let at = self.now();
        let severities =
            [(Severity::Low, 20), (Severity::Medium, 45), (Severity::High, 25), (Severity::Critical, 10)];
        let channels = [
            (Channel::Phone, 40),
            (Channel::Email, 34),
            (Channel::Web, 12),
            (Channel::InPerson, 7),
            (Channel::Post, 5),
            (Channel::Fax, 2),
        ];
        let severity = *self.dice.weighted(&severities);
        let is_urgent = fate == Fate::Forgotten && is_first;
        let is_confidential = is_first && matches!(fate, Fate::Unconvinced | Fate::InWork);
        let matter = if is_confidential { &words::PROMISES } else { self.dice.pick(words::MATTERS) };
        let channel = *self.dice.weighted(&channels);
        self.live(fate);
        let score = *self.dice.weighted(&[(5, 45), (4, 30), (3, 25)]);
        let reply = match fate {
            Fate::Annoyed => Some((self.dice.between(5, 40), 2)),
            _ => self.dice.percent(55).then(|| (self.dice.between(2, 200), score)),
        };
        ComplaintStory {
            number: 0,
            at,
            matter,
            good,
            channel,
            severity: if is_urgent { Severity::Critical } else { severity },
            is_confidential,
            agent,
            acts: self.acts,
            reply,
        }
    }

    fn live(&mut self, fate: Fate) {
        let begun = match fate {
            Fate::Recorded => 0,
            Fate::Acknowledged => 1,
            Fate::Assessed | Fate::OutOfScope => 2,
            _ => 3,
        };
        for act in [Act::Acknowledge, Act::Assess, Act::Begin].into_iter().take(begun) {
            // Now and then somebody forgets it over night.
            let late = u32::from(fate == Fate::Settled && self.dice.percent(12));
            self.act(late, act);
        }
        match fate {
            Fate::Recorded | Fate::Acknowledged | Fate::Assessed | Fate::Forgotten => {}
            Fate::InWork => self.tell(0),
            Fate::OutOfScope => self.act(0, Act::DeclareOutOfScope),
            Fate::AwaitsCustomer => {
                let until = self.now().plus(Duration::days(14));
                self.act(0, Act::AwaitCustomer(until));
            }
            Fate::AwaitsUs => {
                self.tell(0);
                let until = self.now().plus(Duration::days(12));
                self.act(1, Act::AwaitUs(until));
            }
            Fate::Offered => self.offer(),
            Fate::Accepted => {
                self.offer();
                self.act(2, Act::Accept);
            }
            Fate::Unconvinced => {
                self.offer();
                // The customer does not answer within the time that they had.
                self.act(11, Act::Close);
            }
            Fate::Settled | Fate::Repeated => {
                if fate == Fate::Repeated {
                    self.act(1, Act::Repeat);
                } else if self.dice.percent(30) {
                    let until = self.now().plus(Duration::days(6));
                    self.act(0, Act::AwaitCustomer(until));
                    self.act(2, Act::Resume);
                }
                self.settle();
            }
            Fate::Disputed => {
                self.offer();
                self.act(2, Act::Dispute);
                self.settle();
            }
            Fate::Annoyed => {
                self.settle();
                // Within a day the survey, within two the answer; then it is open again.
                self.wait(4);
                self.settle();
            }
            Fate::Again => {
                self.settle();
                self.act(5, Act::Reopen);
                self.settle();
            }
            Fate::OpenAgain => {
                self.settle();
                self.act(4, Act::Reopen);
            }
        }
    }

    fn tell(&mut self, workdays: u32) {
        let news = *self.dice.pick(words::NEWS);
        self.act(workdays, Act::Tell(news));
    }

    fn offer(&mut self) {
        let late = u32::from(self.dice.percent(20));
        self.tell(late);
        let days = *self.dice.weighted(&[(1, 75), (2, 15), (4, 10)]);
        self.act(days, Act::Offer);
    }

    fn settle(&mut self) {
        self.offer();
        let days = self.dice.between(1, 2);
        self.act(days, Act::Accept);
        let days = *self.dice.weighted(&[(0, 30), (1, 50), (3, 20)]);
        self.act(days, Act::Close);
    }
}
