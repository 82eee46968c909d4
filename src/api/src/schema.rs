//! Schemas of Connect's data model (`org.apache.kafka.connect.data.Schema`), shared by [`Arc`].

use crate::Value;
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

/// The schema of a value. Immutable; made by [`Schema::new`] and the `with_…` methods.
#[derive(Debug, Clone, PartialEq)]
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
        Self { value_schema: Some(items), ..Self::new(SchemaType::Array) }
    }

    /// The schema of a map.
    pub fn map(keys: Arc<Schema>, values: Arc<Schema>) -> Self {
        Self { key_schema: Some(keys), value_schema: Some(values), ..Self::new(SchemaType::Map) }
    }

    /// The schema of a list or map whose keys or values have none in common, as it is inferred for
    /// empty or mixed ones (`SchemaBuilder.arrayOfNull`, `mapOfNull`, `mapWithNullValues`).
    pub fn inferred(kind: SchemaType, keys: Option<Arc<Schema>>, values: Option<Arc<Schema>>) -> Self {
        Self { key_schema: keys, value_schema: values, ..Self::new(kind) }
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
