//! Damages inputs in the ways that find mistakes in decoders.

/// Numbers that are at the edge of something.
const EDGES: [i32; 14] = [0, 1, -1, 2, 13, 14, 48, 49, 127, 128, 65_535, 1 << 20, i32::MAX, i32::MIN];

/// Gives inputs that are near to seeds; the same ones for the same seed of randomness.
#[derive(Debug, Clone)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    /// `seeds` are the inputs to start from; without any, an empty one is.
    pub fn new(mut seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        Self { seeds, state: seed | 1 }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.any_seed();
        for _ in 0..=self.below(6) {
            self.damage(&mut input);
        }
        input
    }

    fn any_seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds[at].clone()
    }

    fn damage(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            0 => input.truncate(at),
            1 => input.insert(at, self.next() as u8),
            2 if at < input.len() => drop(input.remove(at)),
            3 if at < input.len() => input[at] ^= 1 << self.below(8),
            4 if at < input.len() => input[at] = self.next() as u8,
            5 => {
                // A number of 32 bits.
                let edge = EDGES[self.below(EDGES.len())].to_be_bytes();
                for (byte, new) in input[at..].iter_mut().zip(edge) {
                    *byte = new;
                }
            }
            6 => {
                // Many bits that go on: varints.
                let end = (at + self.below(12)).min(input.len());
                input[at..end].fill(0xff);
            }
            7 => {
                let other = self.any_seed();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let end = (at + self.below(40)).min(input.len());
                let copy = input[at..end].to_vec();
                input.splice(at..at, copy);
            }
        }
        input.truncate(1 << 20);
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }
}
