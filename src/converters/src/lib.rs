//! Connect's converters: JSON, String, ByteArray.
