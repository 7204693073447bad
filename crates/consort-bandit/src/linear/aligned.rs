//! A fixed-size float buffer that starts on a cache line.

use std::ops::{Deref, DerefMut};

/// Floats per cache line.
const LINE: usize = 8;

/// Like a boxed slice, but aligned to 64 bytes: a vector that straddles two lines costs two
/// loads, and the matrices here are read one whole vector after the other.
#[derive(Debug)]
pub(crate) struct Aligned {
    storage: Vec<f64>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeros(len: usize) -> Self {
        let storage = vec![0.0; len + LINE];
        let start = storage.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        Self { storage, start, len }
    }

    #[inline]
    pub(crate) fn get(&self) -> &[f64] {
        &self.storage[self.start..self.start + self.len]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut [f64] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

impl Default for Aligned {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl Deref for Aligned {
    type Target = [f64];

    #[inline]
    fn deref(&self) -> &[f64] {
        self.get()
    }
}

impl DerefMut for Aligned {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f64] {
        self.get_mut()
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.get_mut().copy_from_slice(self.get());
        copy
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_and_their_copies_start_on_a_line() {
        for len in [1, 8, 1000] {
            let mut a = Aligned::zeros(len);
            a.get_mut()[len - 1] = 3.0;
            let b = a.clone();
            assert_eq!(a, b);
            assert_eq!(a.get().as_ptr().addr() % 64, 0);
            assert_eq!(b.get().as_ptr().addr() % 64, 0);
        }
    }
}
