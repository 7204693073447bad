//! Claims about fallback.

use std::cell::{Cell, RefCell};

use futures_util::FutureExt;
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::*;
use crate::testing::histories;

fn always(_: &&str) -> bool {
    true
}

#[tokio::test]
async fn real_answer_asks_nobody_else() {
    let asked = Cell::new(false);
    let chain = Fallback::of(Ok::<_, &str>(1))
        .or("other", always, async |_| {
            asked.set(true);
            Ok(2)
        })
        .await;
    assert_eq!(chain.tried(), 0);
    assert_eq!(chain.answer(), Ok(Answer { value: 1, instead: None }));
    assert!(!asked.get());
}

#[tokio::test]
async fn first_alternative_that_answers_is_named() {
    let chain = Fallback::of(Err("down"))
        .or("cache", always, async |_| Err("miss"))
        .await
        .or("smaller model", always, async |error| {
            assert_eq!(error, "miss", "each is told the error before it");
            Ok(2)
        })
        .await
        .or("never asked", always, async |_| Ok(3))
        .await;
    assert_eq!(chain.tried(), 2);
    assert_eq!(chain.answer(), Ok(Answer { value: 2, instead: Some("smaller model") }));
}

#[tokio::test]
async fn error_not_worth_it_stands() {
    let chain = Fallback::of(Err("bad request"))
        .or("other", |error| *error != "bad request", async |_| Ok(2))
        .await
        .or_value("default", |error| *error != "bad request", |_| 3);
    assert_eq!(chain.answer(), Err("bad request"));
}

#[tokio::test]
async fn last_error_is_told_when_nothing_helps() {
    let chain = Fallback::of(Err::<u8, _>("down")).or("cache", always, async |_| Err("miss")).await;
    assert_eq!(chain.clone().answer(), Err("miss"));
    assert_eq!(chain.or_value("default", always, |_| 3).answer().map(|a| a.value), Ok(3));
}

/// One alternative: errors below `worth` are worth trying it for; a value cannot fail.
#[derive(Clone, Copy, Debug)]
struct Alternative {
    worth: u8,
    result: Result<u8, u8>,
    is_value: bool,
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

proptest! {
    #![proptest_config(histories())]

    /// The chain is a plain loop: whoever is asked is told the error before it, nobody is asked
    /// after an answer, and an answer bears the name of whoever gave it.
    #[test]
    fn chain_is_a_loop_over_its_alternatives(
        real in any::<Result<u8, u8>>(),
        list in prop::collection::vec((any::<u8>(), any::<Result<u8, u8>>(), any::<bool>()), 0..8),
    ) {
        let list: Vec<Alternative> = list
            .into_iter()
            .map(|(worth, result, is_value)| Alternative { worth, result, is_value })
            .collect();
        let asked = RefCell::new(Vec::new());
        let mut chain = Fallback::of(real);
        for (&name, &Alternative { worth, result, is_value }) in NAMES.iter().zip(&list) {
            let ask = |error| {
                asked.borrow_mut().push((name, error));
                result
            };
            let worth_it = move |error: &u8| *error < worth;
            chain = if is_value {
                chain.or_value(name, worth_it, |error| ask(error).unwrap_or_else(|value| value))
            } else {
                // Not at once, as a real one.
                let alternative = async |error| {
                    tokio::task::yield_now().await;
                    ask(error)
                };
                let mut or = Box::pin(chain.or(name, worth_it, alternative));
                loop {
                    if let Some(chain) = (&mut or).now_or_never() {
                        break chain;
                    }
                }
            };
        }

        let (mut answer, mut told) = (real.map(|value| (value, None)), Vec::new());
        for (&name, &Alternative { worth, result, is_value }) in NAMES.iter().zip(&list) {
            let Err(error) = answer else { break };
            if error >= worth {
                continue;
            }
            told.push((name, error));
            answer = match result {
                Ok(value) => Ok((value, Some(name))),
                Err(value) if is_value => Ok((value, Some(name))),
                Err(error) => Err(error),
            };
        }
        prop_assert_eq!(chain.tried() as usize, told.len());
        prop_assert_eq!(asked.into_inner(), told);
        prop_assert_eq!(chain.answer().map(|answer| (answer.value, answer.instead)), answer);
    }
}
