//! Large buffers that are used again: of frames that are read, of batches that are built or decompressed.
//!
//! An allocator gives large buffers back to the system and gets them anew, and the system clears each page of
//! them again: for data that streams through, that costs more than all that is done with it. So they
//! are kept here, a few for the whole process, least recently used last.
//!
//! ```text
//! take(capacity) ─▶ Vec<u8>, filled ─▶ share ─▶ Bytes, sliced and cloned ─▶ the last one is dropped ─▶ spare
//! ```
//!
//! It must never hold more than [`MOST_SPARE`] bytes, whatever happens, or hand out what was in a buffer before:
//! what is taken is empty.

use bytes::Bytes;
use std::sync::{Mutex, PoisonError};

/// Bytes that are kept at most.
pub const MOST_SPARE: usize = 16 << 20;
/// Smaller buffers are cheap to allocate.
const LEAST: usize = 32 << 10;
/// Larger ones would leave no room for others.
const LARGEST: usize = MOST_SPARE / 4;
/// A spare buffer must not be larger than this many times what is asked for: its owner may keep it for long.
const WASTE: usize = 4;

static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), bytes: 0 });

/// Buffers that nobody uses, the one that was used last at the end: the processor may still have it in its caches.
#[derive(Debug)]
struct Spare {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// An empty buffer with room for `capacity` bytes at least.
pub fn take(capacity: usize) -> Vec<u8> {
    let spare = if capacity < LEAST { None } else { with(|spare| spare.take(capacity)) };
    spare.unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// Gives a buffer back that was not shared.
pub fn give_back(buffer: Vec<u8>) {
    // What does not fit is freed here, outside of the lock.
    let _rest = if (LEAST..=LARGEST).contains(&buffer.capacity()) {
        with(|spare| spare.put(buffer))
    } else {
        vec![buffer]
    };
}

/// The bytes of a buffer, which comes back when the last clone or slice of them is dropped.
pub fn share(buffer: Vec<u8>) -> Bytes {
    if (LEAST..=LARGEST).contains(&buffer.capacity()) {
        Bytes::from_owner(Shared(buffer))
    } else {
        Bytes::from(buffer)
    }
}

struct Shared(Vec<u8>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.0));
    }
}

fn with<T>(f: impl FnOnce(&mut Spare) -> T) -> T {
    // Nothing panics while it is locked, so it is whole in any case.
    f(&mut SPARE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Spare {
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |b: &Vec<u8>| (capacity..=capacity.saturating_mul(WASTE)).contains(&b.capacity());
        let at = self.buffers.iter().rposition(fits)?;
        let buffer = self.buffers.remove(at);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Gives what had to go to make room.
    fn put(&mut self, mut buffer: Vec<u8>) -> Vec<Vec<u8>> {
        buffer.clear();
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        let mut excess = 0;
        while self.bytes > MOST_SPARE {
            self.bytes -= self.buffers[excess].capacity();
            excess += 1;
        }
        self.buffers.drain(..excess).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Spare {
        Spare { buffers: Vec::new(), bytes: 0 }
    }

    #[test]
    fn the_last_one_used_that_fits_is_taken() {
        let mut spare = empty();
        for capacity in [100, 200, 1000] {
            assert!(spare.put(Vec::with_capacity(capacity)).is_empty());
        }
        assert_eq!(spare.take(150).map(|b| b.capacity()), Some(200), "1000 is too large");
        assert_eq!(spare.take(150), None);
        assert_eq!(spare.take(90).map(|b| b.capacity()), Some(100));
        assert_eq!(spare.bytes, 1000);
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut spare = empty();
        for n in 0..100 {
            let gone = spare.put(Vec::with_capacity(1 << 20));
            assert_eq!(gone.len(), usize::from(n >= 16));
            assert!(spare.bytes <= MOST_SPARE);
        }
        assert_eq!(spare.buffers.len(), 16);
    }

    #[test]
    fn what_is_shared_comes_back_empty_with_the_last_slice() {
        // No other test of this crate asks for so unusual a size.
        let capacity = 1_234_567;
        let mut buffer = take(capacity);
        buffer.extend_from_slice(b"secret");
        let address = buffer.as_ptr();
        let bytes = share(buffer);
        let slice = bytes.slice(1..3);
        drop(bytes);
        assert_eq!(slice, &b"ec"[..]);
        let other = take(capacity);
        assert_ne!(other.as_ptr(), address, "still in use");
        drop(slice);
        let again = take(capacity);
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
    }
}
