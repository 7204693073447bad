//! Claims about identifiers.

use super::*;

#[test]
fn tenants_that_would_collide_in_a_joined_key_are_refused() {
    for text in ["a:b", "a/b", "", ".", "..", "a b", "é"] {
        assert!(TenantId::new(text).is_err(), "{text:?}");
    }
    assert!(TenantId::new("acme-2.eu_west").is_ok());
}

#[test]
fn refusal_names_the_rule() {
    let refused = Name::new("Triage").unwrap_err();
    assert!(refused.to_string().contains("starting with a letter"), "{refused}");
}

#[test]
fn child_ids_lead_back_to_their_root() {
    let root = RunId::root(1_700_000_000_000, 42);
    let grandchild = root.child(3).child(11);
    assert_eq!(grandchild.parent(), Some(root.child(3)));
    assert_eq!(grandchild.position(), Some(11));
    assert_eq!(grandchild.tree(), root);
    assert_eq!(RunId::new(grandchild.as_str()), Ok(grandchild));
    assert_eq!(root.parent(), None);
}

#[test]
fn younger_roots_sort_after_older_ones() {
    assert!(RunId::root(1, u128::MAX) < RunId::root(2, 0));
}

#[test]
fn trace_ids_survive_text() {
    let id = TraceId::from_random(0xabc);
    assert_eq!(TraceId::parse(&id.to_string()), Ok(id));
    assert!(TraceId::parse(&"0".repeat(32)).is_err());
    assert!(TraceId::parse("+0000000000000000000000000000001").is_err());
}
