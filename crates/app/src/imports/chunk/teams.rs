//! Rows that are teams. An import makes teams; it does not rename or move them.

use evenhand_domain::change::{Change, SubjectType};
use evenhand_domain::error::{Error, Result};
use evenhand_domain::id::EntityId;
use evenhand_domain::teams::Team;
use evenhand_domain::text::fold;
use evenhand_persistence::Tx;
use uuid::Uuid;

use super::super::known::{TEAMS, View};
use super::super::mapping::{Record, TeamRecord};
use super::{Decision, Kind, Refusal, Scene, taken};

#[derive(Default)]
pub(super) struct Teams {
    new: Vec<Change<Team>>,
}

impl Kind for Teams {
    type Record = TeamRecord;
    const SUBJECT: SubjectType = SubjectType::Team;

    fn pick(record: &Record) -> Option<&TeamRecord> {
        if let Record::Team(team) = record { Some(team) } else { None }
    }

    async fn read(_: &Tx, _: &View<'_>, _: &[&TeamRecord]) -> Result<Self> {
        Ok(Self::default())
    }

    fn alike(&self, view: &View<'_>, record: &TeamRecord) -> Vec<Uuid> {
        view.named(TEAMS, &fold(&record.name))
    }

    async fn load(&mut self, _: &Tx, _: &[Uuid]) -> Result<()> {
        // All teams are in memory.
        Ok(())
    }

    fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        record: &TeamRecord,
        present: Option<Uuid>,
    ) -> Result<Decision, Refusal> {
        let parent =
            record.parent.as_deref().map(|name| scene.view.refer("team", TEAMS, name)).transpose()?;
        if let Some(id) = present {
            let (team, _) = scene.view.team(id).ok_or(Error::NotFound)?;
            let moved = parent.is_some() && team.parent_id.map(EntityId::uuid) != parent;
            return Ok(if moved || fold(&team.name) != fold(&record.name) {
                Decision::Skipped(id, "an import does not rename or move a team")
            } else {
                Decision::Unchanged(id)
            });
        }
        if !self.alike(&scene.view, record).is_empty() {
            return Err(taken("name", &record.name, "team"));
        }
        let above = parent.and_then(|id| scene.view.team(id)).map(|(team, depth)| (team, *depth));
        let depth = above.map_or(1, |(_, depth)| depth + 1);
        let change = Team::create(&record.name, above, scene.tx.new_id(), scene.now())?;
        let id = change.state().id.uuid();
        scene.view.fresh.put_team(change.state().clone(), depth);
        self.new.push(change);
        Ok(Decision::Created(id))
    }

    async fn save(self, tx: &mut Tx) -> Result<()> {
        tx.save_new(self.new).await
    }
}
