//! Producer.
pub struct Producer;
pub struct ProducerConfig;
