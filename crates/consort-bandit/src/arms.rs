//! Which arms may be chosen: a small set of indexes without allocation.

/// Most arms one model can have.
pub const MAX_ARMS: usize = 256;

const WORDS: usize = MAX_ARMS / 64;

/// A set of arm indexes below [`MAX_ARMS`].
///
/// ```
/// use consort_bandit::ArmSet;
///
/// let healthy = ArmSet::all(4).without(2);
/// assert_eq!(healthy.iter().collect::<Vec<_>>(), [0, 1, 3]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ArmSet {
    words: [u64; WORDS],
}

impl ArmSet {
    /// No arm.
    pub const EMPTY: Self = Self { words: [0; WORDS] };

    /// Arms `0..count`; a count beyond [`MAX_ARMS`] means all of them.
    #[inline]
    pub fn all(count: usize) -> Self {
        let mut set = Self::EMPTY;
        for (index, word) in set.words.iter_mut().enumerate() {
            *word = match count.saturating_sub(index * 64) {
                0 => 0,
                n if n >= 64 => u64::MAX,
                n => (1 << n) - 1,
            };
        }
        set
    }

    /// The arms whose bit is set in `mask`: arms 0 to 63 only.
    pub const fn from_mask(mask: u64) -> Self {
        let mut words = [0; WORDS];
        words[0] = mask;
        Self { words }
    }

    /// The set with `arm` added; an index beyond [`MAX_ARMS`] changes nothing.
    #[must_use]
    pub const fn with(mut self, arm: usize) -> Self {
        if arm < MAX_ARMS {
            self.words[arm / 64] |= 1 << (arm % 64);
        }
        self
    }

    /// The set with `arm` taken out.
    #[must_use]
    pub const fn without(mut self, arm: usize) -> Self {
        if arm < MAX_ARMS {
            self.words[arm / 64] &= !(1 << (arm % 64));
        }
        self
    }

    /// True when the arms are some `0..n` with `n` ≤ `count`, as they mostly are.
    #[inline(always)]
    pub(crate) fn fits(&self, count: usize) -> bool {
        self.prefix().is_some_and(|all| all <= count)
    }

    /// The arms in both sets.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self
    }

    /// Whether `arm` is in the set.
    #[inline]
    pub const fn contains(&self, arm: usize) -> bool {
        arm < MAX_ARMS && self.words[arm / 64] >> (arm % 64) & 1 == 1
    }

    /// How many arms are in the set.
    #[inline]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no arm is in the set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The arms in ascending order.
    #[inline]
    pub fn iter(&self) -> Iter {
        Iter { words: self.words, word: 0 }
    }

    /// How many arms there are, when they are `0..count` and all in the first word.
    #[inline(always)]
    pub(crate) fn prefix(&self) -> Option<usize> {
        let [first, rest @ ..] = self.words;
        let whole = rest == [0; WORDS - 1] && first & first.wrapping_add(1) == 0;
        whole.then_some(first.trailing_ones() as usize)
    }

    pub(crate) const fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    pub(crate) const fn from_words(words: [u64; WORDS]) -> Self {
        Self { words }
    }
}

impl FromIterator<usize> for ArmSet {
    fn from_iter<I: IntoIterator<Item = usize>>(arms: I) -> Self {
        arms.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl IntoIterator for &ArmSet {
    type Item = usize;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// The arms of an [`ArmSet`], ascending.
#[derive(Clone, Debug)]
pub struct Iter {
    words: [u64; WORDS],
    word: usize,
}

impl Iterator for Iter {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while let Some(bits) = self.words.get_mut(self.word) {
            if *bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                *bits &= *bits - 1;
                return Some(self.word * 64 + bit);
            }
            self.word += 1;
        }
        None
    }

    /// Sets are mostly without gaps: those are plain loops.
    #[inline(always)]
    fn fold<B, F: FnMut(B, usize) -> B>(self, init: B, mut f: F) -> B {
        let mut folded = init;
        for (at, mut bits) in self.words.into_iter().enumerate().skip(self.word) {
            let first = at * 64;
            if bits & bits.wrapping_add(1) == 0 {
                let count = bits.trailing_ones() as usize;
                for arm in first..first + count {
                    folded = f(folded, arm);
                }
                continue;
            }
            while bits != 0 {
                folded = f(folded, first + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_cross_word_borders() {
        let set = ArmSet::all(130).without(64).with(200);
        assert_eq!(set.len(), 130);
        assert!(set.contains(63) && !set.contains(64) && set.contains(129) && !set.contains(130));
        assert_eq!(set.iter().last(), Some(200));
        assert_eq!(set.iter().collect::<ArmSet>(), set);
    }

    #[test]
    fn folding_sees_what_iterating_sees() {
        for set in [
            ArmSet::EMPTY,
            ArmSet::all(16),
            ArmSet::all(64),
            ArmSet::all(MAX_ARMS),
            ArmSet::all(130).without(64).with(200),
            ArmSet::from_mask(0b1011),
        ] {
            let mut one_by_one = Vec::new();
            for arm in &set {
                one_by_one.push(arm);
            }
            let mut folded = Vec::new();
            set.iter().for_each(|arm| folded.push(arm));
            assert_eq!(folded, one_by_one);
        }
    }

    #[test]
    fn indexes_beyond_the_limit_are_never_in() {
        assert_eq!(ArmSet::all(10_000), ArmSet::all(MAX_ARMS));
        assert!(!ArmSet::all(MAX_ARMS).contains(MAX_ARMS));
        assert_eq!(ArmSet::EMPTY.with(MAX_ARMS), ArmSet::EMPTY);
    }

    #[test]
    fn masks_are_the_first_sixty_four() {
        assert_eq!(ArmSet::from_mask(0b101).iter().collect::<Vec<_>>(), [0, 2]);
        assert!(ArmSet::from_mask(0).is_empty());
    }
}
