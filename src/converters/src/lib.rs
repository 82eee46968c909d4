//! Connect's converters: between records and the bytes in Kafka.
//!
//! # Layout
//!
//! - `string`: `StringConverter`: strings as they are, other values as Java's `toString`; `charset`: in other
//!   encodings than UTF-8.
//! - `numbers`: `BooleanConverter`, `LongConverter` and the like: Kafka's own binary forms.
//! - `byte_array`: `ByteArrayConverter`: bytes as they are.
//! - `header`: `SimpleHeaderConverter`: header values as text, their types guessed.
//! - `json`: `JsonConverter`: JSON with a schema in every record, or without.
//! - `settings`: what all do with their configuration.
//!
//! # How data flows
//!
//! The two pass-through converters turn a whole column over without touching its bytes: a record stays
//! two spans into the buffer that came from the file or the socket.
//!
//! # What it must never do
//!
//! Change a value without saying so. Where Connect's converter replaces, wraps around or cuts off, the
//! record fails with a message that says where, unless `crossdock.compatibility=strict` asks for
//! Connect's behaviour.

mod byte_array;
mod charset;
mod header;
mod json;
mod numbers;
mod settings;
mod string;
#[cfg(test)]
mod testing;

pub use byte_array::ByteArrayConverter;
pub use header::SimpleHeaderConverter;
pub use json::JsonConverter;
pub use numbers::{
    BooleanConverter, DoubleConverter, FloatConverter, IntegerConverter, LongConverter, ShortConverter,
};
pub use string::StringConverter;

use crossdock_api::registry::Plugin;
use crossdock_api::{Converter, HeaderConverter, Plugins};

/// Registers every converter of this crate under the class name that Connect knows it by.
pub fn register(plugins: &mut Plugins) {
    const VERSION: &str = crossdock_api::CONNECT_VERSION;
    const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
    const BYTE_ARRAY: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
    const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
    const SIMPLE_HEADER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
    plugins.register(Plugin::header_converter(SIMPLE_HEADER, VERSION, || {
        Box::<SimpleHeaderConverter>::default()
    }));
    plugins.register(Plugin::converter(JSON, VERSION, || Box::<JsonConverter>::default()));
    plugins.register(Plugin::header_converter(JSON, VERSION, || Box::<JsonConverter>::default()));
    plugins.register(Plugin::converter(STRING, VERSION, || Box::<StringConverter>::default()));
    plugins.register(Plugin::header_converter(STRING, VERSION, || Box::<StringConverter>::default()));
    plugins.register(Plugin::converter(BYTE_ARRAY, VERSION, || Box::new(ByteArrayConverter)));
    plugins.register(Plugin::header_converter(BYTE_ARRAY, VERSION, || Box::new(ByteArrayConverter)));
    register_number::<BooleanConverter>(plugins, "BooleanConverter");
    register_number::<DoubleConverter>(plugins, "DoubleConverter");
    register_number::<FloatConverter>(plugins, "FloatConverter");
    register_number::<IntegerConverter>(plugins, "IntegerConverter");
    register_number::<LongConverter>(plugins, "LongConverter");
    register_number::<ShortConverter>(plugins, "ShortConverter");
}

fn register_number<C>(plugins: &mut Plugins, name: &str)
where
    C: Converter + HeaderConverter + Default + 'static,
{
    let class = format!("org.apache.kafka.connect.converters.{name}");
    plugins.register(Plugin::converter(&class, crossdock_api::CONNECT_VERSION, || Box::<C>::default()));
    plugins
        .register(Plugin::header_converter(&class, crossdock_api::CONNECT_VERSION, || Box::<C>::default()));
}
