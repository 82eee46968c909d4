//! From text to a time.

use super::fields::{Field, Fields, wrapped};
use super::format::{DAYS, MONTHS, SHORT};
use super::pattern::{Letter, Part};
use super::{DateFormat, calendar, number, zone};

impl DateFormat {
    /// The time in milliseconds since the epoch, if the text begins with what the pattern describes.
    pub fn parse(&self, text: &str) -> Option<i64> {
        let text: Vec<char> = text.chars().collect();
        let mut parsing = Parsing {
            text: &text,
            fields: Fields::default(),
            century: self.century_start,
            is_ambiguous: false,
        };
        let mut at = 0;
        for (index, part) in self.parts.iter().enumerate() {
            at = match part {
                Part::Text(c) => (text.get(at) == Some(c)).then_some(at + 1)?,
                Part::Field(letter, count) => {
                    let is_cramped = self.parts.get(index + 1).is_some_and(is_number);
                    parsing.field(at, *letter, *count, is_cramped)?
                }
            };
        }
        if at == 0 {
            return None;
        }
        let time = parsing.fields.time();
        if parsing.is_ambiguous && time < self.century_start {
            parsing.fields.add_years(100);
            return Some(parsing.fields.time());
        }
        Some(time)
    }
}

/// Whether a part is a number, so that the one before it is as long as its letters say.
fn is_number(part: &Part) -> bool {
    match part {
        Part::Text(_) => false,
        Part::Field(Letter::Month, count) => *count <= 2,
        Part::Field(letter, _) => !matches!(
            letter,
            Letter::Era
                | Letter::DayOfWeek
                | Letter::AmPm
                | Letter::ZoneName
                | Letter::ZoneValue
                | Letter::IsoZone
        ),
    }
}

struct Parsing<'t> {
    text: &'t [char],
    fields: Fields,
    century: i64,
    is_ambiguous: bool,
}

impl Parsing<'_> {
    /// Reads a field; the place after it, if it is there.
    fn field(&mut self, start: usize, letter: Letter, count: usize, is_cramped: bool) -> Option<usize> {
        let blanks = self.text.get(start..)?.iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        let at = start + blanks;
        self.text.get(at)?;
        match letter {
            Letter::Era => {
                let eras = ["BC", "AD", "Before Christ", "Anno Domini"];
                return self.word(start, &eras, |at| (Field::Era, (at % 2) as i64));
            }
            Letter::AmPm => return self.word(start, &["AM", "PM"], |at| (Field::AmPm, at as i64)),
            Letter::DayOfWeek => {
                return self.long_or_short(start, &DAYS, |at| (Field::DayOfWeek, at as i64 + 1));
            }
            Letter::Month if count >= 3 => {
                return self.long_or_short(start, &MONTHS, |at| (Field::Month, at as i64));
            }
            Letter::ZoneName | Letter::ZoneValue => return self.zone(zone::general(self.text, at, start)),
            Letter::IsoZone => return self.zone(zone::iso(self.text, at, count)),
            _ => {}
        }
        let end = if is_cramped { start.checked_add(count)? } else { self.text.len() };
        if end > self.text.len() {
            return None;
        }
        let (value, after) = number::parse(self.text, at, end)?;
        self.number(letter, count, i64::from(value), at, after);
        Some(after)
    }

    fn number(&mut self, letter: Letter, count: usize, value: i64, at: usize, after: usize) {
        let (field, value) = match letter {
            Letter::Year | Letter::WeekYear => {
                let field = if letter == Letter::Year { Field::Year } else { Field::WeekYear };
                (field, self.year(count, value, at, after))
            }
            Letter::Month => (Field::Month, wrapped(value - 1)),
            Letter::Hour1To24 => (Field::HourOfDay, if value == 24 { 0 } else { value }),
            Letter::Hour1To12 => (Field::Hour, if value == 12 { 0 } else { value }),
            Letter::Hour0To23 => (Field::HourOfDay, value),
            Letter::Hour0To11 => (Field::Hour, value),
            Letter::DayOfMonth => (Field::DayOfMonth, value),
            Letter::Minute => (Field::Minute, value),
            Letter::Second => (Field::Second, value),
            Letter::Millisecond => (Field::Millisecond, value),
            Letter::DayOfYear => (Field::DayOfYear, value),
            Letter::DayOfWeekInMonth => (Field::DayOfWeekInMonth, value),
            Letter::WeekOfYear => (Field::WeekOfYear, value),
            Letter::WeekOfMonth => (Field::WeekOfMonth, value),
            Letter::IsoDayOfWeek => match value {
                7 => (Field::DayOfWeek, 1),
                1..=6 => (Field::DayOfWeek, value + 1),
                _ => (Field::DayOfWeek, value),
            },
            // Read as words or zones before.
            Letter::Era
            | Letter::AmPm
            | Letter::DayOfWeek
            | Letter::ZoneName
            | Letter::ZoneValue
            | Letter::IsoZone => return,
        };
        self.fields.set(field, value);
    }

    /// A year of two digits is one of the hundred years from 80 years ago on.
    fn year(&mut self, count: usize, value: i64, at: usize, after: usize) -> i64 {
        let is_digit = |place: usize| self.text.get(place).is_some_and(|c| c.is_numeric());
        if count > 2 || after - at != 2 || !is_digit(at) || !is_digit(at + 1) {
            return value;
        }
        let first = calendar::date_of(self.century.div_euclid(calendar::DAY)).year;
        self.is_ambiguous = value == first % 100;
        value + first / 100 * 100 + if value < first % 100 { 100 } else { 0 }
    }

    fn zone(&mut self, zone: Option<zone::Zone>) -> Option<usize> {
        let (offset, after) = zone?;
        self.fields.set(Field::Zone, offset);
        Some(after)
    }

    fn long_or_short(
        &mut self,
        start: usize,
        names: &[&str],
        set: impl Fn(usize) -> (Field, i64),
    ) -> Option<usize> {
        let all: Vec<&str> = names.iter().copied().chain(names.iter().map(|name| &name[..SHORT])).collect();
        self.word(start, &all, |at| set(at % names.len()))
    }

    /// The longest of the words that is there, in any case.
    fn word(&mut self, start: usize, words: &[&str], set: impl Fn(usize) -> (Field, i64)) -> Option<usize> {
        let found = words.iter().enumerate().filter(|(_, word)| zone::starts_with(self.text, start, word));
        let (at, word) = found.max_by_key(|(_, word)| word.len())?;
        let (field, value) = set(at);
        self.fields.set(field, value);
        Some(start + word.len())
    }
}
