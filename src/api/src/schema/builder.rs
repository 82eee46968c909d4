//! [`SchemaBuilder`]: schemas made step by step, each step checked.

use super::{LogicalType, Schema, SchemaType};
use crate::{ConnectError, Exception, Value};
use std::sync::Arc;

/// Makes a schema, with the checks of `org.apache.kafka.connect.data.SchemaBuilder`: each property can be set
/// once, a default must fit, and only structs have fields. The first error is kept and given at the end.
///
/// Arguments that may be missing in Java may be `None` here.
///
/// ```
/// use crossdock_api::{Schema, SchemaBuilder, Value};
///
/// let person = SchemaBuilder::structure()
///     .name("person")
///     .field("id", Schema::int64().clone())
///     .field("nick", SchemaBuilder::string().optional().build()?)
///     .build()?;
/// assert_eq!(person.to_string(), "Schema{person:STRUCT}");
/// assert!(SchemaBuilder::int8().default_value(Value::Int32(1)).build().is_err());
/// # Ok::<(), crossdock_api::ConnectError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is made before build()"]
pub struct SchemaBuilder {
    made: Schema,
    optional: Option<bool>,
    has_default: bool,
    error: Option<Arc<Failure>>,
}

/// Why the first wrong step was wrong.
#[derive(Debug)]
struct Failure {
    exception: Exception,
    message: String,
    cause: Option<String>,
}

macro_rules! primitives {
    ($($name:ident = $kind:ident;)*) => {
        $(#[doc = concat!("A schema of type ", stringify!($kind), ".")]
        pub fn $name() -> Self {
            Self::of(SchemaType::$kind)
        })*
    };
}

impl SchemaBuilder {
    primitives! {
        boolean = Boolean;
        bytes = Bytes;
        float32 = Float32;
        float64 = Float64;
        int16 = Int16;
        int32 = Int32;
        int64 = Int64;
        int8 = Int8;
        string = String;
        structure = Struct;
    }

    /// A schema of that type. Lists and maps made this way have no schemas of their parts; see
    /// [`SchemaBuilder::array`] and [`SchemaBuilder::map`].
    pub fn of(kind: impl Into<Option<SchemaType>>) -> Self {
        let kind = kind.into();
        let mut builder = Self {
            made: Schema::new(kind.unwrap_or(SchemaType::String)),
            optional: None,
            has_default: false,
            error: None,
        };
        if kind.is_none() {
            builder.fail("type cannot be null");
        }
        builder
    }

    /// A list of such elements.
    pub fn array(items: impl Into<Option<Arc<Schema>>>) -> Self {
        let mut builder = Self::of(SchemaType::Array);
        builder.made.value_schema = items.into();
        if builder.made.value_schema.is_none() {
            builder.fail("valueSchema cannot be null.");
        }
        builder
    }

    /// A map of such keys and values.
    pub fn map(keys: impl Into<Option<Arc<Schema>>>, values: impl Into<Option<Arc<Schema>>>) -> Self {
        let mut builder = Self::of(SchemaType::Map);
        builder.made.key_schema = keys.into();
        builder.made.value_schema = values.into();
        if builder.made.key_schema.is_none() {
            builder.fail("keySchema cannot be null.");
        } else if builder.made.value_schema.is_none() {
            builder.fail("valueSchema cannot be null.");
        }
        builder
    }

    /// A logical type of Connect's; a decimal gets its scale by [`SchemaBuilder::decimal`].
    pub fn logical(kind: LogicalType) -> Self {
        Self { made: kind.schema(), optional: None, has_default: false, error: None }
    }

    /// Decimals with that many digits after the point.
    pub fn decimal(scale: i32) -> Self {
        Self { made: Schema::decimal(scale), optional: None, has_default: false, error: None }
    }

    /// Allows null.
    pub fn optional(self) -> Self {
        self.set_optional(true)
    }

    /// Does not allow null, which is the case unless [`SchemaBuilder::optional`] was called.
    pub fn required(self) -> Self {
        self.set_optional(false)
    }

    fn set_optional(mut self, optional: bool) -> Self {
        match self.optional {
            Some(before) if before != optional => self.fail_again("optional"),
            _ => {
                self.optional = Some(optional);
                self.made.optional = optional;
            }
        }
        self
    }

