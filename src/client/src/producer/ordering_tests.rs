//! Scripted cases, and a seeded simulation against a log that behaves like a broker's.

use super::*;
use crate::backoff::Rng;
use std::collections::HashMap;

type Order = Ordering<u32, Result<(), &'static str>>;

const ME: Identity = Identity { id: 7, epoch: 0 };

fn order(batches: u32) -> Order {
    let mut order = Order::idempotent(Some(ME));
    for batch in 0..batches {
        order.push(batch, 10);
    }
    order
}

fn depart(order: &mut Order) -> (u64, i16, i32) {
    let (departure, _) = order.depart().expect("something to send");
    (departure.id, departure.stamp.producer_epoch, departure.stamp.base_sequence)
}

fn resolved(order: &mut Order) -> Vec<(u32, Result<(), &'static str>)> {
    std::iter::from_fn(|| order.pop_resolved()).collect()
}

/// A first batch that was written, so that several may be in flight.
fn steady(batches: u32) -> Order {
    let mut order = order(batches + 1);
    let (id, _, _) = depart(&mut order);
    order.arrived(id, Outcome::Written(Ok(())));
    assert_eq!(resolved(&mut order).len(), 1);
    order
}

#[test]
fn one_batch_goes_ahead_until_it_is_written() {
    let mut order = order(3);
    assert_eq!(depart(&mut order), (0, 0, 0));
    assert!(order.is_blocked() && order.depart().is_none());
    order.arrived(0, Outcome::Written(Ok(())));
    assert_eq!(depart(&mut order), (1, 0, 10));
    assert_eq!(depart(&mut order), (2, 0, 20));
}

#[test]
fn after_a_failure_all_in_flight_is_waited_for_and_sent_again_in_order() {
    let mut order = steady(3);
    for _ in 0..3 {
        depart(&mut order);
    }
    order.arrived(1, Outcome::Retry);
    assert!(order.depart().is_none(), "2 and 3 are in flight");
    order.arrived(2, Outcome::OutOfOrder);
    order.arrived(3, Outcome::OutOfOrder);
    assert_eq!(depart(&mut order), (1, 0, 10));
    assert!(order.depart().is_none(), "one goes ahead");
    order.arrived(1, Outcome::Written(Ok(())));
    assert_eq!(depart(&mut order), (2, 0, 20));
    assert_eq!(depart(&mut order), (3, 0, 30));
    order.arrived(2, Outcome::Written(Ok(())));
    order.arrived(3, Outcome::Written(Ok(())));
    assert_eq!(resolved(&mut order).len(), 3);
    assert!(order.entries.is_empty());
}

#[test]
fn results_are_given_in_order_although_they_come_out_of_order() {
    let mut order = steady(2);
    depart(&mut order);
    depart(&mut order);
    order.arrived(2, Outcome::Written(Ok(())));
    assert!(resolved(&mut order).is_empty());
    order.arrived(1, Outcome::Rejected(Err("no")));
    assert_eq!(resolved(&mut order), [(1, Err("no")), (2, Ok(()))]);
}

#[test]
fn a_rejected_batch_leaves_a_gap_only_if_others_follow() {
    let mut order = steady(2);
    depart(&mut order);
    order.arrived(1, Outcome::Rejected(Err("no")));
    assert_eq!(depart(&mut order), (2, 0, 10), "the sequence number is free again");

    let mut order = steady(2);
    depart(&mut order);
    depart(&mut order);
    order.arrived(1, Outcome::Rejected(Err("no")));
    order.arrived(2, Outcome::OutOfOrder);
    assert_eq!(depart(&mut order), (2, 1, 0), "a new epoch");
}

#[test]
fn a_batch_that_may_have_been_written_is_given_up_as_such_and_keeps_its_number() {
    let mut order = steady(2);
    depart(&mut order);
    depart(&mut order);
    order.arrived(1, Outcome::Lost { sent: true });
    order.arrived(2, Outcome::Lost { sent: true });
    let mut seen = Vec::new();
    order.give_up(
        |b| *b == 1,
        |b, ambiguous| {
            seen.push((*b, ambiguous));
            Err("late")
        },
    );
    assert_eq!(seen, [(1, true)]);
    // If 1 was written, 2 follows it; if not, the broker says so, and only then a new epoch begins.
    assert_eq!(depart(&mut order), (2, 0, 20));
    order.arrived(2, Outcome::OutOfOrder);
    assert_eq!(depart(&mut order), (2, 1, 0));
}

#[test]
fn a_refused_batch_that_may_have_been_written_keeps_its_number() {
    let mut order = steady(2);
    depart(&mut order);
    order.arrived(1, Outcome::Lost { sent: true });
    assert!(order.is_ambiguous(1) && !order.is_ambiguous(2));
    depart(&mut order);
    order.arrived(1, Outcome::Rejected(Err("no permission any more")));
    // Under the number of the first one the broker could take the second one for it.
    assert_eq!(depart(&mut order), (2, 0, 20));
    order.arrived(2, Outcome::OutOfOrder);
    assert_eq!(depart(&mut order), (2, 1, 0), "the first one was not written after all");
}

