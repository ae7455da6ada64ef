//! What an import knows while it runs: who and what has which name.
//!
//! Teams, people and products are few and held in memory for the whole run. Customers and deals are many and
//! looked up chunk by chunk; only what a dry run would have made of them is held here too, because there it
//! stands nowhere else. A chunk works on a [`View`]: what is known, and on top what the chunk itself decided,
//! which the runner takes over once the chunk is committed.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use evenhand_domain::access::Permission;
use evenhand_domain::customers::CustomerSort;
use evenhand_domain::error::Result;
use evenhand_domain::filter::{Direction, Filter};
use evenhand_domain::id::{EntityId, TeamId, UserId};
use evenhand_domain::page::PageRequest;
use evenhand_domain::products::Product;
use evenhand_domain::teams::Team;
use evenhand_domain::text::fold;
use evenhand_domain::users::User;
use evenhand_persistence::Reader;
use uuid::Uuid;

use super::mapping::{RowProblem, suggest};
use crate::door::Query;

/// Rows that one statement reads.
const PAGE_SIZE: u32 = 1_000;
/// Names of customers that suggestions are chosen from; beyond, comparing would take too long.
const CUSTOMER_NAMES_MAX: usize = 5_000;
/// Different unknown names that suggestions are looked for in one run, for the same reason.
const SUGGESTIONS_MAX: usize = 1_000;

/// Things with a name, and with a second unique name (an e-mail address, a code, a number) where they have one.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<Uuid, Entry>,
    names: HashMap<String, Vec<Uuid>>,
    codes: HashMap<String, Vec<Uuid>>,
}

#[derive(Debug)]
struct Entry {
    label: String,
    name: String,
    code: Option<String>,
}

impl Index {
    /// Notes a thing, or its new names.
    pub(super) fn put(&mut self, id: Uuid, label: &str, code: Option<&str>) {
        if let Some(old) = self.entries.remove(&id) {
            forget(&mut self.names, &old.name, id);
            old.code.iter().for_each(|code| forget(&mut self.codes, code, id));
        }
        let entry = Entry { label: label.to_owned(), name: fold(label), code: code.map(fold) };
        self.names.entry(entry.name.clone()).or_default().push(id);
        if let Some(code) = &entry.code {
            self.codes.entry(code.clone()).or_default().push(id);
        }
        self.entries.insert(id, entry);
    }

    /// Whether the names of this thing stand here.
    pub(super) fn holds(&self, id: &Uuid) -> bool {
        self.entries.contains_key(id)
    }

    fn absorb(&mut self, fresh: Self) {
        for (id, entry) in fresh.entries {
            self.put(id, &entry.label, entry.code.as_deref());
        }
    }
}

fn forget(places: &mut HashMap<String, Vec<Uuid>>, key: &str, id: Uuid) {
    if let Some(ids) = places.get_mut(key) {
        ids.retain(|other| *other != id);
    }
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) teams: Index,
    pub(super) users: Index,
    pub(super) products: Index,
    /// New or renamed customers: those of this chunk, in a dry run those of the whole run.
    pub(super) customers: Index,
    /// Folded numbers of new deals, likewise.
    pub(super) deals: HashMap<String, Uuid>,
    /// Folded numbers of new complaints, likewise.
    pub(super) complaints: HashMap<String, Uuid>,
    /// Objects that belong to a key of this profile, likewise; no other key can have them.
    pub(super) claimed: HashSet<Uuid>,
    /// Administrators who are none any more, likewise.
    pub(super) demoted: u64,
    trees: HashMap<TeamId, (Team, usize)>,
    people: HashMap<UserId, User>,
    customer_names: Vec<String>,
    suggestions: Mutex<HashMap<(&'static str, String), Option<String>>>,
}

impl Known {
    /// Notes a team whose line of ancestors, itself included, has `depth` teams.
    pub(super) fn put_team(&mut self, team: Team, depth: usize) {
        self.teams.put(team.id.uuid(), &team.name, None);
        self.trees.insert(team.id, (team, depth));
    }

    /// Notes a person.
    pub(super) fn put_user(&mut self, user: User) {
        self.users.put(user.id.uuid(), &user.name, user.email.as_deref());
        self.people.insert(user.id, user);
    }

