//! How much of a text repeats itself, measured so that length alone changes nothing.
//!
//! A word counts as repeated when it lies in a run of [`NEAR`] words that stood within the last
//! [`WINDOW`] words, or in a run of [`FAR`] words that stood anywhere before. Both are local facts:
//! the share of distinct words in a text falls with its length for everybody (Heaps' law), the
//! share of such runs does not.

/// Words in a run that must not recur nearby.
const NEAR: usize = 5;
/// How far back "nearby" reaches, in words.
const WINDOW: u32 = 500;
/// Words in a run that must not recur at all.
const FAR: usize = 9;
/// Most runs remembered, a power of two. The oldest are overwritten, so memory stays constant.
const SLOTS: usize = 1 << 17;

/// Counts repeated words as they come.
#[derive(Clone, Debug)]
pub(super) struct Repetition {
    recent: [u64; FAR],
    seen: u32,
    near: Table,
    far: Table,
    /// Words before this position are already counted.
    counted_to: u32,
    covered: usize,
}

/// Where runs were last seen: one slot per hash, the newest wins.
#[derive(Clone, Debug)]
struct Table(Vec<(u32, u32)>);

impl Repetition {
    /// For a text of about `words` words.
    pub(super) fn new(words: usize) -> Self {
        let slots = (2 * words).next_power_of_two().clamp(256, SLOTS);
        let table = || Table(vec![(0, 0); slots]);
        Self { recent: [0; FAR], seen: 0, near: table(), far: table(), counted_to: 0, covered: 0 }
    }

    /// Takes the next word, in lower case.
    pub(super) fn word(&mut self, word: &str) {
        self.recent.rotate_left(1);
        self.recent[FAR - 1] = fnv(word);
        // Positions start at 1: slot position 0 means "never".
        self.seen = self.seen.saturating_add(1);
        let near = self.run(NEAR).and_then(|run| self.near.swap(run, self.seen));
        if near.is_some_and(|last| self.seen - last <= WINDOW) {
            self.cover(NEAR);
        }
        if self.run(FAR).and_then(|run| self.far.swap(run, self.seen)).is_some() {
            self.cover(FAR);
        }
    }

    /// Words inside repeated runs so far.
    pub(super) const fn covered(&self) -> usize {
        self.covered
    }

    /// Hash of the last `size` words, once there are that many.
    fn run(&self, size: usize) -> Option<u64> {
        (self.seen as usize >= size).then(|| {
            self.recent[FAR - size..].iter().fold(0, |hash: u64, word| {
                (hash.rotate_left(7) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            })
        })
    }

    /// Marks the last `size` words as repeated.
    fn cover(&mut self, size: usize) {
        let from = self.seen.saturating_sub(u32::try_from(size).unwrap_or(u32::MAX));
        self.covered += (self.seen - from.max(self.counted_to)) as usize;
        self.counted_to = self.seen;
    }
}

impl Table {
    /// Records that `run` ends at `position`; where it ended last, if it is remembered.
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the hash are wanted apart")]
    fn swap(&mut self, run: u64, position: u32) -> Option<u32> {
        let mark = (run >> 32) as u32;
        let last_slot = self.0.len() - 1;
        let slot = &mut self.0[run as usize & last_slot];
        let (known, last) = std::mem::replace(slot, (mark, position));
        (known == mark && last > 0).then_some(last)
    }
}

/// FNV-1a: fixed, so that measures are the same on every machine.
fn fnv(word: &str) -> u64 {
    word.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
