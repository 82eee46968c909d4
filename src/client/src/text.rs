//! Text as the messages of the protocol take it.

use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;

pub(crate) fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(str_bytes(topic))
}
