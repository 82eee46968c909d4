//! Java's calendar (`java.util.GregorianCalendar` in UTC): years, months and days of times. Years before Christ
//! are 0 and below. A week begins on Sunday, and week 1 of a year or a month is the one with its first day.

pub(super) const DAY: i64 = 86_400_000;
/// The first day of the Gregorian calendar, 1582-10-15, in days since the epoch.
const CUTOVER: i64 = -141_427;
/// Its year.
pub(super) const CUTOVER_YEAR: i64 = 1582;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// 0 to 11.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
}

/// Days since the epoch of the first of a month (0 to 11).
fn gregorian(year: i64, month: i64) -> i64 {
    let (year, month) = from_march(year, month);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn julian(year: i64, month: i64) -> i64 {
    let (year, month) = from_march(year, month);
    let day_of_year = (153 * month + 2) / 5;
    year.div_euclid(4) * 1_461 + year.rem_euclid(4) * 365 + day_of_year - 719_470
}

/// The year that begins in March, and the month in it.
fn from_march(year: i64, month: i64) -> (i64, i64) {
    if month < 2 { (year - 1, month + 10) } else { (year, month - 2) }
}

/// How days are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Gregorian,
    Julian,
}

impl Rule {
    /// Days since the epoch of the first of a month. A month outside of 0 to 11 is one of another year.
    pub(super) fn first_of(self, year: i64, month: i64) -> i64 {
        let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12));
        match self {
            Self::Gregorian => gregorian(year, month),
            Self::Julian => julian(year, month),
        }
    }
}

/// The days that fields of a year make, by the rule of that time.
pub(super) fn by_rule(year: i64, days: impl Fn(Rule) -> i64) -> i64 {
    if year >= CUTOVER_YEAR {
        let late = days(Rule::Gregorian);
        if late >= CUTOVER {
            return late;
        }
    }
    days(Rule::Julian)
}

/// Days since the epoch of the first of a month.
pub(crate) fn first_of(year: i64, month: i64) -> i64 {
    by_rule(year, |rule| rule.first_of(year, month))
}

/// The date of a day since the epoch.
pub(crate) fn date_of(days: i64) -> Date {
    let is_gregorian = days >= CUTOVER;
    let (year, day_of_year) = if is_gregorian {
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        (era * 400 + year, day_of_era - (365 * year + year / 4 - year / 100))
    } else {
        let shifted = days + 719_470;
        let (era, day_of_era) = (shifted.div_euclid(1_461), shifted.rem_euclid(1_461));
        let year = (day_of_era - day_of_era / 1_460) / 365;
        (era * 4 + year, day_of_era - 365 * year)
    };
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let (year, month) = if from_march >= 10 { (year + 1, from_march - 10) } else { (year, from_march + 2) };
    Date { year, month, day }
}

/// 0 is Sunday.
pub(super) fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// The last day at or before `days` that is that day of the week.
pub(super) fn on_or_before(days: i64, day: i64) -> i64 {
    days - (day_of_week(days) - day).rem_euclid(7)
}

/// The first day of a day's month. October 1582 has two parts, and Java counts the weeks of the second by itself.
pub(super) fn start_of_month(days: i64) -> i64 {
    let first = days - date_of(days).day + 1;
    if days >= CUTOVER { first.max(CUTOVER) } else { first }
}

/// From 1.
pub(super) fn day_of_year(days: i64) -> i64 {
    days - first_of(date_of(days).year, 0) + 1
}

/// The year that a week belongs to, and its number in it.
pub(super) fn week(days: i64) -> (i64, i64) {
    let year = date_of(days).year;
    let start = |year: i64| on_or_before(first_of(year, 0), 0);
    if days >= start(year + 1) {
        return (year + 1, 1);
    }
    (year, (days - start(year)) / 7 + 1)
}

/// The same time `years` before.
pub(super) fn years_before(time: i64, years: i64) -> i64 {
    let days = time.div_euclid(DAY);
    let date = date_of(days);
    let first = first_of(date.year - years, date.month);
    let length = first_of(date.year - years, date.month + 1) - first;
    (first + date.day.min(length) - 1) * DAY + time.rem_euclid(DAY)
}
