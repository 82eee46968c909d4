//! Patterns and their parts.

/// A letter with a meaning, in Java's order of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    /// `a`
    AmPm,
    /// `d`
    DayOfMonth,
    /// `E`
    DayOfWeek,
    /// `F`
    DayOfWeekInMonth,
    /// `D`
    DayOfYear,
    /// `G`
    Era,
    /// `K`: 0 to 11.
    Hour0To11,
    /// `H`: 0 to 23.
    Hour0To23,
    /// `h`: 1 to 12.
    Hour1To12,
    /// `k`: 1 to 24.
    Hour1To24,
    /// `u`: Monday is 1.
    IsoDayOfWeek,
    /// `X`
    IsoZone,
    /// `S`
    Millisecond,
    /// `m`
    Minute,
    /// `M` and `L`, which are the same in English.
    Month,
    /// `s`
    Second,
    /// `W`
    WeekOfMonth,
    /// `w`
    WeekOfYear,
    /// `Y`
    WeekYear,
    /// `y`
    Year,
    /// `z`
    ZoneName,
    /// `Z`
    ZoneValue,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it is.
    Text(char),
    /// A letter and how often it is repeated.
    Field(Letter, usize),
}

fn letter(c: char) -> Option<Letter> {
    Some(match c {
        'G' => Letter::Era,
        'y' => Letter::Year,
        'M' | 'L' => Letter::Month,
        'd' => Letter::DayOfMonth,
        'k' => Letter::Hour1To24,
        'H' => Letter::Hour0To23,
        'm' => Letter::Minute,
        's' => Letter::Second,
        'S' => Letter::Millisecond,
        'E' => Letter::DayOfWeek,
        'D' => Letter::DayOfYear,
        'F' => Letter::DayOfWeekInMonth,
        'w' => Letter::WeekOfYear,
        'W' => Letter::WeekOfMonth,
        'a' => Letter::AmPm,
        'h' => Letter::Hour1To12,
        'K' => Letter::Hour0To11,
        'z' => Letter::ZoneName,
        'Z' => Letter::ZoneValue,
        'Y' => Letter::WeekYear,
        'u' => Letter::IsoDayOfWeek,
        'X' => Letter::IsoZone,
        _ => return None,
    })
}

/// The letter that is being repeated.
#[derive(Default)]
struct Run(Option<(char, usize)>);

impl Run {
    fn end(&mut self, parts: &mut Vec<Part>) -> Result<(), String> {
        let Some((c, count)) = self.0.take() else { return Ok(()) };
        // Only letters with a meaning are put into a run.
        let Some(letter) = letter(c) else { return Ok(()) };
        if letter == Letter::IsoZone && count >= 4 {
            return Err(format!("invalid ISO 8601 format: length={count}"));
        }
        parts.push(Part::Field(letter, count));
        Ok(())
    }
}

/// Mirrors `SimpleDateFormat.compile`.
pub(super) fn compile(pattern: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut run = Run::default();
    let mut quoted = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            run.end(&mut parts)?;
            if chars.next_if_eq(&'\'').is_some() {
                parts.push(Part::Text(c));
            } else {
                quoted = !quoted;
            }
        } else if quoted {
            parts.push(Part::Text(c));
        } else if !c.is_ascii_alphabetic() {
            run.end(&mut parts)?;
            parts.push(Part::Text(c));
        } else if letter(c).is_none() {
            return Err(format!("Illegal pattern character '{c}'"));
        } else if let Some((last, count)) = run.0.as_mut().filter(|(last, _)| *last == c) {
            debug_assert_eq!(*last, c, "the same letter");
            *count += 1;
        } else {
            run.end(&mut parts)?;
            run.0 = Some((c, 1));
        }
    }
    if quoted {
        return Err("Unterminated quote".to_owned());
    }
    run.end(&mut parts)?;
    Ok(parts)
}
