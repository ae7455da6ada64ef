//! `evenhand import`: files in, a verdict for each row out.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use evenhand_app::App;
use evenhand_app::imports::profile::Profile;
use evenhand_app::imports::{CountImportRows, Folder, ImportRequest, ListImportRows, run_import};
use evenhand_domain::access::Actor;
use evenhand_domain::imports::{Import, ImportRow, Verdict};
use evenhand_domain::page::{PAGE_SIZE_MAX, PageRequest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::assembly::{self, Schema};
use crate::cli::print;
use crate::config::Settings;
use crate::failure::Failure;

/// Rejected rows that are printed; `--report` writes all.
const REJECTED_SHOWN_MAX: u32 = 10;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Name of the organisation
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// Profile in TOML: which file becomes what
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// Folder of the files that the profile names
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Ignore the aliases of the profile
    #[arg(long)]
    without_aliases: bool,
    /// Write every row that was not simply unchanged to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) async fn run(settings: &Settings, args: &ImportArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let profile = std::fs::read_to_string(&args.profile)
        .map_err(|error| Failure::from(error).during(format!("{} cannot be read", args.profile.display())))?;
    let (app, store) = assembly::open(settings, Schema::MadeWhereEmpty).await?;
    let organization = assembly::organization(&store, &args.organization).await?;
    let request = ImportRequest {
        organization: organization.id,
        requested_by: None,
        dry_run: args.dry_run,
        without_aliases: args.without_aliases,
        profile,
    };
    let bar = ProgressBar::new(rows_in(&request.profile, &args.folder)).with_style(style()?);
    let outcome = run_import(&app, &request, &Folder(args.folder.clone()), |progress| {
        bar.set_message(format!("{} ({} of {})", progress.file, progress.source, progress.sources));
        bar.set_position(u64::try_from(progress.counts.total).unwrap_or(0));
    })
    .await;
    // Also after a failure: what was imported until then stays, and belongs to the feed.
    bar.set_message("numbering the events");
    app.sequence_all().await?;
    bar.finish_and_clear();
    let import = outcome.map_err(|error| Failure::from(error).during("the import failed"))?;

    let actor = app.system(organization.id).await?;
    summarize(&import, started.elapsed().as_secs_f64())?;
    show_rejected(&app, &actor, &import).await?;
    if let Some(path) = &args.report {
        report(&app, &actor, &import, path)
            .await
            .map_err(|failure| failure.during(format!("{} cannot be written", path.display())))?;
    }
    Ok(store.close().await?)
}

/// About how many rows the import will read, for the bar: lines of its files. What cannot be read counts
/// nothing here; the import itself says why.
fn rows_in(profile: &str, folder: &Path) -> u64 {
    let Ok(profile) = Profile::parse(profile) else { return 0 };
    let lines = |file: &str| {
        let file = File::open(folder.join(file)).ok()?;
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok).count();
        Some((lines as u64).saturating_sub(1))
    };
    profile.sources.iter().filter_map(|source| lines(&source.file)).sum()
}

fn style() -> Result<ProgressStyle, Failure> {
    ProgressStyle::with_template("{bar:30} {pos}/{len} rows, {per_sec}, {eta} left  {msg}")
        .map_err(|error| Failure::new(error.to_string()))
}

fn summarize(import: &Import, seconds: f64) -> Result<(), Failure> {
    let counts = import.counts;
    let note = if import.dry_run { "; a dry run, so nothing was kept" } else { "" };
    print(format_args!("{}: {} rows in {seconds:.1} s{note}", import.profile, counts.total))?;
    for (verdict, count) in [
        (Verdict::Created, counts.created),
        (Verdict::Updated, counts.updated),
        (Verdict::Unchanged, counts.unchanged),
        (Verdict::Skipped, counts.skipped),
        (Verdict::Rejected, counts.rejected),
    ] {
        print(format_args!("  {:<10}{count:>9}", verdict.as_str().to_lowercase()))?;
    }
    Ok(())
}

async fn show_rejected(app: &App, actor: &Actor, import: &Import) -> Result<(), Failure> {
    let verdict = Some(Verdict::Rejected);
    let page = PageRequest::first(REJECTED_SHOWN_MAX);
    let rows = app.query(actor, &ListImportRows { import: import.id, page, verdict }).await?;
    if rows.items.is_empty() {
        return Ok(());
    }
    let all = app.query(actor, &CountImportRows { import: import.id, verdict }).await?;
    print(format_args!("rejected rows, the first {} of {all}:", rows.items.len()))?;
    for (row, _) in rows.items {
        print(format_args!("  {} row {}: {}", row.file, row.row, row.reason.unwrap_or_default()))?;
    }
    Ok(())
}

/// Writes all rows but the unchanged ones, in the order of the files.
async fn report(app: &App, actor: &Actor, import: &Import, path: &Path) -> Result<(), Failure> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut page = PageRequest::first(PAGE_SIZE_MAX);
    loop {
        let rows = app
            .query(actor, &ListImportRows { import: import.id, page: page.clone(), verdict: None })
            .await?;
        page.after = rows.items.last().map(|(_, cursor)| cursor.clone());
        for (row, _) in rows.items.iter().filter(|(row, _)| row.verdict != Verdict::Unchanged) {
            writeln!(out, "{}", line(row))?;
        }
        if !rows.has_next {
            break;
        }
    }
    Ok(out.flush()?)
}

fn line(row: &ImportRow) -> serde_json::Value {
    json!({
        "file": row.file, "row": row.row, "verdict": row.verdict, "subject": row.subject,
        "subjectId": row.subject_id, "reason": row.reason, "suggestion": row.suggestion,
    })
}
