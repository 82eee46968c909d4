//! Maps: their keys apart from their values, so that maps of one layout share the keys.

use super::keys::{FEW, Keys, Places};
use super::{Value, drop};
use crate::Text;
use crate::nesting::descend;
use std::fmt;
use std::sync::Arc;

/// A map of values in insertion order. Equality is Java's: without order.
///
/// The keys are apart from the values and shared by the clones of a map, and by all maps that a converter read from
/// objects with the same members: a copy of them is made when a map gets or loses a key.
#[derive(Default)]
pub struct Map {
    /// As many as there are values; `None` is no key.
    keys: Option<Arc<Keys>>,
    values: Vec<Value>,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// A map of shared keys and one value each. `None` if their numbers differ.
    pub fn from_shared(keys: Arc<Keys>, values: Vec<Value>) -> Option<Self> {
        (keys.len() == values.len()).then_some(Self { keys: Some(keys), values })
    }

    /// A map of `entries`; of equal keys the last value counts, in the place of the first. Linear in
    /// their number, so that it can be given what a peer sent.
    pub fn from_entries(entries: Vec<(Value, Value)>) -> Self {
        let (keys, values) = entries.into_iter().unzip();
        Self::from_pairs(keys, values)
    }

    /// As [`Map::from_entries`], of keys and as many values.
    pub fn from_pairs(keys: Vec<Value>, values: Vec<Value>) -> Self {
        match Keys::new_or_back(keys) {
            Ok(keys) => Self::from_keys(keys, values),
            Err(keys) => Self::without_repeated(keys, values),
        }
    }

    /// A map of `entries`, of which the caller knows that their keys differ.
    pub fn from_distinct(entries: Vec<(Value, Value)>) -> Self {
        let (keys, values): (Vec<Value>, Vec<Value>) = entries.into_iter().unzip();
        Self::from_keys(Keys::distinct(keys), values)
    }

    fn from_keys(keys: Keys, values: Vec<Value>) -> Self {
        Self { keys: (!keys.is_empty()).then(|| Arc::new(keys)), values }
    }

    fn without_repeated(keys: Vec<Value>, values: Vec<Value>) -> Self {
        let mut places = Places::of(keys.len());
        let mut kept = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for (key, value) in keys.into_iter().zip(values) {
            match places.add(&kept.0, &key) {
                Some(at) => kept.1[at] = value,
                None => {
                    kept.0.push(key);
                    kept.1.push(value);
                }
            }
        }
        Self::from_keys(Keys::distinct(kept.0), kept.1)
    }

    /// Makes it a map of other keys, in place: `change` turns the values into theirs. Keys that it leaves
    /// without a value have null, values without a key are dropped.
    pub fn become_of(&mut self, keys: &Arc<Keys>, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.values);
        self.values.resize(keys.len(), Value::Null);
        self.keys = Some(Arc::clone(keys));
    }

    /// Sets `key`, in its old place if it is there already.
    pub fn insert(&mut self, key: Value, value: Value) {
        match self.keys().iter().position(|k| *k == key) {
            Some(at) => self.values[at] = value,
            None => self.push(key, value),
        }
    }

    /// Makes room for so many more entries, and no more.
    pub fn reserve(&mut self, more: usize) {
        self.own_keys(more).reserve(more);
        self.values.reserve_exact(more);
    }

    /// The keys for changing, which no other map has then.
    fn own_keys(&mut self, more: usize) -> &mut Keys {
        let keys = self.keys.get_or_insert_default();
        if Arc::get_mut(keys).is_none() {
            *keys = Arc::new(keys.copied(more));
        }
        Arc::make_mut(keys)
    }

    fn push(&mut self, key: Value, value: Value) {
        self.own_keys(1).push(key);
        self.values.push(value);
    }

    /// The value of a string key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(self.position(key.as_bytes())?)
    }

    /// The value of a string key, for changing.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let at = self.position(key.as_bytes())?;
        self.values.get_mut(at)
    }

    fn position(&self, key: &[u8]) -> Option<usize> {
        self.keys.as_ref()?.position(key)
    }

    /// Sets the value of a string key, in its old place if it is there already.
    pub fn put(&mut self, key: &Text, value: Value) {
        match self.position(key.as_bytes()) {
            Some(at) => self.values[at] = value,
            None => self.push(Value::String(key.clone()), value),
        }
    }

    /// Removes a string key and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key.as_bytes())?;
        self.own_keys(0).remove(at);
        Some(self.values.remove(at))
    }

    /// The keys in order.
    pub fn keys(&self) -> &[Value] {
        self.keys.as_ref().map_or(&[], |keys| keys.as_slice())
    }

    /// The keys as they are shared with other maps; `None` if there is none.
    pub fn shared_keys(&self) -> Option<&Arc<Keys>> {
        self.keys.as_ref()
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values in the order of their keys, for changing.
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// All entries in order, without the map.
    pub fn into_entries(mut self) -> impl ExactSizeIterator<Item = (Value, Value)> {
        let keys = self.keys.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        keys.into_vec().into_iter().zip(std::mem::take(&mut self.values))
    }

    /// All entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> + Clone {
        self.keys().iter().zip(&self.values)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes keys, if they are not those of another map too, and values out, for dropping.
    pub(super) fn take_all(&mut self) -> (Option<Keys>, Vec<Value>) {
        (self.keys.take().and_then(Arc::into_inner), std::mem::take(&mut self.values))
    }
}

