//! Schemas of Connect's data model (`org.apache.kafka.connect.data.Schema`), shared by [`Arc`].
//!
//! - [`Schema`] is what code that knows what it does makes directly.
//! - [`SchemaBuilder`] checks each step, as Java's does.
//! - `validation`: whether a value fits a schema.

mod builder;
mod logical;
mod validation;

pub use builder::SchemaBuilder;
pub use logical::LogicalType;

use crate::nesting::descend;
use crate::{ConnectError, Value};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The type of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaType {
    /// List of one element schema.
    Array,
    /// true or false.
    Boolean,
    /// Bytes.
    Bytes,
    /// 32-bit IEEE float.
    Float32,
    /// 64-bit IEEE float.
    Float64,
    /// 16-bit integer.
    Int16,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// 8-bit integer.
    Int8,
    /// Map of one key and one value schema.
    Map,
    /// UTF-8 string.
    String,
    /// Named fields.
    Struct,
}

impl SchemaType {
    /// The name of Java's constant: `INT8`, `STRING`, `STRUCT` and so on.
    pub fn java_name(self) -> &'static str {
        match self {
            Self::Array => "ARRAY",
            Self::Boolean => "BOOLEAN",
            Self::Bytes => "BYTES",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Int8 => "INT8",
            Self::Map => "MAP",
            Self::String => "STRING",
            Self::Struct => "STRUCT",
        }
    }

    /// Whether its values have no parts.
    pub fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }

    /// The name in JSON schemas: `int8`, `string`, `struct` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Bytes => "bytes",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Int8 => "int8",
            Self::Map => "map",
            Self::String => "string",
            Self::Struct => "struct",
        }
    }

    /// The type of that name, as [`SchemaType::name`] gives it.
    pub fn from_name(name: &str) -> Option<Self> {
        use SchemaType::*;
        [Array, Boolean, Bytes, Float32, Float64, Int16, Int32, Int64, Int8, Map, String, Struct]
            .into_iter()
            .find(|t| t.name() == name)
    }
}

/// A field of a struct schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name, unique in its struct.
    pub name: Arc<str>,
    /// Schema of the values.
    pub schema: Arc<Schema>,
}

/// The schema of a value. Immutable; made by [`SchemaBuilder`], or by [`Schema::new`] and the `with_…` methods,
/// which check nothing. Equality is Java's: of everything, parameters in any order.
#[derive(Clone)]
pub struct Schema {
    kind: SchemaType,
    optional: bool,
    default: Option<Value>,
    name: Option<Arc<str>>,
    version: Option<i32>,
    doc: Option<Arc<str>>,
    parameters: Vec<(Arc<str>, Arc<str>)>,
    fields: Vec<Field>,
    key_schema: Option<Arc<Schema>>,
    value_schema: Option<Arc<Schema>>,
}

macro_rules! shared_schemas {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {
        impl Schema {
            $($(#[$doc])*
            pub fn $name() -> &'static Arc<Schema> {
                static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new($schema));
                &SCHEMA
            })*
        }
    };
}