#[test]
fn epochs_that_are_used_up_need_a_new_identity() {
    let mut order = Order::idempotent(Some(Identity { id: 7, epoch: i16::MAX }));
    order.push(0, 1);
    depart(&mut order);
    order.arrived(0, Outcome::IdentityRefused);
    assert!(order.depart().is_none() && order.needs_identity());
    order.set_identity(Identity { id: 8, epoch: 0 });
    let (departure, _) = order.depart().unwrap();
    assert_eq!((departure.stamp.producer_id, departure.stamp.base_sequence), (8, 0));
    assert!(departure.restamp);
}

#[test]
fn parts_of_a_split_batch_share_its_sequence_numbers() {
    let mut order = steady(2);
    depart(&mut order);
    depart(&mut order);
    order.split(1, (100, 4), (101, 6));
    order.arrived(2, Outcome::OutOfOrder);
    let (id, epoch, sequence) = depart(&mut order);
    assert_eq!((epoch, sequence), (0, 10));
    order.arrived(id, Outcome::Written(Ok(())));
    assert_eq!(depart(&mut order).2, 14);
    assert_eq!(depart(&mut order), (2, 0, 20));
}

#[test]
fn sequence_numbers_wrap() {
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 2, 10), 7);
    assert_eq!(sequence_after(5, 10), 15);
}

/// A partition's log, as a broker keeps it: it remembers the last five batches of a producer, and takes any
/// sequence number from one that it does not know.
#[derive(Default)]
struct Log {
    batches: Vec<u32>,
    producers: HashMap<i64, (i16, Vec<(i32, i32)>)>,
}

impl Log {
    fn append(&mut self, batch: u32, stamp: ProducerStamp, count: i32) -> Outcome<Result<(), &'static str>> {
        let first = stamp.base_sequence;
        if let Some((epoch, seen)) = self.producers.get_mut(&stamp.producer_id) {
            if stamp.producer_epoch < *epoch {
                return Outcome::IdentityRefused;
            }
            if stamp.producer_epoch > *epoch {
                if first != 0 {
                    return Outcome::OutOfOrder;
                }
                (*epoch, *seen) = (stamp.producer_epoch, Vec::new());
            } else {
                if seen.iter().rev().take(5).any(|s| *s == (first, count)) {
                    return Outcome::Written(Ok(()));
                }
                let expected = seen.last().map(|(first, count)| sequence_after(*first, *count));
                if expected.is_some_and(|e| e != first) {
                    return Outcome::OutOfOrder;
                }
            }
            seen.push((first, count));
        } else {
            self.producers.insert(stamp.producer_id, (stamp.producer_epoch, vec![(first, count)]));
        }
        self.batches.push(batch);
        Outcome::Written(Ok(()))
    }
}

/// Requests in flight on one connection; it fails as a whole.
struct Simulation {
    rng: Rng,
    log: Log,
    order: Order,
    wire: Vec<(u64, u32, ProducerStamp)>,
    acknowledged: Vec<u32>,
    next: u32,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let order = Order::idempotent(Some(ME));
        let (log, wire, acknowledged) = (Log::default(), Vec::new(), Vec::new());
        Self { rng: Rng::seeded(seed), log, order, wire, acknowledged, next: 0 }
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.rng.below(100) < percent
    }

    fn step(&mut self, faults: bool, total: u32) {
        match self.rng.below(3) {
            0 if self.next < total => {
                self.order.push(self.next, 3);
                self.next += 1;
            }
            1 if self.wire.len() < 5 => {
                if let Some((departure, batch)) = self.order.depart() {
                    self.wire.push((departure.id, *batch, departure.stamp));
                }
            }
            _ if faults && self.chance(10) => self.lose_connection(),
            _ if !self.wire.is_empty() => {
                let (id, batch, stamp) = self.wire.remove(0);
                let outcome =
                    if faults && self.chance(15) { Outcome::Retry } else { self.log.append(batch, stamp, 3) };
                self.order.arrived(id, outcome);
            }
            _ => {}
        }
        while let Some((batch, result)) = self.order.pop_resolved() {
            assert_eq!(result, Ok(()));
            self.acknowledged.push(batch);
        }
    }

    /// Some of the requests were worked on, none is answered; the next leader has the same log.
    fn lose_connection(&mut self) {
        let worked_on = self.rng.below(self.wire.len() + 1);
        for (n, (id, batch, stamp)) in std::mem::take(&mut self.wire).into_iter().enumerate() {
            if n < worked_on && !self.chance(15) {
                self.log.append(batch, stamp, 3);
            }
            self.order.arrived(id, Outcome::Lost { sent: true });
        }
    }
}

#[test]
fn whatever_is_lost_each_batch_is_written_once_and_in_order() {
    for seed in 0..2_000 {
        let mut simulation = Simulation::new(seed);
        for _ in 0..2_000 {
            simulation.step(true, 100);
        }
        let mut steps = 0;
        while simulation.acknowledged.len() < 100 {
            simulation.step(false, 100);
            steps += 1;
            assert!(steps < 10_000, "seed {seed}: stuck with {:?}", simulation.order);
        }
        let expected: Vec<u32> = (0..100).collect();
        assert_eq!(simulation.log.batches, expected, "seed {seed}: the log");
        assert_eq!(simulation.acknowledged, expected, "seed {seed}: the acknowledgements");
    }
}