    /// Notes a product.
    pub(super) fn put_product(&mut self, product: &Product) {
        self.products.put(product.id.uuid(), &product.name, product.code.as_deref());
    }

    /// Notes a new or renamed customer.
    pub(super) fn put_customer(&mut self, id: Uuid, name: &str, number: Option<&str>) {
        self.customers.put(id, name, number);
        self.note_customer_name(name);
    }

    fn note_customer_name(&mut self, name: &str) {
        if self.customer_names.len() < CUSTOMER_NAMES_MAX {
            self.customer_names.push(name.to_owned());
        }
    }

    /// Takes over what a chunk decided. After a real run the database knows its customers and deals.
    pub(super) fn absorb(&mut self, fresh: Self, dry_run: bool) {
        self.teams.absorb(fresh.teams);
        self.users.absorb(fresh.users);
        self.products.absorb(fresh.products);
        self.trees.extend(fresh.trees);
        self.people.extend(fresh.people);
        fresh.customer_names.iter().for_each(|name| self.note_customer_name(name));
        if dry_run {
            self.customers.absorb(fresh.customers);
            self.deals.extend(fresh.deals);
            self.complaints.extend(fresh.complaints);
            self.claimed.extend(fresh.claimed);
            self.demoted += fresh.demoted;
        }
    }
}

/// Which things a name is looked for among.
pub(super) type Pick = fn(&Known) -> &Index;
/// Teams.
pub(super) const TEAMS: Pick = |known| &known.teams;
/// People.
pub(super) const USERS: Pick = |known| &known.users;
/// Products.
pub(super) const PRODUCTS: Pick = |known| &known.products;
/// Customers that the database does not know, or knows by another name.
pub(super) const CUSTOMERS: Pick = |known| &known.customers;

/// What is known to a chunk.
#[derive(Debug)]
pub(super) struct View<'k> {
    known: &'k Known,
    /// What the chunk decided.
    pub(super) fresh: Known,
}

impl<'k> View<'k> {
    /// The view of a chunk that has decided nothing yet.
    pub(super) fn new(known: &'k Known) -> Self {
        Self { known, fresh: Known::default() }
    }

    /// Things with this folded name.
    pub(super) fn named(&self, pick: Pick, name: &str) -> Vec<Uuid> {
        self.find(pick, |index| index.names.get(name))
    }

    /// Things with this folded second name.
    pub(super) fn coded(&self, pick: Pick, code: &str) -> Vec<Uuid> {
        self.find(pick, |index| index.codes.get(code))
    }

    fn find(&self, pick: Pick, of: impl Fn(&Index) -> Option<&Vec<Uuid>>) -> Vec<Uuid> {
        let fresh = pick(&self.fresh);
        let earlier = of(pick(self.known)).into_iter().flatten().filter(|id| !fresh.holds(id));
        of(fresh).into_iter().flatten().chain(earlier).copied().collect()
    }

    /// Whether the names of this thing stand in memory and not in the database.
    pub(super) fn holds(&self, pick: Pick, id: Uuid) -> bool {
        pick(&self.fresh).holds(&id) || pick(self.known).holds(&id)
    }

