//! Who had what, by what the members say.
//!
//! A member that missed a generation may still claim what others got meanwhile: the claim of the highest
//! generation counts. Two claims of the same generation cannot both be true, so neither counts.

use super::{Claim, Table};

#[derive(Debug)]
pub(super) struct Claims {
    by_partition: Vec<Claimed>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Claimed {
    /// The claimant that is believed.
    owner: Option<usize>,
    generation: i32,
    /// The first claimant, and whether there is another.
    first: Option<usize>,
    several: bool,
}

impl Claims {
    /// Sorts the claims, which are in the order of the caller's members.
    pub(super) fn new(table: &Table<'_>, claims: &[Claim]) -> Self {
        let mut by_partition = vec![Claimed::default(); table.partitions()];
        for (member, at) in table.order.iter().enumerate() {
            let claim = &claims[*at];
            for tp in &claim.partitions {
                if let Some((partition, _)) = table.find(tp) {
                    by_partition[partition].add(member, claim.generation);
                }
            }
        }
        Self { by_partition }
    }

    /// Who had the partition.
    pub(super) fn owner(&self, partition: usize) -> Option<usize> {
        self.by_partition[partition].owner
    }

    /// Whether somebody may still hold the partition who has to give it up before `member` gets it.
    pub(super) fn is_held_by_another(&self, partition: usize, member: usize) -> bool {
        let claimed = &self.by_partition[partition];
        claimed.owner != Some(member)
            && (claimed.several || claimed.first.is_some_and(|first| first != member))
    }
}

impl Claimed {
    fn add(&mut self, member: usize, generation: i32) {
        let Some(first) = self.first else {
            *self = Self { owner: Some(member), generation, first: Some(member), several: false };
            return;
        };
        if self.owner == Some(member) || (first == member && !self.several) {
            return;
        }
        self.several = true;
        if generation > self.generation {
            (self.owner, self.generation) = (Some(member), generation);
        } else if generation == self.generation {
            self.owner = None;
        }
    }
}
