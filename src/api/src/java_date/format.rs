//! From a time to text.

use super::calendar::{DAY, date_of, day_of_week, day_of_year, week};
use super::pattern::{Letter, Part};
use super::{DateFormat, calendar};
use std::fmt::Write;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Sunday.
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// Length of the short form of a month or a day.
pub(super) const SHORT: usize = 3;

impl DateFormat {
    /// The text of a time, in milliseconds since the epoch.
    pub fn format(&self, time: i64) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(c) => out.push(*c),
                Part::Field(letter, count) => field(&mut out, *letter, *count, time),
            }
        }
        out
    }
}

fn field(out: &mut String, letter: Letter, count: usize, time: i64) {
    let (days, of_day) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let date = date_of(days);
    let hour = of_day / 3_600_000;
    let word = |names: &[&'static str], at: i64| {
        let name = names.get(usize::try_from(at).unwrap_or_default()).copied().unwrap_or_default();
        if count >= 4 { name } else { &name[..SHORT] }
    };
    let value = match letter {
        Letter::Era => return out.push_str(if date.year > 0 { "AD" } else { "BC" }),
        Letter::Year | Letter::WeekYear => {
            let year = match letter {
                Letter::WeekYear => week(days).0,
                _ if date.year > 0 => date.year,
                _ => 1 - date.year,
            };
            return number(out, if count == 2 { year % 100 } else { year }, count);
        }
        Letter::Month if count >= 3 => return out.push_str(word(&MONTHS, date.month)),
        Letter::Month => date.month + 1,
        Letter::DayOfMonth => date.day,
        Letter::Hour1To24 => (hour + 23) % 24 + 1,
        Letter::Hour0To23 => hour,
        Letter::Minute => of_day / 60_000 % 60,
        Letter::Second => of_day / 1_000 % 60,
        Letter::Millisecond => of_day % 1_000,
        Letter::DayOfWeek => return out.push_str(word(&DAYS, day_of_week(days))),
        Letter::DayOfYear => day_of_year(days),
        Letter::DayOfWeekInMonth => (days - calendar::start_of_month(days)) / 7 + 1,
        Letter::WeekOfYear => week(days).1,
        Letter::WeekOfMonth => {
            let first = calendar::on_or_before(calendar::start_of_month(days), 0);
            (days - first) / 7 + 1
        }
        Letter::AmPm => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
        Letter::Hour1To12 => (hour + 11) % 12 + 1,
        Letter::Hour0To11 => hour % 12,
        Letter::IsoDayOfWeek => (day_of_week(days) + 6) % 7 + 1,
        Letter::ZoneName if count >= 4 => return out.push_str("Coordinated Universal Time"),
        Letter::ZoneName => return out.push_str("UTC"),
        Letter::ZoneValue => return out.push_str("+0000"),
        Letter::IsoZone => return out.push('Z'),
    };
    number(out, value, count);
}

fn number(out: &mut String, value: i64, digits: usize) {
    if value < 0 {
        out.push('-');
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "{:0digits$}", value.unsigned_abs());
}
