//! What the orchestrators of the domain promise.

mod extraction_reward;
