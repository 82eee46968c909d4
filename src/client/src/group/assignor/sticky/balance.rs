//! Shares by counting: how many partitions of a topic a member gets, whichever they are.
//!
//! All partitions of a topic have the same subscribers, so it is enough to move counts. Which partitions these
//! are is settled at the end, topic by topic: a member keeps as many as it may of those that it had, hence no
//! partition moves in vain and two members never exchange partitions of a topic.

use super::{Claims, Table};

/// The owner of each partition; `None` if nobody subscribed to its topic.
pub(super) fn owners(table: &Table<'_>, claims: &Claims) -> Vec<Option<usize>> {
    let mut shares = Shares::new(table, claims);
    shares.give_out_the_rest();
    // What was given out anew moves for nothing; what somebody had, only if that is not enough.
    shares.even_out(true);
    shares.even_out(false);
    while shares.pass_on() {
        shares.even_out(false);
    }
    shares.realize(claims)
}

struct Shares<'a> {
    table: &'a Table<'a>,
    /// Partitions by topic and member: what it gets and what it had.
    now: Vec<Vec<i32>>,
    before: Vec<Vec<i32>>,
    /// Partitions by member.
    load: Vec<i32>,
    /// Who subscribed, by topic and member.
    wanted: Vec<Vec<bool>>,
}

impl<'a> Shares<'a> {
    /// Everybody has what it had, if it is still subscribed to it.
    fn new(table: &'a Table<'a>, claims: &Claims) -> Self {
        let none = vec![vec![0; table.members()]; table.topics.len()];
        let mut wanted = vec![vec![false; table.members()]; table.topics.len()];
        for (topic, subscribers) in table.subscribers.iter().enumerate() {
            subscribers.iter().for_each(|member| wanted[topic][*member] = true);
        }
        let load = vec![0; table.members()];
        let mut shares = Self { table, now: none.clone(), before: none, load, wanted };
        for (topic, (_, range)) in table.topics.iter().enumerate() {
            for owner in range.clone().filter_map(|p| claims.owner(p)) {
                if table.subscribers[topic].binary_search(&owner).is_ok() {
                    shares.before[topic][owner] += 1;
                    shares.now[topic][owner] += 1;
                    shares.load[owner] += 1;
                }
            }
        }
        shares
    }

    /// Gives what nobody had to those with the least. Topics with few subscribers come first: the others leave
    /// more choice.
    fn give_out_the_rest(&mut self) {
        let mut topics: Vec<usize> = (0..self.table.topics.len()).collect();
        topics.sort_by_key(|t| (self.table.subscribers[*t].len(), *t));
        for topic in topics {
            let given: i32 = self.now[topic].iter().sum();
            let rest = self.table.topics[topic].1.len() as i32 - given;
            for _ in 0..rest {
                let Some(to) = self.least(topic) else { break };
                self.now[topic][to] += 1;
                self.load[to] += 1;
            }
        }
    }

    /// The subscriber with the least; of several, one that had more of the topic, or has less of it.
    fn least(&self, topic: usize) -> Option<usize> {
        let (now, before) = (&self.now[topic], &self.before[topic]);
        let subscribers = self.table.subscribers[topic].iter().copied();
        subscribers.min_by_key(|m| (self.load[*m], now[*m] >= before[*m], now[*m]))
    }

