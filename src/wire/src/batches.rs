//! The batches of a fetched region.

use crate::header::{BatchHeader, Compression, HEADER_LEN, LOG_OVERHEAD, MAGIC, compute_crc};
use crate::legacy::LegacyBatch;
use crate::record::Records;
use crate::{CompressionError, WireError, compression};
use bytes::Bytes;

/// Where the magic byte is, in all formats.
const MAGIC_AT: usize = 16;
/// The least length that follows offset and length: that of an empty message of magic 0.
const MIN_LEN: i32 = 14;

/// What a log has in one piece.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A batch of magic 2.
    Batch(Batch),
    /// A message of magic 0 or 1.
    Legacy(LegacyBatch),
}

/// Walks the whole entries of a fetch response's records, of any format. An entry that is cut off at the end is
/// legal (the broker cuts at a byte limit) and ends the walk; see [`Entries::truncated_tail`]. After an error
/// there is nothing more.
#[derive(Debug, Clone)]
pub struct Entries {
    rest: Bytes,
    failed: bool,
}

impl Entries {
    /// Starts at the front of `region`.
    pub fn new(region: Bytes) -> Self {
        Self { rest: region, failed: false }
    }

    /// The bytes that are left: after the walk, the cut-off last entry.
    pub fn truncated_tail(&self) -> &Bytes {
        &self.rest
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match split_entry(&mut self.rest) {
            Ok(entry) => entry.map(Ok),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// As [`Entries`], where all must be batches of magic 2: another format is an error.
#[derive(Debug, Clone)]
pub struct Batches(Entries);

impl Batches {
    /// Starts at the front of `region`.
    pub fn new(region: Bytes) -> Self {
        Self(Entries::new(region))
    }

    /// The bytes that are left: after the walk, the cut-off last batch.
    pub fn truncated_tail(&self) -> &Bytes {
        self.0.truncated_tail()
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.0.next()? {
            Ok(Entry::Batch(batch)) => Ok(batch),
            Ok(Entry::Legacy(message)) => {
                self.0.failed = true;
                Err(WireError::UnsupportedMagic {
                    base_offset: message.last_offset(),
                    magic: message.magic(),
                })
            }
            Err(error) => Err(error),
        })
    }
}

fn split_entry(rest: &mut Bytes) -> Result<Option<Entry>, WireError> {
    let Some(outline) = Outline::of(rest)? else { return Ok(None) };
    if !(0..=MAGIC).contains(&outline.magic) {
        return Err(WireError::UnsupportedMagic { base_offset: outline.offset, magic: outline.magic });
    }
    if rest.len() < outline.size {
        return Ok(None);
    }
    if outline.magic != MAGIC {
        let message = LegacyBatch::new(outline.offset, rest.split_to(outline.size));
        return Ok(Some(Entry::Legacy(message)));
    }
    let header = match BatchHeader::parse(rest) {
        Ok(header) => header,
        // The region ends before the head, in a batch that is shorter than its head.
        Err(WireError::Truncated { .. }) => {
            return Err(WireError::BatchTooShort { base_offset: outline.offset, size: outline.size });
        }
        Err(error) => return Err(error),
    };
    Ok(Some(Entry::Batch(Batch { header, bytes: rest.split_to(outline.size), made: false })))
}

/// What the formats of all magics have in common, as `ByteBufferLogInputStream` reads it.
struct Outline {
    offset: i64,
    magic: i8,
    /// With offset and length.
    size: usize,
}

impl Outline {
    /// `None` if the region ends before it is known.
    fn of(region: &[u8]) -> Result<Option<Self>, WireError> {
        let Some(head) = region.first_chunk::<LOG_OVERHEAD>() else { return Ok(None) };
        let [o @ .., l0, l1, l2, l3] = *head;
        let len = i32::from_be_bytes([l0, l1, l2, l3]);
        // All lengths that are valid are below it by far, and the sum would not fit Java's int either.
        if !(MIN_LEN..=i32::MAX - LOG_OVERHEAD as i32).contains(&len) {
            return Err(WireError::Invalid { what: "a record batch's length", value: i64::from(len) });
        }
        let Some(magic) = region.get(MAGIC_AT) else { return Ok(None) };
        let size = LOG_OVERHEAD + len.unsigned_abs() as usize;
        Ok(Some(Self { offset: i64::from_be_bytes(o), magic: *magic as i8, size }))
    }
}

/// One whole batch: its head, and its bytes: a slice of the region it came from, or what it was decompressed to.
#[derive(Debug, Clone)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
    /// The bytes were made here, of others: those were checked, and the CRC is not that of these.
    made: bool,
}

impl Batch {
    /// One that was made here of what arrived in another form.
    pub(crate) fn made(header: BatchHeader, bytes: Bytes) -> Self {
        Self { header, bytes, made: true }
    }

    /// The head.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes, head included.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Compares the CRC with the bytes. Done once a batch, before it is decompressed and its records are read; a
    /// batch that was decompressed passes.
    pub fn check_crc(&self) -> Result<(), WireError> {
        if self.made {
            return Ok(());
        }
        let computed = compute_crc(&self.bytes);
        if computed == self.header.crc {
            return Ok(());
        }
        Err(WireError::Checksum { base_offset: self.header.base_offset, stored: self.header.crc, computed })
    }

    /// Whether the records are still compressed.
    pub fn is_compressed(&self) -> bool {
        self.header.compression() != Compression::None
    }

