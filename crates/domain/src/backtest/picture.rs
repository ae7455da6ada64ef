//! A backtest as a picture, in whole pixels.

use std::fmt::Write;

use chrono::Datelike;

use super::{Backtest, Outcome, Score};
use crate::fraction::{Fraction, PPM, percent};
use crate::time::{Period, PeriodKind};

const WIDTH: i64 = 720;
const HEIGHT: i64 = 360;
/// Where the plot lies: left, right, top and bottom edge, in pixels.
const PLOT: (i64, i64, i64, i64) = (50, 700, 64, 320);
/// Most labels that fit below the plot.
const LABELS_MAX: usize = 12;
/// About how many lines the grid has.
const GRID_LINES: i64 = 5;

/// Draws the picture.
pub(super) fn svg(backtest: &Backtest, title: &str) -> String {
    let outcomes = &backtest.outcomes;
    let axis = Axis::over(outcomes);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{left}\" y=\"22\" font-size=\"15\">{title}</text>\n",
        title = escaped(title),
        left = PLOT.0,
    );
    let mut line = |element: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{element}");
    };
    line(text(PLOT.0, 40, "start", &summary(backtest)));
    legend().into_iter().for_each(&mut line);
    axis.grid().into_iter().for_each(&mut line);
    let every = outcomes.len().div_ceil(LABELS_MAX).max(1);
    for (index, outcome) in outcomes.iter().enumerate() {
        column(&axis, outcome, index, outcomes.len()).into_iter().for_each(&mut line);
        if index % every == 0 {
            line(text(middle(index, outcomes.len()), PLOT.3 + 18, "middle", &name(outcome.period)));
        }
    }
    actuals(&axis, outcomes).into_iter().for_each(&mut line);
    out.push_str("</svg>\n");
    out
}

/// The vertical axis, in whole deals.
struct Axis {
    low: i64,
    high: i64,
    step: i64,
}

impl Axis {
    fn over(outcomes: &[Outcome]) -> Self {
        let values = || {
            outcomes.iter().flat_map(|outcome| [outcome.forecast.p10, outcome.forecast.p90, outcome.actual])
        };
        let low = values().min().unwrap_or(0).min(0).div_euclid(PPM);
        // Rounded up; the span is at least one deal, so that the scale is never empty.
        let high = (-(-values().max().unwrap_or(0).max(0)).div_euclid(PPM)).max(low + 1);
        let step = ((high - low) / GRID_LINES).max(1);
        Self { low, high, step }
    }

    /// The pixel of a value in millionths.
    fn y(&self, millionths: i64) -> i64 {
        let span = i128::from(self.high - self.low) * i128::from(PPM);
        let above = i128::from(millionths) - i128::from(self.low) * i128::from(PPM);
        let pixels = above * i128::from(PLOT.3 - PLOT.2) / span;
        PLOT.3 - i64::try_from(pixels).unwrap_or(0)
    }

    fn grid(&self) -> Vec<String> {
        let lines = usize::try_from((self.high - self.low) / self.step).unwrap_or(0);
        let values = (0..=lines).map(|line| self.low + line as i64 * self.step);
        let draw = |value: i64| {
            let y = self.y(value.saturating_mul(PPM));
            let rule = format!("<path d=\"M{} {y}H{}\" stroke=\"#ddd\"/>", PLOT.0, PLOT.1);
            [rule, text(PLOT.0 - 6, y + 4, "end", &value.to_string())]
        };
        values.flat_map(draw).collect()
    }
}

/// The middle of a column, in pixels from the left.
fn middle(index: usize, columns: usize) -> i64 {
    let (index, columns) = (index as i64, columns.max(1) as i64);
    PLOT.0 + (PLOT.1 - PLOT.0) * (2 * index + 1) / (2 * columns)
}

/// The range of a forecast and its median.
fn column(axis: &Axis, outcome: &Outcome, index: usize, columns: usize) -> [String; 2] {
    let half = ((PLOT.1 - PLOT.0) / (columns.max(1) as i64) / 3).clamp(1, 30);
    let x = middle(index, columns) - half;
    let [top, mid, bottom] =
        [outcome.forecast.p90, outcome.forecast.p50, outcome.forecast.p10].map(|value| axis.y(value));
    // A range of no width still shows.
    let height = (bottom - top).max(1);
    [
        format!("<rect x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{height}\" fill=\"#9ecae1\"/>", 2 * half),
        format!("<path d=\"M{x} {mid}h{}\" stroke=\"#08519c\" stroke-width=\"2\"/>", 2 * half),
    ]
}

/// The line through what came, with a dot for each period.
fn actuals(axis: &Axis, outcomes: &[Outcome]) -> Vec<String> {
    let points: Vec<_> = outcomes
        .iter()
        .enumerate()
        .map(|(index, outcome)| (middle(index, outcomes.len()), axis.y(outcome.actual)))
        .collect();
    let path: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let line = format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#d94801\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    let dots =
        points.iter().map(|(x, y)| format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"#d94801\"/>"));
    std::iter::once(line).chain(dots).collect()
}

fn legend() -> [String; 6] {
    let y = 52;
    [
        format!("<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"8\" fill=\"#9ecae1\"/>", PLOT.0, y - 8),
        text(PLOT.0 + 18, y, "start", "forecast P10 to P90"),
        format!("<path d=\"M{} {}h14\" stroke=\"#08519c\" stroke-width=\"2\"/>", PLOT.0 + 140, y - 4),
        text(PLOT.0 + 158, y, "start", "median"),
        format!("<path d=\"M{} {}h14\" stroke=\"#d94801\" stroke-width=\"2\"/>", PLOT.0 + 215, y - 4),
        text(PLOT.0 + 233, y, "start", "actual deals"),
    ]
}

fn summary(backtest: &Backtest) -> String {
    let Some(Score { forecasts, bias, wape_ppm, coverage_ppm, .. }) = backtest.score else {
        return "There was no history to forecast from.".into();
    };
    let wape = wape_ppm.map_or_else(|| "unknown".into(), percent);
    format!(
        "{forecasts} forecasts: bias {} deals, absolute error {wape}, {} inside a range that promises 80 %",
        Fraction::millionths(bias).decimal(2),
        percent(coverage_ppm),
    )
}

/// A period in few characters.
fn name(period: Period) -> String {
    let start = period.start();
    match period.kind() {
        PeriodKind::Week => start.to_string(),
        PeriodKind::Month => start.format("%Y-%m").to_string(),
        PeriodKind::Quarter => format!("{}-Q{}", start.year(), start.quarter()),
        PeriodKind::Year => start.year().to_string(),
    }
}

fn text(x: i64, y: i64, anchor: &str, content: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", escaped(content))
}

/// Text as XML allows it: the five special characters by name, and blanks for what it cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
