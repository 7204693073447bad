//! Repository chores: what CI runs, and the long versions of the tests.


fn main() {}
