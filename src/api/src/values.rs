//! Between values and text, and between values of different types (`org.apache.kafka.connect.data.Values`): what
//! header converters, casts and literals in configurations are made of.
//!
//! - [`append_text`]: values into text. [`parse_string`]: text into values, their types guessed.
//! - [`Values`]: values of one type as those of another. [`infer_schema`]: the schema that fits a value.
//! - `infer` walks the words that `tokens` finds; `number` says which type a number is, `time` reads and writes
//!   dates and times as `SimpleDateFormat` does.
//!
//! Reading back what was written need not give the same type: `"7"` and `7` are the same text.

mod convert;
mod infer;
mod number;
mod text;
mod time;
mod tokens;

pub use convert::{Values, infer_schema};
pub use infer::parse_string;
pub use number::java_decimal;
pub use text::{append_text, append_text_as};
pub use time::append_date;
