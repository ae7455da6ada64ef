//! Complaints that may be the same: suggested to whoever looks, never merged by themselves.

use super::{Complaint, ComplaintState, ReporterAddress};
use crate::text::fold;

/// Most complaints that are suggested for one.
pub const DUPLICATES_MAX: usize = 5;
/// A complaint that has ended is looked at for so many days after its record: one that is told again may be taken up again.
pub const DUPLICATE_DAYS: i64 = 30;

/// From how much likeness on a complaint is suggested, in percent.
const LIKENESS_MIN: u32 = 50;
/// What the same product adds to the likeness of the subjects.
const SAME_PRODUCT: u32 = 20;
/// What the same person or address adds to it.
const SAME_REPORTER: u32 = 20;

impl Complaint {
    /// Those of `others` that may be the same, the likeliest first: complaints of the same customer whose subjects are
    /// alike, less alike where product or reporter are the same. None for a complaint that has ended.
    pub fn possible_duplicates<'a>(&self, others: &'a [Self]) -> Vec<&'a Self> {
        if !self.state.is_open() {
            return Vec::new();
        }
        let likely = |other: &&Self| {
            other.id != self.id
                && other.customer_id == self.customer_id
                && other.state != ComplaintState::Merged
        };
        let mut found: Vec<(u32, &Self)> = others
            .iter()
            .filter(likely)
            .map(|other| (self.likeness(other), other))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .collect();
        found.sort_by_key(|(likeness, other)| std::cmp::Reverse((*likeness, other.recorded_at, other.id)));
        found.into_iter().map(|(_, other)| other).take(DUPLICATES_MAX).collect()
    }

    /// How much alike two complaints are, in percent and more.
    fn likeness(&self, other: &Self) -> u32 {
        let (one, two) = (fold(&self.subject), fold(&other.subject));
        // A share between 0 and 1 of the pairs of letters, so that the order of words matters little.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        let subjects = (strsim::sorensen_dice(&one, &two) * 100.0).round() as u32;
        let same_product = self.product_id.is_some() && self.product_id == other.product_id;
        let same_contact = self.contact_id.is_some() && self.contact_id == other.contact_id;
        subjects
            + SAME_PRODUCT * u32::from(same_product)
            + SAME_REPORTER * u32::from(same_contact || self.shares_an_address(other))
    }

    fn shares_an_address(&self, other: &Self) -> bool {
        let addresses = |complaint: &Self| -> Vec<String> {
            let reporter = complaint.reporter.iter();
            let address = |address: &ReporterAddress| fold(&address.address);
            reporter.flat_map(|reporter| &reporter.addresses).map(address).collect()
        };
        let own = addresses(self);
        addresses(other).iter().any(|address| own.contains(address))
    }
}
