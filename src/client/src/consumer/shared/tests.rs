//! What the application is told, and in which order.

use super::*;
use crate::config::ClientConfig;
use std::collections::BTreeMap;

fn shared() -> Arc<Shared> {
    let cluster = Cluster::new(ClientConfig::new("127.0.0.1:1").unwrap());
    Shared::new(cluster, ConsumerConfig::from_map(&BTreeMap::new()).unwrap())
}

fn tps(partitions: &[i32]) -> Vec<TopicPartition> {
    partitions.iter().map(|p| TopicPartition::new("t", *p)).collect()
}

/// What a call of `next` gives: `+` assigned, `-` revoked, `!` lost, `x` an error.
fn next(shared: &Shared) -> String {
    shared.finish_delivered();
    let show = |sign: &str, all: Vec<TopicPartition>| {
        all.iter().fold(sign.to_owned(), |text, tp| text + &tp.partition.to_string())
    };
    match shared.take_change() {
        None => String::new(),
        Some(Ok(ConsumerEvent::Assigned(all))) => show("+", all),
        Some(Ok(ConsumerEvent::Revoked(all))) => show("-", all),
        Some(Ok(ConsumerEvent::Lost(all))) => show("!", all),
        Some(_) => "x".to_owned(),
    }
}

fn told(partitions: &[i32]) -> Arc<Shared> {
    let shared = shared();
    shared.extend_assignment(&tps(partitions));
    assert!(next(&shared).starts_with('+'));
    shared
}

#[tokio::test]
async fn a_part_is_revoked_and_the_rest_stays() {
    let shared = told(&[0, 1, 2]);
    let mut done = shared.revoke(&tps(&[1])).unwrap();
    assert_eq!(next(&shared), "-1");
    assert!(done.try_recv().is_err(), "the application works on it");
    assert_eq!(next(&shared), "");
    assert!(done.try_recv().is_ok());
    shared.extend_assignment(&tps(&[0, 2]));
    assert_eq!(next(&shared), "", "nothing is new");
    shared.extend_assignment(&tps(&[0, 2, 3]));
    assert_eq!(next(&shared), "+023");
}

#[tokio::test]
async fn what_was_never_told_is_given_up_at_once() {
    let shared = told(&[0]);
    shared.extend_assignment(&tps(&[0, 1, 2]));
    assert!(shared.revoke(&tps(&[1])).is_none());
    assert_eq!(next(&shared), "+02");
    shared.extend_assignment(&tps(&[0, 2, 3]));
    let mut done = shared.end_assignment(false).unwrap();
    assert_eq!(next(&shared), "-02");
    assert_eq!(next(&shared), "");
    assert!(done.try_recv().is_ok() && shared.lock().state.assignment().is_empty());
    shared.begin_assignment(&tps(&[5]));
    assert!(shared.end_assignment(true).is_none());
    assert_eq!(next(&shared), "");
}

#[tokio::test]
async fn a_loss_takes_all_whenever_it_comes() {
    // Before the application was told of the revocation.
    let shared = told(&[0, 1]);
    let mut done = shared.revoke(&tps(&[1])).unwrap();
    shared.lose_meanwhile();
    assert_eq!(next(&shared), "!01");
    assert_eq!(next(&shared), "");
    assert!(done.try_recv().is_ok());
    assert!(shared.end_assignment(true).is_none());
    // While the application gives one up: the rest is told when it asks again.
    let shared = told(&[0, 1]);
    let mut first = shared.revoke(&tps(&[1])).unwrap();
    assert_eq!(next(&shared), "-1");
    shared.lose_meanwhile();
    let mut second = shared.end_assignment(true).unwrap();
    assert_eq!(next(&shared), "!0");
    assert!(first.try_recv().is_ok() && second.try_recv().is_err());
    assert_eq!(next(&shared), "");
    assert!(second.try_recv().is_ok());
}

#[tokio::test]
async fn an_assignment_of_nothing_is_told_once() {
    let shared = shared();
    shared.extend_assignment(&[]);
    assert_eq!(next(&shared), "+");
    shared.extend_assignment(&[]);
    assert_eq!(next(&shared), "");
}

#[tokio::test]
async fn what_ended_before_it_was_told_is_told_again() {
    let shared = shared();
    shared.extend_assignment(&tps(&[0]));
    assert!(shared.revoke(&tps(&[0])).is_none(), "nobody knows of it");
    assert_eq!(next(&shared), "");
    shared.extend_assignment(&[]);
    assert_eq!(next(&shared), "+", "that the group was joined");
    shared.extend_assignment(&[]);
    assert_eq!(next(&shared), "");
}

#[tokio::test]
async fn an_error_that_ends_the_membership_follows_the_loss() {
    let shared = told(&[0, 1]);
    let _done = shared.revoke(&tps(&[1]));
    shared.fail(ConsumerError::Config(crate::error::ConfigError::Invalid("x".to_owned())));
    assert_eq!(next(&shared), "!01");
    assert_eq!(next(&shared), "x");
    assert_eq!(next(&shared), "x");
}
