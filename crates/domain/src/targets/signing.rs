//! What is signed: the terms as one canonical text, and its SHA-256.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::lines::TargetLine;
use super::{Target, TargetOwner, Terms};
use crate::id::UserId;
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// As what a person signs a target.
    Side as "SignatureSide" {
        /// The owner, or the lead of the owning team.
        Owner = "OWNER",
        /// Whoever leads the owner.
        Manager = "MANAGER",
        /// The one who answers for a target that is too easy or too hard for its level.
        Approver = "APPROVER",
    }
}

/// A signature under one version of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Who signed.
    pub user_id: UserId,
    /// As what.
    pub side: Side,
    /// SHA-256 of the terms that were signed, as 64 lower-case hexadecimal digits.
    pub hash: String,
    /// When.
    pub signed_at: Timestamp,
}

impl Target {
    /// What is signed when `terms` of this target are: one fact per line, in a fixed order, free text as JSON
    /// strings. The form is a contract: a signature is worth what this text says.
    pub fn canonical(&self, terms: &Terms) -> String {
        let mut text = String::new();
        let mut line = |fact: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{fact}");
        };
        line(format_args!("evenhand target terms 1"));
        line(format_args!("target {}", self.id));
        match self.owner {
            TargetOwner::User(user) => line(format_args!("owner user {user}")),
            TargetOwner::Team(team) => line(format_args!("owner team {team}")),
        }
        let period = self.period;
        line(format_args!("period {} {} {}", period.kind().as_str(), period.start(), period.end()));
        line(format_args!("level {}", self.level.as_str()));
        line(format_args!("number {}", terms.number));
        line(format_args!("author {}", terms.author_id));
        line(format_args!("effective from {}", terms.effective_from));
        line(format_args!("workdays {}", terms.workdays));
        for TargetLine { metric, quantity, per_workday, due_by } in &terms.lines {
            let per_workday = per_workday.map_or("-".into(), |quantity| quantity.to_string());
            let metric = metric.as_str();
            line(format_args!("line {metric} {quantity} per workday {per_workday} by {due_by}"));
        }
        line(format_args!("derivation {}", terms.derivation_id));
        match terms.achievability {
            Some(found) => {
                line(format_args!("probability {} ppm {}", found.probability_ppm, found.verdict.as_str()));
            }
            None => line(format_args!("probability unknown")),
        }
        if let Some(overridden) = &terms.band_override {
            line(format_args!("override {} {}", overridden.approver_id, quoted(&overridden.reason)));
        }
        for action in &terms.support.actions {
            line(format_args!("action by {} {}", action.due_by, quoted(&action.text)));
        }
        for resource in &terms.support.resources {
            let (kind, need) = (resource.kind.as_str(), resource.need.as_str());
            let (quantity, department) = (resource.quantity, quoted(&resource.department));
            let (id, due_by) = (resource.id, resource.due_by);
            line(format_args!("resource {id} {need} {kind} {quantity} by {due_by} from {department}"));
        }
        text
    }

    /// SHA-256 of the [canonical](Self::canonical) terms, as 64 lower-case hexadecimal digits.
    pub fn hash(&self, terms: &Terms) -> String {
        let digest = Sha256::digest(self.canonical(terms).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A JSON string: whatever a person typed cannot begin a line of its own.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