    /// Sets the value that stands for a missing one; it must fit what was set before.
    pub fn default_value(mut self, value: Value) -> Self {
        if self.has_default {
            self.fail_again("default");
        } else if let Err(error) = self.made.validate(value.as_ref()) {
            let failure = Failure {
                exception: Exception::SchemaBuilder,
                message: "Invalid default value".to_owned(),
                cause: Some(error.message().to_owned()),
            };
            self.error.get_or_insert(Arc::new(failure));
        } else if !value.is_null() {
            self.has_default = true;
            self.made.default = Some(value);
        }
        self
    }

    /// Sets the name: of a logical type or of a struct.
    pub fn name<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        if self.made.name.is_some() {
            self.fail_again("name");
        } else {
            self.made.name = name.into().map(Arc::from);
        }
        self
    }

    /// Sets the version.
    pub fn version(mut self, version: impl Into<Option<i32>>) -> Self {
        let version = version.into();
        if self.made.version.is_some() && self.made.version != version {
            self.fail_again("version");
        } else {
            self.made.version = version;
        }
        self
    }

    /// Sets the documentation.
    pub fn doc<'a>(mut self, doc: impl Into<Option<&'a str>>) -> Self {
        if self.made.doc.is_some() {
            self.fail_again("doc");
        } else {
            self.made.doc = doc.into().map(Arc::from);
        }
        self
    }

    /// Sets a parameter, in its old place if it is there already.
    pub fn parameter<'a>(mut self, key: impl Into<Option<&'a str>>, value: &str) -> Self {
        match key.into() {
            None => self.fail_as(Exception::NullPointer, "a parameter must have a name".to_owned()),
            Some(key) => match self.made.parameters.iter_mut().find(|(k, _)| &**k == key) {
                Some((_, old)) => *old = value.into(),
                None => self.made.parameters.push((key.into(), value.into())),
            },
        }
        self
    }

    /// Adds a field to a struct.
    pub fn field<'a>(
        mut self,
        name: impl Into<Option<&'a str>>,
        schema: impl Into<Option<Arc<Schema>>>,
    ) -> Self {
        let kind = self.made.kind;
        match (name.into(), schema.into()) {
            _ if kind != SchemaType::Struct => {
                self.fail_text(format!("Cannot create fields on type {}", kind.java_name()));
            }
            (None | Some(""), _) => self.fail("fieldName cannot be null."),
            (Some(name), None) => self.fail_text(format!("fieldSchema for field {name} cannot be null.")),
            (Some(name), Some(_)) if self.made.field_index(name).is_some() => {
                self.fail_text(format!("Cannot create field because of field name duplication {name}"));
            }
            (Some(name), Some(schema)) => self.made.fields.push(super::Field { name: name.into(), schema }),
        }
        self
    }

    /// What was made so far, for looking at.
    ///
    /// # Errors
    /// The first step that was wrong.
    pub fn so_far(&self) -> Result<&Schema, ConnectError> {
        match &self.error {
            None => Ok(&self.made),
            Some(failure) => Err(failure.to_error()),
        }
    }

    /// The schema.
    ///
    /// # Errors
    /// The first step that was wrong, with Connect's message.
    pub fn build(self) -> Result<Arc<Schema>, ConnectError> {
        match &self.error {
            None => Ok(Arc::new(self.made)),
            Some(failure) => Err(failure.to_error()),
        }
    }

    fn fail(&mut self, message: &str) {
        self.fail_text(message.to_owned());
    }

    fn fail_again(&mut self, property: &str) {
        self.fail_text(format!("Invalid SchemaBuilder call: {property} has already been set."));
    }

    fn fail_text(&mut self, message: String) {
        self.fail_as(Exception::SchemaBuilder, message);
    }

    fn fail_as(&mut self, exception: Exception, message: String) {
        self.error.get_or_insert(Arc::new(Failure { exception, message, cause: None }));
    }
}

impl Failure {
    fn to_error(&self) -> ConnectError {
        let error = ConnectError::bad_record(self.message.clone()).with_exception(self.exception);
        match &self.cause {
            None => error,
            Some(cause) => error.caused_by(cause.clone()),
        }
    }
}