    /// The one thing that `text` names.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn refer(&self, noun: &'static str, pick: Pick, text: &str) -> Result<Uuid, RowProblem> {
        let key = fold(text);
        let mut found = self.named(pick, &key);
        if found.is_empty() {
            found = self.coded(pick, &key);
        }
        match found[..] {
            [id] => Ok(id),
            [] => Err(self.unknown(noun, text, || {
                let entries = pick(self.known).entries.values().chain(pick(&self.fresh).entries.values());
                entries.map(|entry| entry.label.as_str()).collect()
            })),
            _ => Err(ambiguous(noun, text, found.len())),
        }
    }

    /// The person that `text` names.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn user(&self, text: &str) -> Result<&User, RowProblem> {
        let id = UserId::from_uuid(self.refer("user", USERS, text)?);
        self.fresh
            .people
            .get(&id)
            .or_else(|| self.known.people.get(&id))
            .ok_or_else(|| RowProblem::unknown("user", text, std::iter::empty()))
    }

    /// A team with the number of teams from it to the top.
    pub(super) fn team(&self, id: Uuid) -> Option<&(Team, usize)> {
        let id = TeamId::from_uuid(id);
        self.fresh.trees.get(&id).or_else(|| self.known.trees.get(&id))
    }

    /// The problem that no customer has this name or number.
    pub(super) fn unknown_customer(&self, text: &str) -> RowProblem {
        self.unknown("customer", text, || {
            let names = self.known.customer_names.iter().chain(&self.fresh.customer_names);
            names.map(String::as_str).collect()
        })
    }

    /// The new deal with this folded number.
    pub(super) fn new_deal(&self, number: &str) -> Option<Uuid> {
        self.fresh.deals.get(number).or_else(|| self.known.deals.get(number)).copied()
    }

    /// The new complaint with this folded number.
    pub(super) fn new_complaint(&self, number: &str) -> Option<Uuid> {
        self.fresh.complaints.get(number).or_else(|| self.known.complaints.get(number)).copied()
    }

    /// Whether a key of this profile has the object.
    pub(super) fn is_claimed(&self, id: &Uuid) -> bool {
        self.fresh.claimed.contains(id) || self.known.claimed.contains(id)
    }

    /// Administrators who are none any more, although the database still calls them so.
    pub(super) fn demoted(&self) -> u64 {
        self.known.demoted + self.fresh.demoted
    }

    fn unknown<'l>(
        &self,
        noun: &'static str,
        text: &str,
        labels: impl FnOnce() -> Vec<&'l str>,
    ) -> RowProblem {
        // A file names the same wrong thing on many rows; a poisoned lock holds whole entries all the same.
        let mut memory = self.known.suggestions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.len();
        let suggestion = match memory.get(&(noun, text.to_owned())) {
            Some(suggestion) => suggestion.clone(),
            None if known >= SUGGESTIONS_MAX => None,
            None => {
                let mut labels = labels();
                // What was renamed in this run may still be listed under its old name.
                labels.retain(|label| fold(label) != fold(text));
                // The first of equals is suggested, so the order must not depend on the run.
                labels.sort_unstable();
                let suggestion = suggest(text, labels.into_iter());
                memory.insert((noun, text.to_owned()), suggestion.clone());
                suggestion
            }
        };
        RowProblem { suggestion, ..RowProblem::unknown(noun, text, std::iter::empty()) }
    }
}

/// The problem that more than one thing has this name.
pub(super) fn ambiguous(noun: &'static str, text: &str, count: usize) -> RowProblem {
    RowProblem::new(noun, format!("'{text}' is the name of {count} {noun}s; it must be clear which is meant"))
}

/// Reads what an import holds in memory.
#[derive(Debug)]
pub(super) struct LoadKnown;

impl Query for LoadKnown {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Known;

    async fn run(&self, reader: &Reader<'_>) -> Result<Known> {
        let mut known = Known::default();
        let mut teams: HashMap<TeamId, Team> = HashMap::new();
        let mut page = PageRequest::first(PAGE_SIZE);
        loop {
            let part = reader.teams(&page).await?;
            page.after = part.items.last().map(|(_, cursor)| cursor.clone());
            teams.extend(part.items.into_iter().map(|(team, _)| (team.id, team)));
            if !part.has_next {
                break;
            }
        }
        for team in teams.values() {
            let parent = |team: &&Team| team.parent_id.and_then(|id| teams.get(&id));
            let depth = std::iter::successors(Some(team), parent).count();
            known.put_team(team.clone(), depth);
        }
        reader.all_users().await?.into_iter().for_each(|user| known.put_user(user));
        reader.all_products().await?.iter().for_each(|product| known.put_product(product));
        let mut page = PageRequest::first(PAGE_SIZE);
        while known.customer_names.len() < CUSTOMER_NAMES_MAX {
            let part =
                reader.customers(&page, &Filter::default(), CustomerSort::CreatedAt, Direction::Asc).await?;
            part.items.iter().for_each(|(customer, _)| known.note_customer_name(&customer.name));
            page.after = part.items.into_iter().last().map(|(_, cursor)| cursor);
            if !part.has_next {
                break;
            }
        }
        Ok(known)
    }
}
