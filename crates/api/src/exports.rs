//! Exports in GraphQL; they are downloaded at [`crate::downloads`].

use async_graphql::{Context, ID, InputObject, Object, Result};
use evenhand_app::exports::{GetExport, StartExport};
use evenhand_domain::error::{Code, Error, Problem};
use evenhand_domain::exports::{self as domain, ExportKind, ExportSelection};
use evenhand_domain::filter::Filter;
use evenhand_domain::id::ExportId;

use crate::activities::ActivityFilter;
use crate::complaints::ComplaintFilter;
use crate::context::Request;
use crate::customers::CustomerFilter;
use crate::deals::DealFilter;
use crate::downloads;
use crate::error::payload;
use crate::ids;
use crate::scalars::DateTime;
use crate::wire::Wire;

/// A download that somebody asked for.
pub(crate) struct Export(domain::Export);

impl From<domain::Export> for Export {
    fn from(export: domain::Export) -> Self {
        Self(export)
    }
}

/// A download that you asked for: JSON Lines, one object a line. It holds no data; what it gives is read when you download
/// it, under the rights that you have then, so it is there at once and can be fetched as often as you like until it
/// expires.
#[Object]
impl Export {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// What is exported.
    async fn kind(&self) -> Wire<ExportKind> {
        Wire(self.0.selection.kind())
    }

    /// How many lines it gives now.
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        let request = Request::of(ctx);
        Ok(request.app().count_export(&request.actor(), &self.0.selection).await?)
    }

    /// Where to GET it on this server, with the same `Authorization` header as here; nobody else can. An answer that breaks
    /// off is not complete: fetch it again. Each line has the `type`, the `id`, the `version` and the fields of an object,
    /// in the shape of `Change.after`, and its `nodeId` for `node`.
    async fn download_path(&self) -> String {
        downloads::path_of(self.0.id)
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// From when on it cannot be downloaded.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}

/// Input of `startExport`. Of the filters only that of the kind may be given.
#[derive(InputObject)]
pub(crate) struct StartExportInput {
    /// What to export.
    kind: Wire<ExportKind>,
    /// Which customers; all that you may see if not given.
    customers: Option<CustomerFilter>,
    /// Which deals; all that you may see if not given.
    deals: Option<DealFilter>,
    /// Which activities; all that you may see if not given.
    activities: Option<ActivityFilter>,
    /// Which complaints; all that you may see if not given.
    complaints: Option<ComplaintFilter>,
}

/// A filter that holds, with the name of its field.
fn checked<T>(
    filter: std::result::Result<Filter<T>, Error>,
    field: &str,
) -> std::result::Result<Filter<T>, Error> {
    let filter = filter.map_err(|error| error.at(field))?;
    filter.check().map_err(|problem| problem.at(field))?;
    Ok(filter)
}

impl StartExportInput {
    fn parse(self) -> std::result::Result<StartExport, Error> {
        let kind = self.kind.0;
        for (given, field, of) in [
            (self.customers.is_some(), "customers", ExportKind::Customers),
            (self.deals.is_some(), "deals", ExportKind::Deals),
            (self.activities.is_some(), "activities", ExportKind::Activities),
            (self.complaints.is_some(), "complaints", ExportKind::Complaints),
        ] {
            if given && of != kind {
                let message = format!("This filter is for {}, not for {}.", of.as_str(), kind.as_str());
                return Err(Problem::new(Code::NotApplicable, message).at(field).into());
            }
        }
        let selection = if let Some(filter) = self.customers {
            ExportSelection::Customers(checked(filter.parse(0), "customers")?)
        } else if let Some(filter) = self.deals {
            ExportSelection::Deals(checked(filter.parse(0), "deals")?)
        } else if let Some(filter) = self.activities {
            ExportSelection::Activities(checked(filter.parse(0), "activities")?)
        } else if let Some(filter) = self.complaints {
            ExportSelection::Complaints(checked(filter.parse(0), "complaints")?)
        } else {
            ExportSelection::all(kind)
        };
        Ok(StartExport(selection))
    }
}

payload! {
    /// Result of `startExport`.
    StartExportPayload {
        /// The export, ready to be downloaded; null when the input was wrong.
        export: Export
    }
}

/// The export with this id; null where there is none or somebody else asked for it.
pub(crate) async fn load(ctx: &Context<'_>, id: ExportId) -> Result<Option<Export>> {
    match Request::of(ctx).query(&GetExport(id)).await {
        Ok(export) => Ok(Some(Export(export))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Mutations of exports.
#[derive(Default)]
pub(crate) struct ExportMutations;

#[Object]
impl ExportMutations {
    /// Asks for a download of all objects of a kind that you may see, or of some: for whoever needs more than pages of a
    /// connection, such as an integration that fetches what has changed since its last visit (`updatedAt`). FORBIDDEN where
    /// your role may not read that kind.
    async fn start_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to export.")] input: StartExportInput,
    ) -> Result<StartExportPayload> {
        StartExportPayload::of(async { Request::of(ctx).execute(&input.parse()?).await }.await)
    }
}
