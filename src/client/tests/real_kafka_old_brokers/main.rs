//! Real brokers of older versions: 3.9, the last before 4, and 3.3, the first without ZooKeeper that was meant for
//! production. Long, since Kafka of these versions is downloaded.
//!
//! - `records`: all codecs, groups shared with the Java consumer. `administration`: what the Admin does.
//! - `visibility`, `zombies`, `pipeline`: the tests of transactions, as at new brokers.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

/// A test at each version, of a function that takes the broker.
macro_rules! at_each_broker {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test]
            #[ignore = "long: Kafka 3.9.1 is downloaded"]
            async fn kafka_3_9_1() {
                super::$test(crate::kafka_3_9_1().await).await;
            }

            #[tokio::test]
            #[ignore = "long: Kafka 3.3.2 is downloaded"]
            async fn kafka_3_3_2() {
                super::$test(crate::kafka_3_3_2().await).await;
            }
        }
    )+};
}

mod administration;
#[path = "../support/mod.rs"]
mod appending;
#[path = "../real_kafka_mixed_group/member.rs"]
mod member;
#[path = "../real_kafka_transactions/pipeline.rs"]
mod pipeline;
mod records;
#[path = "../real_kafka_transactions/support.rs"]
mod support;
#[path = "../real_kafka_transactions/visibility.rs"]
mod visibility;
#[path = "../real_kafka_mixed_group/world.rs"]
mod world;
#[path = "../real_kafka_transactions/zombies.rs"]
mod zombies;

use crossdock_testcontainers::Kafka;
use tokio::sync::OnceCell;

async fn kafka_3_9_1() -> &'static Kafka {
    static KAFKA: OnceCell<Kafka> = OnceCell::const_new();
    KAFKA.get_or_init(|| start("3.9.1")).await
}

async fn kafka_3_3_2() -> &'static Kafka {
    static KAFKA: OnceCell<Kafka> = OnceCell::const_new();
    KAFKA.get_or_init(|| start("3.3.2")).await
}

async fn start(version: &str) -> Kafka {
    support::builder().version(version).start().await.expect("a broker")
}
