//! How likely targets of each level should be is a setting of the organisation.

crate::migration! {
    up: r"
-- Bands by level, as JSON; the defaults where it is missing.
ALTER TABLE organizations ADD COLUMN target_bands {text};
",
    down: r"
ALTER TABLE organizations DROP COLUMN target_bands;
",
}
