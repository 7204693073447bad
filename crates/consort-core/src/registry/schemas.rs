//! The schemas of a callee, and what a request that does not fit is told.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::{Map, Value};

use crate::{Category, Request, StepError};

/// How many violations a refusal names at most.
const MOST: usize = 100;

/// Request and response schema, and the compiled check of the former.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) request: Value,
    pub(crate) response: Value,
    validator: jsonschema::Validator,
}

impl Schemas {
    pub(crate) fn new<R: Request>() -> Result<Self, StepError> {
        let request = schemars::schema_for!(R).to_value();
        let response = schemars::schema_for!(R::Response).to_value();
        let validator = jsonschema::validator_for(&request).map_err(|error| {
            StepError::new(Category::Configuration, "the request type has no usable JSON Schema")
                .because(&error)
        })?;
        Ok(Self { request, response, validator })
    }

    /// Checks a request and names every offending field.
    pub(crate) fn check(&self, request: &Value) -> Result<(), StepError> {
        if self.validator.is_valid(request) {
            return Ok(());
        }
        let mut found = Found { schema: &self.request, violations: Vec::new() };
        for error in self.validator.iter_errors(request).take(MOST) {
            found.note(&error);
        }
        let refusal =
            StepError::new(Category::InvalidRequest, "the request does not match its schema");
        let named = found.violations.into_iter().take(MOST);
        Err(named.fold(refusal, |refusal, (at, what)| refusal.violation(at, what)))
    }
}

/// Offending fields, as pointers, and what is wrong with them.
struct Found<'a> {
    schema: &'a Value,
    violations: Vec<(String, String)>,
}

impl Found<'_> {
    fn note(&mut self, error: &ValidationError<'_>) {
        let at = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::Required { property: Value::String(field) } => {
                self.add(below(&at, field), shorten(error.to_string()));
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for field in unexpected {
                    self.add(below(&at, field), "is not a known field".into());
                }
            }
            ValidationErrorKind::OneOfNotValid { context }
            | ValidationErrorKind::AnyOf { context } => {
                match meant(self.schema, error.schema_path().as_str(), error.instance()) {
                    Meant::Branch(nth) if context.get(nth).is_some_and(|own| !own.is_empty()) => {
                        context[nth].iter().for_each(|error| self.note(error));
                    }
                    Meant::OneOf { field: Some(field), known } => {
                        self.add(below(&at, &field), known);
                    }
                    Meant::OneOf { field: None, known } => self.add(at, known),
                    Meant::Branch(_) | Meant::Unclear => self.add(at, shorten(error.to_string())),
                }
            }
            _ => self.add(at, shorten(error.to_string())),
        }
    }

    fn add(&mut self, pointer: String, message: String) {
        self.violations.push((pointer, message));
    }
}

/// What the sender of a value that fits no branch of an enum had in mind.
enum Meant {
    /// This variant.
    Branch(usize),
    /// None that there is: the field (or the value itself) must be one of those told.
    OneOf { field: Option<String>, known: String },
    /// It cannot be told.
    Unclear,
}

/// Looks at the branches at `path` (a `oneOf` or `anyOf`), as `schemars` writes enums: the tag of
/// an internally tagged enum tells which variant is meant.
fn meant(schema: &Value, path: &str, value: &Value) -> Meant {
    let Some(Value::Array(branches)) = schema.pointer(path) else { return Meant::Unclear };
    let branches: Vec<&Value> = branches.iter().map(|branch| resolved(schema, branch)).collect();
    let listed: Option<Vec<Vec<&Value>>> = branches.iter().map(|branch| values(branch)).collect();
    if let Some(listed) = listed {
        return Meant::OneOf { field: None, known: one_of(listed.concat()) };
    }
    // An `Option`: whoever gave a value meant the other branch.
    let is_null = |branch: &Value| branch.get("type").is_some_and(|of| of == "null");
    if let [first, second] = branches.as_slice()
        && is_null(first) != is_null(second)
    {
        return Meant::Branch(usize::from(is_null(first)));
    }
    match (tag(&branches), value) {
        (Some(tag), Value::Object(given)) => {
            let fixed = branches.iter().filter_map(|branch| fixes(branch, tag)).collect();
            by_name(given.get(tag), fixed, Some(tag))
        }
        // It must be an object; so says any branch.
        (Some(_), _) => Meant::Branch(0),
        (None, _) => keyed(&branches, value),
    }
}

/// An externally tagged enum: an object with the variant as its only key, or a plain text.
fn keyed(branches: &[&Value], value: &Value) -> Meant {
    let names = |branch: &&Value| -> Option<Vec<Value>> {
        let key = || branch.get("properties")?.as_object()?.keys().next();
        let listed = values(branch).map(|listed| listed.into_iter().cloned().collect());
        match branch.get("required").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) if key().is_some_and(|key| only == key) => Some(vec![only.clone()]),
            _ => listed,
        }
    };
    let Some(names) = branches.iter().map(names).collect::<Option<Vec<_>>>() else {
        return Meant::Unclear;
    };
    let given = match value {
        Value::Object(given) if given.len() == 1 => given.keys().next().cloned().map(Value::String),
        _ => None,
    };
    by_name(given.as_ref(), names.iter().map(|names| names.iter().collect()).collect(), None)
}

/// The variant of this name, when each one has those `names`.
fn by_name(given: Option<&Value>, names: Vec<Vec<&Value>>, field: Option<&String>) -> Meant {
    match names.iter().position(|names| given.is_some_and(|given| names.contains(&given))) {
        Some(nth) => Meant::Branch(nth),
        None => Meant::OneOf { field: field.cloned(), known: one_of(names.concat()) },
    }
}

/// The definition that a branch refers to, or the branch.
fn resolved<'a>(schema: &'a Value, branch: &'a Value) -> &'a Value {
    let target = branch.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
    match target.and_then(|to| schema.pointer(to)) {
        // What stands beside the reference counts too, and there is the tag.
        Some(target) if branch.get("properties").is_none() => target,
        _ => branch,
    }
}

/// The property that every branch fixes to values of its own.
fn tag<'a>(branches: &[&'a Value]) -> Option<&'a String> {
    let first: &Map<String, Value> = branches.first()?.get("properties")?.as_object()?;
    first.keys().find(|name| branches.iter().all(|branch| fixes(branch, name).is_some()))
}

fn fixes<'a>(branch: &'a Value, name: &str) -> Option<Vec<&'a Value>> {
    values(branch.get("properties")?.get(name)?)
}

/// The values that a schema admits, where it lists them.
fn values(schema: &Value) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some(vec![only]),
        (None, Some(Value::Array(listed))) => Some(listed.iter().collect()),
        _ => None,
    }
}

fn one_of(known: Vec<&Value>) -> String {
    let name = |value: &Value| match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let names: Vec<String> = known.into_iter().map(name).collect();
    shorten(format!("must be one of {}", names.join(", ")))
}

fn below(at: &str, field: &str) -> String {
    format!("{at}/{}", field.replace('~', "~0").replace('/', "~1"))
}

/// Messages quote the offending value, which may be a whole document.
fn shorten(mut message: String) -> String {
    const LONGEST: usize = 300;
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}
