//! Claims about encoding: stability, ranges, refusals.

use super::*;

fn schema() -> Schema {
    Schema::new(vec![
        Namespace::new(
            "size",
            Kind::Numbers(vec![
                Field::new("tokens", 0.0, 100.0),
                Field::optional("age", -1.0, 1.0),
            ]),
        ),
        Namespace::new("task", Kind::Category(vec!["chat".into(), "code".into()])),
        Namespace::new("words", Kind::Hashed { slots: 16 }),
    ])
    .unwrap()
}

fn encode(facts: &[Fact<'_>]) -> Result<(Vec<f64>, Bent), Mismatch> {
    let mut x = vec![9.0; 3];
    let bent = schema().encode(facts, &mut x)?;
    Ok((x, bent))
}

const TOKENS: Fact<'_> = Fact::number("size", "tokens", 25.0);

#[test]
fn slots_are_laid_out_in_order_and_named() {
    let schema = schema();
    assert_eq!(schema.dim(), 3 + 3 + 16);
    let labels: Vec<String> = (0..7).map(|slot| schema.label(slot).unwrap()).collect();
    assert_eq!(
        labels,
        [
            "size.tokens",
            "size.age",
            "size.age absent",
            "task=chat",
            "task=code",
            "task=(other)",
            "words#0"
        ]
    );
    assert_eq!(schema.label(22), None);
}

#[test]
fn numbers_are_scaled_clamped_and_marked_absent() {
    let (x, bent) = encode(&[TOKENS]).unwrap();
    assert_eq!(x[..3], [0.25, 0.0, 1.0]);
    assert_eq!(bent, Bent { absent: 1, ..Bent::default() });
    let (x, bent) =
        encode(&[Fact::number("size", "tokens", 1e9), Fact::number("size", "age", 0.0)]).unwrap();
    assert_eq!(x[..3], [1.0, 0.5, 0.0]);
    assert_eq!(bent.clamped, 1);
}

#[test]
fn unknown_category_values_share_one_slot() {
    let (x, bent) = encode(&[TOKENS, Fact::text("task", "task", "poetry")]).unwrap();
    assert_eq!((&x[3..6], bent.other), (&[0.0, 0.0, 1.0][..], 1));
}

#[test]
fn hashed_slots_and_signs_never_change() {
    // Computed once; a change here would silently spoil every stored model.
    let schema = schema();
    let place = |name, value| schema.place(&Fact::text("words", name, value)).unwrap();
    let found: Vec<(usize, f64)> =
        ["invoice", "contract", "poem", ""].into_iter().map(|word| place("word", word)).collect();
    assert_eq!(found, [(21, 1.0), (9, -1.0), (19, 1.0), (6, 1.0)]);
    assert_eq!(schema.fingerprint(), 0xB5F80D2871791942);
}

#[test]
fn the_order_of_facts_does_not_matter() {
    let facts = [
        TOKENS,
        Fact::text("words", "w", "a"),
        Fact::text("words", "w", "b"),
        Fact::number("words", "n", 0.5),
    ];
    let mut reversed = facts;
    reversed.reverse();
    assert_eq!(encode(&facts), encode(&reversed));
}

#[test]
fn names_values_and_namespaces_do_not_run_together() {
    let wide = Schema::new(vec![
        Namespace::new("a", Kind::Hashed { slots: 4000 }),
        Namespace::new("ab", Kind::Hashed { slots: 1 }),
    ])
    .unwrap();
    let place = |name, value| wide.place(&Fact::text("a", name, value)).unwrap().0;
    assert_ne!(place("b", "c"), place("bc", ""));
    assert_ne!(place("b", "c"), place("", "bc"));
}

#[test]
fn what_does_not_fit_is_named() {
    let texts: Vec<String> = [
        vec![Fact::number("size", "age", 0.0)],
        vec![TOKENS, Fact::text("nowhere", "a", "b")],
        vec![TOKENS, Fact::number("size", "weight", 1.0)],
        vec![Fact::text("size", "tokens", "many")],
        vec![TOKENS, Fact::number("task", "task", 1.0)],
        vec![Fact::number("size", "tokens", f64::NAN)],
        vec![TOKENS, Fact::number("words", "w", f64::INFINITY)],
    ]
    .iter()
    .map(|facts| encode(facts).unwrap_err().to_string())
    .collect();
    assert_eq!(
        texts,
        [
            "`size.tokens` is missing",
            "namespace `nowhere` is not in the schema",
            "`size.weight` is not in the schema",
            "`size.tokens` has the wrong type of value",
            "`task.task` has the wrong type of value",
            "`size.tokens` is not finite",
            "`words.w` is not finite",
        ]
    );
}

#[test]
fn declarations_that_make_no_sense_are_refused() {
    let bad = [
        vec![],
        vec![Namespace::new("a", Kind::Hashed { slots: 0 })],
        vec![Namespace::new("a", Kind::Hashed { slots: 5000 })],
        vec![Namespace::new("a", Kind::Hashed { slots: 1 }); 2],
        vec![Namespace::new("a", Kind::Numbers(vec![Field::new("x", 1.0, 1.0)]))],
        vec![Namespace::new("a", Kind::Numbers(vec![Field::new("x", 0.0, f64::NAN)]))],
        vec![Namespace::new("a", Kind::Numbers(vec![Field::new("x", 0.0, 1.0); 2]))],
        vec![Namespace::new("a", Kind::Category(vec!["x".into(), "x".into()]))],
    ];
    for namespaces in bad {
        assert!(Schema::new(namespaces.clone()).is_err(), "{namespaces:?}");
    }
}

#[test]
fn a_schema_is_plain_data_and_is_checked_when_read() {
    let text = serde_json::to_string(&schema()).unwrap();
    let read: Schema = serde_json::from_str(&text).unwrap();
    assert_eq!(read, schema());
    assert_eq!(read.fingerprint(), schema().fingerprint());
    assert!(serde_json::from_str::<Schema>("[]").is_err());
}

#[test]
fn any_change_of_meaning_changes_the_fingerprint() {
    let base = schema().fingerprint();
    let mut changed = schema().namespaces;
    changed.swap(1, 2);
    assert_ne!(Schema::new(changed).unwrap().fingerprint(), base);
    let mut changed = schema().namespaces;
    changed[0].kind =
        Kind::Numbers(vec![Field::new("tokens", 0.0, 101.0), Field::optional("age", -1.0, 1.0)]);
    assert_ne!(Schema::new(changed).unwrap().fingerprint(), base);
}
