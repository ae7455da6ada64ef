//! Documents: measured, validated and translated once, then kept.
//!
//! A document passes in this order, so that a hostile one costs nothing: its length and the nesting of its
//! brackets, the number of its tokens, one walk over the syntax tree in which each fragment is measured once,
//! the objects that it could answer, and only then validation. `apollo-compiler` parses and validates, as
//! graphql-js would; what it has parsed is translated for the executor, so that both see the same document.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use apollo_compiler::ast::{self, Definition, OperationType, Selection};
use apollo_compiler::parser::{SourceMap, SourceSpan};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use async_graphql::parser::types as executor;
use async_graphql::{Pos, ServerError};

use crate::error::edge;
use crate::limits::{BRACKETS_DEEP_MAX, ERRORS_MAX, FRAGMENTS_DEEP_MAX, Limits};
use crate::translate;

/// A document that may run: within the limits and valid.
pub(crate) struct Document {
    /// As written, for the cost, which depends on variables.
    pub(crate) syntax: ast::Document,
    /// With the types of its fields.
    pub(crate) typed: Valid<ExecutableDocument>,
    /// For the executor.
    pub(crate) translated: executor::ExecutableDocument,
    /// Length of its text, in bytes.
    pub(crate) length: usize,
}

/// The schema as the validator knows it.
///
/// # Panics
/// When our own schema is not valid, which every start and every test would show.
pub(crate) fn schema(sdl: &str) -> Arc<Valid<Schema>> {
    match Schema::parse_and_validate(sdl, "schema.graphql") {
        Ok(schema) => Arc::new(schema),
        Err(broken) => panic!("the schema is not valid: {}", broken.errors),
    }
}

/// Validates a document that is within the limits, and translates it for the executor.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`.
pub(crate) fn validate(
    syntax: ast::Document,
    schema: &Valid<Schema>,
    length: usize,
) -> Result<Document, Vec<ServerError>> {
    let typed = syntax.to_executable_validate(schema).map_err(|broken| {
        let first = broken.errors.iter().take(ERRORS_MAX);
        first.map(|diagnostic| invalid(&diagnostic.unstable_to_json_compat())).collect::<Vec<_>>()
    })?;
    let translated = translate::document(&typed, schema);
    Ok(Document { syntax, typed, translated, length })
}

fn invalid(error: &apollo_compiler::response::GraphQLError) -> ServerError {
    let mut shown = edge("GRAPHQL_VALIDATION_FAILED", &error.message);
    shown.locations = error.locations.iter().map(|at| Pos { line: at.line, column: at.column }).collect();
    shown
}

/// Parses `text` and measures it.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED`, and `QUERY_TOO_COMPLEX` over a limit.
pub(crate) fn parse(text: &str, limits: &Limits) -> Result<ast::Document, ServerError> {
    if text.len() > limits.document_bytes {
        return Err(over("bytes", limits.document_bytes as u64, text.len() as u64, None));
    }
    check_brackets(text)?;
    let mut parser = ast::Document::parser().token_limit(limits.tokens);
    let parsed = parser.parse_ast(text, "document");
    let syntax = parsed.map_err(|broken| {
        if parser.tokens_reached() >= limits.tokens {
            return over("tokens", limits.tokens as u64, parser.tokens_reached() as u64, None);
        }
        let first = broken.errors.iter().next().map(|diagnostic| diagnostic.to_json());
        let message = first.as_ref().map_or("The document cannot be parsed.", |error| error.message.as_str());
        let mut shown = edge("GRAPHQL_PARSE_FAILED", message);
        let places = first.iter().flat_map(|error| &error.locations);
        shown.locations = places.map(|at| Pos { line: at.line, column: at.column }).collect();
        shown
    })?;
    measure(&syntax, limits)?;
    Ok(syntax)
}

/// Refuses brackets that nest too deep, before a parser that calls itself meets them.
fn check_brackets(text: &str) -> Result<(), ServerError> {
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
            return Err(over("levels of brackets", BRACKETS_DEEP_MAX as u64, deep as u64, None));
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

/// The refusal of a document that is over the limit `what`, with the place where it went over.
pub(crate) fn over(what: &'static str, maximum: u64, cost: u64, place: Option<Pos>) -> ServerError {
    let text = format!("The document has more than {maximum} {what}. Ask for less at a time.");
    let mut error = edge("QUERY_TOO_COMPLEX", text);
    error.locations.extend(place);
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", what);
        extensions.set("maximum", maximum);
        extensions.set("cost", cost);
    }
    error
}

/// Size of a selection set with its fragments expanded.
#[derive(Clone, Copy, Default)]
struct Size {
    selections: u64,
    depth: u64,
    aliases: u64,
    directives: u64,
    fragments_deep: u64,
}

struct Measure<'a> {
    fragments: HashMap<&'a str, &'a ast::FragmentDefinition>,
    known: HashMap<&'a str, Size>,
    open: HashSet<&'a str>,
    sources: &'a SourceMap,
    limits: &'a Limits,
}

