//! Numbers as `java.text.DecimalFormat` reads them, for whole numbers without groups.

/// The number at `at`, as Java makes an `int` of it, and the place after it. Text from `end` on is not looked at.
pub(super) fn parse(text: &[char], at: usize, end: usize) -> Option<(i32, usize)> {
    let text = text.get(..end.min(text.len()))?;
    let negative = text.get(at) == Some(&'-');
    let begin = at + usize::from(negative);
    let rest = text.get(begin..)?;
    if rest.starts_with(&['N', 'a', 'N']) && !negative {
        return Some((0, begin + 3));
    }
    if rest.first() == Some(&'∞') {
        return Some((if negative { i32::MIN } else { i32::MAX }, begin + 1));
    }
    let (digits, mut place) = digits(rest);
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0;
    if rest.get(place) == Some(&'E') {
        let minus = rest.get(place + 1) == Some(&'-');
        let from = place + 1 + usize::from(minus);
        let (more, length) = self::digits(rest.get(from..).unwrap_or_default());
        if let Ok(value) = more.parse::<i64>() {
            exponent = if minus { -value } else { value };
            place = from + length;
        }
    }
    Some((to_int(&digits, negative, exponent), begin + place))
}

fn digits(text: &[char]) -> (String, usize) {
    // Java takes the digits of all scripts.
    let digit = |c: &char| unicode_digit(*c);
    let digits: String = text.iter().map_while(digit).collect();
    let length = digits.chars().count();
    (digits, length)
}

/// The digits of the scripts that are likely: each block of ten begins with its zero.
fn unicode_digit(c: char) -> Option<char> {
    const ZEROS: [u32; 12] =
        [0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xe50, 0xed0, 0xf20, 0xff10];
    let c = u32::from(c);
    let value = ZEROS.iter().find_map(|zero| c.checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// A `Long` is cut to its lower 32 bits, a `Double` to the nearest `int`.
fn to_int(digits: &str, negative: bool, exponent: i64) -> i32 {
    let sign = if negative { "-" } else { "" };
    if exponent == 0
        && let Ok(value) = format!("{sign}{digits}").parse::<i64>()
    {
        return value as i32;
    }
    let value: f64 = format!("{sign}{digits}e{exponent}").parse().unwrap_or_default();
    // A whole number that fits is a Long here too.
    if value.abs() < 9.2e18 && value.fract() == 0.0 { value as i64 as i32 } else { value as i32 }
}
