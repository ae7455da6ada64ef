//! Judges a document before anything walks it: the library's own checks expand fragments without a memory,
//! so a small document could cost seconds. Here each fragment is measured once. And its parser calls itself
//! for every bracket, so a document of brackets alone would use up the stack and end the process.

use std::collections::{HashMap, HashSet};

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use crate::error::edge;

/// Most selections in a document, with each use of a fragment counted in full.
pub(crate) const SELECTIONS_MAX: u64 = 2_000;
/// Deepest nesting of selections, fragments included.
pub(crate) const DEPTH_MAX: u64 = 32;
/// Deepest nesting of fragments in fragments.
pub(crate) const FRAGMENTS_DEEP_MAX: u64 = 32;
/// Deepest nesting of brackets of all kinds: enough for [`DEPTH_MAX`] selections with lists and objects inside.
pub(crate) const BRACKETS_DEEP_MAX: usize = 64;
/// Most root fields of a mutation.
pub(crate) const MUTATION_FIELDS_MAX: usize = 5;

/// Size of a selection set.
#[derive(Clone, Copy, Default)]
struct Size {
    selections: u64,
    depth: u64,
    fragments_deep: u64,
}

/// Checks the text of a document before it is parsed.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` when brackets nest too deep.
pub(crate) fn check_text(text: &str) -> Result<(), ServerError> {
    let mut deep = 0_usize;
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'"' => after_string(rest),
            b'#' => &tail[tail.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(tail.len())..],
            b'{' | b'[' | b'(' => {
                deep += 1;
                tail
            }
            b'}' | b']' | b')' => {
                deep = deep.saturating_sub(1);
                tail
            }
            _ => tail,
        };
        if deep > BRACKETS_DEEP_MAX {
            return Err(over("levels of brackets", BRACKETS_DEEP_MAX as u64));
        }
    }
    Ok(())
}

/// What follows the string at the beginning of `text`. A string that does not end is for the parser to report;
/// here it ends with its line, so that nothing can hide in it.
fn after_string(text: &[u8]) -> &[u8] {
    let (mut at, end): (usize, &[u8]) = if text.starts_with(b"\"\"\"") { (3, b"\"\"\"") } else { (1, b"\"") };
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(end) {
            return &rest[end.len()..];
        }
        at += match rest {
            [b'\\', b'"', b'"', b'"', ..] if end.len() == 3 => 4,
            [b'\\', ..] if end.len() == 1 => 2,
            [b'\n' | b'\r', ..] if end.len() == 1 => return rest,
            _ => 1,
        };
    }
    &[]
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
                    Size { selections: inner.selections.saturating_add(1), depth: inner.depth + 1, ..inner }
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str())?
                }
            };
            sum.selections = sum.selections.saturating_add(inner.selections);
            sum.depth = sum.depth.max(inner.depth);
            sum.fragments_deep = sum.fragments_deep.max(inner.fragments_deep);
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
        // Before going in, lest a chain of fragments use up the stack.
        limit(Size { fragments_deep: self.open.len() as u64, ..Size::default() })?;
        let mut size = self.set(&fragment.node.selection_set.node)?;
        size.fragments_deep += 1;
        limit(size)?;
        self.open.remove(name.as_str());
        self.known.insert(name, size);
        Ok(size)
    }
}

fn over(what: &str, max: u64) -> ServerError {
    edge("QUERY_TOO_COMPLEX", format!("The document has more than {max} {what}. Ask for less at a time."))
}

fn limit(size: Size) -> Result<(), ServerError> {
    if size.selections > SELECTIONS_MAX {
        return Err(over("selections", SELECTIONS_MAX));
    }
    if size.depth > DEPTH_MAX {
        return Err(over("levels", DEPTH_MAX));
    }
    if size.fragments_deep > FRAGMENTS_DEEP_MAX {
        return Err(over("fragments inside each other", FRAGMENTS_DEEP_MAX));
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
                        let message =
                            format!("The mutation names \"{key}\" twice; give one of them an alias.");
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
    fn brackets_are_counted_where_they_are_brackets() {
        let judge = |text: &str| check_text(text).is_err();
        let deep = "[".repeat(BRACKETS_DEEP_MAX + 1);
        assert!(judge(&deep) && judge(&format!("{{a(b:{deep}")));
        assert!(!judge(&deep[1..]) && !judge(&"[]".repeat(10_000)));
        for harmless in [
            format!("# {deep}\n{{a}}"),
            format!("{{a(b:\"{deep}\")}}"),
            format!("{{a(b:\"\\\"{deep}\")}}"),
            format!("{{a(b:\"\"\"\" \\\"\"\" {deep}\n\"\"\")}}"),
        ] {
            assert!(!judge(&harmless), "{harmless}");
        }
        for hidden in [
            format!("\"\n{deep}"),
            format!("#\r{deep}"),
            format!("\"\"\"\"\"\"{deep}"),
            format!("\"\\\"\"{deep}"),
        ] {
            assert!(judge(&hidden), "{hidden}");
        }
    }

    #[test]
    fn a_chain_of_fragments_is_bounded() {
        let chain = |length: u64| {
            let links = (0..length).map(|link| format!("fragment F{link} on Viewer{{...F{}}}", link + 1));
            let last = format!("fragment F{length} on Viewer{{role}}");
            judge(&format!("{{viewer{{...F0}}}} {} {last}", links.collect::<String>()))
        };
        assert_eq!(chain(FRAGMENTS_DEEP_MAX - 1), None);
        assert_eq!(chain(FRAGMENTS_DEEP_MAX).as_deref(), Some("QUERY_TOO_COMPLEX"));
        assert_eq!(chain(2_000).as_deref(), Some("QUERY_TOO_COMPLEX"));
    }

    #[test]
    fn a_mutation_names_each_key_once() {
        assert_eq!(judge("mutation{a:signOut(input:{}){signedOut} b:signOut(input:{}){signedOut}}"), None);
        let twice = "mutation{signOut(input:{}){signedOut} ...on Mutation{signOut(input:{}){signedOut}}}";
        assert_eq!(judge(twice).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    }
}
