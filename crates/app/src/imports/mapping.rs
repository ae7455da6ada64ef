//! One row of a file becomes one typed record, or the list of all that is wrong with the row.
//!
//! Pure: nothing here reads a file or the database, so a record names other things (a team, an owner, a
//! product) as the file does, mended by the aliases. Whether they exist is for the importer to find out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use csv::StringRecord;
use evenhand_domain::complaints::{ComplaintState, Confidentiality};
use evenhand_domain::customers::{CustomerKind, CustomerStage};
use evenhand_domain::deals::DealStage;
use evenhand_domain::error::{Code, Problem, Problems, Result};
use evenhand_domain::money::{Currency, Money};
use evenhand_domain::text::{NAME_CHARS_MAX, fold};
use evenhand_domain::users::TeamRole;
use serde::Serialize;

use super::fields::{self, Field, Misread, SourceKind, Wire, quoted};
use super::profile::{Profile, Source};
pub use super::records::{
    ActivityRecord, ComplaintRecord, CustomerRecord, DealRecord, MembershipRecord, ProductRecord, Record,
    TeamRecord, UserRecord,
};
use super::template::{Bound, Template};

/// Longest key of a record, in characters.
pub const KEY_CHARS_MAX: usize = 200;

/// How alike two texts must be for one to be suggested for the other, from 0 (nothing in common) to 1 (the same).
const SUGGESTION_SIMILARITY_MIN: f64 = 0.6;

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowProblem {
    /// The field of the profile, `key`, or `row` for the row as a whole.
    pub field: String,
    /// What is wrong, beginning with the column where there is one.
    pub reason: String,
    /// The value that was probably meant.
    pub suggestion: Option<String>,
}

impl RowProblem {
    /// A problem without suggestion.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), suggestion: None }
    }

    /// The row names something that does not exist: "unknown product 'GTXPro'", with the nearest of `known`.
    pub fn unknown<'k>(field: &str, value: &str, known: impl Iterator<Item = &'k str>) -> Self {
        let reason = format!("unknown {field} {}", quoted(value));
        Self { field: field.into(), reason, suggestion: suggest(value, known) }
    }
}

impl std::fmt::Display for RowProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean '{suggestion}'?"),
            None => Ok(()),
        }
    }
}

