//! Sends a request byte for byte as the transcript has it, on a connection of its own.

use protocol_tests::transcripts::{Answer, Call, World};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take: a worker that hangs must not stop the test.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks the first worker. An answer that does not come, or is none, is one of status 0 that says why.
pub(crate) async fn send(call: &Call, world: &World) -> Answer {
    match tokio::time::timeout(LIMIT, exchange(call, world)).await {
        Ok(Ok(bytes)) => {
            parse(&bytes, call.method() == "HEAD").unwrap_or_else(|| none("an answer that is not HTTP"))
        }
        Ok(Err(error)) => none(&error.to_string()),
        Err(_) => none("no answer in time"),
    }
}

fn none(why: &str) -> Answer {
    Answer { status: 0, headers: BTreeMap::new(), body: why.to_owned() }
}

async fn exchange(call: &Call, world: &World) -> std::io::Result<Vec<u8>> {
    let mut target = world.fill(call.path());
    if let Some(query) = call.query() {
        target = format!("{target}?{}", world.fill(query));
    }
    let host = &world.workers[0];
    let mut head = format!("{} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", call.method());
    for (name, value) in call.headers() {
        head += &format!("{name}: {}\r\n", world.fill(&value));
    }
    let body = call.body().map(|body| world.fill(&body)).unwrap_or_default();
    if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&call.method()) {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut stream = TcpStream::connect(host).await?;
    let (mut reader, mut writer) = stream.split();
    let request = [head.as_bytes(), b"\r\n", body.as_bytes()].concat();
    let mut answer = Vec::new();
    // A server may answer and close before it has read a large request.
    let write = async { drop(writer.write_all(&request).await) };
    let (_, read) = tokio::join!(write, reader.read_to_end(&mut answer));
    match read {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

fn parse(bytes: &[u8], is_head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let body = &bytes[end + 4..];
    let body = match headers.get("transfer-encoding").map(String::as_str) {
        Some("chunked") => chunks(body)?,
        _ => body.to_vec(),
    };
    if is_head && !body.is_empty() {
        return None;
    }
    Some(Answer { status, headers, body: String::from_utf8(body).ok()? })
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}
