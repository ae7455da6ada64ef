//! Derivation of targets from what is on record.

use std::collections::{BTreeSet, HashMap};

use chrono::{Months, NaiveDate};
use evenhand_domain::access::Permission;
use evenhand_domain::derivation::history::{
    DerivationRequest, History, PastPerson, RecordSpan, SEASON_YEARS_MAX, cuts,
};
use evenhand_domain::derivation::{Assumed, CITES_MAX, Cited, Derivation, Goal, Inputs};
use evenhand_domain::error::{Error, Problem, Result};
use evenhand_domain::id::{TeamId, UserId};
use evenhand_domain::reconciliation::Stay;
use evenhand_domain::targets::{Bands, TargetLevel, TargetOwner};
use evenhand_domain::time::{DateRange, Period, Timestamp};
use evenhand_domain::users::User;
use evenhand_persistence::Reader;

use crate::door::Query;

/// What is asked of the owner of a target.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// For which period.
    pub period: Period,
    /// How likely it should be.
    pub level: TargetLevel,
    /// What the organisation takes that to mean.
    pub bands: Bands,
    /// How much.
    pub goal: Goal,
    /// Wanted share of usable leads in parts per million; `None` takes the owner's own rate.
    pub quality_ppm: Option<u32>,
    /// Rates for use where neither owner nor team has a history.
    pub assumed: Assumed,
}

impl Ask {
    /// The request for one person, who may stand for a team. What happened within the period is no history.
    pub(crate) fn of(&self, user_id: UserId, reader: &Reader<'_>) -> DerivationRequest {
        let begin = Timestamp::start_of(self.period.start(), reader.grant().zone());
        DerivationRequest {
            user_id,
            period: self.period,
            goal: self.goal,
            band: self.bands.of(self.level),
            quality_ppm: self.quality_ppm,
            assumed: self.assumed,
            until: reader.now().min(begin),
        }
    }
}

/// Permissions that reach the people whose targets are derived, that to read first.
const SLICE: &[Permission] = &[Permission::ReadTargets, Permission::ManageTargets];

/// What the derivation for one person rests on.
///
/// # Errors
/// [`Error::NotFound`] for a person whose targets the grant does not reach.
pub(crate) async fn gather(reader: &Reader<'_>, request: &DerivationRequest) -> Result<Inputs> {
    let inputs = gather_all(reader, std::slice::from_ref(request)).await?;
    inputs.into_iter().next().ok_or(Error::NotFound)
}

/// What a target of `owner` rests on; `lead` signs for a team, whose members' work counts as one.
///
/// # Errors
/// As for [`gather`]; `REQUIRED` for a team without a lead.
pub(crate) async fn gather_for(
    reader: &Reader<'_>,
    owner: TargetOwner,
    lead: Option<UserId>,
    ask: &Ask,
) -> Result<Inputs> {
    let cites = cite(reader, &[owner], ask).await?.remove(&owner).unwrap_or_default();
    let team = match owner {
        TargetOwner::User(user) => {
            return Ok(Inputs { cites, ..gather(reader, &ask.of(user, reader)).await? });
        }
        TargetOwner::Team(team) => team,
    };
    let request = ask.of(lead.ok_or_else(|| Problem::required("ownerId"))?, reader);
    let day = request.until.date_in(reader.grant().zone());
    let stays = reader.unscoped_stays((request.until, request.until), Some(&[team])).await?;
    let people = people_in(&stays);
    let span = reader.unscoped_record_span().await?;
    let history = history(reader, &people, stays, span, (&[day], Some(ask.period.end()))).await?;
    let hours = reader.default_hours().await?;
    Ok(Inputs { cites, ..history.inputs_of_team((&people, &hours), &request)? })
}

/// The newest frozen results of targets like the one that is asked for, of each of `owners` who has any; in one
/// statement.
pub(crate) async fn cite(
    reader: &Reader<'_>,
    owners: &[TargetOwner],
    ask: &Ask,
) -> Result<HashMap<TargetOwner, Vec<Cited>>> {
    let mut cites: HashMap<TargetOwner, Vec<Cited>> = HashMap::new();
    for (owner, period, snapshot) in reader.unscoped_results(owners, ask.period, ask.level).await? {
        let of_owner = cites.entry(owner).or_default();
        of_owner.extend(Cited::of(period, &snapshot).filter(|_| of_owner.len() < CITES_MAX));
    }
    Ok(cites)
}

