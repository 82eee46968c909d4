//! Doubles of few decimals, which most are: their digits need no search.

/// Appends a double between 10⁻³ and 10⁷ that has up to four decimals, as amounts of money have.
///
/// A double that is the nearest to a number of no more than 15 digits is so to no other one, so the first number of
/// decimals with which the way back leads to it gives the shortest text. Two doubles that are exact have the nearest
/// double as their quotient, so dividing is the way back.
pub(super) fn append(out: &mut Vec<u8>, value: f64) -> bool {
    for (decimals, power) in [(1, 10u64), (2, 100), (3, 1000), (4, 10_000)] {
        // Below 2⁵³, so nothing is cut off but the fraction.
        let scaled = (value.abs() * power as f64 + 0.5) as u64;
        if scaled as f64 / power as f64 == value.abs() {
            if value < 0.0 {
                out.push(b'-');
            }
            out.extend_from_slice(itoa::Buffer::new().format(scaled / power).as_bytes());
            let mut fraction = *b".0000";
            let mut rest = scaled % power;
            for digit in fraction[1..=decimals].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            out.extend_from_slice(&fraction[..=decimals]);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::append_f64;

    #[test]
    fn doubles_of_few_decimals_are_as_all_others() {
        let mut state = 88172645463325252u64;
        for round in 0..100_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let decimals = 10f64.powi((state >> 60) as i32 % 7);
            let near = (state % 10_000_000_000) as f64 / decimals;
            // Also those next to them, which have more digits.
            for value in [near, -near, near.next_up(), near.next_down()] {
                if !(1e-3..1e7).contains(&value.abs()) {
                    continue;
                }
                let mut out = Vec::new();
                append_f64(&mut out, value);
                let expected = ryu::Buffer::new().format_finite(value).to_owned();
                assert_eq!(std::str::from_utf8(&out), Ok(expected.as_str()), "round {round}");
            }
        }
        let text = |value: f64| {
            let mut out = Vec::new();
            append_f64(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            [text(0.001), text(-19.5), text(9999999.0), text(0.1 + 0.2)],
            ["0.001", "-19.5", "9999999.0", "0.30000000000000004"]
        );
    }
}
