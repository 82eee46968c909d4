//! The logical types that Connect itself knows, told by the name of a schema.

use super::{Schema, SchemaType};
use crate::{ConnectError, Exception};

/// A logical type of `org.apache.kafka.connect.data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// Milliseconds since the epoch at midnight UTC, over int32 days.
    Date,
    /// A number with a scale, over bytes.
    Decimal,
    /// Milliseconds since midnight, over int32.
    Time,
    /// Milliseconds since the epoch, over int64.
    Timestamp,
}

impl LogicalType {
    /// The name that its schemas have.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Date => "org.apache.kafka.connect.data.Date",
            Self::Decimal => "org.apache.kafka.connect.data.Decimal",
            Self::Time => "org.apache.kafka.connect.data.Time",
            Self::Timestamp => "org.apache.kafka.connect.data.Timestamp",
        }
    }

    /// The logical type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.strip_prefix("org.apache.kafka.connect.data.")? {
            "Date" => Some(Self::Date),
            "Decimal" => Some(Self::Decimal),
            "Time" => Some(Self::Time),
            "Timestamp" => Some(Self::Timestamp),
            _ => None,
        }
    }

    /// Milliseconds as the number that the type is stored as: days of a date, milliseconds of the others.
    ///
    /// # Errors
    /// If a date has a time of day, or a time is not within a day; the messages are those of Connect's classes.
    pub fn encode(self, ms: i64) -> Result<i64, ConnectError> {
        const DAY_MS: i64 = 86_400_000;
        match self {
            Self::Date if ms.rem_euclid(DAY_MS) != 0 => Err(ConnectError::bad_record(
                "Kafka Connect Date type should not have any time fields set to non-zero values.",
            )),
            Self::Date => Ok(i64::from((ms / DAY_MS) as i32)),
            Self::Time if !(0..=DAY_MS).contains(&ms) => Err(ConnectError::bad_record(
                "Kafka Connect Time type should not have any date fields set to non-zero values.",
            )),
            Self::Decimal | Self::Time | Self::Timestamp => Ok(ms),
        }
    }

    /// A required schema of this type, of version 1; a decimal has no scale yet, see [`Schema::decimal`].
    pub fn schema(self) -> Schema {
        let kind = match self {
            Self::Date | Self::Time => SchemaType::Int32,
            Self::Decimal => SchemaType::Bytes,
            Self::Timestamp => SchemaType::Int64,
        };
        Schema::new(kind).with_name(self.name()).with_version(1)
    }
}

impl Schema {
    /// The schema of decimals with that many digits after the point.
    pub fn decimal(scale: i32) -> Self {
        LogicalType::Decimal.schema().with_parameter("scale", &scale.to_string())
    }

    /// The logical type, if the name is that of one.
    pub fn logical_type(&self) -> Option<LogicalType> {
        LogicalType::from_name(self.name()?)
    }

    /// The scale of a decimal's schema.
    ///
    /// # Errors
    /// If it is missing or no number; the messages are those of `Decimal.scale`.
    pub fn scale(&self) -> Result<i32, ConnectError> {
        let Some(text) = self.parameter("scale") else {
            return Err(ConnectError::bad_record("Invalid Decimal schema: scale parameter not found."));
        };
        text.parse().map_err(|_| {
            ConnectError::bad_record("Invalid scale parameter found in Decimal schema: ")
                .with_exception(Exception::Data)
        })
    }
}