    /// Moves one after the other until no move makes two loads more equal. Each lowers the sum of the squares of the
    /// loads, so this ends. Always the one with the most gives: nobody gives what it will not have to.
    fn even_out(&mut self, only_new: bool) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            let mut done = vec![false; self.load.len()];
            while let Some(from) = (0..done.len()).filter(|m| !done[*m]).max_by_key(|m| self.load[*m]) {
                match self.best_move(from, only_new) {
                    Some((topic, to)) => {
                        self.give(from, topic, to);
                        moved = true;
                    }
                    None => done[from] = true,
                }
            }
        }
    }

    /// Of which topic a member gives one, and to whom: to one with the least of those who can take any; if it can be
    /// chosen, what is new to the one, or was the other's before.
    fn best_move(&self, from: usize, only_new: bool) -> Option<(usize, usize)> {
        let mut takers: Vec<usize> =
            (0..self.load.len()).filter(|m| self.load[*m] + 2 <= self.load[from]).collect();
        takers.sort_by_key(|m| self.load[*m]);
        takers.into_iter().find_map(|to| {
            let is_new = |topic: usize| self.now[topic][from] > self.before[topic][from];
            let can_give = |topic: usize| is_new(topic) || (!only_new && self.now[topic][from] > 0);
            let topics = (0..self.now.len()).filter(|t| self.wanted[*t][to] && can_give(*t));
            let comes_back = |topic: usize| self.now[topic][to] < self.before[topic][to];
            let best = topics.max_by_key(|t| (is_new(*t), comes_back(*t), self.now[*t][from]));
            best.map(|topic| (topic, to))
        })
    }

    fn give(&mut self, from: usize, topic: usize, to: usize) {
        self.now[topic][from] -= 1;
        self.now[topic][to] += 1;
        self.load[from] -= 1;
        self.load[to] += 1;
    }

    /// Passes a partition of one member to another over a third, who gives away one of another topic for it, where
    /// no single move helps. False if nothing makes the loads more equal any more.
    fn pass_on(&mut self) -> bool {
        let least = self.load.iter().min().copied().unwrap_or(0);
        let mut rich: Vec<usize> = (0..self.table.members()).filter(|m| self.load[*m] >= least + 2).collect();
        rich.sort_by_key(|m| -self.load[*m]);
        for from in rich {
            if let Some(steps) = self.chain(from) {
                steps.into_iter().for_each(|(giver, topic, taker)| self.give(giver, topic, taker));
                return true;
            }
        }
        false
    }

    /// The shortest way from a member to one that has at least two less: who gives one of which topic to whom.
    fn chain(&self, from: usize) -> Option<Vec<(usize, usize, usize)>> {
        let mut came: Vec<Option<(usize, usize)>> = vec![None; self.table.members()];
        let mut seen = vec![false; self.table.topics.len()];
        let mut reached = vec![from];
        let mut at = 0;
        while at < reached.len() {
            let giver = reached[at];
            at += 1;
            for (topic, seen) in seen.iter_mut().enumerate() {
                if *seen || self.now[topic][giver] == 0 {
                    continue;
                }
                // Whoever can take one of it is reached now, so nobody else needs to give one of it.
                *seen = true;
                for taker in self.table.subscribers[topic].iter().copied() {
                    if taker == from || came[taker].is_some() {
                        continue;
                    }
                    came[taker] = Some((giver, topic));
                    if self.load[taker] + 2 <= self.load[from] {
                        return Some(steps(&came, from, taker));
                    }
                    reached.push(taker);
                }
            }
        }
        None
    }

    /// Chooses the partitions.
    fn realize(mut self, claims: &Claims) -> Vec<Option<usize>> {
        let mut owners = vec![None; self.table.partitions()];
        for (topic, (_, range)) in self.table.topics.iter().enumerate() {
            let due = &mut self.now[topic];
            for partition in range.clone() {
                if let Some(owner) = claims.owner(partition).filter(|owner| due[*owner] > 0) {
                    owners[partition] = Some(owner);
                    due[owner] -= 1;
                }
            }
            // The rest is dealt in turn, so that neighbours go to different members.
            let mut turns = self.table.subscribers[topic].iter().copied().cycle();
            for partition in range.clone().filter(|p| owners[*p].is_none()).collect::<Vec<_>>() {
                let members = self.table.members();
                owners[partition] = turns.by_ref().take(members).find(|member| due[*member] > 0);
                if let Some(owner) = owners[partition] {
                    due[owner] -= 1;
                }
            }
        }
        owners
    }
}

fn steps(came: &[Option<(usize, usize)>], from: usize, to: usize) -> Vec<(usize, usize, usize)> {
    let mut steps = Vec::new();
    let mut taker = to;
    while taker != from
        && let Some((giver, topic)) = came[taker]
    {
        steps.push((giver, topic, taker));
        taker = giver;
    }
    steps
}
