//! The public schema, put together from the slices.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, ValidationMode};
use evenhand_app::attainment::Attained;
use evenhand_app::reconciliation::Facts;
use evenhand_domain::error::Problem;
use evenhand_domain::id::{
    ActivityId, ApiClientId, ComplaintId, CustomerId, DealId, DerivationId, ProductId, SlaPolicyId, SurveyId,
    TargetId, TeamId, UserId, WorkCalendarId,
};
use evenhand_domain::money::Money;
use evenhand_domain::page::Page;
use evenhand_domain::time::Period;
use evenhand_domain::{
    activities, api_clients, calendars, complaints, customers, deals, derivation, products, targets, teams,
    users,
};

use crate::access::AccessMutations;
use crate::activities::{ActivityMutations, ActivityQueries};
use crate::api_clients::{ApiClientMutations, ApiClientQueries};
use crate::attainment::{AttainmentQueries, AttainmentSubscriptions, TargetAt};
use crate::calendars::{CalendarMutations, CalendarQueries};
use crate::changes::{ChangeQueries, ChangeSubscriptions};
use crate::complaints::policies::{SlaPolicyMutations, SlaPolicyQueries};
use crate::complaints::statistics::ComplaintStatisticQueries;
use crate::complaints::surveys::{SurveyMutations, SurveyQueries};
use crate::complaints::{ComplaintMutations, ComplaintQueries, ComplaintSubscriptions};
use crate::customers::{CustomerMutations, CustomerQueries};
use crate::daily_facts::{DailyFactMutations, DailyFactQueries};
use crate::deals::{DealMutations, DealQueries};
use crate::exports::ExportMutations;
use crate::imports::{ImportMutations, ImportSubscriptions};
use crate::loaders::Loader;
use crate::node::NodeQueries;
use crate::organizations::OrganizationMutations;
use crate::outbox::OutboxQueries;
use crate::products::{ProductMutations, ProductQueries};
use crate::reconciliation::ReconciliationQueries;
use crate::targets::{TargetMutations, TargetQueries};
use crate::teams::{TeamMutations, TeamQueries};
use crate::users::{UserMutations, UserQueries};

/// Everything that can be asked. Each field answers within your rights: what you may not see is not there.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    NodeQueries,
    UserQueries,
    TeamQueries,
    CalendarQueries,
    CustomerQueries,
    ActivityQueries,
    DealQueries,
    DailyFactQueries,
    ProductQueries,
    TargetQueries,
    AttainmentQueries,
    ReconciliationQueries,
    ComplaintQueries,
    ComplaintStatisticQueries,
    SlaPolicyQueries,
    ApiClientQueries,
    SurveyQueries,
    OutboxQueries,
    ChangeQueries,
);

/// Everything that can be done. Each mutation is one transaction; what is wrong with its input stands in
/// `userErrors` of its payload.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    AccessMutations,
    UserMutations,
    TeamMutations,
    CalendarMutations,
    CustomerMutations,
    ActivityMutations,
    OrganizationMutations,
    ProductMutations,
    DealMutations,
    DailyFactMutations,
    TargetMutations,
    ComplaintMutations,
    SlaPolicyMutations,
    ApiClientMutations,
    SurveyMutations,
    ImportMutations,
    ExportMutations,
);

/// Everything that can be watched, each event checked against your rights at that moment.
#[derive(MergedSubscription, Default)]
pub(crate) struct Subscription(
    ChangeSubscriptions,
    ImportSubscriptions,
    AttainmentSubscriptions,
    ComplaintSubscriptions,
);

/// The executable schema.
pub(crate) type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema.
pub(crate) fn build() -> Schema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        // Every document was validated before, by the one judge of all transports.
        .validation_mode(ValidationMode::Fast)
        .with_sorted_fields()
        .with_sorted_enums()
        .finish()
}

/// The schema in the schema definition language, as committed in `schema.graphql`.
pub fn sdl() -> String {
    let options =
        SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    build().sdl_with_options(options)
}

