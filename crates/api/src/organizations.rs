//! Settings of the organisation in GraphQL.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use evenhand_app::organizations::UpdateOrganization;
use evenhand_domain::derivation::Band;
use evenhand_domain::error::{Code, Problem, Problems};
use evenhand_domain::organizations::OrganizationUpdate;
use evenhand_domain::targets::Bands;

use crate::context::Request;
use crate::error::payload;
use crate::scalars::Decimal;
use crate::targets::{parts, share};
use crate::users::Organization;

/// Bounds of a probability, ends included.
#[derive(SimpleObject)]
pub(crate) struct ProbabilityBand {
    /// What is less likely is too hard, e.g. `0.500000`.
    min: Decimal,
    /// What is more likely is too easy, e.g. `0.850000`.
    max: Decimal,
}

impl From<Band> for ProbabilityBand {
    fn from(band: Band) -> Self {
        Self { min: share(band.min_ppm), max: share(band.max_ppm) }
    }
}

/// How likely targets of each level should be reached.
#[derive(SimpleObject)]
pub(crate) struct TargetBands {
    /// Of `BASE` targets.
    base: ProbabilityBand,
    /// Of `SPRINT` targets.
    sprint: ProbabilityBand,
    /// Of `CHALLENGE` targets.
    challenge: ProbabilityBand,
}

impl From<Bands> for TargetBands {
    fn from(bands: Bands) -> Self {
        Self { base: bands.base.into(), sprint: bands.sprint.into(), challenge: bands.challenge.into() }
    }
}

/// Bounds of a probability, ends included.
#[derive(InputObject)]
pub(crate) struct ProbabilityBandInput {
    /// What is less likely is too hard: 0 or more, e.g. `0.5`.
    min: Decimal,
    /// What is more likely is too easy: above `min`, at most 1, e.g. `0.85`.
    max: Decimal,
}

impl ProbabilityBandInput {
    fn parse(&self) -> std::result::Result<Band, Problem> {
        let bound = |field: &str, decimal| {
            let message = "A probability lies between 0 and 1, with at most six decimals.";
            parts(decimal).ok_or_else(|| Problem::new(Code::OutOfRange, message).at(field))
        };
        Ok(Band { min_ppm: bound("min", &self.min)?, max_ppm: bound("max", &self.max)? })
    }
}

/// How likely targets of each level should be reached. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct TargetBandsInput {
    /// Of `BASE` targets.
    base: Option<ProbabilityBandInput>,
    /// Of `SPRINT` targets.
    sprint: Option<ProbabilityBandInput>,
    /// Of `CHALLENGE` targets.
    challenge: Option<ProbabilityBandInput>,
}

impl TargetBandsInput {
    fn parse(&self) -> evenhand_domain::error::Result<OrganizationUpdate> {
        let mut problems = Problems::default();
        let mut band = |field: &str, band: &Option<ProbabilityBandInput>| {
            problems.take(field, band.as_ref().map(ProbabilityBandInput::parse).transpose())
        };
        let bands =
            (band("base", &self.base), band("sprint", &self.sprint), band("challenge", &self.challenge));
        problems.finish_with(|| {
            Some(OrganizationUpdate { base: bands.0?, sprint: bands.1?, challenge: bands.2? })
        })
    }
}

/// Input of `updateOrganization`. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct UpdateOrganizationInput {
    /// The version that you read.
    version: i32,
    /// How likely targets of each level should be reached. Targets that exist keep the verdict of their time.
    target_bands: Option<TargetBandsInput>,
}

impl UpdateOrganizationInput {
    fn parse(&self) -> evenhand_domain::error::Result<UpdateOrganization> {
        let update = self.target_bands.as_ref().map(TargetBandsInput::parse).transpose();
        let update = update.map_err(|error| error.at("targetBands"))?.unwrap_or_default();
        Ok(UpdateOrganization { version: self.version, update })
    }
}

payload! {
    /// Result of `updateOrganization`.
    UpdateOrganizationPayload {
        /// Your organisation after the change; null when the input was wrong.
        organization: Organization
    }
}

/// Mutations of the organisation.
#[derive(Default)]
pub(crate) struct OrganizationMutations;

#[Object]
impl OrganizationMutations {
    /// Changes settings of your organisation. For administrators.
    async fn update_organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateOrganizationInput,
    ) -> Result<UpdateOrganizationPayload> {
        UpdateOrganizationPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }
}
