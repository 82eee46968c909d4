//! Kafka Connect without the JVM, to embed: [`Engine`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use crossdock::Engine;
//!
//! let engine = Engine::builder()
//!     .set("bootstrap.servers", "localhost:9092")
//!     .set("key.converter", "StringConverter")
//!     .set("value.converter", "StringConverter")
//!     .connector([
//!         ("name", "lines"),
//!         ("connector.class", "FileStreamSource"),
//!         ("file", "/var/log/app.log"),
//!         ("topic", "app-log"),
//!     ])
//!     .start()
//!     .await?;
//! // … the service does its own work …
//! engine.stop().await;
//! # Ok(()) }
//! ```
//!
//! # Layout
//!
//! - [`engine`]: [`Engine`] and its builder: a worker inside another program.
//! - [`api`]: what connectors are written against.
//! - [`runtime`]: the engine's parts, for those who need more than the builder gives.
//!
//! The binary is a thin layer over this: `standalone` and `dev` build an engine from files.
//!
//! # What it must never do
//!
//! Install signal handlers, loggers or anything else that belongs to the whole process: that is for
//! the program that embeds it.

pub mod engine;

pub use crossdock_api as api;
pub use crossdock_runtime as runtime;
pub use engine::{Engine, EngineBuilder, EngineError};

use crossdock_api::Plugins;

/// All plugins that are built in: converters, transforms, predicates and connectors.
pub fn builtin_plugins() -> Plugins {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    crossdock_transforms::register(&mut plugins);
    crossdock_connector_file::register(&mut plugins);
    plugins
}