/// The loaders of one request.
#[derive(Default)]
pub(crate) struct Loaders {
    pub(crate) users: Loader<UserId, users::User>,
    pub(crate) memberships: Loader<UserId, Vec<users::Membership>>,
    pub(crate) teams: Loader<TeamId, teams::Team>,
    pub(crate) teams_below: Loader<TeamId, Vec<teams::Team>>,
    pub(crate) work_calendars: Loader<Option<WorkCalendarId>, calendars::WorkCalendar>,
    pub(crate) leaves: Loader<UserId, Vec<users::Leave>>,
    pub(crate) workdays: Loader<(UserId, Period), u32>,
    pub(crate) customers: Loader<CustomerId, customers::Customer>,
    pub(crate) stage_changes: Loader<CustomerId, Vec<customers::StageChange>>,
    pub(crate) owner_periods: Loader<CustomerId, Vec<customers::OwnerPeriod>>,
    pub(crate) activities: Loader<ActivityId, activities::Activity>,
    pub(crate) customer_activities: Loader<(CustomerId, u32), Page<activities::Activity>>,
    pub(crate) customer_activity_counts: Loader<CustomerId, i64>,
    pub(crate) products: Loader<ProductId, products::Product>,
    pub(crate) deals: Loader<DealId, deals::Deal>,
    pub(crate) credit_lines: Loader<DealId, Vec<deals::CreditLine>>,
    pub(crate) newest_deals: Loader<(CustomerId, u32), Page<deals::Deal>>,
    pub(crate) deal_counts: Loader<CustomerId, i64>,
    pub(crate) complaints: Loader<ComplaintId, complaints::Complaint>,
    pub(crate) newest_complaints: Loader<(CustomerId, u32), Page<complaints::Complaint>>,
    pub(crate) complaint_counts: Loader<CustomerId, i64>,
    pub(crate) open_complaints: Loader<CustomerId, complaints::OpenComplaints>,
    pub(crate) recent_complaints: Loader<CustomerId, Vec<complaints::Complaint>>,
    pub(crate) revenue_at_risk: Loader<CustomerId, Vec<Money>>,
    pub(crate) surveys: Loader<SurveyId, complaints::Survey>,
    pub(crate) complaint_surveys: Loader<ComplaintId, Vec<complaints::Survey>>,
    pub(crate) sla_policies: Loader<SlaPolicyId, complaints::SlaPolicy>,
    pub(crate) api_clients: Loader<ApiClientId, api_clients::ApiClient>,
    pub(crate) targets: Loader<TargetId, targets::Target>,
    pub(crate) targets_below: Loader<TargetId, Vec<targets::Target>>,
    pub(crate) missing_of_targets: Loader<TargetId, Vec<Problem>>,
    pub(crate) derivations: Loader<DerivationId, derivation::Derivation>,
    pub(crate) attainments: Loader<TargetAt, Attained>,
    pub(crate) user_revenue: Loader<(UserId, Facts), Vec<Money>>,
    pub(crate) team_revenue: Loader<(TeamId, Facts), Vec<Money>>,
}

impl Loaders {
    /// Forgets everything, after a change.
    pub(crate) fn clear(&self) {
        self.users.clear();
        self.memberships.clear();
        self.teams.clear();
        self.teams_below.clear();
        self.work_calendars.clear();
        self.leaves.clear();
        self.workdays.clear();
        self.customers.clear();
        self.stage_changes.clear();
        self.owner_periods.clear();
        self.activities.clear();
        self.customer_activities.clear();
        self.customer_activity_counts.clear();
        self.products.clear();
        self.deals.clear();
        self.credit_lines.clear();
        self.newest_deals.clear();
        self.deal_counts.clear();
        self.complaints.clear();
        self.newest_complaints.clear();
        self.complaint_counts.clear();
        self.open_complaints.clear();
        self.recent_complaints.clear();
        self.revenue_at_risk.clear();
        self.surveys.clear();
        self.complaint_surveys.clear();
        self.sla_policies.clear();
        self.api_clients.clear();
        self.targets.clear();
        self.targets_below.clear();
        self.missing_of_targets.clear();
        self.derivations.clear();
        self.attainments.clear();
        self.user_revenue.clear();
        self.team_revenue.clear();
    }
}
