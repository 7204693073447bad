//! The crash-point explorer: sound orchestrators pass, and every seeded bug is found.

mod sample;
mod seeded;
mod sound;
