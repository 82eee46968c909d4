//! The keys of maps, which maps of one layout share.

use super::{Value, drop};
use crate::Text;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// Up to so many keys are compared one by one.
pub(super) const FEW: usize = 16;

/// The keys of a [`crate::Map`] in order, each once. Immutable where it is shared.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Vec<Value>,
    all_texts: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { keys: Vec::new(), all_texts: true }
    }
}

impl Keys {
    /// The keys, if none is there twice. Linear in their number.
    pub fn new(keys: Vec<Value>) -> Option<Self> {
        Self::new_or_back(keys).ok()
    }

    /// As [`Keys::new`]; gives the keys back if it fails.
    pub(super) fn new_or_back(keys: Vec<Value>) -> Result<Self, Vec<Value>> {
        let distinct = if keys.len() <= FEW {
            have_distinct_marks(&keys) || !(1..keys.len()).any(|at| keys[..at].contains(&keys[at]))
        } else {
            let mut places = Places::of(keys.len());
            (0..keys.len()).all(|at| places.add(&keys[..at], &keys[at]).is_none())
        };
        if distinct { Ok(Self::distinct(keys)) } else { Err(keys) }
    }

    /// Keys of which the caller knows that they differ.
    pub(super) fn distinct(keys: Vec<Value>) -> Self {
        let all_texts = keys.iter().all(|key| matches!(key, Value::String(_)));
        Self { keys, all_texts }
    }

    /// The keys in order.
    pub fn as_slice(&self) -> &[Value] {
        &self.keys
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether all are strings.
    pub fn are_texts(&self) -> bool {
        self.all_texts
    }

    /// Place of a string key.
    pub fn position(&self, key: &[u8]) -> Option<usize> {
        self.keys.iter().position(|k| matches!(k, Value::String(k) if k.as_bytes() == key))
    }

    /// The name at a place, if it is there and a string.
    pub fn text(&self, at: usize) -> Option<&Text> {
        match self.keys.get(at) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A copy with room for `more`.
    pub(super) fn copied(&self, more: usize) -> Self {
        let mut keys = Vec::with_capacity(self.keys.len() + more);
        keys.extend_from_slice(&self.keys);
        Self { keys, all_texts: self.all_texts }
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.keys.reserve_exact(more);
    }

    /// Adds a key that is not there.
    pub(super) fn push(&mut self, key: Value) {
        self.all_texts &= matches!(key, Value::String(_));
        self.keys.push(key);
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.keys.remove(at);
        self.all_texts = self.keys.iter().all(|key| matches!(key, Value::String(_)));
    }

    pub(super) fn into_vec(mut self) -> Vec<Value> {
        std::mem::take(&mut self.keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if !self.all_texts {
            drop::without_recursion(&mut self.keys);
        }
    }
}

/// Whether all keys are strings that differ, as far as their lengths and ends tell.
fn have_distinct_marks(keys: &[Value]) -> bool {
    let mut seen = 0u64;
    keys.iter().all(|key| {
        let Value::String(text) = key else { return false };
        let bytes = text.as_bytes();
        let end = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
        let mark = 1u64 << ((bytes.len() * 17 + end(bytes.first()) * 5 + end(bytes.last())) % 64);
        let is_new = seen & mark == 0;
        seen |= mark;
        is_new
    })
}

/// Keys by their hash.
pub(super) struct Places {
    state: RandomState,
    by_hash: HashMap<u64, Vec<usize>>,
}

impl Places {
    pub(super) fn of(len: usize) -> Self {
        Self { state: RandomState::new(), by_hash: HashMap::with_capacity(len) }
    }

    /// Where `key` is in `keys`; if it is not, it is taken to come to their end.
    pub(super) fn add(&mut self, keys: &[Value], key: &Value) -> Option<usize> {
        let same_hash = self.by_hash.entry(hash(&self.state, key)).or_default();
        let found = same_hash.iter().find(|at| keys[**at] == *key).copied();
        if found.is_none() {
            same_hash.push(keys.len());
        }
        found
    }

    /// Where `key` is in `keys`, all of which were added.
    pub(super) fn find(&self, keys: &[Value], key: &Value) -> Option<usize> {
        let same_hash = self.by_hash.get(&hash(&self.state, key))?;
        same_hash.iter().find(|at| keys[**at] == *key).copied()
    }
}

fn hash(state: &RandomState, key: &Value) -> u64 {
    let mut hasher = state.build_hasher();
    hash_key(key, &mut hasher);
    hasher.finish()
}

/// Feeds what equal keys have in common: -0.0 equals 0.0, and 1.0 equals 1.00.
fn hash_key(key: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(key).hash(hasher);
    match key {
        Value::Int8(v) => v.hash(hasher),
        Value::Int16(v) => v.hash(hasher),
        Value::Int32(v) => v.hash(hasher),
        Value::Int64(v) | Value::Date(v) | Value::Time(v) | Value::Timestamp(v) => v.hash(hasher),
        Value::String(v) => v.hash(hasher),
        Value::Bytes(v) => v.hash(hasher),
        Value::Array(items) => items.iter().for_each(|item| hash_key(item, hasher)),
        Value::Struct(record) => record.values().iter().for_each(|value| hash_key(value, hasher)),
        Value::Float32(v) => (*v + 0.0).to_bits().hash(hasher),
        Value::Float64(v) => (*v + 0.0).to_bits().hash(hasher),
        Value::Decimal(v) => v.normalized().as_bigint_and_exponent().hash(hasher),
        Value::Map(v) => v.len().hash(hasher),
        Value::Null | Value::Boolean(_) => {}
    }
}
