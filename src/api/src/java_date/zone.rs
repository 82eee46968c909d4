//! Time zones in text: offsets, and the names that are common.

const MINUTE: i64 = 60_000;

/// An offset from UTC in milliseconds, and the place after it.
pub(super) type Zone = (i64, usize);

/// `z` and `Z`: a name, `GMT+h:mm`, or `+hhmm`.
pub(super) fn general(text: &[char], at: usize, start: usize) -> Option<Zone> {
    match sign(text.get(at)) {
        Some(sign) => numeric(text, at + 1, sign, 0, false),
        None if starts_with(text, start, "GMT") => match sign(text.get(start + 3)) {
            None => Some((0, start + 3)),
            Some(sign) => numeric(text, start + 4, sign, 0, true),
        },
        None => named(text, at),
    }
}

/// `X`: `Z`, or an offset of as many parts as there are letters.
pub(super) fn iso(text: &[char], at: usize, count: usize) -> Option<Zone> {
    if text.get(at) == Some(&'Z') {
        return Some((0, at + 1));
    }
    numeric(text, at + 1, sign(text.get(at))?, count, count == 3)
}

fn sign(c: Option<&char>) -> Option<i64> {
    match c {
        Some('+') => Some(1),
        Some('-') => Some(-1),
        _ => None,
    }
}

/// `hh[[:]mm]`; a `count` of 1 is without minutes.
fn numeric(text: &[char], at: usize, sign: i64, count: usize, colon: bool) -> Option<Zone> {
    let digit = |at: usize| text.get(at).and_then(|c| c.to_digit(10)).map(i64::from);
    let mut at = at;
    let mut hours = digit(at)?;
    at += 1;
    // Something must follow even a single digit.
    text.get(at)?;
    match digit(at) {
        Some(low) => {
            hours = hours * 10 + low;
            at += 1;
        }
        None if count > 0 || !colon => return None,
        None => {}
    }
    if hours > 23 {
        return None;
    }
    let mut minutes = 0;
    if count != 1 {
        if colon {
            if text.get(at) != Some(&':') {
                return None;
            }
            at += 1;
        }
        minutes = digit(at)? * 10 + digit(at + 1)?;
        at += 2;
        if minutes > 59 {
            return None;
        }
    }
    Some((sign * (hours * 60 + minutes) * MINUTE, at))
}

/// Names of zones, with their offset in minutes, summer time included.
const NAMES: &[(&str, i64)] = &[
    ("Coordinated Universal Time", 0),
    ("UTC", 0),
    ("Greenwich Mean Time", 0),
    ("Western European Standard Time", 0),
    ("WET", 0),
    ("WEST", 60),
    ("British Summer Time", 60),
    ("BST", 60),
    ("Central European Standard Time", 60),
    ("CET", 60),
    ("Central European Summer Time", 120),
    ("CEST", 120),
    ("Eastern European Standard Time", 120),
    ("EET", 120),
    ("Eastern European Summer Time", 180),
    ("EEST", 180),
    ("Moscow Standard Time", 180),
    ("MSK", 180),
    ("India Standard Time", 330),
    ("IST", 330),
    ("Japan Standard Time", 540),
    ("JST", 540),
    ("Korean Standard Time", 540),
    ("KST", 540),
    ("Eastern Standard Time", -300),
    ("EST", -300),
    ("Eastern Daylight Time", -240),
    ("EDT", -240),
    ("Central Standard Time", -360),
    ("CST", -360),
    ("Central Daylight Time", -300),
    ("CDT", -300),
    ("Mountain Standard Time", -420),
    ("MST", -420),
    ("Mountain Daylight Time", -360),
    ("MDT", -360),
    ("Pacific Standard Time", -480),
    ("PST", -480),
    ("Pacific Daylight Time", -420),
    ("PDT", -420),
    ("Alaska Standard Time", -540),
    ("AKST", -540),
    ("Alaska Daylight Time", -480),
    ("AKDT", -480),
    ("Hawaii-Aleutian Standard Time", -600),
    ("HST", -600),
];

fn named(text: &[char], at: usize) -> Option<Zone> {
    let matching = NAMES.iter().filter(|(name, _)| starts_with(text, at, name));
    let (name, minutes) = matching.max_by_key(|(name, _)| name.len())?;
    Some((minutes * MINUTE, at + name.len()))
}

/// Whether a word of ASCII is at the place, in any case.
pub(super) fn starts_with(text: &[char], at: usize, word: &str) -> bool {
    let found = text.get(at..at + word.len());
    found.is_some_and(|found| found.iter().zip(word.chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b)))
}
