//! Who takes part in the story, and how they are heard.

use std::collections::HashMap;

use chrono::{Datelike, Days, Duration, Months, NaiveDate};
use evenhand_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::customers::change;
use crate::support::client::Outcome;
use crate::support::program::DEMO_PASSWORD;
use crate::support::{Person, TestApp};

pub(super) const ADMIN: &str = "Ines Falkenberg";
/// Leads the region.
pub(super) const HENRIKE: &str = "Henrike Solberg";
/// Leads the team.
pub(super) const JONAS: &str = "Jonas Petersdorf";
pub(super) const FINANCE: &str = "Tobias Renner";
pub(super) const SERVICE: &str = "Mirela Stanek";
/// Who answers her target with other numbers.
pub(super) const LENA: &str = "Lena Brandis";
pub(super) const EIGHT: [&str; 8] = [
    LENA,
    "Arne Wittkamp",
    "Sofia Marquardt",
    "Deniz Aksoylu",
    "Paul Hinrichsen",
    "Mads Ravnkilde",
    "Ida Thorsager",
    "Emil Krogsgaard",
];
pub(super) const TEAM: &str = "Team Baltic";
/// Owes the money for advertising.
pub(super) const DEPARTMENT: &str = "Finance";
/// Numbers of which a team's are the sum of its members'.
pub(super) const ADDITIVE: [&str; 5] = ["LEADS_COLLECTED", "CALLS", "PROSPECTS", "DEALS_WON", "REVENUE"];
/// What is read back of a target.
pub(super) const FIELDS: &str = "target { id version state terms { number } \
    owner { ... on User { name } ... on Team { name } } \
    lines { metric quantity money { amount } } buffer { metric quantity money { amount } } \
    onTheTable { number hash override { approver { name } } signatures { side user { name } } } \
    earlierTerms { number lines { metric quantity money { amount } } } \
    achievability { probability verdict leastGoal largestGoal p50 } \
    supportPlan { resources { id status latenessDays committedBy { name } } } }";

/// The organisation on its way through the month.
pub(super) struct Story {
    pub(super) t: TestApp,
    people: HashMap<String, Person>,
    /// First day of the month.
    pub(super) month: NaiveDate,
    /// The team of the eight.
    pub(super) team: String,
    /// Its target.
    pub(super) target: String,
    /// The targets of the eight, in their order.
    pub(super) parts: Vec<String>,
}

impl Story {
    pub(super) async fn begin(t: TestApp) -> Self {
        let found = t.admin().query("{ users(first: 100) { nodes { id name email } } }").await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let person = |user: &Value| {
            let (id, email) = (text(&user["id"]), text(&user["email"]));
            (text(&user["name"]), Person { client: t.anonymous(), id, email })
        };
        let people = found["users"]["nodes"].as_array().expect("users").iter().map(person).collect();
        let today = t.app.now().utc().date_naive();
        let month = today.with_day(1).expect("a day") + Months::new(1);
        let (team, target) = (String::new(), String::new());
        let mut story = Self { t, people, month, team, target, parts: Vec::new() };
        story.sign_in().await;
        story
    }

    /// Tokens are good for ten minutes only.
    pub(super) async fn sign_in(&mut self) {
        for name in [ADMIN, HENRIKE, JONAS, FINANCE, SERVICE].into_iter().chain(EIGHT) {
            let person = self.people.get_mut(name).expect("a person");
            person.client = self.t.sign_in(&person.email, DEMO_PASSWORD).await;
        }
    }

    /// Lets time pass until nine in the morning of a day, in UTC.
    pub(super) async fn until(&mut self, day: NaiveDate) {
        let nine = Timestamp::parse(&format!("{day}T09:00:00Z")).expect("an instant");
        let micros = nine.micros() - self.t.app.now().micros();
        self.t.later(Duration::microseconds(micros)).await;
        self.sign_in().await;
    }

    pub(super) fn person(&self, name: &str) -> &Person {
        &self.people[name]
    }

