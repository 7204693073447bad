//! Every row of the table "what happens when" in ARCHITECTURE.md, section 4.

mod blocked;
mod endings;
mod registration;
mod rules;
mod shutdown;
mod time;
mod variants;
