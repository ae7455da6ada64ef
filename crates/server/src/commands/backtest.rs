//! `evenhand backtest`: would the targets of the past have been right?

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use evenhand_app::App;
use evenhand_app::backtests::{Past, ReplayMonths};
use evenhand_domain::backtest::{Backtest, Outcome, Score};
use evenhand_domain::fraction::{Fraction, percent};
use evenhand_domain::id::OrganizationId;
use evenhand_domain::time::Period;

use crate::assembly::{self, Schema};
use crate::cli::print;
use crate::config::Settings;
use crate::failure::Failure;

/// Longest name of a picture before its number and ending, in characters.
const FILE_NAME_CHARS_MAX: usize = 60;
/// Decimals of deals in the table.
const DEAL_DECIMALS: u32 = 2;

#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    /// Name of the organisation
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// Number of past months to replay: the last whole ones that are on record
    #[arg(long, value_name = "NUMBER", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=60))]
    months: u32,
    /// Folder for a picture of each person and team; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

/// The replayed past of a person or a team.
struct Replay {
    kind: &'static str,
    name: String,
    backtest: Backtest,
}

pub(crate) async fn run(settings: &Settings, args: &BacktestArgs) -> Result<(), Failure> {
    let (app, store) = assembly::open(settings, Schema::Expected).await?;
    let organization = assembly::organization(&store, &args.organization).await?.id;
    let outcome = report(&app, organization, args).await;
    store.close().await?;
    outcome
}

async fn report(app: &App, organization: OrganizationId, args: &BacktestArgs) -> Result<(), Failure> {
    let actor = app.system(organization).await?;
    let past = app.query(&actor, &ReplayMonths { months: args.months }).await?;
    let people = replay("person", past.people)?;
    let teams = replay("team", past.teams)?;
    let outcomes: Vec<Outcome> =
        people.iter().flat_map(|replay| replay.backtest.outcomes.iter().copied()).collect();
    if outcomes.is_empty() {
        return Err(Failure::new("there is too little history to replay").because(
            "a forecast takes a month or more of won and lost deals, and a whole month after it to compare with",
        ));
    }
    let unforecast = people.iter().map(|replay| replay.backtest.unforecast).sum();
    let score =
        Score::of(&outcomes.iter().map(|outcome| (outcome.forecast, outcome.actual)).collect::<Vec<_>>());
    let all = Replay {
        kind: "all",
        name: "all persons".to_owned(),
        backtest: Backtest { outcomes, unforecast, score },
    };
    let span = |months: &[Period]| {
        let name = |month: &Period| month.start().format("%Y-%m").to_string();
        Some(format!("{} to {}", name(months.first()?), name(months.last()?)))
    };
    print(format_args!(
        "{}, each month forecast from what was known when it began",
        span(&past.months).unwrap_or_default()
    ))?;
    for line in table(people.iter().chain(&teams).chain([&all])) {
        print(line)?;
    }
    if let Some(folder) = &args.svg {
        pictures(folder, people.iter().chain(&teams)).map_err(|failure| {
            failure.during(format!("the pictures cannot be written to {}", folder.display()))
        })?;
    }
    Ok(())
}

fn replay(kind: &'static str, past: Vec<Past>) -> Result<Vec<Replay>, Failure> {
    let replay = |Past { name, cases }: Past| {
        let backtest = Backtest::replay(cases).map_err(|error| {
            Failure::from(error).during(format!("the months of {name} cannot be replayed"))
        })?;
        Ok(Replay { kind, name, backtest })
    };
    past.into_iter().map(replay).collect()
}

/// The table, its columns as wide as their widest cell; names on the left and numbers on the right.
fn table<'a>(replays: impl Iterator<Item = &'a Replay>) -> Vec<String> {
    let head = ["", "name", "months", "without", "bias", "WAPE", "P10-P90", "pinball"].map(str::to_owned);
    let rows: Vec<[String; 8]> = std::iter::once(head).chain(replays.map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column];
            if column < 2 { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Deals with two decimals; shares as percentages. A month without any history before it has no forecast.
fn row(Replay { kind, name, backtest }: &Replay) -> [String; 8] {
    let deals = |millionths: i64| Fraction::millionths(millionths).decimal(DEAL_DECIMALS);
    let scored =
        |show: &dyn Fn(&Score) -> String| backtest.score.as_ref().map_or_else(|| "-".to_owned(), show);
    [
        (*kind).to_owned(),
        name.clone(),
        backtest.outcomes.len().to_string(),
        backtest.unforecast.to_string(),
        scored(&|score| deals(score.bias)),
        scored(&|score| score.wape_ppm.map_or_else(|| "-".to_owned(), percent)),
        scored(&|score| percent(score.coverage_ppm)),
        scored(&|score| deals(score.pinball)),
    ]
}

/// Writes the pictures. Two of one name get numbers, in the order of the table.
fn pictures<'a>(folder: &Path, replays: impl Iterator<Item = &'a Replay>) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut taken = HashSet::new();
    for Replay { kind, name, backtest } in replays {
        let stem = format!("{kind}-{}", safe(name));
        let mut file = stem.clone();
        let mut number = 2;
        while !taken.insert(file.clone()) {
            file = format!("{stem}-{number}");
            number += 1;
        }
        std::fs::write(folder.join(format!("{file}.svg")), backtest.svg(name))?;
    }
    Ok(())
}

/// A name that any file system takes: lower-case letters, digits and hyphens.
fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let lower = name.to_lowercase();
    let words: Vec<String> = lower
        .chars()
        .map(plain)
        .collect::<String>()
        .split('-')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let name: String = words.join("-").chars().take(FILE_NAME_CHARS_MAX).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe() {
        for (name, file) in [
            ("Åsa Berg", "åsa-berg"),
            ("../../etc/passwd", "etc-passwd"),
            ("C:\\nul\0*?", "c-nul"),
            ("  ", "unnamed"),
            ("Dustin Brinkmann's team", "dustin-brinkmann-s-team"),
        ] {
            assert_eq!(safe(name), file);
        }
        assert_eq!(safe(&"x".repeat(300)).len(), FILE_NAME_CHARS_MAX);
    }
}
