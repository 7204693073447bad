//! Pure decisions of `fallback_autonomous`.

use consort_content::analyse::Part;

/// Parts of the analysis computed by one step: enough to share the preparation of the text,
/// few enough to use several processors.
const PER_STEP: usize = 4;

/// The parts, cut into the steps that run side by side.
pub fn groups(parts: &[Part]) -> Vec<Vec<Part>> {
    parts.chunks(PER_STEP).map(<[Part]>::to_vec).collect()
}
