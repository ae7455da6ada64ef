//! Import of other systems' exports.

mod fields;
pub mod mapping;
pub mod profile;
mod records;
pub mod rows;
mod template;

#[cfg(test)]
mod tests;
