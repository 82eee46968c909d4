//! Digits of floating-point numbers as Java 17 and older chose them.
//!
//! Java 19 and later print the fewest digits that name the number (JDK-4511638), as we do. Before, one digit too
//! many was printed now and then, and large numbers were cut at another place. Who compares text that an older
//! Java wrote with ours gets the same here, with `crossdock.compatibility=strict`.
//!
//! The numbers are as in `jdk.internal.math.FloatingDecimal`: the value is B/S, half the distance to its neighbours
//! M/S, and digits come until what is left is closer to the value than M. Three details of Java's arithmetic show
//! in its output, and are repeated: in 32 and 64 bits `high` needs more than S, beyond that S is enough; M may
//! overflow; and integers up to 63 bits are cut after digits that a float cannot tell apart.

use bigdecimal::num_bigint::BigUint;

/// Bits needed for 5 to the power of the index.
const FIVE_BITS: [i32; 27] =
    [0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56, 59, 61];
/// Digits that do not matter in an integer of so many bits more than the mantissa has.
const INSIGNIFICANT: [u32; 64] = [
    0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 9, 9, 10,
    10, 10, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 17, 17, 17, 18,
    18, 18, 19,
];

/// The digits of a number, and where the point is: `0.d₁d₂… × 10^exponent`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: Vec<u8>,
    pub(super) exponent: i32,
}

/// The digits of a positive finite double.
pub(super) fn of_f64(value: f64) -> Decimal {
    let bits = value.to_bits();
    of_parts((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1), 53, 1023)
}

/// The digits of a positive finite float.
pub(super) fn of_f32(value: f32) -> Decimal {
    let bits = value.to_bits();
    let fraction = u64::from(bits & ((1 << 23) - 1)) << 29;
    of_parts((bits >> 23 & 0xff) as i32, fraction, 24, 127)
}

/// `fraction` has 52 bits, of which the type has `significant - 1`.
fn of_parts(exponent: i32, fraction: u64, significant: i32, bias: i32) -> Decimal {
    if exponent != 0 {
        return digits(exponent - bias, fraction | 1 << 52, significant);
    }
    let shift = fraction.leading_zeros() as i32 - 11;
    // Of a float there are 29 bits that it does not have.
    let significant = 53 - shift - (53 - significant);
    digits(1 - shift - bias, fraction << shift, significant)
}

/// The number is `fraction / 2^52 × 2^exponent`, where bit 52 of `fraction` is set.
fn digits(exponent: i32, fraction: u64, significant: i32) -> Decimal {
    let tail = fraction.trailing_zeros() as i32;
    let bits = 53 - tail;
    // Bits behind the point.
    let tiny = (bits - exponent - 1).max(0);
    if (-21..=62).contains(&exponent) && tiny == 0 {
        return integer(exponent, fraction, significant);
    }
    let mut decimal = estimate(fraction, exponent);
    let (b5, s5) = ((-decimal).max(0), decimal.max(0));
    let mut b2 = b5 + tiny + exponent;
    let mut s2 = s5 + tiny;
    let mut m2 = b2 - significant;
    b2 -= bits - 1;
    let common = b2.min(s2);
    (b2, s2, m2) = (b2 - common, s2 - common, m2 - common);
    if bits == 1 {
        // The next smaller number is half as far away.
        m2 -= 1;
    }
    if m2 < 0 {
        (b2, s2, m2) = (b2 - m2, s2 - m2, 0);
    }
    let scale = Scale { fraction: fraction >> tail, b2, b5, s2, s5, m2 };
    let five_bits = |power: i32| FIVE_BITS.get(power as usize).copied().unwrap_or(power * 3);
    let b_bits = bits + b2 + five_bits(b5);
    let tens_bits = s2 + 1 + five_bits(s5 + 1);
    let (mut digits, up) = if b_bits < 64 && tens_bits < 64 {
        let narrow = b_bits < 32 && tens_bits < 32;
        scale.in_machine_words(narrow, &mut decimal)
    } else {
        scale.in_big_integers(&mut decimal)
    };
    if up {
        round_up(&mut digits, &mut decimal);
    }
    Decimal { digits, exponent: decimal + 1 }
}

/// An integer, without the digits that the type cannot tell apart.
fn integer(exponent: i32, fraction: u64, significant: i32) -> Decimal {
    let mut value = if exponent >= 52 { fraction << (exponent - 52) } else { fraction >> (52 - exponent) };
    let spare = exponent - significant - 1;
    let drop = if exponent > significant && spare > 1 {
        INSIGNIFICANT.get(spare as usize).copied().unwrap_or(0)
    } else {
        0
    };
    if drop > 0 {
        let power = 10u64.pow(drop);
        let rest = value % power;
        value = value / power + u64::from(rest >= power >> 1);
    }
    let text = value.to_string();
    let exponent = text.len() as i32 + drop as i32;
    let digits = text.trim_end_matches('0').bytes().map(|digit| digit - b'0').collect();
    Decimal { digits, exponent }
}

