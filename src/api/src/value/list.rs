//! [`List`]: the values of a list.

use super::{Value, drop};
use crate::nesting::descend;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// The values of a list, in order: a `Vec` that can be cloned, compared, shown and dropped however deep lists are
/// nested.
#[derive(Default)]
pub struct List(Vec<Value>);

impl List {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: Value) {
        self.0.push(value);
    }

    /// Removes the last value and gives it.
    pub fn pop(&mut self) -> Option<Value> {
        self.0.pop()
    }

    /// The values, without the list.
    pub fn into_vec(mut self) -> Vec<Value> {
        std::mem::take(&mut self.0)
    }
}

impl From<Vec<Value>> for List {
    fn from(values: Vec<Value>) -> Self {
        Self(values)
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.0
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        descend(|| Self(self.0.clone()))
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        descend(|| self.0 == other.0)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        descend(|| self.0.fmt(f))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        drop::without_recursion(&mut self.0);
    }
}
