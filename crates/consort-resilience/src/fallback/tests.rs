//! Claims about fallback.

use std::cell::Cell;

use super::*;

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
