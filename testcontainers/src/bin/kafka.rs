//! Runs a real Apache Kafka for docs and benches: prints its bootstrap address on a line of its own
//! and ends with Ctrl-C, SIGTERM or the end of its standard input. Nothing is left behind.

use clap::Parser;
use crossdock_testcontainers::{Kafka, KafkaError};
use std::process::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// Starts Apache Kafka on loopback, prints its bootstrap address, runs until Ctrl-C or the end of standard input.
#[derive(Debug, Parser)]
#[command(name = "kafka")]
struct Arguments {
    /// Another version of Apache Kafka, such as 3.9.1
    #[arg(long)]
    kafka_version: Option<String>,
    /// Port of the first node; the others take the following ones [default: free ones]
    #[arg(long)]
    port: Option<u16>,
    /// Number of nodes
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Maximum heap of each node in MiB
    #[arg(long, default_value_t = 512)]
    heap_mb: u32,
    /// A broker property as key=value; may be given more than once
    #[arg(long = "property", value_parser = key_value)]
    properties: Vec<(String, String)>,
    /// Keep running when standard input ends, as for a job in the background
    #[arg(long)]
    ignore_stdin: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        // Not a return: a read of standard input cannot be cancelled and would keep the runtime waiting. The
        // broker is gone by now.
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("kafka: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), KafkaError> {
    let refused = |source| KafkaError::Io { doing: "listen for signals".into(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    let mut builder = Kafka::builder().nodes(arguments.nodes).heap_mb(arguments.heap_mb);
    if let Some(version) = arguments.kafka_version {
        builder = builder.version(version);
    }
    if let Some(port) = arguments.port {
        builder = builder.port(port);
    }
    for (key, value) in arguments.properties {
        builder = builder.property(key, value);
    }
    let end = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = end_of_input(), if !arguments.ignore_stdin => {}
        }
    };
    tokio::pin!(end);
    let kafka = tokio::select! {
        started = builder.start() => started?,
        () = &mut end => return Ok(()),
    };
    println!("{}", kafka.bootstrap());
    end.await;
    Ok(())
}

async fn end_of_input() {
    let mut buffer = [0; 1024];
    let mut input = tokio::io::stdin();
    while matches!(input.read(&mut buffer).await, Ok(count) if count > 0) {}
}
