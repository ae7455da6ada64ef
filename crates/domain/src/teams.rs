//! Teams: a tree of any depth.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EntityId, TeamId};
use crate::text;
use crate::time::Timestamp;

/// Deepest team tree; a bound for recursion, far above any real organisation.
pub const TEAM_DEPTH_MAX: usize = 32;

/// A node of the team tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Counts changes.
    pub version: Version,
    /// Name; unique in the organisation, ignoring case.
    pub name: String,
    /// The team above; `None` at the top.
    pub parent_id: Option<TeamId>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Team {
    /// Creates a team below `parent`, whose line of ancestors (itself included) has `depth` teams.
    ///
    /// # Errors
    /// A wrong name, or a tree deeper than [`TEAM_DEPTH_MAX`].
    pub fn create(
        name: &str,
        parent: Option<(&Team, usize)>,
        id: TeamId,
        now: Timestamp,
    ) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(name));
        if parent.is_some_and(|(_, depth)| depth >= TEAM_DEPTH_MAX) {
            problems.push(
                Problem::new(Code::TooMany, format!("A team tree is at most {TEAM_DEPTH_MAX} deep."))
                    .at("parentId"),
            );
        }
        let parent_id = parent.map(|(team, _)| team.id);
        let team = problems
            .finish_with(|| Some(Self { id, version: 0, name: name?, parent_id, created_at: now }))?;
        Ok(Change::created(EventKind::TeamCreated, team))
    }
}

impl Aggregate for Team {
    const SUBJECT: SubjectType = SubjectType::Team;
    fn subject_id(&self) -> Uuid {
        self.id.uuid()
    }
    fn version(&self) -> Version {
        self.version
    }
    fn set_version(&mut self, version: Version) {
        self.version = version;
    }
    fn view(&self) -> Value {
        json!({ "name": self.name, "parentId": self.parent_id })
    }
}