/// The power of ten of the first digit, or one more.
#[expect(clippy::approx_constant, reason = "Java's own constant, digit by digit")]
fn estimate(fraction: u64, exponent: i32) -> i32 {
    let mantissa = f64::from_bits(1023 << 52 | fraction & ((1 << 52) - 1));
    let log = (mantissa - 1.5) * 0.289529654 + 0.176091259 + f64::from(exponent) * 0.301029995663981;
    log.floor() as i32
}

struct Scale {
    fraction: u64,
    b2: i32,
    b5: i32,
    s2: i32,
    s5: i32,
    m2: i32,
}

/// How the end of the digits compares with the value.
struct End {
    low: bool,
    high: bool,
    /// What is left against half of S.
    half: std::cmp::Ordering,
}

impl End {
    fn rounds_up(&self, last: u8) -> bool {
        use std::cmp::Ordering;
        match (self.high, self.low) {
            (true, true) => match self.half {
                Ordering::Greater => true,
                Ordering::Equal => last % 2 == 1,
                Ordering::Less => false,
            },
            (high, _) => high,
        }
    }
}

impl Scale {
    fn in_machine_words(&self, narrow: bool, decimal: &mut i32) -> (Vec<u8>, bool) {
        let power = |five: i32, two: i32| 5i64.wrapping_pow(five as u32).wrapping_shl(two as u32);
        let mut b = (self.fraction as i64).wrapping_mul(5i64.wrapping_pow(self.b5 as u32)) << self.b2;
        let s = power(self.s5, self.s2);
        let mut m = power(self.b5, self.m2);
        let tens = s * 10;
        // In Java these are ints or longs, of which only M can overflow.
        let times_ten = |m: i64| {
            if narrow { i64::from((m as i32).wrapping_mul(10)) } else { m.wrapping_mul(10) }
        };
        let sum = |b: i64, m: i64| {
            if narrow { i64::from((b as i32).wrapping_add(m as i32)) } else { b.wrapping_add(m) }
        };
        let mut digits = Vec::with_capacity(20);
        let mut end = End { low: false, high: false, half: std::cmp::Ordering::Equal };
        let mut first = true;
        while first || !(end.low || end.high) {
            let q = (b / s) as u8;
            b = 10 * (b % s);
            m = times_ten(m);
            (end.low, end.high) = if m > 0 || first { (b < m, sum(b, m) > tens) } else { (true, true) };
            if !first || q != 0 || end.high {
                digits.push(q);
            } else {
                *decimal -= 1;
            }
            if first && (*decimal < -3 || *decimal >= 8) {
                (end.low, end.high) = (false, false);
            }
            first = false;
        }
        // This overflows too.
        let half = (b << 1).wrapping_sub(tens);
        end.half = if narrow { i64::from(half as i32) } else { half }.cmp(&0);
        let up = end.rounds_up(digits.last().copied().unwrap_or_default());
        (digits, up)
    }

    fn in_big_integers(&self, decimal: &mut i32) -> (Vec<u8>, bool) {
        let power = |five: i32, two: i32| BigUint::from(5u8).pow(five as u32) << two as u32;
        let s = power(self.s5, self.s2);
        let mut b = BigUint::from(self.fraction) * power(self.b5, self.b2);
        let mut m = power(self.b5, self.m2);
        let tens = &s * 10u8;
        let mut digits = Vec::with_capacity(20);
        let mut end = End { low: false, high: false, half: std::cmp::Ordering::Equal };
        let mut first = true;
        while first || !(end.low || end.high) {
            let q = (&b / &s).to_u64_digits().first().copied().unwrap_or(0) as u8;
            b = (&b % &s) * 10u8;
            m *= 10u8;
            (end.low, end.high) = (b < m, tens <= &b + &m);
            if !first || q != 0 || end.high {
                digits.push(q);
            } else {
                *decimal -= 1;
            }
            if first && (*decimal < -3 || *decimal >= 8) {
                (end.low, end.high) = (false, false);
            }
            first = false;
        }
        end.half = (b << 1u8).cmp(&tens);
        let up = end.rounds_up(digits.last().copied().unwrap_or_default());
        (digits, up)
    }
}

fn round_up(digits: &mut [u8], decimal: &mut i32) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    // All were nines.
    if let Some(first) = digits.first_mut() {
        *first = 1;
    }
    *decimal += 1;
}
