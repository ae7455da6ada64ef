//! Relay: any object by its opaque id.

use async_graphql::{Context, ID, Interface, Object, Result};
use evenhand_domain::error::{Code, Error, Problem};
use evenhand_domain::id::{
    ActivityId, ApiClientId, ComplaintId, CustomerId, DealId, EntityId, ExportId, ImportId, OrganizationId,
    ProductId, SlaPolicyId, SurveyId, TargetId, TeamId, UserId, WorkCalendarId,
};
use uuid::Uuid;

use crate::activities::{self, Activity};
use crate::api_clients::{self, ApiClient};
use crate::calendars::{self, WorkCalendar};
use crate::complaints::policies::{self, SlaPolicy};
use crate::complaints::surveys::{self, Survey};
use crate::complaints::{self, Complaint};
use crate::customers::{self, Customer};
use crate::deals::{self, Deal};
use crate::exports::{self, Export};
use crate::ids;
use crate::imports::{self, Import};
use crate::products::{self, Product};
use crate::targets::{self, Target};
use crate::teams::{self, Team};
use crate::users::{self, Organization, User};

/// Most ids in one `nodes`.
const IDS_MAX: usize = 100;

/// An object that can be fetched by its id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque id."))]
pub(crate) enum Node {
    /// An organisation.
    Organization(Organization),
    /// A person.
    User(User),
    /// A team.
    Team(Team),
    /// A customer.
    Customer(Customer),
    /// A product.
    Product(Product),
    /// An activity.
    Activity(Activity),
    /// A deal.
    Deal(Deal),
    /// A target.
    Target(Target),
    /// A complaint.
    Complaint(Complaint),
    /// A policy for complaints.
    SlaPolicy(SlaPolicy),
    /// Questions on how a complaint was handled.
    Survey(Survey),
    /// An import.
    Import(Import),
    /// A download that you asked for.
    Export(Export),
    /// A work calendar.
    WorkCalendar(WorkCalendar),
    /// An API client.
    ApiClient(ApiClient),
}

/// The object with this id; null where there is none or the caller may not see it.
async fn load(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let invalid = || Error::from(Problem::new(Code::InvalidId, "This is not an id.").at("id"));
    let (type_name, uuid): (String, Uuid) = ids::decode_any(id).ok_or_else(invalid)?;
    let node = match type_name.as_str() {
        OrganizationId::TYPE => {
            users::load_organization(ctx, OrganizationId::from_uuid(uuid)).await?.map(Node::Organization)
        }
        UserId::TYPE => users::load(ctx, UserId::from_uuid(uuid)).await?.map(Node::User),
        TeamId::TYPE => teams::load(ctx, TeamId::from_uuid(uuid)).await?.map(Node::Team),
        CustomerId::TYPE => customers::load(ctx, CustomerId::from_uuid(uuid)).await?.map(Node::Customer),
        ProductId::TYPE => products::load(ctx, ProductId::from_uuid(uuid)).await?.map(Node::Product),
        ActivityId::TYPE => activities::load(ctx, ActivityId::from_uuid(uuid)).await?.map(Node::Activity),
        DealId::TYPE => deals::load(ctx, DealId::from_uuid(uuid)).await?.map(Node::Deal),
        TargetId::TYPE => targets::load(ctx, TargetId::from_uuid(uuid)).await?.map(Node::Target),
        ComplaintId::TYPE => complaints::load(ctx, ComplaintId::from_uuid(uuid)).await?.map(Node::Complaint),
        SlaPolicyId::TYPE => policies::load(ctx, SlaPolicyId::from_uuid(uuid)).await?.map(Node::SlaPolicy),
        ApiClientId::TYPE => api_clients::load(ctx, ApiClientId::from_uuid(uuid)).await?.map(Node::ApiClient),
        SurveyId::TYPE => surveys::load(ctx, SurveyId::from_uuid(uuid)).await?.map(Node::Survey),
        ImportId::TYPE => imports::load(ctx, ImportId::from_uuid(uuid)).await?.map(Node::Import),
        ExportId::TYPE => exports::load(ctx, ExportId::from_uuid(uuid)).await?.map(Node::Export),
        WorkCalendarId::TYPE => {
            calendars::load(ctx, Some(WorkCalendarId::from_uuid(uuid))).await?.map(Node::WorkCalendar)
        }
        _ => return Err(invalid().into()),
    };
    Ok(node)
}

/// Queries by id.
#[derive(Default)]
pub(crate) struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Any object by its id; null where there is none or you may not see it.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Opaque id.")] id: ID) -> Result<Option<Node>> {
        hidden(load(ctx, &id).await)
    }

    /// Many objects by their ids, in the same order; null where there is none or you may not see it.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Opaque ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > IDS_MAX {
            return Err(Error::from(
                Problem::new(Code::TooMany, format!("At most {IDS_MAX} ids.")).at("ids"),
            )
            .into());
        }
        let loads = ids.iter().map(|id| async { hidden(load(ctx, id).await) });
        futures_util::future::try_join_all(loads).await
    }
}

/// What a role may not see at all is absent like anything else that it may not see.
fn hidden(node: Result<Option<Node>>) -> Result<Option<Node>> {
    match node {
        Err(error)
            if error.source.as_ref().and_then(|source| source.downcast_ref::<Error>()).is_some_and(
                |cause| matches!(cause, Error::Forbidden | Error::ScopeMissing(None) | Error::NotFound),
            ) =>
        {
            Ok(None)
        }
        node => node,
    }
}
