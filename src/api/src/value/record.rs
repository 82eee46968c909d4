//! Structs: one value a field of their schema.

use super::{Value, drop};
use crate::nesting::descend;
use crate::{ConnectError, Schema, SchemaType};
use std::fmt;
use std::sync::Arc;

/// A struct: one value a field of its schema, in the schema's order.
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with every field null.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT.
    pub fn new(schema: Arc<Schema>) -> Result<Self, ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(ConnectError::bad_record(format!("Not a struct schema: {schema}")));
        }
        let values = vec![Value::Null; schema.fields().len()];
        Ok(Self { schema, values })
    }

    /// A struct of one value a field, in the schema's order.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT or has another number of fields.
    pub fn from_values(schema: Arc<Schema>, values: Vec<Value>) -> Result<Self, ConnectError> {
        if schema.kind() != SchemaType::Struct || schema.fields().len() != values.len() {
            return Err(ConnectError::bad_record(format!(
                "{} values do not make a struct of {} fields",
                values.len(),
                schema.fields().len()
            )));
        }
        Ok(Self { schema, values })
    }

    /// Its schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Sets a field by name.
    ///
    /// # Errors
    /// If the schema has no such field, or the value does not fit the field's schema. The struct is as before then.
    pub fn put(&mut self, field: &str, value: Value) -> Result<(), ConnectError> {
        let index = self.index(field)?;
        self.schema.fields()[index].schema.validate_field(field, value.as_ref())?;
        self.values[index] = value;
        Ok(())
    }

    /// The value of a field, or the default of its schema if it is null.
    ///
    /// # Errors
    /// If the schema has no such field.
    pub fn get(&self, field: &str) -> Result<&Value, ConnectError> {
        let index = self.index(field)?;
        let value = &self.values[index];
        match self.schema.fields()[index].schema.default_value() {
            Some(default) if value.is_null() => Ok(default),
            _ => Ok(value),
        }
    }

    /// The value of a field; the default of its schema is not applied.
    ///
    /// # Errors
    /// If the schema has no such field.
    pub fn get_without_default(&self, field: &str) -> Result<&Value, ConnectError> {
        Ok(&self.values[self.index(field)?])
    }

    /// As [`Struct::get_without_default`], for a field that should be of that type (Java's `getInt8`, `getString`
    /// and so on).
    ///
    /// # Errors
    /// If the schema has no such field, or it is of another type.
    pub fn get_of(&self, field: &str, kind: SchemaType) -> Result<&Value, ConnectError> {
        let index = self.index(field)?;
        if self.schema.fields()[index].schema.kind() != kind {
            let kind = kind.java_name();
            return Err(ConnectError::bad_record(format!("Field '{field}' is not of type {kind}")));
        }
        Ok(&self.values[index])
    }

    /// The values in the order of the schema's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values in the order of the schema's fields, for changing.
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// The values, without the struct.
    pub fn into_values(mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }

    /// Makes it a struct of another schema, in place: `change` turns the values into those of its fields.
    /// Fields that it leaves without a value are null, values without a field are dropped.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT; the struct is then unchanged.
    pub fn become_of(
        &mut self,
        schema: Arc<Schema>,
        change: impl FnOnce(&mut Vec<Value>),
    ) -> Result<(), ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(ConnectError::bad_record(format!("Not a struct schema: {schema}")));
        }
        change(&mut self.values);
        self.values.resize(schema.fields().len(), Value::Null);
        self.schema = schema;
        Ok(())
    }

    /// The values, for dropping.
    pub(super) fn values_vec(&mut self) -> &mut Vec<Value> {
        &mut self.values
    }

    fn index(&self, field: &str) -> Result<usize, ConnectError> {
        let index = self.schema.field_index(field);
        index.ok_or_else(|| ConnectError::bad_record(format!("{field} is not a valid field name")))
    }
}

impl Clone for Struct {
    fn clone(&self) -> Self {
        descend(|| Self { schema: Arc::clone(&self.schema), values: self.values.clone() })
    }
}

impl PartialEq for Struct {
    fn eq(&self, other: &Self) -> bool {
        let same_schema = Arc::ptr_eq(&self.schema, &other.schema) || self.schema == other.schema;
        same_schema && descend(|| self.values == other.values)
    }
}

/// The schema by its name only: each of the nested ones has one too.
impl fmt::Debug for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.schema.fields().iter().map(|field| &field.name).zip(&self.values);
        descend(|| write!(f, "{} ", self.schema).and_then(|()| f.debug_map().entries(fields).finish()))
    }
}

/// As Java shows it: `Struct{a=1,b=[2]}`, without fields that are null.
impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        crate::java_text::append_struct(&mut text, self, crate::Strictness::Safe);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// As for a map.
impl Drop for Struct {
    fn drop(&mut self) {
        drop::without_recursion(&mut self.values);
    }
}
