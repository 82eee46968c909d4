//! A Kafka client: connections, metadata, producer, consumer, groups and admin.