    pub(super) fn id(&self, name: &str) -> &str {
        &self.person(name).id
    }

    pub(super) fn period(&self) -> Value {
        json!({ "kind": "MONTH", "start": self.month })
    }

    /// A day of the month, from 1.
    pub(super) fn day(&self, day: u64) -> NaiveDate {
        self.month + Days::new(day - 1)
    }

    /// What somebody does with a target in its present version.
    pub(super) async fn act(&self, by: &str, mutation: &str, target: &str, input: Value) -> Outcome {
        change(&self.t, self.person(by), mutation, target, input, FIELDS).await
    }

    /// What somebody asks or answers; where that is unusual, `approver` is named who answers for it.
    pub(super) async fn reasoned(
        &self,
        by: &str,
        mutation: &str,
        target: &str,
        mut input: Value,
        approver: &str,
    ) -> Value {
        let mut outcome = self.act(by, mutation, target, input.clone()).await;
        if outcome.code() == "TARGET_NOT_ACHIEVABLE" {
            input["override"] = self.because(approver);
            outcome = self.act(by, mutation, target, input).await;
        }
        outcome.ok()["target"].clone()
    }

    pub(super) fn because(&self, approver: &str) -> Value {
        json!({ "reason": "The harbour fair is in this month.", "approverId": self.id(approver) })
    }

    pub(super) async fn read(&self, target: &str) -> Value {
        let fields = FIELDS.strip_prefix("target ").expect("fields");
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on Target {fields} }} }}");
        self.t.admin().gql(&query, json!({ "id": target })).await.ok()["node"].clone()
    }

    /// Somebody signs what is on the table now.
    pub(super) async fn sign(&self, by: &str, target: &str) -> Outcome {
        let hash = self.read(target).await["onTheTable"]["hash"].clone();
        self.act(by, "agreeTarget", target, json!({ "hash": hash })).await
    }

    pub(super) async fn attainment(&self, by: &str, owner: &str) -> Value {
        let quantity = "{ number money { amount } }";
        let query = format!(
            "query($owner: ID!, $period: PeriodInput!) {{ attainment(ownerId: $owner, period: $period) {{ frozen \
             lines {{ metric target {quantity} actual {quantity} distance {quantity} ratio pace \
             requiredPerWorkday {quantity} projected {{ p10 {quantity} p50 {quantity} p90 {quantity} basis }} }} \
             forecasts {{ metric forecasts coverage }} }} }}"
        );
        let variables = json!({ "owner": owner, "period": self.period() });
        self.person(by).gql(&query, variables).await.ok()["attainment"].clone()
    }

    /// The parts and the buffer of the team's target must make it up, to the unit.
    pub(super) async fn check_law(&self) {
        let team = self.read(&self.target).await;
        let mut parts = Vec::new();
        for part in &self.parts {
            parts.push(self.read(part).await);
        }
        for metric in ADDITIVE {
            let sum: i64 = parts.iter().map(|part| of(&part["lines"], metric)).sum();
            assert_eq!(sum - of(&team["buffer"], metric), of(&team["lines"], metric), "{metric}");
        }
    }
}

/// Pieces, or cents.
pub(super) fn number(value: &Value) -> i64 {
    let quantity = ["quantity", "number"].into_iter().find_map(|name| value[name].as_str());
    let text = quantity.or(value["money"]["amount"].as_str()).unwrap_or("0");
    text.replace('.', "").parse().unwrap_or_else(|_| panic!("{value}"))
}

pub(super) fn line<'a>(lines: &'a Value, metric: &str) -> &'a Value {
    let found = lines.as_array().expect("lines").iter().find(|line| line["metric"] == metric);
    found.unwrap_or(&Value::Null)
}

pub(super) fn of(lines: &Value, metric: &str) -> i64 {
    number(line(lines, metric))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

#[track_caller]
pub(super) fn refused(outcome: &Outcome, code: &str) {
    assert_eq!(outcome.code(), code, "{}", outcome.answer.text);
}
