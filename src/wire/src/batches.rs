//! The batches of a fetched region.

use crate::WireError;
use crate::header::{BatchHeader, Compression, HEADER_LEN, LOG_OVERHEAD, compute_crc};
use crate::record::Records;
use bytes::Bytes;

/// Walks the whole batches of a fetch response's records. A batch that is cut off at the end is
/// legal (the broker cuts at a byte limit) and ends the walk; see [`Batches::truncated_tail`].
#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
    failed: bool,
}

impl Batches {
    /// Starts at the front of `region`.
    pub fn new(region: Bytes) -> Self {
        Self { rest: region, failed: false }
    }

    /// The bytes that are left: after the walk, the cut-off last batch.
    pub fn truncated_tail(&self) -> &Bytes {
        &self.rest
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.len() < LOG_OVERHEAD {
            return None;
        }
        match split_batch(&mut self.rest) {
            Ok(batch) => batch.map(Ok),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

fn split_batch(rest: &mut Bytes) -> Result<Option<Batch>, WireError> {
    let header = match BatchHeader::parse(rest) {
        Ok(header) => header,
        Err(WireError::Truncated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if rest.len() < header.total_len() {
        return Ok(None);
    }
    Ok(Some(Batch { header, bytes: rest.split_to(header.total_len()) }))
}

/// One whole batch: its head, and its bytes as a slice of the region it came from.
#[derive(Debug, Clone)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// The head.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes, head included.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Compares the CRC with the bytes. Done once a batch, before its records are read.
    pub fn check_crc(&self) -> Result<(), WireError> {
        let computed = compute_crc(&self.bytes);
        if computed == self.header.crc {
            return Ok(());
        }
        Err(WireError::Checksum { base_offset: self.header.base_offset, stored: self.header.crc, computed })
    }

    /// The bytes of the records, without the head; an error if they are compressed by a codec that
    /// cannot be read.
    pub fn records_bytes(&self) -> Result<Bytes, WireError> {
        match self.header.compression() {
            Compression::None => Ok(self.bytes.slice(HEADER_LEN..)),
            Compression::Other(codec) => {
                Err(WireError::UnsupportedCompression { base_offset: self.header.base_offset, codec })
            }
        }
    }

    /// Walks the records as borrowed views. Does not check the CRC.
    pub fn records(&self) -> Result<Records<'_>, WireError> {
        match self.header.compression() {
            Compression::None => Ok(Records::new(&self.header, &self.bytes[HEADER_LEN..])),
            Compression::Other(codec) => {
                Err(WireError::UnsupportedCompression { base_offset: self.header.base_offset, codec })
            }
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
                        for header in record.headers { let _ = header; }
                    }
                }
            }
        }
    }
}
