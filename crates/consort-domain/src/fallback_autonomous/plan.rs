//! Pure decisions of `fallback_autonomous`.

use consort_content::analyse::Part;

/// Parts of the analysis computed by one step: enough to share the preparation of the text,
/// few enough to use several processors.
const PER_STEP: usize = 4;

/// Bytes of a document from which one step computes all parts: each step holds the text and what
/// it is prepared into, about twenty times as much.
const LARGE: u64 = 1 << 20;

/// The parts, cut into the steps that run side by side, for a document of `length` bytes.
pub fn groups(parts: &[Part], length: u64) -> Vec<Vec<Part>> {
    let per_step = if length < LARGE { PER_STEP } else { parts.len() };
    parts.chunks(per_step.max(1)).map(<[Part]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_computed_once_however_long_the_text_is() {
        for (length, steps) in [(0, 4), (LARGE - 1, 4), (LARGE, 1), (u64::MAX, 1)] {
            let groups = groups(Part::ALL, length);
            assert_eq!((groups.concat().as_slice(), groups.len()), (Part::ALL, steps));
        }
        assert!(groups(&[], LARGE).is_empty());
    }
}
