//! How terms come about: proposed, answered, signed, changed, taken back.

use evenhand_domain::access::{Permission, Role};
use evenhand_domain::change::Version;
use evenhand_domain::derivation::{Derivation, Inputs};
use evenhand_domain::error::{Code, Error, Problem, Reference, Result};
use evenhand_domain::id::{TargetId, UserId};
use evenhand_domain::targets::{
    BandOverride, NewTarget, NewTerms, Side, Target, TargetLevel, TargetOwner, TargetState,
};
use evenhand_domain::time::Period;
use evenhand_domain::users::UserStatus;
use evenhand_persistence::Tx;

use super::numbers::Wish;
use super::unit::{keep_law, settle};
use super::{Sides, acting, acting_as, check_leads, check_manages, check_owner, load, person};
use crate::derivations::{Ask, gather_for};
use crate::door::Command;

/// Somebody who answers for unusual terms must be here and able to sign.
pub(super) async fn check_approver(tx: &Tx, wanted: Option<&BandOverride>) -> Result<()> {
    let Some(BandOverride { approver_id, .. }) = wanted else { return Ok(()) };
    let place = |error: Error| error.at("approverId").at("override");
    let approver = match tx.read().user(*approver_id).await {
        Err(Error::NotFound) => {
            return Err(place(Problem::new(Code::NotFound, "There is no such person.").into()));
        }
        found => found?,
    };
    let fits =
        matches!(approver.role, Role::Manager | Role::Admin) && approver.status != UserStatus::Deactivated;
    if fits {
        return Ok(());
    }
    let message = "A manager or an administrator who works here answers for unusual terms.";
    Err(place(Problem::new(Code::NotPermitted, message).into()))
}

/// Derives and keeps what the wish takes. Errors of the derivation name its inputs, which have the names of ours.
async fn wished(tx: &Tx, inputs: Inputs, wish: &Wish) -> Result<NewTerms> {
    check_approver(tx, wish.band_override.as_ref()).await?;
    let derivation = Derivation::derive(inputs)?;
    let id = tx.add_derivation(&derivation).await?;
    wish.terms(&derivation, id)
}

impl Wish {
    async fn ask(&self, tx: &Tx, period: Period, level: TargetLevel) -> Result<Ask> {
        let bands = tx.read().organization().await?.bands;
        Ok(Ask {
            period,
            level,
            bands,
            goal: self.goal,
            quality_ppm: self.quality_ppm,
            assumed: self.assumed,
        })
    }

    /// The inputs of an earlier derivation with what is asked now.
    fn on(&self, inputs: Inputs) -> Inputs {
        Inputs { goal: self.goal, quality_ppm: self.quality_ppm, assumed: self.assumed, ..inputs }
    }
}

/// Puts a target on the table.
#[derive(Debug)]
pub struct ProposeTarget {
    /// Whose it is to be.
    pub owner: TargetOwner,
    /// When it is to count.
    pub period: Period,
    /// How much it asks.
    pub level: TargetLevel,
    /// The target of the team that it is a part of.
    pub parent_id: Option<TargetId>,
    /// What is asked.
    pub wish: Wish,
}

impl Command for ProposeTarget {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        check_owner(&tx.read(), self.owner, "ownerId").await?;
        let person = person(tx)?;
        let sides = Sides::of(&tx.read(), self.owner).await?;
        let acting = acting_as(tx, person.0, sides.side(person));
        check_leads(&acting)?;
        let parent = match self.parent_id {
            Some(id) => Some(tx.read().target(id).await.referenced("parentId")?),
            None => None,
        };
        let lead_id = sides.owners.first().copied();
        let ask = self.wish.ask(tx, self.period, self.level).await?;
        let inputs = gather_for(&tx.read(), self.owner, lead_id, &ask).await?;
        let input = NewTarget {
            owner: self.owner,
            lead_id,
            period: self.period,
            level: self.level,
            parent: parent.as_ref(),
            existing: tx.read().unscoped_live_target(self.owner, self.period, self.level).await?,
            terms: wished(tx, inputs, &self.wish).await?,
        };
        let change = Target::propose(&input, tx.new_id(), || tx.new_id(), &acting)?;
        let target = tx.save(change).await?;
        keep_law(tx, &target, Some(&target.terms.lines), true).await?;
        settle(tx, target).await
    }
}