/// Everybody who is in each team or below it on a day, in as many statements as for one.
pub(crate) async fn people_of(
    reader: &Reader<'_>,
    wanted: &[(TeamId, NaiveDate)],
) -> Result<HashMap<(TeamId, NaiveDate), Vec<UserId>>> {
    let days: Vec<_> =
        wanted.iter().map(|&(_, day)| Timestamp::start_of(day, reader.grant().zone())).collect();
    let Some(window) = bounds(&days) else { return Ok(HashMap::new()) };
    let teams: Vec<TeamId> = wanted.iter().map(|&(team, _)| team).collect();
    let stays = reader.unscoped_stays(window, Some(&teams)).await?;
    let above = reader.unscoped_teams_above().await?;
    let people = |(team, day): (TeamId, NaiveDate)| {
        let within = |stay: &&Stay| above.get(&stay.team_id).is_some_and(|above| above.contains(&team));
        each_once(stays.iter().filter(|stay| stay.covers(day)).filter(within).map(|stay| stay.user_id))
    };
    Ok(wanted.iter().map(|&asked| (asked, people(asked))).collect())
}

/// Whose stays these are, each once, by id.
pub(crate) fn people_in(stays: &[Stay]) -> Vec<UserId> {
    each_once(stays.iter().map(|stay| stay.user_id))
}

/// Each of some ids once, in order.
pub(crate) fn each_once<Id: Ord>(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The day of the period that lies nearest to `today`.
pub(crate) fn day_within(period: Period, today: NaiveDate) -> NaiveDate {
    let last = period.end().pred_opt().unwrap_or(period.start());
    today.clamp(period.start(), last)
}

/// What the derivation of each of `requests` rests on, in their order; in as many statements as for one.
///
/// # Errors
/// As for [`gather`], when any of the people is out of reach.
pub(crate) async fn gather_all(reader: &Reader<'_>, requests: &[DerivationRequest]) -> Result<Vec<Inputs>> {
    let asked: Vec<UserId> = requests.iter().map(|request| request.user_id).collect();
    let visible = reader.people_in_scope(&asked, SLICE).await?;
    if asked.iter().any(|user| !visible.contains(user)) {
        return Err(Error::NotFound);
    }
    let ends: Vec<_> = requests.iter().map(|request| request.until).collect();
    let Some((first, last)) = bounds(&ends) else { return Ok(vec![]) };
    let stays = reader.unscoped_stays((first, last), None).await?;
    let teams: Vec<TeamId> =
        stays.iter().filter(|stay| asked.contains(&stay.user_id)).map(|stay| stay.team_id).collect();
    let peers = stays.iter().filter(|stay| teams.contains(&stay.team_id)).map(|stay| stay.user_id);
    let people = each_once(asked.iter().copied().chain(peers));
    let span = reader.unscoped_record_span().await?;
    let latest = requests.iter().map(|request| request.period.end()).max();
    let zone = reader.grant().zone();
    let ends: Vec<_> = ends.into_iter().map(|until| until.date_in(zone)).collect();
    let history = history(reader, &people, stays, span, (&ends, latest)).await?;
    requests.iter().map(|request| history.inputs(request)).collect()
}

fn bounds(instants: &[Timestamp]) -> Option<(Timestamp, Timestamp)> {
    Some((*instants.iter().min()?, *instants.iter().max()?))
}

/// What is on record of `people` before the last of the days `ends`, in six statements; their working time
/// also up to `latest`.
pub(crate) async fn history(
    reader: &Reader<'_>,
    people: &[UserId],
    stays: Vec<Stay>,
    span: RecordSpan,
    (ends, latest): (&[NaiveDate], Option<NaiveDate>),
) -> Result<History> {
    let cuts = cuts(ends.iter().copied());
    let (first, last) = (cuts.first().copied(), cuts.last().copied());
    let (Some(first), Some(last)) = (first, last) else { return Err(Error::NotFound) };
    let years = Months::new(12 * SEASON_YEARS_MAX);
    let past = DateRange { from: first.checked_sub_months(years).unwrap_or(first), to: last };
    let currency = reader.organization().await?.currency;
    let counts = reader.unscoped_past_counts(people, &cuts).await?;
    let deals = reader.unscoped_past_deals(people, past).await?;
    let prospects = reader.unscoped_past_prospects(people, DateRange { from: first, to: last }).await?;
    let starts = reader.unscoped_record_starts(people).await?;
    let ahead = DateRange { from: past.from, to: latest.unwrap_or(last).max(last) };
    let mut times = reader.work_times(people, ahead).await?;
    let person = |user: &User| {
        let time = times.remove(&user.id)?;
        Some((user.id, PastPerson::new(time, user.hired_on, starts.get(&user.id).copied())))
    };
    let people: HashMap<_, _> = reader.users_by_ids(people).await?.iter().filter_map(person).collect();
    let mut history = History::new((reader.grant().zone(), currency), span, cuts, stays, people);
    history.record(&counts, &deals, &prospects);
    Ok(history)
}

/// Derives a target for one person, without proposing it.
#[derive(Debug)]
pub struct DeriveTarget(pub DerivationRequest);

impl Query for DeriveTarget {
    const PERMISSION: Permission = Permission::ReadTargets;
    type Output = Derivation;

    async fn run(&self, reader: &Reader<'_>) -> Result<Derivation> {
        Derivation::derive(gather(reader, &self.0).await?)
    }
}
