//! Organisations: the tenants. Everything else belongs to exactly one.

use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Aggregate, Change, EventKind, SubjectType, Version};
use crate::derivation::Band;
use crate::error::{Code, Problem, Problems, Result};
use crate::id::{EntityId, OrganizationId};
use crate::money::Currency;
use crate::targets::Bands;
use crate::text;
use crate::time::Timestamp;

/// A sales organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Counts changes.
    pub version: Version,
    /// Name; unique in this installation, ignoring case.
    pub name: String,
    /// IANA time zone: whose midnight a business day starts at.
    pub time_zone: Tz,
    /// Currency of amounts that name none.
    pub currency: Currency,
    /// How likely targets of each level should be.
    pub bands: Bands,
    /// When it began.
    pub created_at: Timestamp,
}

/// Input of [`Organization::create`].
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Name.
    pub name: String,
    /// IANA time zone, e.g. `Europe/Berlin`.
    pub time_zone: String,
    /// ISO 4217 code.
    pub currency: String,
}

/// Input of [`Organization::update`]; `None` leaves a value as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrganizationUpdate {
    /// Band of base targets.
    pub base: Option<Band>,
    /// Band of sprint targets.
    pub sprint: Option<Band>,
    /// Band of challenge targets.
    pub challenge: Option<Band>,
}

impl Organization {
    /// # Errors
    /// Every field that is wrong.
    pub fn create(input: &NewOrganization, id: OrganizationId, now: Timestamp) -> Result<Change<Self>> {
        let mut problems = Problems::default();
        let name = problems.take("name", text::name(&input.name));
        let time_zone = problems.take("timeZone", parse_time_zone(&input.time_zone));
        let currency = problems.take("currency", Currency::parse(&input.currency));
        let organization = problems.finish_with(|| {
            Some(Self {
                id,
                version: 0,
                name: name?,
                time_zone: time_zone?,
                currency: currency?,
                bands: Bands::default(),
                created_at: now,
            })
        })?;
        Ok(Change::created(EventKind::OrganizationCreated, organization))
    }

    /// Changes settings. Targets that exist keep the verdict of their time.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn update(&self, input: &OrganizationUpdate) -> Result<Change<Self>> {
        let bands = Bands {
            base: input.base.unwrap_or(self.bands.base),
            sprint: input.sprint.unwrap_or(self.bands.sprint),
            challenge: input.challenge.unwrap_or(self.bands.challenge),
        };
        let bands = bands.checked().map_err(|error| error.at("targetBands"))?;
        Ok(Change::updated(EventKind::OrganizationUpdated, self, Self { bands, ..self.clone() }))
    }
}

/// # Errors
/// `INVALID_FORMAT` for anything but an IANA name.
pub fn parse_time_zone(text: &str) -> Result<Tz, Problem> {
    text.parse().map_err(|_| {
        Problem::new(Code::InvalidFormat, "Expected an IANA time zone such as Europe/Berlin or UTC.")
    })
}

impl Aggregate for Organization {
    const SUBJECT: SubjectType = SubjectType::Organization;
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
        json!({
            "name": self.name, "timeZone": self.time_zone.name(), "currency": self.currency.code(),
            "targetBands": self.bands,
        })
    }
}
