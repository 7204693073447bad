//! Conditions as data: comparisons of measures with numbers, joined by `and`, `or`, `not`.
//!
//! ```text
//! expression = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" expression ")" | metric operator number
//! operator   = "<" | "<=" | ">" | ">=" | "==" | "!="
//! ```
//! There is nothing to call and nothing to loop, so evaluation needs no fuel: it is bounded by
//! the length of the condition, and that by [`LONGEST`].

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::measure::{Measures, Metric};

/// Longest condition read, in bytes.
pub(super) const LONGEST: usize = 1_000;

/// Deepest nesting of `not` and parentheses.
const DEEPEST: usize = 16;

/// A condition over [`Measures`]. Written, read and shown as text such as
/// `words >= 40 or characters >= 300`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// `metric operator number`.
    Compare {
        /// What is measured.
        metric: Metric,
        /// How it is compared.
        operator: Operator,
        /// With what.
        limit: f64,
    },
    /// Every part holds. Never empty.
    All(Vec<Self>),
    /// At least one part holds. Never empty.
    Any(Vec<Self>),
    /// The inner condition does not hold.
    Not(Box<Self>),
}

/// A way to compare two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// Below the limit.
    #[serde(rename = "<")]
    Less,
    /// At or below the limit.
    #[serde(rename = "<=")]
    AtMost,
    /// Above the limit.
    #[serde(rename = ">")]
    More,
    /// At or above the limit.
    #[serde(rename = ">=")]
    AtLeast,
    /// Exactly the limit.
    #[serde(rename = "==")]
    Equal,
    /// Anything but the limit.
    #[serde(rename = "!=")]
    Unequal,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("condition `{written}`: {problem} at byte {at}")]
pub struct InvalidExpression {
    /// The condition as written, cut to 80 characters.
    pub written: String,
    /// What is wrong.
    pub problem: String,
    /// Where, as a byte offset.
    pub at: usize,
}

/// The comparison that decided a condition, stated as what had to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decided {
    pub(super) holds: bool,
    pub(super) metric: Metric,
    pub(super) value: f64,
    pub(super) operator: Operator,
    pub(super) limit: f64,
}

impl Operator {
    /// Its sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::Unequal => "!=",
        }
    }

    /// The operator that holds exactly when this one does not.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
        }
    }

    #[expect(clippy::float_cmp, reason = "`==` is meant for counts and flags, which are exact")]
    fn compare(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::More => value > limit,
            Self::AtLeast => value >= limit,
            Self::Equal => value == limit,
            Self::Unequal => value != limit,
        }
    }
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// [`InvalidExpression`] for anything outside the grammar: unknown measures, calls,
    /// arithmetic, more than 1,000 bytes, or nesting deeper than 16.
    pub fn parse(written: &str) -> Result<Self, InvalidExpression> {
        let mut parser = Parser { written, at: 0 };
        if written.len() > LONGEST {
            return Err(parser.error(&format!("longer than {LONGEST} bytes")));
        }
        let expression = parser.any(0)?;
        match parser.peek() {
            "" => Ok(expression),
            other => Err(parser.error(&format!("unexpected `{other}`"))),
        }
    }

    /// True when the condition holds for `measures`.
    #[must_use]
    pub fn holds(&self, measures: &Measures) -> bool {
        self.decide(measures).holds
    }

    pub(super) fn decide(&self, measures: &Measures) -> Decided {
        match self {
            Self::Compare { metric, operator, limit } => {
                let value = measures.get(*metric);
                let holds = operator.compare(value, *limit);
                Decided { holds, metric: *metric, value, operator: *operator, limit: *limit }
            }
            Self::Not(inner) => {
                let decided = inner.decide(measures);
                Decided { holds: !decided.holds, operator: decided.operator.negated(), ..decided }
            }
            Self::All(parts) => first(parts, measures, false),
            Self::Any(parts) => first(parts, measures, true),
        }
    }
}

/// The first part that comes out as `wanted`, else the first part.
fn first(parts: &[Expression], measures: &Measures, wanted: bool) -> Decided {
    let mut decided = parts.iter().map(|part| part.decide(measures));
    let opening = decided.next();
    let opening = opening.unwrap_or(Decided {
        holds: !wanted,
        metric: Metric::Words,
        value: 0.0,
        operator: Operator::AtLeast,
        limit: 0.0,
    });
    if opening.holds == wanted {
        return opening;
    }
    decided.find(|decided| decided.holds == wanted).unwrap_or(opening)
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::All(_) | Self::Any(_) => write!(f, "({part})")?,
                    Self::Compare { .. } | Self::Not(_) => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Compare { metric, operator, limit } => {
                write!(f, "{} {} {limit}", metric.name(), operator.sign())
            }
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::All(parts) => joined(f, parts, "and"),
            Self::Any(parts) => joined(f, parts, "or"),
        }
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        Self::parse(&written).map_err(de::Error::custom)
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": LONGEST,
            "description": "Comparisons of measures with numbers, joined by and, or, not.",
            "examples": ["words >= 40 or characters >= 300"],
        })
    }
}

struct Parser<'a> {
    written: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self, depth: usize) -> Result<Expression, InvalidExpression> {
        let mut parts = vec![self.all(depth)?];
        while self.accept("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Expression, InvalidExpression> {
        let mut parts = vec![self.one(depth)?];
        while self.accept("and") {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Expression, InvalidExpression> {
        if depth > DEEPEST {
            return Err(self.error("nested too deep"));
        }
        if self.accept("not") {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.accept("(") {
            let inner = self.any(depth + 1)?;
            return if self.accept(")") { Ok(inner) } else { Err(self.error("`)` expected")) };
        }
        let word = self.peek();
        let metric = Metric::from_name(word)
            .ok_or_else(|| self.error(&format!("`{word}` is not a measure")))?;
        self.accept(word);
        let sign = self.peek();
        let operators = [
            Operator::Less,
            Operator::AtMost,
            Operator::More,
            Operator::AtLeast,
            Operator::Equal,
            Operator::Unequal,
        ];
        let operator = operators.into_iter().find(|operator| operator.sign() == sign);
        let operator = operator.ok_or_else(|| self.error("a comparison expected"))?;
        self.accept(sign);
        let digits = self.peek();
        let limit = digits.parse::<f64>().ok().filter(|limit| limit.is_finite());
        let limit = limit.ok_or_else(|| self.error("a number expected"))?;
        self.accept(digits);
        Ok(Expression::Compare { metric, operator, limit })
    }

    /// The next token: a word or number, a comparison sign, or one other character.
    fn peek(&self) -> &'a str {
        let rest = self.written[self.at..].trim_start();
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let Some(first) = rest.chars().next() else { return "" };
        let end = if is_word(first) {
            rest.find(|c| !is_word(c))
        } else if is_sign(first) {
            rest.find(|c| !is_sign(c))
        } else {
            Some(first.len_utf8())
        };
        &rest[..end.unwrap_or(rest.len())]
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = !token.is_empty() && self.peek() == token;
        if found {
            let rest = &self.written[self.at..];
            self.at += rest.len() - rest.trim_start().len() + token.len();
        }
        found
    }

    fn error(&self, problem: &str) -> InvalidExpression {
        let written = self.written.chars().take(80).collect();
        InvalidExpression { written, problem: problem.to_owned(), at: self.at }
    }
}
