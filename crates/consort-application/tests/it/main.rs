//! Claims about learning, from outside: through the facade, across processes, over time.

mod crash;
mod hub;
mod kit;
mod outage;
mod runs;
