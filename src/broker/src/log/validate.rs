//! What a produced batch must satisfy, as `org.apache.kafka.storage.internals.log.LogValidator` asks for.

use bytes::Bytes;
use crossdock_wire::compression::DEFAULT_LIMIT;
use crossdock_wire::header::MAGIC;
use crossdock_wire::{Batch, Batches, WireError};

/// Why a batch is refused; each is one error code of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Its checksum or its structure is wrong (`CORRUPT_MESSAGE`).
    Corrupt(String),
    /// It is well-formed but may not be produced (`INVALID_RECORD`).
    Record(String),
    /// It is larger than the topic's `max.message.bytes` (`MESSAGE_TOO_LARGE`).
    TooLarge(String),
}

/// Checks the records of one partition of a produce request: one batch of magic 2, whole and alone,
/// with a valid CRC and matching counts. The records are walked too, decompressed if need be; with `needs_keys` (a
/// compacted topic) each of them must have a key.
pub(crate) fn validate(records: Option<Bytes>, max_bytes: usize, needs_keys: bool) -> Result<Batch, Invalid> {
    let records = records.unwrap_or_default();
    if records.get(16).is_some_and(|&magic| magic as i8 != MAGIC) {
        return Err(Invalid::Record("only record batches of magic 2 are accepted".into()));
    }
    let total = records.len();
    let mut batches = Batches::new(records);
    let batch = match batches.next() {
        Some(Ok(batch)) => batch,
        Some(Err(error)) => return Err(Invalid::Corrupt(error.to_string())),
        None if total == 0 => return Err(Invalid::Record("there is no record batch".into())),
        None => return Err(Invalid::Corrupt("the record batch is cut off".into())),
    };
    if batch.bytes().len() != total {
        return Err(Invalid::Record("a partition must have exactly one record batch".into()));
    }
    if total > max_bytes {
        return Err(Invalid::TooLarge(format!(
            "the record batch has {total} bytes, more than max.message.bytes={max_bytes}"
        )));
    }
    batch.check_crc().map_err(|error| Invalid::Corrupt(error.to_string()))?;
    check_header(&batch)?;
    check_records(&batch, needs_keys)?;
    Ok(batch)
}

fn check_header(batch: &Batch) -> Result<(), Invalid> {
    let header = batch.header();
    let refuse = |why: &str| Err(Invalid::Record(why.into()));
    if header.is_control() {
        return refuse("clients must not produce control batches");
    }
    if header.is_transactional() {
        return refuse("transactions are not supported by this broker");
    }
    if header.record_count <= 0 || i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        return refuse("the record count does not match the last offset delta");
    }
    if header.producer_id >= 0 && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return refuse("a batch with a producer id needs a sequence number and an epoch");
    }
    Ok(())
}

fn check_records(batch: &Batch, needs_keys: bool) -> Result<(), Invalid> {
    let header = batch.header();
    let batch = batch.decompressed(DEFAULT_LIMIT).map_err(|error| Invalid::Corrupt(error.to_string()))?;
    let walk = || -> Result<Option<&'static str>, WireError> {
        let mut expected = header.base_offset;
        for record in batch.records()? {
            let record = record?;
            if record.offset != expected {
                return Ok(Some("the offset deltas of the records are not consecutive"));
            }
            if needs_keys && record.key.is_none() {
                return Ok(Some("a compacted topic needs a key in every record"));
            }
            expected = expected.saturating_add(1);
        }
        let all = expected == header.base_offset.saturating_add(i64::from(header.record_count));
        Ok((!all).then_some("there are fewer records than the batch announces"))
    };
    match walk() {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(Invalid::Record(why.into())),
        Err(error) => Err(Invalid::Corrupt(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch_at;
    use crossdock_wire::{BatchBuilder, Codec, ProducerStamp, header};

    fn damaged(at: usize, byte: u8, seal: bool) -> Result<Batch, Invalid> {
        let mut bytes = batch_at(1, &["a", "b"]).to_vec();
        bytes[at] = byte;
        if seal {
            header::seal(&mut bytes).unwrap();
        }
        validate(Some(bytes.into()), 1000, false)
    }

    #[test]
    fn a_good_batch_passes() {
        let batch = batch_at(1, &["a", "b"]);
        assert_eq!(validate(Some(batch.clone()), batch.len(), false).unwrap().header().record_count, 2);
    }

    #[test]
    fn the_records_of_compressed_batches_are_checked() {
        for codec in [Codec::GZIP, Codec::SNAPPY, Codec::LZ4, Codec::ZSTD] {
            let mut builder = BatchBuilder::with_capacity(0);
            for key in [None, Some(&b"key"[..])] {
                assert!(builder.append(1, key, Some(&[b'x'; 300]), std::iter::empty()));
            }
            let bytes = builder.close(codec).finish(ProducerStamp::NONE, false);
            let good = validate(Some(bytes.clone()), 1000, false).unwrap();
            assert_eq!(good.header().compression(), codec.compression());
            assert_eq!(good.bytes(), &bytes);
            assert!(matches!(validate(Some(bytes.clone()), 1000, true), Err(Invalid::Record(_))), "keys");
            let damaged = |damage: &dyn Fn(&mut Vec<u8>)| {
                let mut bytes = bytes.to_vec();
                damage(&mut bytes);
                header::seal(&mut bytes).unwrap();
                validate(Some(bytes.into()), 1000, false)
            };
            let miscounted = damaged(&|bytes| {
                bytes[26] = 2;
                bytes[60] = 3;
            });
            assert!(miscounted.is_err());
            assert!(
                matches!(damaged(&|bytes| bytes[61..].fill(0x55)), Err(Invalid::Corrupt(_))),
                "{codec:?}"
            );
            assert!(matches!(damaged(&|bytes| bytes[22] = 7), Err(Invalid::Corrupt(_))), "no such codec");
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        let batch = batch_at(1, &["a"]);
        let twice = [&batch[..], &batch[..]].concat();
        assert!(matches!(validate(None, 1000, false), Err(Invalid::Record(_))));
        assert!(matches!(validate(Some(twice.into()), 1000, false), Err(Invalid::Record(_))));
        assert!(matches!(validate(Some(batch.slice(..65)), 1000, false), Err(Invalid::Corrupt(_))));
        assert!(matches!(validate(Some(batch.clone()), batch.len() - 1, false), Err(Invalid::TooLarge(_))));
        assert!(matches!(validate(Some(batch), 1000, true), Err(Invalid::Record(_))));
        assert!(matches!(damaged(16, 1, true), Err(Invalid::Record(_))), "magic");
        assert!(matches!(damaged(70, 9, false), Err(Invalid::Corrupt(_))), "checksum");
        assert!(matches!(damaged(26, 5, true), Err(Invalid::Record(_))), "last offset delta");
        assert!(matches!(damaged(22, 0x20, true), Err(Invalid::Record(_))), "control batch");
        assert!(matches!(damaged(22, 0x10, true), Err(Invalid::Record(_))), "transactional batch");
        assert!(matches!(damaged(61, 0x7e, true), Err(Invalid::Corrupt(_))), "length of a record");
    }
}
