//! A derivation in plain English.

use super::{
    Achievability, AchievabilityVerdict, Cited, Derivation, FunnelStage, Goal, HistoryBasis, Rate, RateBasis,
};
use crate::fraction::{Fraction, percent};
use crate::time::PeriodKind;
use crate::wire::WireEnum;

/// One sentence a line.
pub(super) fn prose(derivation: &Derivation) -> String {
    let mut lines = vec![goal(derivation)];
    lines.extend(rates(derivation));
    lines.push(need(derivation));
    lines.extend(revenue(derivation));
    lines.push(dates(derivation));
    lines.extend(derivation.inputs.cites.iter().map(cited));
    lines.extend(derivation.achievability.iter().flat_map(|judged| judgement(derivation, judged)));
    lines.extend(derivation.labels.iter().map(|label| format!("Note: {}", label.about().trim())));
    lines.join("\n")
}

fn goal(derivation: &Derivation) -> String {
    let Derivation { inputs, numbers, settled_deals, .. } = derivation;
    let (first, end) = (inputs.period.start(), inputs.period.end());
    let last = end.pred_opt().unwrap_or(end);
    let money = match inputs.goal {
        Goal::Deals(_) => String::new(),
        Goal::Revenue(revenue) => format!("{revenue}, which takes "),
    };
    let asked = format!(
        "Asked for from {first} to {last}, in {}: {money}{}",
        counted(numbers.workdays.into(), "workday"),
        counted(*settled_deals, "deal"),
    );
    if numbers.deals == *settled_deals {
        format!("{asked}.")
    } else {
        format!("{asked} of a settled person, which makes {} for a new hire.", numbers.deals)
    }
}

fn rates(derivation: &Derivation) -> Vec<String> {
    let rates = &derivation.rates;
    let mut lines = vec![
        rate(&rates.deals_per_prospect, "deals", "prospects", Fraction::percent),
        rate(&rates.prospects_per_call, "prospects", "calls", Fraction::percent),
        rate(&rates.calls_per_usable_lead, "calls", "usable leads", |rate| rate.decimal(2)),
    ];
    // Where the quality is stated, this rate is for comparison only.
    if derivation.inputs.quality_ppm.is_none() || rates.usable_share.value.is_some() {
        lines.push(rate(&rates.usable_share, "usable leads", "leads", Fraction::percent));
    }
    lines
}

fn rate(rate: &Rate, what: &str, of: &str, show: fn(Fraction) -> String) -> String {
    let Rate { own, team, basis, value, interval, .. } = rate;
    let quotient = |x: u32, n: u32| Fraction::new(x.into(), n.into()).map_or_else(|| "unknown".into(), show);
    let ppm = |ppm: i64| show(Fraction::millionths(ppm));
    let interval = interval.map_or_else(String::new, |range| {
        format!("; 90 % interval {} to {}", ppm(range.low), ppm(range.high))
    });
    let taken = value.map_or_else(String::new, |value| format!("{} ({value})", show(value)));
    let (own_rate, team_rate) = (quotient(own.x, own.n), quotient(team.x, team.n));
    match basis {
        RateBasis::Shrunk => format!(
            "From {} {what} in {} {of} ({own_rate}; team {team_rate}{interval}) follows a rate of {taken}.",
            own.x, own.n
        ),
        RateBasis::Own => {
            format!(
                "From {} {what} in {} {of} ({own_rate}{interval}) follows a rate of {taken}.",
                own.x, own.n
            )
        }
        RateBasis::Team => format!(
            "The person has no {of} on record; the team's {} {what} in {} {of} ({team_rate}{interval}) give {taken}.",
            team.x, team.n
        ),
        RateBasis::Assumed => {
            format!("No {what} are on record for {of}; the stated rate of {taken} is taken.")
        }
        RateBasis::Unknown => format!("No {what} are on record for {of}, so this rate is unknown."),
    }
}

