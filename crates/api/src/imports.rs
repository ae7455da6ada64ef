//! Imports in GraphQL.

use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Subscription};
use evenhand_app::imports::{CountImportRows, GetImport, ListImportRows, StartImport};
use evenhand_domain::error::{Error, Problem};
use evenhand_domain::id::ImportId;
use evenhand_domain::imports::{self as domain, Counts, ImportState, Verdict};
use futures_util::{Stream, stream};

use crate::changes::graphql_type;
use crate::context::{Request, total};
use crate::error::payload;
use crate::ids;
use crate::page::{PageArgs, connection};
use crate::scalars::DateTime;
use crate::users::{self, User};
use crate::wire::Wire;

/// The order of the rows, as their cursors know it.
const BY_ORDER: &str = "imports:rows";
/// How often a watched import is looked at: another process may be running it.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// One run of an import.
#[derive(Clone)]
pub(crate) struct Import(domain::Import);

impl From<domain::Import> for Import {
    fn from(import: domain::Import) -> Self {
        Self(import)
    }
}

/// An import: what files of another system became, row by row.
#[Object]
impl Import {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        ids::encode(self.0.id)
    }

    /// Counts changes; the counts of rows do not count.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Name of the profile; a later import with the same name finds what this one made.
    async fn profile(&self) -> &str {
        &self.0.profile
    }

    /// Whether it only tells what it would do.
    async fn dry_run(&self) -> bool {
        self.0.dry_run
    }

    /// Whether the aliases of the profile are ignored.
    async fn without_aliases(&self) -> bool {
        self.0.without_aliases
    }

    /// How far it is.
    async fn state(&self) -> Wire<ImportState> {
        Wire(self.0.state)
    }

    /// How many rows so far got which verdict.
    async fn counts(&self) -> ImportCounts {
        self.0.counts.into()
    }

    /// Why not all rows could be read; null unless it failed. What was imported before stays.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// Who asked for it; null for the command line.
    async fn requested_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.requested_by {
            Some(id) => users::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it began to read rows.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// The rows with their verdicts, in the order of the files.
    async fn rows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of rows, 1 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on after.")] after: Option<String>,
        #[graphql(desc = "Only rows with this verdict.")] verdict: Option<Wire<Verdict>>,
    ) -> Result<ImportRowConnection> {
        let request = Request::of(ctx);
        let (import, verdict) = (self.0.id, verdict.map(|verdict| verdict.0));
        let page = PageArgs::forward(first, after).parse(BY_ORDER)?;
        let page = request.query(&ListImportRows { import, page, verdict }).await?;
        Ok(ImportRowConnection::new(page, BY_ORDER, total(request, CountImportRows { import, verdict })))
    }
}

/// How many rows got which verdict.
#[derive(SimpleObject)]
pub(crate) struct ImportCounts {
    /// Rows read.
    total: i64,
    /// Rows that made something new.
    created: i64,
    /// Rows that changed something.
    updated: i64,
    /// Rows that said nothing new.
    unchanged: i64,
    /// Rows that ask for what an import does not do.
    skipped: i64,
    /// Rows that are wrong.
    rejected: i64,
}

impl From<Counts> for ImportCounts {
    fn from(counts: Counts) -> Self {
        let Counts { total, created, updated, unchanged, skipped, rejected } = counts;
        Self { total, created, updated, unchanged, skipped, rejected }
    }
}

/// One row of a file and what became of it.
#[derive(Clone)]
pub(crate) struct ImportRow(domain::ImportRow);

impl From<domain::ImportRow> for ImportRow {
    fn from(row: domain::ImportRow) -> Self {
        Self(row)
    }
}

connection!(ImportRowConnection, ImportRowEdge, ImportRow, "rows of an import");

/// One row of a file and what became of it.
#[Object]
impl ImportRow {
    /// Name of the file.
    async fn file(&self) -> &str {
        &self.0.file
    }

    /// Number of the row as a spreadsheet counts: the header is 1.
    async fn row(&self) -> i64 {
        self.0.row
    }

    /// What became of it.
    async fn verdict(&self) -> Wire<Verdict> {
        Wire(self.0.verdict)
    }

    /// What the row is about, e.g. `deal`.
    async fn subject_type(&self) -> &str {
        self.0.subject.as_str()
    }

    /// The object that it became or changed; null for rejected rows and for what a dry run would make.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject_id.map(|id| ids::encode_raw(graphql_type(self.0.subject), id))
    }

    /// Why; always there for rows that were skipped or rejected.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The value that was probably meant, e.g. the name of a product that there is.
    async fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }
}

/// The import with this id; null where there is none.
pub(crate) async fn load(ctx: &Context<'_>, id: ImportId) -> Result<Option<Import>> {
    match Request::of(ctx).query(&GetImport(id)).await {
        Ok(import) => Ok(Some(Import(import))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file to import.
#[derive(InputObject)]
pub(crate) struct ImportFileInput {
    /// Its name, as the profile calls it.
    name: String,
    /// Its text: CSV in UTF-8.
    content: String,
}

/// Input of `startImport`.
#[derive(InputObject)]
pub(crate) struct StartImportInput {
    /// The profile, in TOML: which file becomes what.
    profile: String,
    /// The files that the profile names; at most 20.
    files: Vec<ImportFileInput>,
    /// Only tell what would be done; no if not given.
    dry_run: Option<bool>,
    /// Ignore the aliases of the profile, so that the flaws of the files show; no if not given.
    without_aliases: Option<bool>,
}

payload! {
    /// Result of `startImport`.
    StartImportPayload {
        /// The import, waiting to run; null when profile or files were wrong.
        import: Import
    }
}

/// Mutations of imports.
#[derive(Default)]
pub(crate) struct ImportMutations;

#[Object]
impl ImportMutations {
    /// Imports files in the background; watch it with `importProgress`. Running it twice changes nothing. For
    /// administrators.
    async fn start_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Profile and files.")] input: StartImportInput,
    ) -> Result<StartImportPayload> {
        let file = |file: ImportFileInput| domain::ImportFile { name: file.name, content: file.content };
        let command = StartImport {
            profile: input.profile,
            files: input.files.into_iter().map(file).collect(),
            dry_run: input.dry_run.unwrap_or(false),
            without_aliases: input.without_aliases.unwrap_or(false),
        };
        StartImportPayload::of(Request::of(ctx).execute(&command).await)
    }
}

/// Live imports.
#[derive(Default)]
pub(crate) struct ImportSubscriptions;

#[Subscription]
impl ImportSubscriptions {
    /// An import, now and at each change, until it has ended.
    async fn import_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import.")] id: ID,
    ) -> Result<impl Stream<Item = Result<Import>>> {
        let id = ids::decode(&id).map_err(|problem: Problem| Error::from(problem.at("id")))?;
        let request = Request::of(ctx).clone();
        request.query(&GetImport(id)).await?;
        Ok(live(request, id))
    }
}

/// Looks at an import until it has ended or may not be seen any more.
fn live(request: Request, id: ImportId) -> impl Stream<Item = Result<Import>> {
    let start: Option<(Request, Option<domain::Import>)> = Some((request, None));
    stream::unfold(start, move |state| async move {
        let (request, last) = state?;
        loop {
            match request.fresh_query(&GetImport(id)).await {
                Err(error) => return Some((Err(error.into()), None)),
                Ok(import) if last.as_ref() != Some(&import) => {
                    let next = (!import.state.is_final()).then(|| (request, Some(import.clone())));
                    return Some((Ok(Import(import)), next));
                }
                Ok(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    })
}
