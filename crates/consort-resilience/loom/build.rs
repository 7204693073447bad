//! Swaps the locks and atomics of `src/sync.rs` for those of the model checker.

fn main() {
    println!("cargo::rustc-cfg=consort_loom");
    println!("cargo::rerun-if-changed=build.rs");
}