fn need(derivation: &Derivation) -> String {
    let numbers = &derivation.numbers;
    let period = period(derivation);
    let amounts = [(numbers.prospects, "prospect"), (numbers.calls, "call"), (numbers.leads, "lead")].map(
        |(amount, noun)| {
            amount.map_or_else(
                || format!("an unknown number of {noun}s"),
                |amount| format!("{} ({} a day)", counted(amount.total, noun), amount.per_workday),
            )
        },
    );
    let usable = numbers
        .usable_share
        .map_or_else(String::new, |share| format!(", of which {} usable", share.percent()));
    let verb = if numbers.deals == 1 { "needs" } else { "need" };
    format!("{} a {period} {verb} {}{usable}.", counted(numbers.deals, "deal"), amounts.join(", "))
}

fn period(derivation: &Derivation) -> &'static str {
    match derivation.inputs.period.kind() {
        PeriodKind::Week => "week",
        PeriodKind::Month => "month",
        PeriodKind::Quarter => "quarter",
        PeriodKind::Year => "year",
    }
}

fn revenue(derivation: &Derivation) -> Option<String> {
    let (sizes, revenue) = (derivation.deal_sizes?, derivation.revenue?);
    let money = |minor| crate::money::Money::new(minor, sizes.currency).amount();
    Some(format!(
        "At a mean of {} a deal (median {}; 90 % interval of the median {} to {}; {}) that brings {revenue}.",
        sizes.mean()?.amount(),
        money(sizes.median_minor),
        money(sizes.median_low_minor),
        money(sizes.median_high_minor),
        counted(sizes.count.into(), "deal"),
    ))
}

fn dates(derivation: &Derivation) -> String {
    let stages = derivation.stages.iter().map(|stage| {
        let name = match stage.stage {
            FunnelStage::Leads => "leads",
            FunnelStage::Calls => "calls",
            FunnelStage::Prospects => "prospects",
            FunnelStage::Deals => "deals",
        };
        format!("{name} from {} to {}", stage.first_on, stage.last_on)
    });
    format!("Wanted are {}.", stages.collect::<Vec<_>>().join(", "))
}

fn cited(result: &Cited) -> String {
    let Cited { from, to, target, actual, .. } = *result;
    let last = to.pred_opt().unwrap_or(to);
    let ratio = Fraction::new(actual.into(), target.into());
    let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({})", ratio.percent()));
    format!("The target from {from} to {last} was {target} deals; {actual} were reached{ratio}.")
}

fn judgement(derivation: &Derivation, judged: &Achievability) -> [String; 3] {
    let Achievability { quantiles, probability, track_record, .. } = judged;
    let whose = match judged.basis {
        HistoryBasis::Own => "the person's own",
        HistoryBasis::TeamPooled => "the team's",
    };
    let deals = |millionths| Fraction::millionths(millionths).decimal(1);
    let drawn = format!(
        "In {} {}s drawn from {whose} {}, one in ten brings at most {} deals, half at most {}, nine in ten at most {}.",
        derivation.inputs.draws,
        period(derivation),
        counted(judged.history_days.into(), "workday"),
        deals(quantiles.p10),
        deals(quantiles.p50),
        deals(quantiles.p90),
    );
    let band = derivation.inputs.band;
    let verdict = match judged.verdict {
        AchievabilityVerdict::TooHard => "too hard for",
        AchievabilityVerdict::Within => "within",
        AchievabilityVerdict::TooEasy => "too easy for",
    };
    let within = judged.goals_within.map_or_else(
        || "No whole number of deals lies within it.".to_owned(),
        |range| format!("Goals from {} to {} lie within it.", range.least, range.most),
    );
    let likely = format!(
        "The goal is reached with a probability of {} (error {}), {verdict} the band of {} to {}. {within}",
        percent(probability.ppm.into()),
        percent(probability.error_ppm.into()),
        percent(band.min_ppm.into()),
        percent(band.max_ppm.into()),
    );
    let interval = track_record.interval.map_or_else(String::new, |range| {
        format!(" (90 % interval {} to {})", percent(range.low), percent(range.high))
    });
    let reached = format!(
        "The person reached it in {} of {}{interval}.",
        track_record.reached,
        counted(track_record.comparable.into(), &format!("comparable {}", period(derivation))),
    );
    [drawn, likely, reached]
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
