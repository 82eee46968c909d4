//! Control records: what brokers write into a partition's log for themselves and for transactions, as in
//! `org.apache.kafka.common.record.ControlRecordType` and `EndTransactionMarker`.
//!
//! A control batch holds one of them. Its key is a version and a type; the value depends on the type.
//! Higher versions only add to the end, so they are read as the one that is known.

use crate::WireError;
use crate::record::RecordView;

/// What a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlType {
    /// The producer's transaction was aborted: its records up to here are void.
    Abort,
    /// The producer's transaction was committed.
    Commit,
    /// A new leader, in a log of the Raft protocol.
    LeaderChange,
    /// Begin of a snapshot.
    SnapshotHeader,
    /// End of a snapshot.
    SnapshotFooter,
    /// The version of the Raft protocol.
    KraftVersion,
    /// The voters of the Raft protocol.
    KraftVoters,
    /// One that is not known.
    Unknown(i16),
}

impl ControlType {
    /// Reads the type from a control record's key. An error if it is null, too short, or of a negative
    /// version.
    pub fn parse(key: Option<&[u8]>) -> Result<Self, WireError> {
        let what = "a control record's key";
        let head = key.and_then(<[u8]>::first_chunk::<4>).ok_or(WireError::Truncated { what })?;
        check_version(i16::from_be_bytes([head[0], head[1]]))?;
        Ok(match i16::from_be_bytes([head[2], head[3]]) {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            other => Self::Unknown(other),
        })
    }
}

/// Reads the epoch of the transaction coordinator from the value of a commit or abort marker.
pub fn coordinator_epoch(marker: &RecordView<'_>) -> Result<i32, WireError> {
    let what = "a transaction marker's value";
    let head = marker.value.and_then(<[u8]>::first_chunk::<6>).ok_or(WireError::Truncated { what })?;
    check_version(i16::from_be_bytes([head[0], head[1]]))?;
    Ok(i32::from_be_bytes([head[2], head[3], head[4], head[5]]))
}

fn check_version(version: i16) -> Result<(), WireError> {
    if version < 0 {
        let value = i64::from(version);
        return Err(WireError::Invalid { what: "a control record's version", value });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Batches, ProducerStamp};

    #[test]
    fn keys_are_read_by_their_first_four_bytes() {
        assert_eq!(ControlType::parse(Some(&[0, 0, 0, 0])), Ok(ControlType::Abort));
        assert_eq!(ControlType::parse(Some(&[0, 9, 0, 1, 7])), Ok(ControlType::Commit));
        assert_eq!(ControlType::parse(Some(&[0, 0, 0, 2])), Ok(ControlType::LeaderChange));
        assert_eq!(ControlType::parse(Some(&[0, 0, 1, 0])), Ok(ControlType::Unknown(256)));
        for bad in [None, Some(&[0, 0, 0][..]), Some(&[0xff, 0xff, 0, 0])] {
            assert!(ControlType::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn markers_tell_the_coordinators_epoch() {
        let epoch_of = |value: Option<&[u8]>| {
            let mut builder = BatchBuilder::with_capacity(0);
            assert!(builder.append(0, None, value, std::iter::empty()));
            let batch = Batches::new(builder.finish(ProducerStamp::NONE, true)).next().unwrap().unwrap();
            coordinator_epoch(&batch.records().unwrap().next().unwrap().unwrap())
        };
        assert_eq!(epoch_of(Some(&[0, 0, 0, 0, 0, 22])), Ok(22));
        assert_eq!(epoch_of(Some(&[0, 1, 0, 0, 1, 0, 9])), Ok(256), "a later version");
        for bad in [None, Some(&[0, 0, 0, 0, 0][..]), Some(&[0x80, 0, 0, 0, 0, 1])] {
            assert!(epoch_of(bad).is_err(), "{bad:?}");
        }
    }
}
