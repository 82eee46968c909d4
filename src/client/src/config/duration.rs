//! Durations as Java's `Duration.parse` takes them, for `auto.offset.reset=by_duration:PnDTnHnMn.nS` (KIP-1106).

use std::time::Duration;

/// Parses an ISO 8601 duration of days, hours, minutes and seconds, in any case. Each part may have a sign, as in Java; `None` if
/// it is not one, or negative as a whole.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let (sign, text) = signed(&text);
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut nanos = parts(days, &[('D', 86_400)])?;
    nanos = nanos.checked_add(parts(time, &[('H', 3600), ('M', 60), ('S', 1)])?)?;
    let nanos = u128::try_from(nanos.checked_mul(sign)?).ok()?;
    let seconds = u64::try_from(nanos / NANOS as u128).ok().filter(|s| i64::try_from(*s).is_ok())?;
    Some(Duration::new(seconds, u32::try_from(nanos % NANOS as u128).ok()?))
}

const NANOS: i128 = 1_000_000_000;

/// Numbers with their units, each at most once and in this order.
fn parts(mut text: &str, units: &[(char, i128)]) -> Option<i128> {
    let mut sum = 0i128;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        sum = sum.checked_add(nanos(number, *unit == 'S')?.checked_mul(*seconds)?)?;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

/// A number in billionths; only seconds may have a fraction, of at most nine digits.
fn nanos(number: &str, fraction_allowed: bool) -> Option<i128> {
    let (sign, number) = signed(number);
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) if fraction_allowed && fraction.len() <= 9 => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 19 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let billionths: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(sign * (whole.parse::<i128>().ok()? * NANOS + billionths))
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_javas() {
        for (text, millis) in [
            ("PT20.345S", 20_345),
            ("PT15M", 900_000),
            ("PT10H", 36_000_000),
            ("P2D", 172_800_000),
            ("P2DT3H4M", 183_840_000),
            ("-PT-6H+3M", 21_780_000 - 360_000),
            ("pt0s", 0),
            ("P1DT-6H", 64_800_000),
            ("PT1,5S", 1500),
            ("PT0.S", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "1D",
            "PT1",
            "P1H",
            "PT1D",
            "PT1M1H",
            "PT1H1H",
            "P1Y",
            "P1W",
            "-PT1S",
            "PT-1S",
            "PT1.5M",
            "PTS",
            "PT.5S",
            "PT0.1234567890S",
            "P99999999999999999999D",
            "PT9223372036854775808S",
            "PTx1S",
            "PT1S ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
