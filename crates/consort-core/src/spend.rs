//! Additive currencies: money, tokens and calls.

use std::{fmt, ops::AddAssign};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the additive currencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Currency {
    /// Millionths of a US dollar.
    Money,
    /// Model tokens, in and out.
    Tokens,
    /// Invocations of capabilities.
    Calls,
}

impl Currency {
    /// All currencies.
    pub const ALL: [Self; 3] = [Self::Money, Self::Tokens, Self::Calls];

    /// The stable name, which is also the field of [`Spend`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
        }
    }
}

/// An amount in every currency.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spend {
    /// Millionths of a US dollar.
    #[serde(skip_serializing_if = "is_zero")]
    pub money: u64,
    /// Model tokens, in and out.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// Invocations of capabilities.
    #[serde(skip_serializing_if = "is_zero")]
    pub calls: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(amount: &u64) -> bool {
    *amount == 0
}

impl Spend {
    /// Nothing.
    pub const ZERO: Self = Self { money: 0, tokens: 0, calls: 0 };

    /// One invocation that costs nothing else.
    pub const CALL: Self = Self { money: 0, tokens: 0, calls: 1 };

    /// The amount in one currency.
    pub const fn get(&self, currency: Currency) -> u64 {
        match currency {
            Currency::Money => self.money,
            Currency::Tokens => self.tokens,
            Currency::Calls => self.calls,
        }
    }

    /// Sum, per currency; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            money: self.money.saturating_add(other.money),
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
        }
    }

    /// Difference, per currency; stops at zero.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            money: self.money.saturating_sub(other.money),
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
        }
    }

    /// The first currency in which this amount is larger than `limit`.
    pub fn exceeds(&self, limit: &Budget) -> Option<Currency> {
        Currency::ALL.into_iter().find(|c| limit.get(*c).is_some_and(|limit| self.get(*c) > limit))
    }

    /// True when nothing was spent.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        *self = self.plus(other);
    }
}

impl fmt::Debug for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.money / 1_000_000, self.money % 1_000_000);
        write!(f, "${dollars}.{micros:06} {} tokens {} calls", self.tokens, self.calls)
    }
}

/// A limit in some of the currencies; the others are not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<u64>,
    /// Model tokens, in and out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Invocations of capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
}

impl Budget {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { money: None, tokens: None, calls: None };

    /// The limit in one currency.
    pub const fn get(&self, currency: Currency) -> Option<u64> {
        match currency {
            Currency::Money => self.money,
            Currency::Tokens => self.tokens,
            Currency::Calls => self.calls,
        }
    }

    /// What the limits add up to; zero where there is none.
    pub fn amount(&self) -> Spend {
        Spend {
            money: self.money.unwrap_or(0),
            tokens: self.tokens.unwrap_or(0),
            calls: self.calls.unwrap_or(0),
        }
    }

    /// True when nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::UNLIMITED
    }
}