    /// The same batch with its records decompressed, as if it had been written so: head and length are those
    /// of an uncompressed batch. Only the CRC stays that of the bytes that arrived. Does not check it.
    ///
    /// An error if the records would take more than `limit` bytes, or are not what the codec writes. Cheap
    /// for a batch that is not compressed.
    pub fn decompressed(&self, limit: usize) -> Result<Self, WireError> {
        if !self.is_compressed() {
            return Ok(self.clone());
        }
        let base_offset = self.header.base_offset;
        let refused = |source| match source {
            CompressionError::Unsupported { codec } => {
                WireError::UnsupportedCompression { base_offset, codec }
            }
            source => WireError::Compression { base_offset, source },
        };
        let compression = self.header.compression();
        // Lengths are 32 bits wide.
        let limit = limit.min(i32::MAX as usize - HEADER_LEN);
        let mut buf = vec![0; HEADER_LEN];
        compression::decompress(compression, &self.bytes[HEADER_LEN..], limit, &mut buf).map_err(refused)?;
        let mut header = self.header;
        header.set_compression(Compression::None);
        header.batch_length = (buf.len() - LOG_OVERHEAD) as i32;
        if let Some(head) = buf.first_chunk_mut::<HEADER_LEN>() {
            header.write(head);
        }
        Ok(Self::made(header, buf.into()))
    }

    /// The bytes of the records, without the head. An error if they are compressed: see [`Self::decompressed`].
    pub fn records_bytes(&self) -> Result<Bytes, WireError> {
        self.check_readable()?;
        Ok(self.bytes.slice(HEADER_LEN..))
    }

    /// Walks the records as borrowed views. Does not check the CRC. An error if they are compressed: see
    /// [`Self::decompressed`].
    pub fn records(&self) -> Result<Records<'_>, WireError> {
        self.check_readable()?;
        Ok(Records::new(&self.header, &self.bytes[HEADER_LEN..]))
    }

    fn check_readable(&self) -> Result<(), WireError> {
        match self.header.compression() {
            Compression::None => Ok(()),
            codec => Err(WireError::StillCompressed { base_offset: self.header.base_offset, codec }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, ProducerStamp};
    use proptest::prelude::*;

    fn batch_of(values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::with_capacity(0);
        for value in values {
            assert!(builder.append(1, None, Some(value.as_bytes()), std::iter::empty()));
        }
        builder.finish(ProducerStamp::NONE, false)
    }

    #[test]
    fn a_cut_off_last_batch_is_left_over() {
        let whole = batch_of(&["a", "b"]);
        for cut in 0..whole.len() {
            let region = [&whole[..], &whole[..cut]].concat();
            let mut batches = Batches::new(region.into());
            assert!(batches.next().unwrap().unwrap().check_crc().is_ok());
            assert!(batches.next().is_none(), "cut at {cut}");
            assert_eq!(batches.truncated_tail().len(), cut);
        }
    }

    #[test]
    fn a_flipped_bit_fails_the_checksum() {
        let whole = batch_of(&["abc"]);
        for at in crate::header::CRC_AT..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1;
            if let Some(Ok(batch)) = Batches::new(bytes.into()).next() {
                assert!(matches!(batch.check_crc(), Err(WireError::Checksum { .. })), "byte {at}");
            }
        }
    }

    #[test]
    fn lengths_that_no_batch_has_are_refused() {
        let with_len = |len: i32| {
            let mut bytes = batch_of(&["a"]).to_vec();
            bytes[8..12].copy_from_slice(&len.to_be_bytes());
            Batches::new(bytes.into()).next()
        };
        for len in [i32::MIN, -1, 0, 13, i32::MAX, i32::MAX - 11] {
            assert!(matches!(with_len(len), Some(Err(WireError::Invalid { .. }))), "{len}");
        }
        for len in [14, 48] {
            let size = len as usize + 12;
            let error = WireError::BatchTooShort { base_offset: 0, size };
            assert_eq!(with_len(len).unwrap().unwrap_err(), error);
            // Also where the region ends with it.
            let mut bytes = batch_of(&["a"]).to_vec();
            bytes.truncate(size);
            bytes[8..12].copy_from_slice(&len.to_be_bytes());
            assert_eq!(Batches::new(bytes.into()).next().unwrap().unwrap_err(), error);
        }
        assert!(with_len(i32::MAX - 12).is_none(), "cut off");
    }

    #[test]
    fn an_unknown_magic_is_found_before_the_batch_is_whole() {
        let mut bytes = batch_of(&["a"]).to_vec();
        bytes[16] = 3;
        for len in 17..bytes.len() {
            let error = Batches::new(Bytes::copy_from_slice(&bytes[..len])).next().unwrap().unwrap_err();
            assert_eq!(error, WireError::UnsupportedMagic { base_offset: 0, magic: 3 });
        }
        assert!(Batches::new(Bytes::copy_from_slice(&bytes[..16])).next().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, damage in prop::collection::vec((0usize..200, any::<u8>()), 0..8)) {
            let mut valid = batch_of(&["some", "records", "here"]).to_vec();
            for (at, byte) in damage {
                let at = at % valid.len();
                valid[at] = byte;
            }
            for region in [bytes, valid] {
                for batch in Batches::new(region.into()).flatten() {
                    let Ok(records) = batch.records() else { continue };
                    for record in records.flatten() {
                        prop_assert_eq!(record.headers.len(), record.headers.count());
                    }
                }
            }
        }
    }
}
