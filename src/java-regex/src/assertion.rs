//! Places in a text, ends of lines and visible characters, as Java sees them, in the syntax of the engine.

use crate::source::Flags;

/// A character that ends a line, but for the new line.
const ENDS: &str = "\\x{d}\\x{85}\\x{2028}\\x{2029}";
/// `\R`: it may match a carriage return alone even if a new line follows.
pub(crate) const LINE_END: &str = "(?:\\x{d}\\x{a}|[\\x{a}-\\x{d}\\x{85}\\x{2028}\\x{2029}])";

/// `.`
pub(crate) fn dot(flags: Flags) -> String {
    match flags {
        Flags { dot_all: true, .. } => "[\\x{0}-\\x{10ffff}]".to_owned(),
        Flags { unix_lines: true, .. } => "[^\\x{a}]".to_owned(),
        _ => format!("[^\\x{{a}}{ENDS}]"),
    }
}

/// `^`. With the flag m it does not match at the end of the text, not even of an empty one.
pub(crate) fn caret(flags: Flags) -> String {
    match flags {
        Flags { multiline: false, .. } => "(?:\\A)".to_owned(),
        Flags { unix_lines: true, .. } => "(?:(?!\\z)(?:\\A|(?<=\\x{a})))".to_owned(),
        _ => "(?:(?!\\z)(?:\\A|(?<=[\\x{a}\\x{85}\\x{2028}\\x{2029}])|(?<=\\x{d})(?!\\x{a})))".to_owned(),
    }
}

/// `$`: before a line's end, never between carriage return and new line; without the flag m only before the last.
pub(crate) fn dollar(flags: Flags) -> String {
    match (flags.multiline, flags.unix_lines) {
        (false, true) => "(?:(?=\\x{a}?\\z))".to_owned(),
        (true, true) => "(?:(?=\\x{a}|\\z))".to_owned(),
        (false, false) => {
            format!("(?:(?=(?:\\x{{d}}\\x{{a}}|[{ENDS}])?\\z)|(?<!\\x{{d}})(?=\\x{{a}}\\z))")
        }
        (true, false) => format!("(?:\\z|(?=[{ENDS}])|(?<!\\x{{d}})(?=\\x{{a}}))"),
    }
}

/// `\b` and `\B`: of letters and digits of all scripts, although `\w` is of ASCII; marks belong to their letter.
pub(crate) fn word_boundary(negated: bool, flags: Flags) -> String {
    let (letter, word) = if flags.unicode_classes {
        ("[\\p{L}\\p{Nd}]", "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]")
    } else {
        ("[\\p{L}\\p{Nd}]", "[_\\p{L}\\p{Nd}]")
    };
    let based = format!("{letter}\\p{{Mn}}*");
    let boundary = format!(
        "(?:(?<={based})(?!{word}|\\p{{Mn}})|(?<={word})(?<!{based})(?!{word})|(?<!{based})(?<!{word})(?={word}))"
    );
    if negated { format!("(?:(?!{boundary}))") } else { boundary }
}

/// `\X`: an extended grapheme cluster (UAX 29).
pub(crate) fn grapheme() -> String {
    let control = "\\p{gcb=CR}\\p{gcb=LF}\\p{gcb=Control}";
    let extend = "[\\p{gcb=Extend}\\p{gcb=ZWJ}]";
    let hangul =
        "\\p{gcb=L}*(?:\\p{gcb=V}+|\\p{gcb=LV}\\p{gcb=V}*|\\p{gcb=LVT})\\p{gcb=T}*|\\p{gcb=L}+|\\p{gcb=T}+";
    let emoji = "\\p{Extended_Pictographic}(?:\\p{gcb=Extend}*\\p{gcb=ZWJ}\\p{Extended_Pictographic})*";
    let core = format!("{hangul}|\\p{{gcb=RI}}\\p{{gcb=RI}}|{emoji}|[^{control}]");
    format!(
        "(?>\\x{{d}}\\x{{a}}|[{control}]|\\p{{gcb=Prepend}}*(?:{core})(?:{extend}|\\p{{gcb=SpacingMark}})*)"
    )
}
