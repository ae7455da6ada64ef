//! From the target of a team to the targets of its members.

use evenhand_domain::access::{Permission, Role};
use evenhand_domain::calendars::WorkTime;
use evenhand_domain::change::Version;
use evenhand_domain::derivation::{AchievabilityVerdict, Derivation, Goal, HISTORY_MONTHS_MIN, Inputs, Ramp};
use evenhand_domain::error::{Code, Problem, Result};
use evenhand_domain::fraction::PPM;
use evenhand_domain::id::{TargetId, TeamId};
use evenhand_domain::targets::cascade::{Capacity, Share, cascade};
use evenhand_domain::targets::{BandOverride, Figure, Metric, NewTarget, Side, Target, TargetOwner};
use evenhand_domain::time::{DateRange, Period};
use evenhand_domain::users::{Membership, TeamRole, User, UserStatus};
use evenhand_persistence::Tx;

use super::agreement::check_approver;
use super::numbers::{deals_of, share_terms};
use super::unit::settle;
use super::{Sides, acting, acting_as, load, person};
use crate::derivations::{Ask, cite, gather_all, people_in};
use crate::door::Command;

/// Workdays at the team's mean that are added to a member's own when their capacity is told: a month.
const CAPACITY_PRIOR_DAYS: i128 = 21;

/// Splits the target of a team, and what its members are asked beyond it, over the members.
#[derive(Debug)]
pub struct CascadeTarget {
    /// The target of a team.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// What the members are asked beyond the team.
    pub buffer: Vec<Figure>,
    /// Who answers for members' targets that are unusual, and why.
    pub band_override: Option<BandOverride>,
}

/// What a cascade made.
#[derive(Clone, Debug)]
pub struct Cascaded {
    /// The target of the team.
    pub target: Target,
    /// The targets of the members.
    pub children: Vec<Target>,
}

/// Somebody who gets a part.
struct Member {
    user: User,
    workdays: u32,
    inputs: Inputs,
}

/// Workdays of the period that somebody with this working time spends as a member of one of `teams`.
fn workdays_in(time: &WorkTime, stays: &[Membership], teams: &[TeamId], period: Period) -> u32 {
    let days = |stay: &Membership| {
        let from = stay.valid_from.max(period.start());
        let to = stay.valid_to.map_or(period.end(), |until| until.min(period.end()));
        if from < to { time.workdays(DateRange { from, to }) } else { 0 }
    };
    let counts = |stay: &&Membership| stay.role == TeamRole::Member && teams.contains(&stay.team_id);
    stays.iter().filter(counts).map(days).sum()
}

/// The members of the team and those below it who sell, each with what is known of their work. Whoever leads a
/// team is not asked for a part by this: their target is set by those above.
async fn members(tx: &Tx, target: &Target, team: TeamId) -> Result<Vec<Member>> {
    let reader = tx.read();
    let stays = reader.unscoped_stays(target.period.bounds(tx.grant().zone()), Some(&[team])).await?;
    let teams: Vec<TeamId> = stays.iter().map(|stay| stay.team_id).collect();
    let people = people_in(&stays);
    // What is assumed of the team is assumed of its members.
    let of_team = reader.derivations_by_ids(&[target.terms.derivation_id]).await?.pop();
    let ask = Ask {
        period: target.period,
        level: target.level,
        bands: reader.organization().await?.bands,
        goal: Goal::Deals(1),
        quality_ppm: quality(target),
        assumed: of_team.map(|(_, derivation)| derivation.inputs.assumed).unwrap_or_default(),
    };
    let times = reader.work_times(&people, target.period.days()).await?;
    let mut memberships = reader.memberships_by_users(&people).await?;
    let mut users = reader.users_by_ids(&people).await?;
    users.sort_unstable_by_key(|user| user.id);
    let mut sellers = Vec::new();
    for user in users {
        let stays = memberships.remove(&user.id).unwrap_or_default();
        let time = times.get(&user.id);
        let workdays = time.map_or(0, |time| workdays_in(time, &stays, &teams, target.period));
        let sells = matches!(user.role, Role::Rep | Role::Manager) && user.status != UserStatus::Deactivated;
        if sells && workdays > 0 {
            sellers.push((user, workdays));
        }
    }
    let requests: Vec<_> = sellers.iter().map(|(user, _)| ask.of(user.id, &reader)).collect();
    let inputs = gather_all(&reader, &requests).await?;
    let owners: Vec<_> = sellers.iter().map(|(user, _)| TargetOwner::User(user.id)).collect();
    let mut cites = cite(&reader, &owners, &ask).await?;
    let member = |((user, workdays), inputs): ((User, u32), Inputs)| {
        let cites = cites.remove(&TargetOwner::User(user.id)).unwrap_or_default();
        Member { inputs: Inputs { cites, ..inputs }, user, workdays }
    };
    Ok(sellers.into_iter().zip(inputs).map(member).collect())
}