/// Answers the terms on the table with other ones, from the same history.
#[derive(Debug)]
pub struct CounterTarget {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// What is wanted instead.
    pub wish: Wish,
}

impl Command for CounterTarget {
    const PERMISSION: Permission = Permission::SignTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        check_owner(&tx.read(), target.owner, "id").await?;
        let acting = acting(tx, target.owner).await?;
        let answered = target.on_the_table().unwrap_or(&target.terms).derivation_id;
        let (_, earlier) = tx
            .read()
            .derivations_by_ids(&[answered])
            .await?
            .pop()
            .ok_or_else(|| Error::Internal(format!("target {} rests on no derivation", target.id)))?;
        let terms = wished(tx, self.wish.on(earlier.inputs), &self.wish).await?;
        let change = target.counter(&terms, || tx.new_id(), &acting)?;
        let after = change.state();
        let open = after.on_the_table().unwrap_or(&after.terms).lines.clone();
        let stands = after.amendment.is_none();
        keep_law(tx, &target, Some(&open), stands).await?;
        let countered = tx.save(change).await?;
        settle(tx, countered).await
    }
}

/// Signs the terms on the table, which the client knows by their hash.
#[derive(Debug)]
pub struct AgreeTarget {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// SHA-256 of the terms that the client saw.
    pub hash: String,
}

/// As what a person signs: for their side, or as the one who answers for unusual terms. Whoever is both and may
/// still sign as a manager does.
fn signing_side(target: &Target, sides: &Sides, person: (UserId, Role)) -> Option<Side> {
    let side = sides.side(person);
    let Some(open) = target.on_the_table() else { return side };
    let approver = open.band_override.as_ref().map(|found| found.approver_id) == Some(person.0);
    let taken = open.signatures.iter().any(|found| found.side == Side::Manager && found.user_id != person.0);
    match side {
        Some(Side::Manager) if approver && taken => Some(Side::Approver),
        None if approver => Some(Side::Approver),
        side => side,
    }
}

impl Command for AgreeTarget {
    const PERMISSION: Permission = Permission::SignTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        let person = person(tx)?;
        let side = signing_side(&target, &Sides::of(&tx.read(), target.owner).await?, person);
        let change = target.sign(&self.hash, &acting_as(tx, person.0, side))?;
        let signed = tx.save(change).await?;
        settle(tx, signed).await
    }
}

/// Puts other terms for the rest of the period on the table.
#[derive(Debug)]
pub struct AmendTarget {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// What is wanted from a day on.
    pub wish: Wish,
}

impl Command for AmendTarget {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        check_owner(&tx.read(), target.owner, "id").await?;
        let person = person(tx)?;
        let sides = Sides::of(&tx.read(), target.owner).await?;
        let acting = acting_as(tx, person.0, sides.side(person));
        check_leads(&acting)?;
        let ask = self.wish.ask(tx, target.period, target.level).await?;
        let inputs = gather_for(&tx.read(), target.owner, sides.owners.first().copied(), &ask).await?;
        let terms = wished(tx, inputs, &self.wish).await?;
        let change = target.amend(&terms, || tx.new_id(), &acting)?;
        if let Some(amendment) = &change.state().amendment {
            let lines = amendment.lines.clone();
            keep_law(tx, &target, Some(&lines), false).await?;
        }
        tx.save(change).await
    }
}

/// Takes back a target that does not count yet, or the open amendment of one that does.
#[derive(Debug)]
pub struct WithdrawTarget {
    /// Which target.
    pub id: TargetId,
    /// The version that the client saw.
    pub version: Version,
    /// Why.
    pub reason: String,
}

impl Command for WithdrawTarget {
    const PERMISSION: Permission = Permission::ManageTargets;
    type Output = Target;

    async fn run(&self, tx: &mut Tx) -> Result<Target> {
        let target = load(tx, self.id, self.version).await?;
        let acting = acting(tx, target.owner).await?;
        check_manages(tx, &acting)?;
        let change = target.withdraw(&self.reason, &acting)?;
        if change.state().state == TargetState::Withdrawn {
            keep_law(tx, &target, None, true).await?;
        }
        let withdrawn = tx.save(change).await?;
        settle(tx, withdrawn).await
    }
}
