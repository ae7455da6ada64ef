//! `evenhand doctor`: one line for each thing that can be wrong with an installation.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use evenhand_app::daily_facts::CheckFacts;
use evenhand_domain::organizations::Organization;
use evenhand_persistence::Store;

use crate::assembly::{self, Schema};
use crate::cli::print;
use crate::config::Settings;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("verify").multiple(true))]
pub(crate) struct DoctorArgs {
    /// Recompute the hash chain of the audit trail, and name the first entry that was altered, deleted or moved
    #[arg(long, group = "verify")]
    verify_audit: bool,
    /// Recompute the figures of all closed days, and name the first that is not what the facts say
    #[arg(long, group = "verify")]
    verify_facts: bool,
    /// Verify this organisation only
    #[arg(long, value_name = "NAME", requires = "verify")]
    organization: Option<String>,
}

/// Prints findings and counts those that are wrong.
#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn good(&self, what: &str, finding: impl std::fmt::Display) -> Result<(), Failure> {
        print(format_args!("ok     {what:<12} {finding}"))
    }

    /// Worth a look, but nothing that stops the work.
    fn odd(&self, what: &str, finding: impl std::fmt::Display) -> Result<(), Failure> {
        print(format_args!("look   {what:<12} {finding}"))
    }

    fn bad(&mut self, what: &str, finding: impl std::fmt::Display) -> Result<(), Failure> {
        self.wrong += 1;
        print(format_args!("WRONG  {what:<12} {finding}"))
    }
}

pub(crate) async fn run(settings: &Settings, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    match assembly::open_store(settings, Schema::Expected).await {
        Ok(store) => {
            examine(&mut findings, settings, &store).await?;
            let organizations = match args.organization.as_deref() {
                Some(name) => vec![assembly::organization(&store, name).await?],
                None => store.unscoped_organizations().await?,
            };
            if args.verify_audit {
                verify_audit(&mut findings, &store, &organizations).await?;
            }
            if args.verify_facts {
                verify_facts(&mut findings, settings, &store, &organizations).await?;
            }
            store.close().await?;
        }
        Err(failure) => findings.bad("database", failure)?,
    }
    if findings.wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    print(format_args!(
        "{} found",
        if findings.wrong == 1 { "1 fault".into() } else { format!("{} faults", findings.wrong) }
    ))?;
    Ok(ExitCode::FAILURE)
}

async fn examine(findings: &mut Findings, settings: &Settings, store: &Store) -> Result<(), Failure> {
    let health = store.health().await?;
    findings.good("database", &health.version)?;
    findings.good("schema", "up to date")?;
    if health.damage.is_empty() && store.is_sqlite() {
        findings.good("integrity", "every page and every reference holds")?;
    }
    for damage in &health.damage {
        findings.bad("integrity", damage)?;
    }
    match check_key(settings, store).await {
        Ok(true) => findings.good("signing key", "opens with this secret")?,
        Ok(false) => findings.odd("signing key", "there is none yet; the first `evenhand serve` makes it")?,
        Err(failure) => findings.bad("signing key", failure)?,
    }
    if health.dead_jobs.is_empty() {
        findings.good("jobs", "none was given up")?;
    }
    for job in &health.dead_jobs {
        findings.odd(
            "jobs",
            format_args!(
                "{} of {}: given up after {} attempts: {}",
                job.id, job.created_at, job.attempts, job.error
            ),
        )?;
    }
    Ok(())
}

async fn check_key(settings: &Settings, store: &Store) -> Result<bool, Failure> {
    let app = assembly::assemble(settings, store.clone(), std::sync::Arc::new(assembly::SystemClock))?;
    Ok(app.check_signing_key().await?)
}

async fn verify_facts(
    findings: &mut Findings,
    settings: &Settings,
    store: &Store,
    organizations: &[Organization],
) -> Result<(), Failure> {
    let app = assembly::assemble(settings, store.clone(), std::sync::Arc::new(assembly::SystemClock))?;
    for Organization { id, name, .. } in organizations {
        let check = app.query(&app.system(*id).await?, &CheckFacts).await?;
        match check.difference {
            None => findings
                .good("daily facts", format_args!("{name}: {} closed days of people hold", check.held))?,
            Some(difference) => findings.bad("daily facts", format_args!("{name}: {difference}"))?,
        }
    }
    Ok(())
}

async fn verify_audit(
    findings: &mut Findings,
    store: &Store,
    organizations: &[Organization],
) -> Result<(), Failure> {
    for organization in organizations {
        let report = store.unscoped_verify_events(organization.id).await?;
        let name = &organization.name;
        match report.fault {
            None => {
                findings.good(
                    "audit",
                    format_args!("{name}: {} entries, head {}", report.entries, report.head),
                )?;
            }
            Some(fault) => findings.bad(
                "audit",
                format_args!(
                    "{name}: {} entries hold, then at position {}: {}",
                    report.entries, fault.position, fault.reason
                ),
            )?,
        }
    }
    Ok(())
}
