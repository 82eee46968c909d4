//! Transactions against real brokers, at each level of the feature `transaction.version`: 0 and 1, with the classic
//! protocol, as clusters have them that were upgraded from Kafka 3; and 2, with the implicit one (KIP-890).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

/// A test at each `transaction.version`, of a function that takes the broker.
macro_rules! at_each_broker {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test]
            async fn transaction_version_0() {
                super::$test(crate::support::broker(0).await).await;
            }

            #[tokio::test]
            async fn transaction_version_1() {
                super::$test(crate::support::broker(1).await).await;
            }

            #[tokio::test]
            async fn transaction_version_2() {
                super::$test(crate::support::broker(2).await).await;
            }
        }
    )+};
}

mod coordinator;
mod pipeline;
mod support;
mod visibility;
mod zombies;