shared_schemas! {
    /// `Schema.BOOLEAN_SCHEMA`.
    boolean = Schema::new(SchemaType::Boolean);
    /// `Schema.FLOAT32_SCHEMA`.
    float32 = Schema::new(SchemaType::Float32);
    /// `Schema.FLOAT64_SCHEMA`.
    float64 = Schema::new(SchemaType::Float64);
    /// `Schema.INT8_SCHEMA`.
    int8 = Schema::new(SchemaType::Int8);
    /// `Schema.INT16_SCHEMA`.
    int16 = Schema::new(SchemaType::Int16);
    /// `Schema.INT32_SCHEMA`.
    int32 = Schema::new(SchemaType::Int32);
    /// `Schema.INT64_SCHEMA`.
    int64 = Schema::new(SchemaType::Int64);
    /// `Schema.OPTIONAL_BOOLEAN_SCHEMA`.
    optional_boolean = Schema::new(SchemaType::Boolean).optional();
    /// `Schema.OPTIONAL_FLOAT32_SCHEMA`.
    optional_float32 = Schema::new(SchemaType::Float32).optional();
    /// `Schema.OPTIONAL_FLOAT64_SCHEMA`.
    optional_float64 = Schema::new(SchemaType::Float64).optional();
    /// `Schema.OPTIONAL_INT8_SCHEMA`.
    optional_int8 = Schema::new(SchemaType::Int8).optional();
    /// `Schema.OPTIONAL_INT16_SCHEMA`.
    optional_int16 = Schema::new(SchemaType::Int16).optional();
    /// `Schema.OPTIONAL_INT32_SCHEMA`.
    optional_int32 = Schema::new(SchemaType::Int32).optional();
    /// `Schema.OPTIONAL_INT64_SCHEMA`.
    optional_int64 = Schema::new(SchemaType::Int64).optional();
    /// `Schema.STRING_SCHEMA`.
    string = Schema::new(SchemaType::String);
    /// `Schema.OPTIONAL_STRING_SCHEMA`.
    optional_string = Schema::new(SchemaType::String).optional();
    /// `Schema.BYTES_SCHEMA`.
    bytes = Schema::new(SchemaType::Bytes);
    /// `Schema.OPTIONAL_BYTES_SCHEMA`.
    optional_bytes = Schema::new(SchemaType::Bytes).optional();
}

impl Schema {
    /// A required schema of that type, with nothing else.
    pub fn new(kind: SchemaType) -> Self {
        Self {
            kind,
            optional: false,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            fields: Vec::new(),
            key_schema: None,
            value_schema: None,
        }
    }

    /// The schema of a list.
    pub fn array(items: Arc<Schema>) -> Self {
        Self::inferred(SchemaType::Array, None, Some(items))
    }

    /// The schema of a map.
    pub fn map(keys: Arc<Schema>, values: Arc<Schema>) -> Self {
        Self::inferred(SchemaType::Map, Some(keys), Some(values))
    }

    /// The schema of a list or map whose keys or values have none in common, as it is inferred for
    /// empty or mixed ones (`SchemaBuilder.arrayOfNull`, `mapOfNull`, `mapWithNullValues`).
    pub fn inferred(kind: SchemaType, keys: Option<Arc<Schema>>, values: Option<Arc<Schema>>) -> Self {
        let mut schema = Self::new(kind);
        schema.key_schema = keys;
        schema.value_schema = values;
        schema
    }

    /// Adds a field to a struct schema.
    #[must_use]
    pub fn field(mut self, name: &str, schema: Arc<Schema>) -> Self {
        self.fields.push(Field { name: name.into(), schema });
        self
    }

    /// Allows null.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Sets the name: of a logical type or of a struct.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn with_doc(mut self, doc: &str) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Sets the default value.
    #[must_use]
    pub fn with_default(mut self, default: Value) -> Self {
        self.default = Some(default);
        self
    }

    /// Adds a parameter, after those that are there.
    #[must_use]
    pub fn with_parameter(mut self, key: &str, value: &str) -> Self {
        self.parameters.push((key.into(), value.into()));
        self
    }

    /// Its type.
    pub fn kind(&self) -> SchemaType {
        self.kind
    }

    /// Whether null is allowed.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The default value.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The version.
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// The documentation.
    pub fn doc(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// The parameters in their order.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(k, v)| (&**k, &**v))
    }

    /// The fields of a struct in their order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Schema of the field of that name.
    pub fn field_schema(&self, name: &str) -> Option<&Arc<Schema>> {
        self.fields.iter().find(|f| &*f.name == name).map(|f| &f.schema)
    }

    /// The fields of a schema that should be a struct's.
    ///
    /// # Errors
    /// If it is not.
    pub fn expect_fields(&self) -> Result<&[Field], ConnectError> {
        match self.kind {
            SchemaType::Struct => Ok(&self.fields),
            _ => Err(ConnectError::bad_record("Cannot list fields on non-struct type")),
        }
    }

    /// Position of a field of a schema that should be a struct's; `None` if it has no such field.
    ///
    /// # Errors
    /// If it is not a struct's.
    pub fn expect_field_index(&self, name: &str) -> Result<Option<usize>, ConnectError> {
        match self.kind {
            SchemaType::Struct => Ok(self.field_index(name)),
            _ => Err(ConnectError::bad_record("Cannot look up fields on non-struct type")),
        }
    }