/// The candidate most like `unknown`, ignoring case and spacing, if any is like enough; the first of equals.
pub fn suggest<'c>(unknown: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    // The comparison takes time in proportion to the product of the lengths; nothing with a name is longer.
    let comparable = |text: &str| text.chars().nth(NAME_CHARS_MAX).is_none();
    if !comparable(unknown) {
        return None;
    }
    let wanted = fold(unknown);
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates.filter(|candidate| comparable(candidate)) {
        let likeness = strsim::normalized_damerau_levenshtein(&wanted, &fold(candidate));
        if likeness >= SUGGESTION_SIMILARITY_MIN && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

/// A source that has met the header of its file: turns rows into records.
#[derive(Clone, Debug)]
pub struct Mapper {
    kind: SourceKind,
    currency: Currency,
    date_formats: Vec<String>,
    key: Bound,
    fields: Vec<BoundField>,
}

#[derive(Clone, Debug)]
struct BoundField {
    spec: &'static Field,
    template: Bound,
    /// The template names no column: its text stands in the profile.
    constant: bool,
    /// Names of the columns, for messages.
    label: String,
    default: Option<String>,
    values: BTreeMap<String, String>,
    aliases: BTreeMap<String, String>,
}

impl Mapper {
    /// Finds the columns of `source` in the header of its file.
    ///
    /// # Errors
    /// `INVALID_PROFILE` for each column that the file lacks or has twice.
    pub fn new(profile: &Profile, source: &Source, headers: &StringRecord) -> Result<Self> {
        let mut problems = Problems::default();
        let mut bind = |field: &str, template: &Template| {
            let bound = template.bind(headers).map_err(|reason| {
                Problem::new(Code::InvalidProfile, format!("{} ({field}): the file {reason}", source.file))
            });
            bound.map_err(|problem| problems.push(problem)).ok()
        };
        let key = bind("key", &source.key);
        let mut fields = Vec::new();
        for field in &source.fields {
            let Some(template) = bind(field.spec.name, &field.template) else { continue };
            let columns: Vec<_> = field.template.columns().collect();
            fields.push(BoundField {
                spec: field.spec,
                template,
                constant: columns.is_empty(),
                label: if columns.is_empty() { field.spec.name.into() } else { columns.join(" + ") },
                default: field.default.clone(),
                values: field.values.clone(),
                aliases: field
                    .spec
                    .alias
                    .and_then(|table| profile.aliases.get(table))
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        let (kind, currency, date_formats) = (source.kind, profile.currency, profile.date_formats.clone());
        problems.finish_with(|| Some(Self { kind, currency, date_formats, key: key?, fields }))
    }

    /// Reads one row.
    ///
    /// # Errors
    /// All that is wrong with the row.
    pub fn map(&self, row: &StringRecord) -> Result<Record, Vec<RowProblem>> {
        let mut cells = Cells { mapper: self, row, problems: Vec::new() };
        let key = cells.key();
        let record = match self.kind {
            SourceKind::Team => cells.team(key).map(Record::Team),
            SourceKind::User => cells.user(key).map(Record::User),
            SourceKind::Customer => cells.customer(key).map(Record::Customer),
            SourceKind::Product => cells.product(key).map(Record::Product),
            SourceKind::Deal => cells.deal(key).map(Record::Deal),
            SourceKind::Activity => cells.activity(key).map(Record::Activity),
            SourceKind::Complaint => cells.complaint(key).map(Record::Complaint),
        };
        match record {
            Some(record) if cells.problems.is_empty() => Ok(record),
            _ => Err(cells.problems),
        }
    }
}

/// The cells of one row, with the problems found so far. A required field that gives `None` has left one.
struct Cells<'r> {
    mapper: &'r Mapper,
    row: &'r StringRecord,
    problems: Vec<RowProblem>,
}

/// The text of a field.
struct Cell<'r> {
    field: &'r BoundField,
    text: String,
    /// It stands in the profile: dates are ISO 8601.
    fixed: bool,
}

impl<'r> Cells<'r> {
    fn key(&mut self) -> Option<String> {
        // A key with a gap could be that of another row.
        let key = self.mapper.key.fill(self.row).filter(|_| !self.mapper.key.has_gap(self.row));
        let fault = match &key {
            None => "a column of the key is empty".into(),
            Some(key) if key.chars().nth(KEY_CHARS_MAX).is_some() => {
                format!("the key is longer than {KEY_CHARS_MAX} characters")
            }
            Some(key) if key.chars().any(char::is_control) => "the key holds control characters".into(),
            Some(_) => return key,
        };
        self.problems.push(RowProblem::new("key", fault));
        None
    }

    fn cell(&mut self, name: &str) -> Option<Cell<'r>> {
        let field = self.mapper.fields.iter().find(|field| field.spec.name == name)?;
        let mut fixed = field.constant;
        let mut text = field.template.fill(self.row);
        if let Some(value) = text.as_deref().and_then(|text| field.values.get(&fold(text))) {
            fixed = true;
            text = Some(value.clone()).filter(|value| !value.is_empty());
        }
        if text.is_none() {
            fixed = true;
            text = field.default.clone().filter(|default| !default.is_empty());
        }
        let Some(text) = text else {
            if field.spec.required {
                self.lack(name, &format!("each {} needs its {name}", self.mapper.kind.as_str()));
            }
            return None;
        };
        let text = field.aliases.get(&fold(&text)).cloned().unwrap_or(text);
        Some(Cell { field, text, fixed })
    }

    /// Notes that a field is empty, although `why`.
    fn lack(&mut self, name: &str, why: &str) {
        let field = self.mapper.fields.iter().find(|field| field.spec.name == name);
        let label = field.map_or(name, |field| field.label.as_str());
        self.problems.push(RowProblem::new(name, format!("{label}: empty, but {why}")));
    }

    fn read<T>(&mut self, name: &str, read: impl FnOnce(&Cell<'_>) -> Result<T, Misread>) -> Option<T> {
        let cell = self.cell(name)?;
        let Misread(reason, suggestion) = match read(&cell) {
            Ok(value) => return Some(value),
            Err(misread) => misread,
        };
        let reason = format!("{}: {reason}", cell.field.label);
        self.problems.push(RowProblem { field: name.into(), reason, suggestion });
        None
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.cell(name).map(|cell| cell.text)
    }

    fn date(&mut self, name: &str) -> Option<NaiveDate> {
        let formats = &self.mapper.date_formats;
        self.read(name, |cell| {
            if cell.fixed { fields::iso_date(&cell.text) } else { fields::date(&cell.text, formats) }
        })
    }

    fn choice<T: Wire>(&mut self, name: &str) -> Option<T> {
        self.read(name, |cell| {
            let values = &cell.field.values;
            fields::choice(&cell.text).map_err(|Misread(reason, suggestion)| {
                // The keys of the values are what the file is expected to say.
                let near = suggest(&cell.text, values.keys().map(String::as_str));
                Misread(reason, near.and_then(|near| values.get(&near).cloned()).or(suggestion))
            })
        })
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, |cell| fields::flag(&cell.text))
    }

    fn money(&mut self, name: &str) -> Option<Money> {
        let currency =
            self.read("currency", |cell| fields::currency_code(&cell.text)).unwrap_or(self.mapper.currency);
        self.read(name, |cell| fields::money(&cell.text, currency))
    }

    fn team(&mut self, key: Option<String>) -> Option<TeamRecord> {
        let (name, parent) = (self.text("name"), self.text("parent"));
        Some(TeamRecord { key: key?, name: name?, parent })
    }

    fn user(&mut self, key: Option<String>) -> Option<UserRecord> {
        let name = self.text("name");
        let role = self.choice("role");
        let (email, hired_on) = (self.text("email"), self.date("hired_on"));
        let membership = self.membership();
        Some(UserRecord { key: key?, name: name?, email, role: role?, hired_on, membership })
    }

    fn membership(&mut self) -> Option<MembershipRecord> {
        let role = self.choice("team_role").unwrap_or(TeamRole::Member);
        let known = self.problems.len();
        let from = self.date("member_from");
        let team = self.text("team")?;
        if from.is_none() && self.problems.len() == known {
            self.lack("member_from", "a team is named");
        }
        Some(MembershipRecord { team, role, from: from? })
    }

    fn customer(&mut self, key: Option<String>) -> Option<CustomerRecord> {
        let name = self.text("name");
        let number = self.text("number");
        let kind = self.choice("kind").unwrap_or(CustomerKind::Company);
        let stage = self.choice("stage").unwrap_or(CustomerStage::Lead);
        let grade = self.choice("grade");
        let (sector, source) = (self.text("sector"), self.text("source"));
        let (owner, collected_on) = (self.text("owner"), self.date("collected_on"));
        Some(CustomerRecord {
            key: key?,
            name: name?,
            number,
            kind,
            stage,
            grade,
            sector,
            source,
            owner,
            collected_on,
        })
    }

    fn product(&mut self, key: Option<String>) -> Option<ProductRecord> {
        let name = self.text("name");
        let (code, series) = (self.text("code"), self.text("series"));
        let list_price = self.money("list_price");
        Some(ProductRecord { key: key?, name: name?, code, series, list_price })
    }

    fn deal(&mut self, key: Option<String>) -> Option<DealRecord> {
        let number = self.text("number");
        let owner = self.text("owner");
        let (name, customer, product) = (self.text("name"), self.text("customer"), self.text("product"));
        let stage = self.choice("stage").unwrap_or(DealStage::Prospecting);
        let (opened_on, expected_close_on) = (self.date("opened_on"), self.date("expected_close_on"));
        let known = self.problems.len();
        let closed_on = self.date("closed_on");
        if closed_on.is_none() && !stage.is_open() && self.problems.len() == known {
            self.lack("closed_on", &format!("a deal that is {} needs the day it ended", stage.as_str()));
        }
        let (close_reason, value) = (self.text("close_reason"), self.money("value"));
        Some(DealRecord {
            key: key?,
            number: number?,
            name,
            owner: owner?,
            customer,
            product,
            stage,
            opened_on,
            expected_close_on,
            closed_on,
            close_reason,
            value,
        })
    }

    fn activity(&mut self, key: Option<String>) -> Option<ActivityRecord> {
        let kind = self.choice("kind");
        let user = self.text("user");
        let (customer, deal) = (self.text("customer"), self.text("deal"));
        let started_on = self.date("started_on");
        let started_at = self.read("started_at", |cell| fields::time(&cell.text));
        let seconds = self.read("seconds", |cell| fields::count(&cell.text));
        let connected = self.flag("connected");
        let (outcome, note) = (self.text("outcome"), self.text("note"));
        Some(ActivityRecord {
            key: key?,
            kind: kind?,
            user: user?,
            customer,
            deal,
            started_on: started_on?,
            started_at,
            seconds,
            connected,
            outcome,
            note,
        })
    }

    fn complaint(&mut self, key: Option<String>) -> Option<ComplaintRecord> {
        let number = self.text("number");
        let (customer, owner) = (self.text("customer"), self.text("owner"));
        let recorded_on = self.date("recorded_on");
        let (subject, description) = (self.text("subject"), self.text("description"));
        let channel = self.choice("channel");
        let (product, remedy) = (self.text("product"), self.text("remedy"));
        let confidentiality = self.choice("confidentiality").unwrap_or(Confidentiality::Normal);
        let safety_risk = self.flag("safety_risk").unwrap_or(false);
        let occurred_on = self.date("occurred_on");
        let state = self.choice("state").unwrap_or(ComplaintState::Recorded);
        let acknowledged_on = self.date("acknowledged_on");
        let (severity, impact, urgency) =
            (self.choice("severity"), self.choice("impact"), self.choice("urgency"));
        let (response, responded_on) = (self.text("response"), self.date("responded_on"));
        let (timely, disputed) = (self.flag("timely"), self.flag("disputed").unwrap_or(false));
        let accepted = self.flag("accepted").unwrap_or(state == ComplaintState::Accepted);
        let ended_on = self.date("ended_on");
        let (root_cause, recourse) = (self.text("root_cause"), self.text("recourse"));
        let out_of_scope_reason = self.text("out_of_scope_reason");
        Some(ComplaintRecord {
            key: key?,
            number: number?,
            customer: customer?,
            owner: owner?,
            recorded_on: recorded_on?,
            subject: subject?,
            description: description?,
            channel: channel?,
            product,
            remedy,
            confidentiality,
            safety_risk,
            occurred_on,
            state,
            acknowledged_on,
            severity,
            impact,
            urgency,
            response,
            responded_on,
            timely,
            disputed,
            accepted,
            ended_on,
            root_cause,
            recourse,
            out_of_scope_reason,
        })
    }
}