/// The share of usable leads that the team is asked, which all of its members share.
fn quality(target: &Target) -> Option<u32> {
    let line = target.terms.find_line(Metric::LeadQuality)?;
    u32::try_from(line.quantity.value()).ok()
}

/// Millionths of a deal per workday: the member's own days, and a month at the team's mean; lowered for a new hire.
/// The same for all where nobody has a history.
fn capacity(inputs: &Inputs, period: Period) -> u64 {
    let sum = |days: &mut dyn Iterator<Item = i64>| {
        days.fold((0_i128, 0_i128), |(sum, n), count| (sum + i128::from(count), n + 1))
    };
    let (own, own_days) = sum(&mut inputs.own_days.iter().map(|day| day.count));
    let (team, team_days) = sum(&mut inputs.team_days.iter().flatten().map(|day| day.count));
    let ppm = i128::from(PPM);
    if team <= 0 {
        return PPM as u64;
    }
    let prior = CAPACITY_PRIOR_DAYS * team * ppm / team_days;
    let settled = (own * ppm + prior) / (own_days + CAPACITY_PRIOR_DAYS);
    let months_known = own_days >= i128::from(HISTORY_MONTHS_MIN) * CAPACITY_PRIOR_DAYS;
    let share = match inputs.hired_on {
        Some(hired_on) if !months_known => {
            let ramp = inputs.ramp.unwrap_or(Ramp::stated());
            i128::from(ramp.share_on(hired_on, period.start().max(hired_on)))
        }
        _ => ppm,
    };
    u64::try_from(settled * share / ppm).unwrap_or(0)
}

/// Proposes a member's part.
async fn propose(
    tx: &mut Tx,
    (parent, member): (&Target, &Member),
    share: &Share,
    unusual: Option<&BandOverride>,
) -> Result<Target> {
    let owner = TargetOwner::User(member.user.id);
    let person = person(tx)?;
    let acting = acting_as(tx, person.0, Sides::of(&tx.read(), owner).await?.side(person));
    if acting.side.is_none() {
        let message = format!("{} is led by somebody else, who sets their target.", member.user.name);
        return Err(Problem::new(Code::NotPermitted, message).into());
    }
    let goal = Goal::Deals(deals_of(&share.figures).max(1));
    let derivation = Derivation::derive(Inputs { goal, ..member.inputs.clone() })?;
    let id = tx.add_derivation(&derivation).await?;
    let mut terms = share_terms(&derivation, id, &share.figures);
    let usual = derivation.achievability.is_some_and(|found| found.verdict == AchievabilityVerdict::Within);
    terms.band_override = unusual.filter(|_| !usual).cloned();
    let input = NewTarget {
        owner,
        lead_id: None,
        period: parent.period,
        level: parent.level,
        parent: Some(parent),
        existing: tx.read().unscoped_live_target(owner, parent.period, parent.level).await?,
        terms,
    };
    let change = Target::propose(&input, tx.new_id(), || tx.new_id(), &acting)?;
    tx.save(change).await
}

impl Command for CascadeTarget {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = Cascaded;

    async fn run(&self, tx: &mut Tx) -> Result<Cascaded> {
        let target = load(tx, self.id, self.version).await?;
        let TargetOwner::Team(team) = target.owner else {
            return Err(Problem::new(Code::NotApplicable, "Only the target of a team is split.")
                .at("id")
                .into());
        };
        let acting = acting(tx, target.owner).await?;
        // Whoever leads the team stands on the owner's side of its target, and sets those of its members.
        if !matches!(acting.side, Some(Side::Owner | Side::Manager)) {
            let message = "The target of a team is split by those who lead it.";
            return Err(Problem::new(Code::NotPermitted, message).at("id").into());
        }
        check_approver(tx, self.band_override.as_ref()).await?;
        let change = target.set_buffer(&self.buffer, &acting)?;
        if !tx.read().unscoped_targets_below(target.id).await?.is_empty() {
            let message = "This target is split already; counter, amend or withdraw its parts.";
            return Err(Problem::new(Code::Taken, message).at("id").into());
        }
        let parent = tx.save(change).await?;
        let members = members(tx, &parent, team).await?;
        let capacities: Vec<Capacity> = members
            .iter()
            .map(|member| Capacity {
                user_id: member.user.id,
                capacity: capacity(&member.inputs, parent.period),
                workdays: member.workdays,
            })
            .collect();
        let shares = cascade(&parent.terms.lines, &self.buffer, &capacities)?;
        let mut children = Vec::new();
        for (index, share) in shares.iter().enumerate() {
            let asked =
                share.figures.iter().any(|figure| figure.metric.is_additive() && figure.quantity.value() > 0);
            let Some(member) = members.iter().find(|member| asked && member.user.id == share.user_id) else {
                continue;
            };
            let child = propose(tx, (&parent, member), share, self.band_override.as_ref()).await;
            children.push(child.map_err(|error| error.at(&index.to_string()).at("members"))?);
        }
        let target = settle(tx, parent).await?;
        Ok(Cascaded { target, children })
    }
}