    /// Schema of the keys of a schema that should be a map's.
    ///
    /// # Errors
    /// If it is not. `None` if the map has none, see [`Schema::inferred`].
    pub fn expect_key_schema(&self) -> Result<Option<&Arc<Schema>>, ConnectError> {
        match self.kind {
            SchemaType::Map => Ok(self.key_schema.as_ref()),
            _ => Err(ConnectError::bad_record("Cannot look up key schema on non-map type")),
        }
    }

    /// Schema of the values of a schema that should be a map's or a list's.
    ///
    /// # Errors
    /// If it is neither. `None` if it has none, see [`Schema::inferred`].
    pub fn expect_value_schema(&self) -> Result<Option<&Arc<Schema>>, ConnectError> {
        match self.kind {
            SchemaType::Map | SchemaType::Array => Ok(self.value_schema.as_ref()),
            _ => Err(ConnectError::bad_record("Cannot look up value schema on non-array and non-map type")),
        }
    }

    /// Position of a field.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| &*f.name == name)
    }

    /// Schema of a map's keys.
    pub fn key_schema(&self) -> Option<&Arc<Schema>> {
        self.key_schema.as_ref()
    }

    /// Schema of a map's values or a list's elements.
    pub fn value_schema(&self) -> Option<&Arc<Schema>> {
        self.value_schema.as_ref()
    }
}

/// Without recursion: schemas may be nested deeper than the stack reaches.
impl Drop for Schema {
    fn drop(&mut self) {
        let is_nested = |field: &Field| !field.schema.fields.is_empty();
        if !self.fields.iter().any(is_nested) && self.value_schema.is_none() && self.key_schema.is_none() {
            return;
        }
        let mut inner = Vec::new();
        self.take_inner(&mut inner);
        while let Some(schema) = inner.pop() {
            // Others may hold it still; then it is theirs to drop.
            if let Some(mut schema) = Arc::into_inner(schema) {
                schema.take_inner(&mut inner);
            }
        }
    }
}

impl Schema {
    fn take_inner(&mut self, inner: &mut Vec<Arc<Schema>>) {
        inner.extend(self.fields.drain(..).map(|field| field.schema));
        inner.extend(self.key_schema.take());
        inner.extend(self.value_schema.take());
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || descend(|| self.has_parts_of(other))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        descend(|| {
            let mut shown = f.debug_struct("Schema");
            shown.field("kind", &self.kind).field("optional", &self.optional).field("default", &self.default);
            shown.field("name", &self.name).field("version", &self.version).field("doc", &self.doc);
            shown.field("parameters", &self.parameters).field("fields", &self.fields);
            shown.field("key_schema", &self.key_schema).field("value_schema", &self.value_schema).finish()
        })
    }
}

impl Schema {
    fn has_parts_of(&self, other: &Self) -> bool {
        let same = |a: &Option<Arc<Schema>>, b: &Option<Arc<Schema>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        self.kind == other.kind
            && self.optional == other.optional
            && self.version == other.version
            && self.name == other.name
            && self.doc == other.doc
            && self.default == other.default
            && self.fields.len() == other.fields.len()
            && self
                .fields
                .iter()
                .zip(&other.fields)
                .all(|(a, b)| a.name == b.name && (Arc::ptr_eq(&a.schema, &b.schema) || a.schema == b.schema))
            && same(&self.key_schema, &other.key_schema)
            && same(&self.value_schema, &other.value_schema)
            && self.has_same_parameters(other)
    }

    /// Whether the parameters are the same, in any order.
    pub fn has_same_parameters(&self, other: &Self) -> bool {
        self.parameters == other.parameters
            || self.parameters.len() == other.parameters.len()
                && self.parameters.iter().all(|parameter| other.parameters.contains(parameter))
    }

    /// The value of a parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(k, _)| &**k == key).map(|(_, v)| &**v)
    }
}

/// As Java shows it: `Schema{INT32}`, `Schema{name:STRUCT}`.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.kind.java_name()),
            None => write!(f, "Schema{{{}}}", self.kind.java_name()),
        }
    }
}
