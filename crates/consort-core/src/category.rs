//! The error taxonomy: one closed list of categories and one table that decides everything
//! that follows from a category.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a failure is for whoever operates the system.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The caller's own affair.
    Low,
    /// Worth a look when it repeats.
    Medium,
    /// Someone should look today.
    High,
    /// Someone should look now.
    Critical,
}

/// What follows from a category. Read it through [`Category::facts`]; nothing else decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Stable name in JSON, metrics and journals.
    pub name: &'static str,
    /// The same call may succeed later. Whether repeating it is safe, only its effect class says.
    pub transient: bool,
    /// How bad it is.
    pub severity: Severity,
    /// Status of an HTTP response.
    pub http: u16,
    /// Exit code of the command line.
    pub exit: u8,
    /// Counts against the service-level objective.
    pub slo: bool,
    /// Counts as a failure of the callee for its breaker.
    pub breaker: bool,
    /// The callee is there and refused what was asked of it: no failure of its, and enough for a
    /// breaker that only wants to know whether anybody answers.
    pub answered: bool,
    /// Says something about the arm that was chosen, so it may lower its reward.
    pub reward: bool,
    /// What the reader can do about it.
    pub remedy: &'static str,
}

macro_rules! categories {
    ($( $(#[doc = $doc:literal])+ $variant:ident => $name:literal, $severity:ident, $http:literal,
        $exit:literal, [$($flag:ident)*], $remedy:literal; )+) => {
        /// Why something failed. The only public error kind; never guessed from text.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Category {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl Category {
            /// Every category, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The decision table.
            pub const fn facts(self) -> Facts {
                match self {
                    $( Self::$variant => {
                        let none = Facts {
                            name: $name, transient: false, severity: Severity::$severity, http: $http,
                            exit: $exit, slo: false, breaker: false, answered: false, reward: false, remedy: $remedy,
                        };
                        Facts { $( $flag: true, )* ..none }
                    } )+
                }
            }
        }
    };
}

