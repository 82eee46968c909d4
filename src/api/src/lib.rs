//! What a Crossdock plugin author sees: records, schemas, config definitions and the plugin traits.
