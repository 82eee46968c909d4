//! Asks a broker who is in its cluster: one Metadata request (version 2), written by hand so that a
//! fault in the client under test cannot make the broker look broken.

use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer answers are not from a broker of ours.
const MAX_RESPONSE: usize = 64 * 1024;

/// Metadata v2 without topics: api key 3, version 2, correlation id 1, client id "probe".
const REQUEST: &[u8] = b"\0\0\0\x13\0\x03\0\x02\0\0\0\x01\0\x05probe\0\0\0\0";

/// What one broker says about its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterView {
    /// The cluster's id. A stranger that took our port shows another one.
    pub(crate) cluster_id: String,
    /// Ids of the brokers that are up, in ascending order. Fenced ones are not among them.
    pub(crate) brokers: Vec<i32>,
}

/// Asks the broker at `address` (`host:port`). Bring your own timeout.
pub(crate) async fn cluster_view(address: &str) -> Result<ClusterView> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().filter(|&length| length <= MAX_RESPONSE);
    let mut body = vec![0; length.ok_or_else(malformed)?];
    stream.read_exact(&mut body).await?;
    parse(&body)
}

/// Correlation id, brokers (id, host, port, rack), cluster id; the rest does not matter here.
fn parse(body: &[u8]) -> Result<ClusterView> {
    let mut rest = body;
    take(&mut rest, 4)?;
    let count = int(&mut rest)?;
    let mut brokers = Vec::new();
    for _ in 0..count {
        brokers.push(int(&mut rest)?);
        string(&mut rest)?;
        int(&mut rest)?;
        string(&mut rest)?;
    }
    brokers.sort_unstable();
    Ok(ClusterView { cluster_id: string(&mut rest)?, brokers })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count).ok_or_else(malformed)?;
    *rest = tail;
    Ok(head)
}

fn int(rest: &mut &[u8]) -> Result<i32> {
    let bytes: [u8; 4] = take(rest, 4)?.try_into().map_err(|_| malformed())?;
    Ok(i32::from_be_bytes(bytes))
}

/// A nullable string; null reads as empty.
fn string(rest: &mut &[u8]) -> Result<String> {
    let bytes: [u8; 2] = take(rest, 2)?.try_into().map_err(|_| malformed())?;
    let length = usize::try_from(i16::from_be_bytes(bytes)).unwrap_or(0);
    String::from_utf8(take(rest, length)?.to_vec()).map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer is not a Metadata response of version 2")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = b"\0\0\0\x01\0\0\0\x02\
        \0\0\0\x02\0\x04host\0\0\x23\x84\xff\xff\
        \0\0\0\x01\0\x04host\0\0\x23\x85\0\x01r\
        \0\x03abc\0\0\0\x01\0\0\0\0";

    #[test]
    fn request_has_its_announced_length() {
        let length = i32::from_be_bytes(REQUEST[..4].try_into().unwrap());
        assert_eq!(length as usize, REQUEST.len() - 4);
    }

    #[test]
    fn brokers_are_sorted_and_null_racks_skipped() {
        let view = ClusterView { cluster_id: "abc".into(), brokers: vec![1, 2] };
        assert_eq!(parse(RESPONSE).unwrap(), view);
    }

    #[test]
    fn every_cut_is_an_error() {
        let needed = RESPONSE.len() - 8;
        for end in 0..needed {
            assert_eq!(parse(&RESPONSE[..end]).unwrap_err().kind(), ErrorKind::InvalidData, "cut at {end}");
        }
    }

    #[test]
    fn absurd_counts_are_an_error() {
        assert!(parse(b"\0\0\0\x01\x7f\xff\xff\xff").is_err());
        assert!(parse(b"\0\0\0\x01\0\0\0\x01\0\0\0\x02\x7f\xff").is_err());
    }
}