/// The fragments of a document by name.
pub(crate) fn fragments(document: &ast::Document) -> HashMap<&str, &ast::FragmentDefinition> {
    let fragments = document.definitions.iter().filter_map(Definition::as_fragment_definition);
    fragments.map(|fragment| (fragment.name.as_str(), &**fragment)).collect()
}

/// Where something stands in the document.
pub(crate) fn place(sources: &SourceMap, span: Option<SourceSpan>) -> Option<Pos> {
    let at = span?.line_column(sources)?;
    Some(Pos { line: at.line, column: at.column })
}

/// Measures all operations and fragments, used or not, against the limits.
fn measure(document: &ast::Document, limits: &Limits) -> Result<(), ServerError> {
    let fragments = fragments(document);
    let names: Vec<&str> = fragments.keys().copied().collect();
    let (known, open) = (HashMap::new(), HashSet::new());
    let mut measure = Measure { fragments, known, open, sources: &document.sources, limits };
    for name in names {
        measure.fragment(name, None)?;
    }
    for operation in document.definitions.iter().filter_map(Definition::as_operation_definition) {
        measure.set(&operation.selection_set)?;
        measure.root(operation)?;
    }
    Ok(())
}

impl<'a> Measure<'a> {
    fn set(&mut self, set: &'a [Selection]) -> Result<Size, ServerError> {
        let mut sum = Size::default();
        for selection in set {
            let (inner, directives, span) = match selection {
                Selection::Field(field) => {
                    let inner = self.set(&field.selection_set)?;
                    let aliases = inner.aliases.saturating_add(field.alias.is_some().into());
                    let selections = inner.selections.saturating_add(1);
                    let inner = Size { selections, aliases, depth: inner.depth + 1, ..inner };
                    (inner, field.directives.len(), field.location())
                }
                Selection::InlineFragment(fragment) => {
                    (self.set(&fragment.selection_set)?, fragment.directives.len(), fragment.location())
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(&spread.fragment_name, spread.location())?;
                    (inner, spread.directives.len(), spread.location())
                }
            };
            sum.selections = sum.selections.saturating_add(inner.selections);
            sum.aliases = sum.aliases.saturating_add(inner.aliases);
            sum.directives =
                sum.directives.saturating_add(inner.directives).saturating_add(directives as u64);
            sum.depth = sum.depth.max(inner.depth);
            sum.fragments_deep = sum.fragments_deep.max(inner.fragments_deep);
            self.limit(sum, span)?;
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &str, span: Option<SourceSpan>) -> Result<Size, ServerError> {
        // An unknown fragment is for the validation to report.
        let Some((&name, &fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Size::default());
        };
        if let Some(size) = self.known.get(name) {
            return Ok(*size);
        }
        if !self.open.insert(name) {
            return Err(edge("GRAPHQL_VALIDATION_FAILED", format!("Fragment \"{name}\" uses itself.")));
        }
        // Before going in, lest a chain of fragments use up the stack.
        self.limit(Size { fragments_deep: self.open.len() as u64, ..Size::default() }, span)?;
        let mut size = self.set(&fragment.selection_set)?;
        size.fragments_deep += 1;
        self.limit(size, span)?;
        self.open.remove(name);
        self.known.insert(name, size);
        Ok(size)
    }

    fn limit(&self, size: Size, span: Option<SourceSpan>) -> Result<(), ServerError> {
        let limits = self.limits;
        for (what, value, maximum) in [
            ("selections", size.selections, limits.selections),
            ("levels", size.depth, limits.depth),
            ("aliases", size.aliases, limits.aliases),
            ("directives", size.directives, limits.directives),
            ("fragments inside each other", size.fragments_deep, FRAGMENTS_DEEP_MAX),
        ] {
            if value > maximum {
                return Err(over(what, maximum, value, place(self.sources, span)));
            }
        }
        Ok(())
    }

    /// Counts the root fields. A mutation that names a key twice is refused: the executor would run it twice.
    fn root(&self, operation: &'a ast::OperationDefinition) -> Result<(), ServerError> {
        let mutation = operation.operation_type == OperationType::Mutation;
        let (what, maximum) = if mutation {
            ("root fields in a mutation", self.limits.mutation_fields)
        } else {
            ("root fields", self.limits.root_fields)
        };
        let mut keys = HashSet::new();
        let mut open = vec![operation.selection_set.as_slice()];
        while let Some(set) = open.pop() {
            for selection in set {
                match selection {
                    Selection::Field(field) => {
                        let key = field.alias.as_ref().unwrap_or(&field.name);
                        let at = place(self.sources, field.location());
                        if !keys.insert(key) && mutation {
                            let text =
                                format!("The mutation names \"{key}\" twice; give one of them an alias.");
                            let mut error = edge("GRAPHQL_VALIDATION_FAILED", text);
                            error.locations.extend(at);
                            return Err(error);
                        }
                        if keys.len() as u64 > maximum {
                            return Err(over(what, maximum, keys.len() as u64, at));
                        }
                    }
                    Selection::InlineFragment(fragment) => open.push(&fragment.selection_set),
                    // The expanded size was measured before, so this ends.
                    Selection::FragmentSpread(spread) => {
                        open.extend(
                            self.fragments
                                .get(spread.fragment_name.as_str())
                                .map(|it| it.selection_set.as_slice()),
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
