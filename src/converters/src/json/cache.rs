//! Schemas and layouts that were read or written before.
//!
//! Nearly every record of a topic carries the same schema. Comparing it with the last one is one
//! `memcmp`; only a new one is parsed or written out.

use super::layouts::Layouts;
use crossdock_api::Schema;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of schemas that a cache may hold.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What was read before.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) schemas: ReadCache,
    pub(super) layouts: Layouts,
}

impl Default for Seen {
    fn default() -> Self {
        Self::new(1000)
    }
}

impl Seen {
    /// Room for that many schemas.
    pub(super) fn new(schemas: usize) -> Self {
        Self { schemas: ReadCache::new(schemas), layouts: Layouts::default() }
    }
}

/// Schemas by their JSON, for reading.
#[derive(Debug)]
pub(super) struct ReadCache {
    capacity: usize,
    last: Option<(Arc<[u8]>, Arc<Schema>)>,
    by_json: HashMap<Arc<[u8]>, Arc<Schema>>,
    bytes: usize,
}

impl ReadCache {
    /// A cache of at most `capacity` schemas.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, last: None, by_json: HashMap::new(), bytes: 0 }
    }

    /// The last schema, if `input` starts with it, with its length. An object ends where its brace
    /// closes, so equal bytes are the whole of it.
    pub(super) fn last_at_start_of(&self, input: &[u8]) -> Option<(usize, Arc<Schema>)> {
        let (json, schema) = self.last.as_ref()?;
        input.starts_with(json).then(|| (json.len(), Arc::clone(schema)))
    }

    pub(super) fn get(&mut self, json: &[u8]) -> Option<Arc<Schema>> {
        let (json, schema) = self.by_json.get_key_value(json)?;
        self.last = Some((Arc::clone(json), Arc::clone(schema)));
        Some(Arc::clone(schema))
    }

    /// Adds a schema whose JSON is an object. A full cache starts anew.
    pub(super) fn put(&mut self, json: &[u8], schema: &Arc<Schema>) {
        if self.by_json.len() >= self.capacity || self.bytes + json.len() > MAX_BYTES {
            self.by_json.clear();
            self.bytes = 0;
        }
        let json: Arc<[u8]> = json.into();
        self.last = Some((Arc::clone(&json), Arc::clone(schema)));
        if self.capacity > 0 {
            self.bytes += json.len();
            self.by_json.insert(json, Arc::clone(schema));
        }
    }
}

/// The JSON of schemas by their identity, for writing.
#[derive(Debug)]
pub(super) struct WriteCache {
    capacity: usize,
    /// By address; the schema is kept so that no other one gets it.
    by_address: HashMap<usize, (Arc<Schema>, Arc<[u8]>)>,
    bytes: usize,
}

impl WriteCache {
    /// A cache of at most `capacity` schemas.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, by_address: HashMap::new(), bytes: 0 }
    }

    pub(super) fn get(&self, schema: &Arc<Schema>) -> Option<Arc<[u8]>> {
        self.by_address.get(&(Arc::as_ptr(schema) as usize)).map(|(_, json)| Arc::clone(json))
    }

    /// Adds a schema. A full cache starts anew.
    pub(super) fn put(&mut self, schema: &Arc<Schema>, json: Arc<[u8]>) {
        if self.by_address.len() >= self.capacity || self.bytes + json.len() > MAX_BYTES {
            self.by_address.clear();
            self.bytes = 0;
        }
        if self.capacity > 0 {
            self.bytes += json.len();
            self.by_address.insert(Arc::as_ptr(schema) as usize, (Arc::clone(schema), json));
        }
    }
}
