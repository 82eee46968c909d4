//! Serves until Ctrl-C, to try clients by hand:
//! `cargo run -p crossdock-broker --example serve -- 127.0.0.1:9092 /path/to/data` (without a path, in memory).

use crossdock_broker::Broker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    let mut args = std::env::args().skip(1);
    let mut builder = Broker::builder();
    if let Some(addr) = args.next() {
        builder = builder.listen(addr.parse()?);
    }
    if let Some(dir) = args.next() {
        builder = builder.data_dir(dir);
    }
    let broker = builder.start().await?;
    println!("{}", broker.bootstrap());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}
