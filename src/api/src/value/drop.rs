//! Dropping values that are nested deeper than the stack reaches.

use super::Value;

/// Drops values, which are those of a list, map or struct, without recursion.
#[inline]
pub(super) fn without_recursion(values: &mut Vec<Value>) {
    if values.iter().any(is_nested_twice) {
        drop_flat(std::mem::take(values));
    }
}

/// Whether there are values in it.
pub(super) fn holds_any(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Struct(record) => !record.values().is_empty(),
        _ => false,
    }
}

/// Whether there are values in values of `value`: then dropping it goes deeper than one call.
fn is_nested_twice(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_any),
        Value::Map(map) => {
            map.values().iter().any(holds_any)
                || map.shared_keys().is_some_and(|keys| !keys.are_texts() && map.keys().iter().any(holds_any))
        }
        Value::Struct(record) => record.values().iter().any(holds_any),
        _ => false,
    }
}

/// Drops values and what is in them, one after the other.
fn drop_flat(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::Array(items) => values.append(&mut items.into_vec()),
            Value::Map(mut map) => {
                let (keys, mut inner) = map.take_all();
                values.append(&mut inner);
                values.extend(keys.into_iter().flat_map(super::Keys::into_vec));
            }
            Value::Struct(mut record) => values.append(record.values_vec()),
            _ => {}
        }
    }
}
