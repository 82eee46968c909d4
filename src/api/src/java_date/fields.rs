//! Fields that were parsed, and the time that they make. Mirrors which of them `java.util.Calendar` looks at: the
//! ones that were set last.

use super::calendar::{CUTOVER_YEAR, DAY, Rule, by_rule, first_of, on_or_before};

/// What a part of a pattern sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    AmPm,
    DayOfMonth,
    /// 1 is Sunday; may be outside of 1 to 7.
    DayOfWeek,
    DayOfWeekInMonth,
    DayOfYear,
    /// 0 is before Christ.
    Era,
    Hour,
    HourOfDay,
    Millisecond,
    Minute,
    /// From 0.
    Month,
    Second,
    WeekOfMonth,
    WeekOfYear,
    WeekYear,
    Year,
    /// Milliseconds.
    Zone,
}

/// Fields that say together which day of a year it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    DayOfMonth,
    DayOfWeekInMonth,
    DayOfYear,
    WeekOfMonth,
    WeekOfYear,
}

/// As an `int` of Java.
pub(super) fn wrapped(value: i64) -> i64 {
    i64::from(value as i32)
}

const COUNT: usize = Field::Zone as usize + 1;

/// Values, and when each was set: 0 is never.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: [i64; COUNT],
    stamps: [u32; COUNT],
    last: u32,
}

impl Fields {
    pub(super) fn set(&mut self, field: Field, value: i64) {
        self.last += 1;
        self.values[field as usize] = value;
        self.stamps[field as usize] = self.last;
    }

    pub(super) fn add_years(&mut self, years: i64) {
        for field in [Field::Year, Field::WeekYear] {
            let value = &mut self.values[field as usize];
            *value = wrapped(*value + years);
        }
    }

    fn stamp(&self, field: Field) -> u32 {
        self.stamps[field as usize]
    }

    fn get(&self, field: Field) -> Option<i64> {
        (self.stamp(field) > 0).then(|| self.values[field as usize])
    }

    fn or_zero(&self, field: Field) -> i64 {
        self.get(field).unwrap_or(0)
    }

    /// When the later of two was set, if both were.
    fn both(&self, a: Field, b: Field) -> u32 {
        let (a, b) = (self.stamp(a), self.stamp(b));
        if a == 0 || b == 0 { 0 } else { a.max(b) }
    }

    /// Milliseconds since the epoch. What does not fit wraps around, as in Java.
    pub(super) fn time(&self) -> i64 {
        let minutes = self.hours() * 60 + self.or_zero(Field::Minute);
        let of_day = (minutes * 60 + self.or_zero(Field::Second)) * 1_000 + self.or_zero(Field::Millisecond);
        let (more, of_day) = (of_day.div_euclid(DAY), of_day.rem_euclid(DAY));
        let is_week_date = self.stamp(Field::WeekYear) > self.stamp(Field::Year);
        let days = if is_week_date { self.week_date() + more } else { self.days(more) };
        days.wrapping_mul(DAY).wrapping_add(of_day).wrapping_sub(self.or_zero(Field::Zone))
    }

    fn hours(&self) -> i64 {
        let with_half = self.both(Field::Hour, Field::AmPm);
        let of_day = self.stamp(Field::HourOfDay);
        if of_day > 0 && of_day >= with_half {
            return self.or_zero(Field::HourOfDay);
        }
        self.or_zero(Field::Hour) + 12 * self.or_zero(Field::AmPm)
    }

    fn week_date(&self) -> i64 {
        let mut week = self.get(Field::WeekOfYear).unwrap_or(1);
        let mut day = self.get(Field::DayOfWeek).unwrap_or(1);
        if !(1..=7).contains(&day) {
            if day >= 8 {
                day -= 1;
                week += day / 7;
                day = day % 7 + 1;
            } else {
                let weeks = (-day) / 7 + 1;
                day += 7 * weeks;
                week -= weeks;
            }
            day = if day == 7 { 1 } else { day + 1 };
        }
        let start = on_or_before(first_of(self.or_zero(Field::WeekYear), 0), 0);
        start + day - 1 + 7 * (week - 1)
    }

