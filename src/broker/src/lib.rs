//! An embedded Kafka broker for development and tests, with scripted faults.
