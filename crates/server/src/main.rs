//! Evenhand.
fn main() {}
