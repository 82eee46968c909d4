//! Dates and times in ISO 8601 with milliseconds and `Z`, read as leniently as `SimpleDateFormat` does.

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

/// Appends a time, a date or a timestamp, whichever says all of `ms`. Mirrors `Values.dateFormatFor`.
pub fn append_date(out: &mut Vec<u8>, ms: i64) {
    let (day, time) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
    let (has_date, has_time) = (ms >= DAY_MS, ms < DAY_MS || time != 0);
    // Writing to a Vec cannot fail.
    if has_date {
        let (year, month, date) = gregorian(day);
        let _ = write!(out, "{year:04}-{month:02}-{date:02}");
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
    let mut fields = Fields { rest: &text };
    match text.chars().map(char::len_utf16).sum::<usize>() {
        10 => Some((Arc::clone(&DATE), Value::Date(fields.date()?))),
        13 => Some((Arc::clone(&TIME), Value::Time(fields.time()?))),
        24 => {
            let date = fields.date()?;
            fields.literal('T')?;
            Some((Arc::clone(&TIMESTAMP), Value::Timestamp(date + fields.time()?)))
        }
        _ => None,
    }
}

/// Reads numbers with literals between them. What is left at the end does not matter, as in Java.
struct Fields<'a> {
    rest: &'a str,
}

impl Fields<'_> {
    fn literal(&mut self, literal: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    fn number(&mut self) -> Option<i64> {
        let text = self.rest.trim_start_matches([' ', '\t']);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let mut value: i64 = 0;
        let mut length = 0;
        for (at, character) in digits.char_indices() {
            let Some(digit) = crate::java_number::digit(character) else { break };
            // The whole text has at most 24 characters, which can still overflow.
            value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
            length = at + character.len_utf8();
        }
        if length == 0 {
            return None;
        }
        self.rest = &digits[length..];
        // Java keeps them in an int.
        Some(i64::from(if negative { -value } else { value } as i32))
    }

    /// Milliseconds at the start of the day.
    fn date(&mut self) -> Option<i64> {
        let year = self.number()?;
        self.literal('-')?;
        let month = self.number()?;
        self.literal('-')?;
        let date = self.number()?;
        Some(day_of(year, month, date) * DAY_MS)
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number()?;
        self.literal(':')?;
        let minute = self.number()?;
        self.literal(':')?;
        let second = self.number()?;
        self.literal('.')?;
        let ms = self.number()?;
        self.literal('Z')?;
        Some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
    }
}

/// The day since 1970 of a date whose month and day may be out of range; Julian before 15 October 1582.
pub(super) fn day_of(year: i64, month: i64, date: i64) -> i64 {
    const GREGORIAN_FROM: i64 = -141_427;
    let months = year * 12 + month - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    // Counted from March, so that the leap day is the last of a year.
    let (year, month) = if month >= 2 { (year, month - 2) } else { (year - 1, month + 10) };
    let day_of_year = (153 * month + 2) / 5 + date - 1;
    let julian = 365 * year + year.div_euclid(4) + day_of_year - 719_470;
    let gregorian = julian + 2 - year.div_euclid(100) + year.div_euclid(400);
    if gregorian >= GREGORIAN_FROM { gregorian } else { julian }
}

/// Year, month and day of the month of a day since 1970.
fn gregorian(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let in_era = shifted.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let day_of_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year + shifted.div_euclid(146_097) * 400;
    if month < 10 { (year, month + 3, date) } else { (year + 1, month - 9, date) }
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

    #[test]
    fn lenient_fields_roll_over() {
        assert_eq!(parsed("2019-00-10"), Some(Value::Date(1_544_400_000_000)));
        assert_eq!(parsed("1969-12-31"), Some(Value::Date(-86_400_000)));
        assert_eq!(parsed("2019x08-23"), None);
        assert_eq!(parsed("14:34:54.346X"), None);
    }
}
