//! The keys of maps, which maps of one layout share.

use super::equality::float_bits;
use super::{Value, drop};
use crate::Text;
use crate::nesting::descend;
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

/// The hash of a key: equal keys have the same one, and of a map the order does not count.
fn hash(state: &RandomState, key: &Value) -> u64 {
    let mut hasher = state.build_hasher();
    hash_key(state, key, &mut hasher);
    hasher.finish()
}

/// Feeds all of a key: a part that is left out lets a sender choose keys that share a hash.
fn hash_key(state: &RandomState, key: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(key).hash(hasher);
    match key {
        Value::Null => {}
        Value::Boolean(v) => v.hash(hasher),
        Value::Int8(v) => v.hash(hasher),
        Value::Int16(v) => v.hash(hasher),
        Value::Int32(v) => v.hash(hasher),
        Value::Int64(v) | Value::Date(v) | Value::Time(v) | Value::Timestamp(v) => v.hash(hasher),
        Value::Float32(v) => float_bits(f64::from(*v)).hash(hasher),
        Value::Float64(v) => float_bits(*v).hash(hasher),
        Value::String(v) => v.hash(hasher),
        Value::Bytes(v) => v.hash(hasher),
        Value::Decimal(v) => v.as_bigint_and_scale().hash(hasher),
        Value::Array(items) => hash_all(state, items, hasher),
        Value::Struct(record) => hash_all(state, record.values(), hasher),
        Value::Map(map) => descend(|| {
            let entry = |(key, value): (&Value, &Value)| {
                let mut hasher = state.build_hasher();
                hash_key(state, key, &mut hasher);
                hash_key(state, value, &mut hasher);
                hasher.finish()
            };
            map.len().hash(hasher);
            map.iter().map(entry).fold(0, u64::wrapping_add).hash(hasher);
        }),
    }
}

/// With their number, which tells `[[1], 2]` from `[[1, 2]]`.
fn hash_all(state: &RandomState, values: &[Value], hasher: &mut impl Hasher) {
    descend(|| {
        values.len().hash(hasher);
        values.iter().for_each(|value| hash_key(state, value, hasher));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{List, Map, Schema, SchemaType, Struct};
    use std::sync::Arc;

    /// 4096 keys of twelve parts each: if a hash leaves out what they differ in, all share one, and each is compared
    /// with all before it.
    #[test]
    fn keys_that_differ_have_hashes_that_differ() {
        let part = |of: u32| Value::Boolean(of == 1);
        let parts = |key: u32| (0..12).map(move |bit| part(key >> bit & 1));
        let in_map =
            |items: Vec<Value>| items.into_iter().enumerate().map(|(at, v)| (Value::Int64(at as i64), v));
        let structure = Arc::new((0..12).fold(Schema::new(SchemaType::Struct), |made, at| {
            made.field(&at.to_string(), Schema::boolean().clone())
        }));
        let state = RandomState::new();
        let makes: [(&str, &dyn Fn(u32) -> Value); 6] = [
            ("list", &|key| Value::Array(parts(key).collect())),
            ("list of lists", &|key| {
                Value::Array(parts(key).map(|v| Value::Array(vec![v].into())).collect())
            }),
            ("map", &|key| Value::Map(Map::from_entries(in_map(parts(key).collect()).collect()))),
            ("keys of a map", &|key| {
                let entry = |(at, v): (usize, Value)| {
                    (Value::Array(vec![v, Value::Int64(at as i64)].into()), Value::Null)
                };
                Value::Map(Map::from_entries(parts(key).enumerate().map(entry).collect()))
            }),
            ("struct", &|key| {
                let made = Struct::from_values(Arc::clone(&structure), parts(key).collect()).unwrap();
                Value::Struct(Box::new(made))
            }),
            // Brackets in other places only.
            ("brackets", &|key| {
                let mut open = vec![List::new()];
                for bit in 0..12 {
                    open.last_mut().unwrap().push(Value::Null);
                    if key >> bit & 1 == 1 {
                        open.push(List::new());
                    } else if open.len() > 1 {
                        let inner = open.pop().unwrap();
                        open.last_mut().unwrap().push(Value::Array(inner));
                    }
                }
                while open.len() > 1 {
                    let inner = open.pop().unwrap();
                    open.last_mut().unwrap().push(Value::Array(inner));
                }
                Value::Array(open.pop().unwrap())
            }),
        ];
        for (what, make) in makes {
            let keys: Vec<Value> = (0..4096).map(make).collect();
            let mut hashes: Vec<u64> = keys.iter().map(|key| hash(&state, key)).collect();
            hashes.sort_unstable();
            hashes.dedup();
            let map = Map::from_entries(keys.into_iter().map(|key| (key, Value::Null)).collect());
            assert_eq!(hashes.len(), map.len(), "{what}");
            assert!(map.len() > 1000, "{what}: {}", map.len());
        }
        let order = |keys: [i64; 2]| {
            Value::Map(Map::from_entries(keys.map(|key| (Value::Int64(key), Value::Int64(-key))).to_vec()))
        };
        assert_eq!(hash(&state, &order([1, 2])), hash(&state, &order([2, 1])));
    }
}
