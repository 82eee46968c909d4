//! Dates and times in ISO 8601 with milliseconds and `Z`, read as leniently as `SimpleDateFormat` does.

use crate::java_date::{DateFormat, calendar};
use crate::{Schema, SchemaType, Value};
use std::io::Write;
use std::sync::{Arc, LazyLock};

const DAY_MS: i64 = 86_400_000;

fn logical(kind: SchemaType, name: &str) -> Arc<Schema> {
    Arc::new(Schema::new(kind).with_name(&format!("org.apache.kafka.connect.data.{name}")).with_version(1))
}

static DATE: LazyLock<Arc<Schema>> = LazyLock::new(|| logical(SchemaType::Int32, "Date"));
static TIME: LazyLock<Arc<Schema>> = LazyLock::new(|| logical(SchemaType::Int32, "Time"));
static TIMESTAMP: LazyLock<Arc<Schema>> = LazyLock::new(|| logical(SchemaType::Int64, "Timestamp"));

/// Only a wrong pattern makes none; these are right. The time matters only to years of two digits.
fn format(pattern: &str) -> Option<DateFormat> {
    DateFormat::at(pattern, 0).ok()
}

static DATE_FORMAT: LazyLock<Option<DateFormat>> = LazyLock::new(|| format("yyyy-MM-dd"));
static TIME_FORMAT: LazyLock<Option<DateFormat>> = LazyLock::new(|| format("HH:mm:ss.SSS'Z'"));
static TIMESTAMP_FORMAT: LazyLock<Option<DateFormat>> =
    LazyLock::new(|| format("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"));

/// Appends a time, a date or a timestamp, whichever says all of `ms`. Mirrors `Values.dateFormatFor`.
pub fn append_date(out: &mut Vec<u8>, ms: i64) {
    let (day, time) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
    let (has_date, has_time) = (ms >= DAY_MS, ms < DAY_MS || time != 0);
    // Writing to a Vec cannot fail.
    if has_date {
        let date = calendar::date_of(day);
        let _ = write!(out, "{:04}-{:02}-{:02}", date.year, date.month + 1, date.day);
    }
    if has_date && has_time {
        out.push(b'T');
    }
    if has_time {
        let _ = write!(out, "{hour:02}:{minute:02}:{second:02}.{:03}Z", time % 1000);
    }
}

/// A date, time or timestamp if the text has exactly the length of one. Mirrors
/// `ValueParser.parseAsTemporal`.
pub(super) fn parse(text: &str) -> Option<(Arc<Schema>, Value)> {
    let text = text.replace("\\:", ":");
    let ms = |format: &Option<DateFormat>| format.as_ref()?.parse(&text);
    match text.chars().map(char::len_utf16).sum::<usize>() {
        10 => Some((Arc::clone(&DATE), Value::Date(ms(&DATE_FORMAT)?))),
        13 => Some((Arc::clone(&TIME), Value::Time(ms(&TIME_FORMAT)?))),
        24 => Some((Arc::clone(&TIMESTAMP), Value::Timestamp(ms(&TIMESTAMP_FORMAT)?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Value> {
        parse(text).map(|(_, value)| value)
    }

    #[test]
    fn all_three_forms_are_read_and_written() {
        for (text, value) in [
            ("2019-08-23", Value::Date(1_566_518_400_000)),
            ("14:34:54.346Z", Value::Time(52_494_346)),
            ("2019-08-23T14:34:54.346Z", Value::Timestamp(1_566_570_894_346)),
        ] {
            assert_eq!(parsed(text), Some(value.clone()));
            let mut out = Vec::new();
            let (Value::Date(ms) | Value::Time(ms) | Value::Timestamp(ms)) = value else { panic!() };
            append_date(&mut out, ms);
            assert_eq!(out, text.as_bytes());
        }
        append_date(&mut Vec::new(), i64::MAX);
        append_date(&mut Vec::new(), i64::MIN);
    }

    /// Fields are ints, and times longs, that wrap round as Java's do.
    #[test]
    fn times_past_the_ends_wrap_round() {
        for (text, ms) in [
            ("2147483647-1-1T1:1:1.11Z", -6_019_000_092_837_745_453),
            ("2147483648-1-1T1:1:1.11Z", 6_017_484_157_325_067_475),
            ("2147483647-13-1T1:1:1.1Z", 6_017_484_157_325_067_465),
            ("292278994-1-1T1:1:1.111Z", 9_223_372_017_133_261_111),
        ] {
            assert_eq!(parsed(text), Some(Value::Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn lenient_fields_roll_over() {
        assert_eq!(parsed("2019-00-10"), Some(Value::Date(1_544_400_000_000)));
        assert_eq!(parsed("1969-12-31"), Some(Value::Date(-86_400_000)));
        assert_eq!(parsed("2019x08-23"), None);
        assert_eq!(parsed("14:34:54.346X"), None);
    }
}