impl Clone for Map {
    fn clone(&self) -> Self {
        descend(|| Self { keys: self.keys.clone(), values: self.values.clone() })
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        descend(|| f.debug_map().entries(self.iter()).finish())
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && descend(|| self.has_entries_of(other))
    }
}

impl Map {
    /// Whether another map of as many entries has the same.
    fn has_entries_of(&self, other: &Self) -> bool {
        // Maps that come from one place have their keys in one order.
        let same_keys = match (&self.keys, &other.keys) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        let in_order = match same_keys {
            true => self.len(),
            false => self.keys().iter().zip(other.keys()).take_while(|(a, b)| a == b).count(),
        };
        if self.values[..in_order] != other.values[..in_order] {
            return false;
        }
        let ours = || self.iter().skip(in_order);
        let (keys, values) = (&other.keys()[in_order..], &other.values[in_order..]);
        // The first of these have different keys.
        if keys.len() == 1 {
            return false;
        }
        // Keys with parts are compared only if their hashes are equal: else their parts would be compared again at
        // every level.
        if keys.len() <= FEW && !ours().any(|(key, _)| drop::holds_any(key)) {
            let find = |key: &Value| keys.iter().position(|k| k == key);
            return ours().all(|(key, value)| find(key).is_some_and(|at| values[at] == *value));
        }
        let mut places = Places::of(keys.len());
        for at in 0..keys.len() {
            places.add(&keys[..at], &keys[at]);
        }
        ours().all(|(key, value)| places.find(keys, key).is_some_and(|at| values[at] == *value))
    }
}

impl<K: Into<Text>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        Self::from_entries(
            entries.into_iter().map(|(key, value)| (Value::String(key.into()), value)).collect(),
        )
    }
}

/// Without recursion: values may be nested deeper than the stack reaches.
impl Drop for Map {
    fn drop(&mut self) {
        drop::without_recursion(&mut self.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_in_the_place_of_the_first() {
        for size in [3i64, 40] {
            let mut entries: Vec<_> = (0..size).map(|i| (Value::Int64(i), Value::Int64(i))).collect();
            entries.push((Value::Int64(1), Value::Boolean(true)));
            entries.push((Value::Float64(f64::NAN), Value::Null));
            entries.push((Value::Float64(f64::NAN), Value::Int8(1)));
            let map = Map::from_entries(entries);
            assert_eq!(map.len(), size as usize + 1);
            assert_eq!(map.iter().nth(1), Some((&Value::Int64(1), &Value::Boolean(true))));
            assert_eq!(map.iter().last(), Some((&Value::Float64(f64::NAN), &Value::Int8(1))));
        }
    }

    #[test]
    fn clones_share_their_keys_until_one_changes_them() {
        let mut map: Map = [("a", Value::Int8(1)), ("b", Value::Int8(2))].into_iter().collect();
        let mut other = map.clone();
        let shared = |a: &Map, b: &Map| Arc::ptr_eq(a.shared_keys().unwrap(), b.shared_keys().unwrap());
        *other.get_mut("a").unwrap() = Value::Null;
        assert!(shared(&map, &other));
        other.put(&Text::from("c"), Value::Null);
        assert_eq!(other.remove("b"), Some(Value::Int8(2)));
        assert!(!shared(&map, &other));
        assert_eq!(map.keys(), [Value::string("a"), Value::string("b")]);
        assert_eq!(other.keys(), [Value::string("a"), Value::string("c")]);
        let keys = Arc::clone(map.shared_keys().unwrap());
        assert!(Map::from_shared(Arc::clone(&keys), vec![Value::Null]).is_none());
        other.become_of(&keys, |values| values.truncate(1));
        assert_eq!(other.values(), [Value::Null, Value::Null]);
        map.insert(Value::Int8(1), Value::Null);
        assert!(!map.shared_keys().unwrap().are_texts());
        assert!(keys.are_texts());
    }

    #[test]
    fn maps_are_equal_in_any_order() {
        for size in [3i64, 40] {
            let entry = |i: i64| (Value::Int64(i), Value::Int64(i * 2));
            let map = Map::from_entries((0..size).map(entry).collect());
            assert_eq!(map, Map::from_entries((0..size).rev().map(entry).collect()));
            assert_ne!(map, Map::from_entries((1..=size).rev().map(entry).collect()));
            assert_ne!(map, Map::from_entries((0..size).map(|i| (entry(i).0, Value::Null)).collect()));
            assert!(Keys::new(map.keys().to_vec()).is_some());
            assert!(Keys::new([map.keys(), &[Value::Int64(1)]].concat()).is_none());
        }
    }

    /// Maps whose keys are such maps, and so on: each level must not be compared more than once.
    #[test]
    fn maps_as_keys_are_compared_in_bounded_time() {
        let nested = |innermost: i64| {
            (0..200).fold(Value::Int64(innermost), |key, _| {
                let entries =
                    [(Value::Int64(0), Value::Null), (key, Value::Null), (Value::Int64(1), Value::Null)];
                Value::Map(Map::from_entries(entries.to_vec()))
            })
        };
        assert!(nested(7) == nested(7));
        assert!(nested(7) != nested(8));
    }
}
