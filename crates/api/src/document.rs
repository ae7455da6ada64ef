//! Judges a document before anything walks it: the library's own checks expand fragments without a memory,
//! so a small document could cost seconds. Here each fragment is measured once.

use std::collections::{HashMap, HashSet};

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use crate::error::edge;

/// Most selections in a document, with each use of a fragment counted in full.
pub(crate) const SELECTIONS_MAX: u64 = 2_000;
/// Deepest nesting of selections, fragments included.
pub(crate) const DEPTH_MAX: u64 = 32;
/// Most root fields of a mutation.
pub(crate) const MUTATION_FIELDS_MAX: usize = 5;

/// Size of a selection set.
#[derive(Clone, Copy, Default)]
struct Size {
    selections: u64,
    depth: u64,
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    known: HashMap<&'a str, Size>,
    open: HashSet<&'a str>,
}

/// Checks a parsed document against the limits.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` over a limit, `GRAPHQL_VALIDATION_FAILED` for a fragment cycle or for a mutation that
/// names the same key twice, which would run it twice.
pub(crate) fn check(document: &ExecutableDocument) -> Result<(), ServerError> {
    let mut measure = Measure { document, known: HashMap::new(), open: HashSet::new() };
    for name in document.fragments.keys() {
        measure.fragment(name)?;
    }
    for (_, operation) in document.operations.iter() {
        let set = &operation.node.selection_set.node;
        limit(measure.set(set)?)?;
        if operation.node.ty == OperationType::Mutation {
            check_mutation(document, set)?;
        }
    }
    Ok(())
}

impl<'a> Measure<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Result<Size, ServerError> {
        let mut sum = Size::default();
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => {
                    let inner = self.set(&field.node.selection_set.node)?;
                    Size { selections: inner.selections.saturating_add(1), depth: inner.depth + 1 }
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(spread.node.fragment_name.node.as_str())?,
            };
            sum.selections = sum.selections.saturating_add(inner.selections);
            sum.depth = sum.depth.max(inner.depth);
            limit(sum)?;
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &str) -> Result<Size, ServerError> {
        // An unknown fragment is for the validation to report.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Size::default());
        };
        if let Some(size) = self.known.get(name.as_str()) {
            return Ok(*size);
        }
        if !self.open.insert(name) {
            return Err(edge("GRAPHQL_VALIDATION_FAILED", format!("Fragment \"{name}\" uses itself.")));
        }
        let size = self.set(&fragment.node.selection_set.node)?;
        self.open.remove(name.as_str());
        self.known.insert(name, size);
        Ok(size)
    }
}

fn limit(size: Size) -> Result<(), ServerError> {
    let over = |what: &str, max: u64| {
        Err(edge("QUERY_TOO_COMPLEX", format!("The document has more than {max} {what}. Ask for less at a time.")))
    };
    if size.selections > SELECTIONS_MAX {
        return over("selections", SELECTIONS_MAX);
    }
    if size.depth > DEPTH_MAX {
        return over("levels", DEPTH_MAX);
    }
    Ok(())
}

fn check_mutation(document: &ExecutableDocument, set: &SelectionSet) -> Result<(), ServerError> {
    let mut keys = HashSet::new();
    let mut open = vec![set];
    while let Some(set) = open.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    if !keys.insert(key) {
                        let message = format!("The mutation names \"{key}\" twice; give one of them an alias.");
                        return Err(edge("GRAPHQL_VALIDATION_FAILED", message));
                    }
                    if keys.len() > MUTATION_FIELDS_MAX {
                        let message = format!("At most {MUTATION_FIELDS_MAX} mutations in one request.");
                        return Err(edge("QUERY_TOO_COMPLEX", message));
                    }
                }
                Selection::InlineFragment(fragment) => open.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    // Cycles were refused before, so this ends; repeated keys end it early.
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        open.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Option<String> {
        let document = async_graphql::parser::parse_query(text).expect("a document");
        let code = check(&document).err()?.extensions?.get("code")?.clone().into_json().ok()?;
        code.as_str().map(str::to_owned)
    }

    #[test]
    fn fragments_that_multiply_are_refused_at_once() {
        for (fan_out, depth) in [(2, 30), (10, 9)] {
            let mut text = String::from("{viewer{...F0}}");
            for level in 0..depth {
                let spreads = format!("...F{} ", level + 1).repeat(fan_out);
                text += &format!(" fragment F{level} on Viewer{{{spreads}}}");
            }
            text += &format!(" fragment F{depth} on Viewer{{role}}");
            assert_eq!(judge(&text).as_deref(), Some("QUERY_TOO_COMPLEX"), "{fan_out}^{depth}");
        }
        let cycle = "{viewer{...A}} fragment A on Viewer{...B} fragment B on Viewer{...A}";
        assert_eq!(judge(cycle).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    }

    #[test]
    fn a_mutation_names_each_key_once() {
        assert_eq!(judge("mutation{a:signOut(input:{}){signedOut} b:signOut(input:{}){signedOut}}"), None);
        let twice = "mutation{signOut(input:{}){signedOut} ...on Mutation{signOut(input:{}){signedOut}}}";
        assert_eq!(judge(twice).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    }
}
