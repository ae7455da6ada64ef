//! Mutations of deals: inputs become commands.

use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Object, Result};
use evenhand_app::deals::{CancelDeal, CreateDeal, LoseDeal, UpdateDeal, WinDeal};
use evenhand_domain::deals::{self as domain, CreditKind, DealStage, DealUpdate, NewCredit};
use evenhand_domain::error::{Problem, Problems};
use evenhand_domain::id::EntityId;
use evenhand_domain::patch::Patch;

use super::Deal;
use crate::complaints::open::{CustomerWarning, warnings_of};
use crate::context::Request;
use crate::error::payload;
use crate::ids;
use crate::patch::patch;
use crate::scalars::{Date, DateTime, MoneyInput};
use crate::wire::Wire;

/// Input of `createDeal`.
#[derive(InputObject)]
pub(crate) struct CreateDealInput {
    /// Number, unique in the organisation, 1 to 100 characters; the next free one (`D-000001`) if not given.
    number: Option<String>,
    /// Short description, 1 to 200 characters.
    name: Option<String>,
    /// Who buys.
    customer_id: Option<ID>,
    /// What is sold; a product that is not retired.
    product_id: Option<ID>,
    /// Who sells; you if not given. Must be given by administrators.
    owner_id: Option<ID>,
    /// An open stage; `PROSPECTING` if not given.
    stage: Option<Wire<DealStage>>,
    /// Expected value, not negative.
    value: Option<MoneyInput>,
    /// When it began, not in the future; now if not given.
    opened_at: Option<DateTime>,
    /// Day on which it is expected to be won.
    expected_close_on: Option<Date>,
}

/// Input of `updateDeal`. What is left out stays as it is; null takes an optional value away.
#[derive(InputObject)]
pub(crate) struct UpdateDealInput {
    /// The deal; it must be open.
    id: ID,
    /// The version that you read.
    version: i32,
    /// New short description.
    name: MaybeUndefined<String>,
    /// Who buys.
    customer_id: MaybeUndefined<ID>,
    /// What is sold.
    product_id: MaybeUndefined<ID>,
    /// Who sells from now on.
    owner_id: Option<ID>,
    /// Another open stage.
    stage: Option<Wire<DealStage>>,
    /// Expected value.
    value: MaybeUndefined<MoneyInput>,
    /// Day on which it is expected to be won.
    expected_close_on: MaybeUndefined<Date>,
}

/// A person's share of a deal that is won.
#[derive(InputObject)]
pub(crate) struct CreditInput {
    /// Who is credited; leave out for a share that is assigned to nobody.
    user_id: Option<ID>,
    /// `DIRECT` if not given: a part of the company's total. `OVERLAY` is extra recognition outside of it.
    kind: Option<Wire<CreditKind>>,
    /// Share in basis points, 1 to 10000 (100 %).
    share_bp: i32,
}

impl CreditInput {
    fn parse(&self) -> std::result::Result<NewCredit, Problem> {
        Ok(NewCredit {
            user_id: ids::decode_opt(self.user_id.as_ref()).map_err(|problem| problem.at("userId"))?,
            kind: self.kind.map_or(CreditKind::Direct, |kind| kind.0),
            share_bp: self.share_bp,
        })
    }
}

/// Input of `winDeal`.
#[derive(InputObject)]
pub(crate) struct WinDealInput {
    /// The deal; it must be open and have a customer.
    id: ID,
    /// The version that you read.
    version: i32,
    /// When it was won, not in the future; now if not given.
    won_at: Option<DateTime>,
    /// Booked value; the expected one if not given.
    value: Option<MoneyInput>,
    /// Who is credited, at most 20 lines; the direct shares must sum to 10000. All to the owner if not given.
    credits: Option<Vec<CreditInput>>,
}

/// Input of `loseDeal`.
#[derive(InputObject)]
pub(crate) struct LoseDealInput {
    /// The deal; it must be open.
    id: ID,
    /// The version that you read.
    version: i32,
    /// When it was lost, not in the future; now if not given.
    lost_at: Option<DateTime>,
    /// Why, at most 10,000 characters.
    reason: Option<String>,
}

/// Input of `cancelDeal`.
#[derive(InputObject)]
pub(crate) struct CancelDealInput {
    /// The deal; it must be won.
    id: ID,
    /// The version that you read.
    version: i32,
    /// When it was cancelled, not before it was won; now if not given.
    cancelled_at: Option<DateTime>,
    /// Why, 1 to 10,000 characters.
    reason: String,
}

payload! {
    /// Result of `createDeal`.
    #[graphql(complex)]
    CreateDealPayload {
        /// The new deal; null when the input was wrong.
        deal: Deal
    }
}

#[ComplexObject]
impl CreateDealPayload {
    /// What to know about the customer, as in `Customer.warnings`.
    async fn warnings(&self, ctx: &Context<'_>) -> Result<Vec<CustomerWarning>> {
        warnings_of(ctx, self.deal.as_ref().and_then(|deal| deal.0.customer_id)).await
    }
}

payload! {
    /// Result of `updateDeal`.
    UpdateDealPayload {
        /// The deal after the change; null when the input was wrong.
        deal: Deal
    }
}

