//! `evenhand export`: an organisation as JSON Lines, one object a line.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use evenhand_app::App;
use evenhand_app::exports::export;
use evenhand_domain::exports::ExportKind;
use evenhand_domain::id::OrganizationId;

use crate::assembly::{self, Schema};
use crate::config::Settings;
use crate::failure::Failure;

/// Added to the name of the file while it is being written.
const DRAFT_SUFFIX: &str = ".part";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Name of the organisation
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// File to write, instead of standard output; it is replaced once the export is complete
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(settings: &Settings, args: &ExportArgs) -> Result<(), Failure> {
    let (app, store) = assembly::open(settings, Schema::Expected).await?;
    let organization = assembly::organization(&store, &args.organization).await?.id;
    let outcome = match &args.output {
        Some(path) => write_file(&app, organization, path)
            .await
            .map_err(|failure| failure.during(format!("{} was not written", path.display()))),
        // Not the lock, which cannot be held while the database is waited for.
        None => write_all(&app, organization, &mut BufWriter::new(std::io::stdout())).await,
    };
    store.close().await?;
    outcome
}

async fn write_file(app: &App, organization: OrganizationId, path: &Path) -> Result<(), Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(DRAFT_SUFFIX);
    let mut out = BufWriter::new(File::create(&draft)?);
    write_all(app, organization, &mut out).await?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(std::fs::rename(&draft, path)?)
}

async fn write_all(
    app: &App,
    organization: OrganizationId,
    out: &mut (impl std::io::Write + Send),
) -> Result<(), Failure> {
    for &kind in ExportKind::ALL {
        export(app, organization, kind, out).await?;
    }
    Ok(())
}
