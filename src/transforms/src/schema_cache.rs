//! What a transform knows about a schema, found again without comparing schemas field by field.

use crossdock_api::{ConnectError, Schema};
use std::sync::Arc;

/// Schemas that are remembered: as many as in Connect's transforms.
const MOST: usize = 16;

/// What was worked out for each of the last schemas, the one used last first.
pub(crate) struct SchemaCache<P> {
    entries: Vec<(Arc<Schema>, P)>,
}

impl<P> Default for SchemaCache<P> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<P> SchemaCache<P> {
    /// What is known about `schema`; `make` works it out if it is new. A schema that came before as another
    /// object, but equal, is not new.
    ///
    /// # Errors
    /// That of `make`; nothing is remembered then.
    pub(crate) fn get(
        &mut self,
        schema: &Arc<Schema>,
        make: impl FnOnce(&Arc<Schema>) -> Result<P, ConnectError>,
    ) -> Result<&P, ConnectError> {
        let same = self.entries.iter().position(|(known, _)| Arc::ptr_eq(known, schema));
        let at = match same.or_else(|| self.adopt_equal(schema)) {
            Some(at) => at,
            None => {
                let made = make(schema)?;
                self.entries.truncate(MOST - 1);
                self.entries.push((Arc::clone(schema), made));
                self.entries.len() - 1
            }
        };
        self.entries[..=at].rotate_right(1);
        Ok(&self.entries[0].1)
    }

    /// The entry of an equal schema, which is found by the pointer of this one from now on.
    fn adopt_equal(&mut self, schema: &Arc<Schema>) -> Option<usize> {
        let at = self.entries.iter().position(|(known, _)| are_equal(known, schema))?;
        self.entries[at].0 = Arc::clone(schema);
        Some(at)
    }
}

/// Whether two schemas are equal. Does not recurse: schemas may be nested deeply.
fn are_equal(a: &Arc<Schema>, b: &Arc<Schema>) -> bool {
    let mut pairs = vec![(a, b)];
    while let Some((a, b)) = pairs.pop() {
        if Arc::ptr_eq(a, b) {
            continue;
        }
        let same = a.kind() == b.kind()
            && a.is_optional() == b.is_optional()
            && a.name() == b.name()
            && a.version() == b.version()
            && a.doc() == b.doc()
            && a.fields().len() == b.fields().len()
            && a.parameters().eq(b.parameters())
            && a.default_value() == b.default_value()
            && a.fields().iter().zip(b.fields()).all(|(a, b)| a.name == b.name)
            && a.key_schema().is_some() == b.key_schema().is_some()
            && a.value_schema().is_some() == b.value_schema().is_some();
        if !same {
            return false;
        }
        pairs.extend(a.fields().iter().zip(b.fields()).map(|(a, b)| (&a.schema, &b.schema)));
        pairs.extend(a.key_schema().zip(b.key_schema()));
        pairs.extend(a.value_schema().zip(b.value_schema()));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock_api::SchemaType;

    fn schema(field: &str) -> Arc<Schema> {
        Arc::new(Schema::new(SchemaType::Struct).field(field, Schema::string().clone()))
    }

    #[test]
    fn equal_schemas_are_worked_out_once_and_the_unused_ones_forgotten() {
        let mut cache = SchemaCache::default();
        let mut made = 0;
        let mut get = |schema: &Arc<Schema>| {
            *cache
                .get(schema, |_| {
                    made += 1;
                    Ok(made)
                })
                .unwrap()
        };
        let first = schema("a");
        assert_eq!(get(&first), 1);
        assert_eq!(get(&first), 1);
        assert_eq!(get(&schema("a")), 1);
        for name in 0..MOST {
            get(&schema(&format!("f{name}")));
            assert_eq!(get(&first), if name < MOST { 1 } else { 0 });
        }
        assert_eq!(get(&schema("f0")), MOST as i32 + 2);
        assert_eq!(cache.entries.len(), MOST);
    }

    #[test]
    fn an_error_is_not_remembered() {
        let mut cache = SchemaCache::default();
        assert!(cache.get(&schema("a"), |_| Err::<(), _>(ConnectError::bad_record("no"))).is_err());
        assert!(cache.get(&schema("a"), |_| Ok(())).is_ok());
    }
}
