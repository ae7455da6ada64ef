//! Rows that are people and their place in a team.

use std::collections::HashMap;

use chrono::Days;
use evenhand_domain::access::Role;
use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::{EntityId, TeamId, UserId};
use evenhand_domain::text::fold;
use evenhand_domain::users::{Move, NewUser, User, UserStatus, UserUpdate};
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{TEAMS, USERS, View};
use super::super::mapping::{Record, UserRecord};
use super::{Decision, Kind, Refusal, Scene, taken};

#[derive(Default)]
pub(super) struct Users {
    /// Those that may change, with the number of other administrators for an administrator.
    present: HashMap<Uuid, (User, u64)>,
    new: Vec<Change<User>>,
    changed: Vec<Change<User>>,
}

impl Kind for Users {
    type Record = UserRecord;
    const SUBJECT: SubjectType = SubjectType::User;

    fn pick(record: &Record) -> Option<&UserRecord> {
        if let Record::User(user) = record { Some(user) } else { None }
    }

    async fn read(_: &Tx, _: &View<'_>, _: &[&UserRecord]) -> Result<Self> {
        Ok(Self::default())
    }

    /// The e-mail address tells people apart; only without one does the name have to do.
    fn alike(&self, view: &View<'_>, record: &UserRecord) -> Vec<Uuid> {
        match &record.email {
            Some(email) => view.coded(USERS, &fold(email)),
            None => view.named(USERS, &fold(&record.name)),
        }
    }

    async fn load(&mut self, tx: &Tx, ids: &[Uuid]) -> Result<()> {
        for id in ids {
            // One by one: few people change from one run to the next.
            let user = tx.read().user(UserId::from_uuid(*id)).await?;
            let mut others = 0;
            if user.role == Role::Admin {
                tx.lock_administrators().await?;
                others = tx.read().other_admins(user.id).await?;
            }
            self.present.insert(*id, (user, others));
        }
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &UserRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        if let Some(email) = &record.email {
            let others = scene.view.coded(USERS, &fold(email)).into_iter().filter(|id| Some(*id) != present);
            if others.count() > 0 {
                return Err(taken("email", email, "user"));
            }
        }
        match present {
            Some(id) => self.change(scene, record, id),
            None => self.create(scene, record),
        }
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await?;
        for change in self.changed {
            tx.save(change).await?;
        }
        Ok(())
    }
}

impl Users {
    fn create(&mut self, scene: &mut Scene<'_>, record: &UserRecord) -> Result<Decision, Refusal> {
        let input = NewUser {
            name: record.name.clone(),
            email: record.email.clone(),
            role: record.role,
            hired_on: record.hired_on,
        };
        let mut changes = vec![User::create(&input, scene.tx.new_id(), scene.now())?];
        let user = changes[0].state().clone();
        changes.extend(place(scene, record, &user)?);
        let id = user.id.uuid();
        scene.view.fresh.put_user(changes.last().map_or(user, |change| change.state().clone()));
        self.new.extend(changes);
        Ok(Decision::Created(id))
    }

    fn change(&mut self, scene: &mut Scene<'_>, record: &UserRecord, id: Uuid) -> Result<Decision, Refusal> {
        let (before, others) = self.present.get(&id).ok_or(Error::NotFound)?;
        let mut user = before.clone();
        let mut changes = Vec::new();
        let update = UserUpdate {
            name: Some(record.name.clone()).filter(|name| *name != user.name),
            email: record.email.clone().filter(|email| user.email.as_ref() != Some(email)),
            role: Some(record.role).filter(|role| *role != user.role),
            hired_on: record.hired_on.filter(|day| user.hired_on != Some(*day)),
            ..UserUpdate::default()
        };
        let UserUpdate { name, email, role, hired_on, .. } = &update;
        if name.is_some() || email.is_some() || role.is_some() || hired_on.is_some() {
            let others = others.saturating_sub(scene.view.demoted());
            let change = user.update(&update, others, scene.now())?;
            user = change.state().clone();
            changes.push(change);
        }
        changes.extend(place(scene, record, &user)?);
        let Some(last) = changes.last() else { return Ok(Decision::Unchanged(id)) };
        let after = last.state().clone();
        let was_admin = before.role == Role::Admin && before.status == UserStatus::Active;
        scene.view.fresh.demoted += u64::from(was_admin && after.role != Role::Admin);
        scene.view.fresh.put_user(after);
        self.changed.extend(changes);
        Ok(Decision::Updated(id, None))
    }
}

/// The move to the team that the row names, if the person is not there already.
fn place(scene: &Scene<'_>, record: &UserRecord, user: &User) -> Result<Option<Change<User>>, Refusal> {
    let Some(stay) = &record.membership else { return Ok(None) };
    let team_id = TeamId::from_uuid(scene.view.refer("team", TEAMS, &stay.team)?);
    if user.memberships.last().is_some_and(|last| last.team_id == team_id && last.role == stay.role) {
        return Ok(None);
    }
    // A file often knows only where a person is and not since when, so that its day is that of an earlier stay:
    // then the person moves today.
    let taken_until =
        user.memberships.last().map(|last| last.valid_to.unwrap_or(last.valid_from + Days::new(1)));
    let today = scene.tx.grant().today(scene.now());
    let from = if taken_until.is_some_and(|day| stay.from < day) { today } else { stay.from };
    let step = Move { id: scene.tx.new_id(), team_id, role: stay.role, from };
    Ok(Some(user.move_to(&step, scene.now())?))
}