payload! {
    /// Result of `winDeal`.
    WinDealPayload {
        /// The won deal with its credits; null when the input was wrong.
        deal: Deal
    }
}

payload! {
    /// Result of `loseDeal`.
    LoseDealPayload {
        /// The lost deal; null when the input was wrong.
        deal: Deal
    }
}

payload! {
    /// Result of `cancelDeal`.
    CancelDealPayload {
        /// The cancelled deal with its reversed credits; null when the input was wrong.
        deal: Deal
    }
}

fn id_patch<I: EntityId>(input: MaybeUndefined<ID>) -> std::result::Result<Patch<I>, Problem> {
    patch(input).check(ids::decode)
}

impl CreateDealInput {
    fn parse(self) -> evenhand_domain::error::Result<CreateDeal> {
        let mut problems = Problems::default();
        let customer_id = problems.take("customerId", ids::decode_opt(self.customer_id.as_ref()));
        let product_id = problems.take("productId", ids::decode_opt(self.product_id.as_ref()));
        let owner_id = problems.take("ownerId", ids::decode_opt(self.owner_id.as_ref()));
        let value = problems.take("value", self.value.as_ref().map(MoneyInput::parse).transpose());
        problems.finish_with(|| {
            Some(CreateDeal {
                number: self.number,
                name: self.name,
                customer_id: customer_id?,
                product_id: product_id?,
                owner_id: owner_id?,
                stage: self.stage.map(|stage| stage.0),
                value: value?,
                opened_at: self.opened_at.map(|at| at.0),
                expected_close_on: self.expected_close_on.map(|date| date.0),
            })
        })
    }
}

impl UpdateDealInput {
    fn parse(self) -> evenhand_domain::error::Result<UpdateDeal> {
        let mut problems = Problems::default();
        let id = problems.take("id", ids::decode(&self.id));
        let customer_id = problems.take("customerId", id_patch(self.customer_id));
        let product_id = problems.take("productId", id_patch(self.product_id));
        let owner_id = problems.take("ownerId", ids::decode_opt(self.owner_id.as_ref()));
        let value = problems.take("value", patch(self.value).check(MoneyInput::parse));
        problems.finish_with(|| {
            let update = DealUpdate {
                name: patch(self.name),
                customer_id: customer_id?,
                product_id: product_id?,
                owner_id: owner_id?,
                stage: self.stage.map(|stage| stage.0),
                value: value?,
                expected_close_on: patch(self.expected_close_on.map_value(|date| date.0)),
            };
            Some(UpdateDeal { id: id?, version: self.version, update })
        })
    }
}

impl WinDealInput {
    fn parse(self) -> evenhand_domain::error::Result<WinDeal> {
        let mut problems = Problems::default();
        let id = problems.take("id", ids::decode(&self.id));
        let value = problems.take("value", self.value.as_ref().map(MoneyInput::parse).transpose());
        let mut credits = Vec::new();
        for (index, credit) in self.credits.iter().flatten().enumerate() {
            let credit = credit.parse().map_err(|problem| problem.at(index.to_string()));
            credits.extend(problems.take("credits", credit));
        }
        problems.finish_with(|| {
            let won_at = self.won_at.map(|at| at.0);
            let win = domain::WinDeal { won_at, value: value?, credits };
            Some(WinDeal { id: id?, version: self.version, win })
        })
    }
}

/// Mutations of deals.
#[derive(Default)]
pub(crate) struct DealMutations;

#[Object]
impl DealMutations {
    /// Enters an open deal. For yourself, or as a manager for the people of your teams.
    async fn create_deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new deal.")] input: CreateDealInput,
    ) -> Result<CreateDealPayload> {
        CreateDealPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Changes details of an open deal, hands it over, or moves it to another open stage.
    async fn update_deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateDealInput,
    ) -> Result<UpdateDealPayload> {
        UpdateDealPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Wins a deal: books its value and splits it among those who are credited, to the last cent.
    async fn win_deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deal, and who is credited.")] input: WinDealInput,
    ) -> Result<WinDealPayload> {
        WinDealPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }

    /// Closes a deal without a sale.
    async fn lose_deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deal, and why.")] input: LoseDealInput,
    ) -> Result<LoseDealPayload> {
        LoseDealPayload::of(
            async {
                let command = LoseDeal {
                    id: ids::decode(&input.id).map_err(|problem| problem.at("id"))?,
                    version: input.version,
                    lost_at: input.lost_at.map(|at| at.0),
                    reason: input.reason,
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }

    /// Takes a won deal back: every credit line gets a negative counterpart on the day of the cancellation, so
    /// that the figures of the day of the win stay as they were. For managers and administrators.
    async fn cancel_deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deal, and why.")] input: CancelDealInput,
    ) -> Result<CancelDealPayload> {
        CancelDealPayload::of(
            async {
                let command = CancelDeal {
                    id: ids::decode(&input.id).map_err(|problem| problem.at("id"))?,
                    version: input.version,
                    cancelled_at: input.cancelled_at.map(|at| at.0),
                    reason: input.reason,
                };
                Request::of(ctx).execute(&command).await
            }
            .await,
        )
    }
}