    /// Days since the epoch, with those that the time of day adds.
    fn days(&self, more: i64) -> i64 {
        let mut year = self.get(Field::Year).unwrap_or(1970);
        if self.get(Field::Era) == Some(0) {
            year = wrapped(1 - year);
        }
        let selected = self.selected();
        let days = |rule| self.days_by(rule, year, selected) + more;
        if year == CUTOVER_YEAR && matches!(selected, Selected::DayOfYear | Selected::WeekOfYear) {
            return days(Rule::Julian);
        }
        by_rule(year, days)
    }

    /// The fields that say which day it is.
    fn selected(&self) -> Selected {
        let mut of_month = self.stamp(Field::DayOfMonth);
        let of_year = self.stamp(Field::DayOfYear);
        let mut week_of_month = self.both(Field::WeekOfMonth, Field::DayOfWeek);
        let mut in_month = self.both(Field::DayOfWeekInMonth, Field::DayOfWeek);
        let mut week_of_year = self.both(Field::WeekOfYear, Field::DayOfWeek);
        let mut best = of_month.max(week_of_month).max(in_month).max(of_year).max(week_of_year);
        if best == 0 {
            week_of_month = self.stamp(Field::WeekOfMonth);
            in_month = self.stamp(Field::DayOfWeekInMonth).max(self.stamp(Field::DayOfWeek));
            week_of_year = self.stamp(Field::WeekOfYear);
            best = week_of_month.max(in_month).max(week_of_year);
        }
        if best == 0 {
            of_month = self.stamp(Field::Month);
            best = of_month;
        }
        let after_weeks = |field: Field| self.stamp(field) >= self.stamp(Field::WeekOfYear);
        if best == of_month {
            return Selected::DayOfMonth;
        }
        let by_week = best == week_of_month && after_weeks(Field::WeekOfMonth);
        let by_day = best == in_month && after_weeks(Field::DayOfWeekInMonth);
        if by_week || by_day {
            let prefers_week = if week_of_month == in_month {
                self.stamp(Field::WeekOfMonth) >= self.stamp(Field::DayOfWeekInMonth)
            } else {
                best == week_of_month
            };
            return if prefers_week { Selected::WeekOfMonth } else { Selected::DayOfWeekInMonth };
        }
        if best == of_year { Selected::DayOfYear } else { Selected::WeekOfYear }
    }

    fn days_by(&self, rule: Rule, year: i64, selected: Selected) -> i64 {
        let day_of_week = self.get(Field::DayOfWeek).map(|day| wrapped(day - 1));
        let first = |months: i64| {
            // Java keeps the year in an int.
            let month = self.or_zero(Field::Month);
            rule.first_of(wrapped(year + month.div_euclid(12)), month.rem_euclid(12) + months)
        };
        match selected {
            Selected::DayOfMonth => first(0) + self.get(Field::DayOfMonth).unwrap_or(1) - 1,
            Selected::WeekOfMonth => {
                let weeks = wrapped(7 * wrapped(self.or_zero(Field::WeekOfMonth) - 1));
                in_first_week(first(0), day_of_week) + weeks
            }
            Selected::DayOfWeekInMonth => {
                self.day_of_week_in_month(first(0), first(1) - first(0), day_of_week.unwrap_or(0))
            }
            Selected::DayOfYear => rule.first_of(year, 0) + self.or_zero(Field::DayOfYear) - 1,
            Selected::WeekOfYear => {
                in_first_week(rule.first_of(year, 0), day_of_week) + 7 * (self.or_zero(Field::WeekOfYear) - 1)
            }
        }
    }

    fn day_of_week_in_month(&self, first: i64, length: i64, day_of_week: i64) -> i64 {
        let number = self.get(Field::DayOfWeekInMonth).unwrap_or(1);
        if number >= 0 {
            return on_or_before(first + wrapped(7 * number) - 1, day_of_week);
        }
        on_or_before(first + wrapped(length + wrapped(7 * (number + 1))) - 1, day_of_week)
    }
}

/// The day of the week (from 0) in the first week of the year or month that begins at `first`.
fn in_first_week(first: i64, day_of_week: Option<i64>) -> i64 {
    let start = on_or_before(first, 0);
    day_of_week.map_or(start, |day| on_or_before(start + 6, day.rem_euclid(7)))
}