categories! {
    /// The request does not match its schema or a documented rule.
    InvalidRequest => "invalid_request", Low, 400, 10, [answered], "correct the fields that are named";
    /// The request is larger than the limit even after large fields became blobs.
    PayloadTooLarge => "payload_too_large", Low, 413, 10, [answered], "put the named field into a blob or split the request";
    /// Nothing has that name or id.
    NotFound => "not_found", Low, 404, 11, [answered], "check the name; `consort list` and `consort runs` show what exists";
    /// It exists already, or is in a state that forbids the operation.
    Conflict => "conflict", Low, 409, 12, [answered], "use another name, version or key, or wait for the other run";
    /// No or wrong credentials.
    Unauthenticated => "unauthenticated", Medium, 401, 13, [answered], "supply valid credentials";
    /// The caller may not do this.
    PermissionDenied => "permission_denied", Medium, 403, 13, [answered], "ask whoever grants rights in this tenant";
    /// A rule of the tenant or of the law forbids it.
    PolicyViolation => "policy_violation", Medium, 403, 14, [reward], "change the request so that it satisfies the named policy";
    /// A lower layer tried to call a higher one.
    UpwardCall => "upward_call", Medium, 403, 14, [], "send a signal upwards, or move the caller to a higher layer";
    /// The run tree is deeper than the limit.
    DepthExceeded => "depth_exceeded", Medium, 422, 14, [], "flatten the workflow or raise `limits.depth`";
    /// The run has more steps than the limit.
    StepLimit => "step_limit", Medium, 422, 14, [], "split the work into child runs or raise `limits.steps`";
    /// Something that the request needs is not configured.
    NotConfigured => "not_configured", Low, 501, 15, [], "configure the named part";
    /// The deadline passed, or an attempt took too long.
    Timeout => "timeout", Medium, 504, 20, [transient slo breaker reward], "allow more time, or ask for less";
    /// The caller's own deadline passed before the callee could be judged.
    DeadlineExceeded => "deadline_exceeded", Low, 504, 20, [slo], "start with a later deadline";
    /// Cancelled by the caller or an operator.
    Cancelled => "cancelled", Low, 499, 21, [], "start it again if that was not intended";
    /// A connection failed or broke.
    Network => "network", Medium, 502, 22, [transient slo breaker reward], "check the network and the address";
    /// The other side answered that it cannot serve now.
    Unavailable => "unavailable", High, 503, 22, [transient slo breaker reward], "try again later";
    /// The egress gate refused an address.
    EgressDenied => "egress_denied", Medium, 403, 14, [], "use a public address, or allow this one in `egress.allow`";
    /// The other side, or a local limiter, asks for fewer calls.
    RateLimited => "rate_limited", Low, 429, 23, [transient], "slow down; `retry_after` says by how much";
    /// Too much work in progress here.
    Overloaded => "overloaded", Medium, 503, 23, [transient slo], "try again later or raise the limit that is named";
    /// A breaker is open: the callee failed too often lately.
    CircuitOpen => "circuit_open", Medium, 503, 23, [transient slo], "wait for the breaker, or see `consort health`";
    /// The process is stopping and admits nothing new.
    ShuttingDown => "shutting_down", Low, 503, 23, [transient], "send it to another process or wait for the restart";
    /// The tenant's quota for this window is used up.
    QuotaExceeded => "quota_exceeded", Low, 429, 24, [], "wait for the next window or raise the tenant's quota";
    /// The run's budget cannot cover the call.
    BudgetExhausted => "budget_exhausted", Low, 402, 24, [], "give the run a larger budget";
    /// Memory, file handles or another local resource ran out.
    ResourceExhausted => "resource_exhausted", High, 507, 25, [slo], "free the named resource";
    /// The disk is full.
    StorageFull => "storage_full", Critical, 507, 25, [slo], "free disk space; nothing acknowledged was lost";
    /// Something this call needs failed.
    DependencyFailed => "dependency_failed", Medium, 424, 30, [slo], "see the cause";
    /// Something this call needs was skipped.
    DependencySkipped => "dependency_skipped", Low, 424, 30, [], "see the reason of the skipped step";
    /// Something this call needs may or may not have happened.
    DependencyUncertain => "dependency_uncertain", High, 424, 30, [slo], "check the outside world, then fork the run";
    /// Bytes could not be read as what they claim to be.
    ParseFailed => "parse_failed", Low, 422, 31, [reward], "check the input's format";
    /// A computation on valid input failed.
    ProcessingFailed => "processing_failed", Medium, 500, 31, [slo breaker reward], "see the cause";
    /// A model answered with something unusable.
    ModelFailed => "model_failed", Medium, 502, 31, [slo breaker reward], "try another model or prompt";
    /// A setting is wrong.
    Configuration => "configuration", High, 500, 40, [slo], "correct the named setting";
    /// A part could not start.
    InitializationFailed => "initialization_failed", Critical, 500, 40, [slo], "see the cause; nothing ran";
    /// The store cannot be used now.
    StoreUnavailable => "store_unavailable", Critical, 503, 50, [slo], "see the cause; check the file and its disk";
    /// Another process owns the store.
    StoreLocked => "store_locked", Medium, 409, 50, [], "stop the other process, or use commands that need no ownership";
    /// A record fails its checksum or makes no sense.
    StoreCorrupt => "store_corrupt", Critical, 500, 50, [slo], "restore a backup; `consort store check` lists the damage";
    /// The store was written by a newer format.
    StoreTooNew => "store_too_new", High, 500, 50, [], "use a newer build, or another file";
    /// The code no longer does what the journal says it did.
    JournalMismatch => "journal_mismatch", High, 500, 51, [slo], "register the version that wrote the journal, or fork the run";
    /// A durable orchestrator awaited something that is not a step.
    ForeignAwait => "foreign_await", High, 500, 51, [slo], "move the awaited work into a capability and `cx.call` it";
    /// The run's version is not registered.
    RunBlocked => "run_blocked", Medium, 409, 51, [], "register the named version, or fork the run onto another";
    /// A bug: a panic or a broken invariant.
    Internal => "internal", Critical, 500, 70, [slo breaker reward], "report it with the error id";
}

impl Category {
    /// True when the same call may succeed later.
    pub const fn is_transient(self) -> bool {
        self.facts().transient
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes_and_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for category in Category::ALL {
            let json = serde_json::to_value(category).unwrap();
            assert_eq!(json, category.name());
            assert!(seen.insert(category.name()), "{category} twice");
        }
    }

    #[test]
    fn failures_that_say_nothing_about_the_arm_are_not_charged_to_it() {
        use Category::*;
        for c in [CircuitOpen, Overloaded, QuotaExceeded, DeadlineExceeded, Cancelled, RateLimited]
        {
            assert!(!c.facts().reward, "{c}");
            assert!(!c.facts().breaker, "{c}");
        }
    }

    #[test]
    fn what_charges_the_breaker_is_no_mere_refusal() {
        for category in Category::ALL {
            let facts = category.facts();
            assert!(!(facts.answered && (facts.breaker || facts.transient)), "{category}");
        }
    }

    #[test]
    fn a_programming_error_is_critical_and_never_repeated() {
        assert_eq!(Category::Internal.facts().severity, Severity::Critical);
        assert!(!Category::Internal.is_transient());
        assert!(!Category::InvalidRequest.is_transient());
    }

    #[test]
    fn exit_codes_leave_success_and_usage_alone() {
        for category in Category::ALL {
            assert!(category.facts().exit >= 10, "{category}");
        }
    }
}
