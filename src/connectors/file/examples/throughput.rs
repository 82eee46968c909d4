//! How fast the source reads a file: lines and bytes a second, without Kafka.
//!
//! `cargo run --release -p crossdock-connector-file --example throughput -- <file> <lines>`

use crossdock_api::registry::Factory;
use crossdock_api::source::OffsetReader;
use crossdock_api::{ConnectError, Map, Plugins, SourceBatch, SourceTaskContext, async_trait};
use std::sync::Arc;
use std::time::Instant;

struct NoOffsets;

#[async_trait]
impl OffsetReader for NoOffsets {
    async fn offsets(&self, partitions: &[Map]) -> Result<Vec<Option<Map>>, ConnectError> {
        Ok(vec![None; partitions.len()])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(expected)) = (arguments.next(), arguments.next()) else {
        return Err("usage: throughput <file> <lines>".into());
    };
    let expected: usize = expected.parse()?;
    let mut plugins = Plugins::new();
    crossdock_connector_file::register(&mut plugins);
    let Factory::Source(make) = plugins.connector("FileStreamSource")?.factory() else {
        return Err("FileStreamSource is no source".into());
    };
    let config = [("file", file.as_str()), ("topic", "t")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
    let mut task = make().task();
    task.start(SourceTaskContext::new("throughput", 0, Arc::new(NoOffsets)), &config).await?;
    let (mut batch, mut lines, mut bytes, start) = (SourceBatch::new(), 0, 0, Instant::now());
    while lines < expected {
        batch.reset(0);
        task.poll(&mut batch).await?;
        lines += batch.len();
        bytes += batch.records().byte_size();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{lines} lines in {seconds:.3} s: {:.1} million lines/s", lines as f64 / seconds / 1e6);
    println!("{:.0} MB/s of batches", bytes as f64 / seconds / 1e6);
    Ok(())
}
