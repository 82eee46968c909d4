//! `\p{…}`: categories, scripts, blocks, binary properties, and the classes of POSIX and of `java.lang.Character`.

use crate::SyntaxError;
use crate::escape::UNICODE_WORD;
use crate::parser::{NEVER, Parser};
use crate::source::Flags;

impl Parser<'_> {
    /// Reads `\p…` or `\P…` if the place is one.
    pub(crate) fn property(&mut self) -> Result<Option<String>, SyntaxError> {
        let kind = self.source.next_escaped();
        let negated = kind == u32::from('P');
        if !negated && kind != u32::from('p') {
            self.source.unread();
            return Ok(None);
        }
        let class = if self.source.next() == u32::from('{') {
            let name = self.property_name()?;
            self.named(&name)?
        } else {
            let name = char::from_u32(self.source.read()).unwrap_or_default().to_string();
            self.named(&name)?
        };
        Ok(Some(if negated { format!("[^{class}]") } else { class }))
    }

    fn property_name(&mut self) -> Result<String, SyntaxError> {
        self.source.next();
        let mut name = String::new();
        loop {
            if self.source.is_at_end() {
                return Err(self.source.error("Unclosed character family"));
            }
            match char::from_u32(self.source.read()).unwrap_or_default() {
                '}' if name.is_empty() => return Err(self.source.error("Empty character family")),
                '}' => return Ok(name),
                c => name.push(c),
            }
        }
    }

    fn named(&self, name: &str) -> Result<String, SyntaxError> {
        let flags = self.source.flags;
        if let Some((key, value)) = name.split_once('=') {
            let key = key.to_lowercase();
            let found = match key.as_str() {
                "sc" | "script" => script(value),
                "blk" | "block" => block(value),
                "gc" | "general_category" => simple(value, flags),
                _ => None,
            };
            let unknown =
                || self.source.error(format!("Unknown Unicode property {{name=<{key}>, value=<{value}>}}"));
            return found.ok_or_else(unknown);
        }
        let found = if let Some(name) = name.strip_prefix("In") {
            block(name)
        } else if let Some(name) = name.strip_prefix("Is") {
            binary(name, flags).or_else(|| simple(name, flags)).or_else(|| script(name))
        } else {
            let posix = flags.unicode_classes.then(|| binary_posix(name, flags)).flatten();
            posix.or_else(|| simple(name, flags))
        };
        found.ok_or_else(|| self.source.error(format!("Unknown character property name {{{name}}}")))
    }
}

fn of(set: &str) -> Option<String> {
    Some(format!("[{set}]"))
}

const CASED: &str = "\\p{Lu}\\p{Ll}\\p{Lt}";

/// `Alpha` and its like where the flag U asks for Unicode's meaning.
fn binary_posix(name: &str, flags: Flags) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let known = [
        "ALPHA", "LOWER", "UPPER", "SPACE", "PUNCT", "XDIGIT", "ALNUM", "CNTRL", "DIGIT", "BLANK", "GRAPH",
        "PRINT",
    ];
    let unicode = match upper.as_str() {
        "ALPHA" => "ALPHABETIC",
        "LOWER" => "LOWERCASE",
        "UPPER" => "UPPERCASE",
        "SPACE" => "WHITE_SPACE",
        "PUNCT" => "PUNCTUATION",
        "XDIGIT" => return of("\\p{Nd}\\p{Hex_Digit}"),
        "CNTRL" => "CONTROL",
        other => other,
    };
    if known.contains(&upper.as_str()) { binary(unicode, flags) } else { None }
}

/// Binary properties of Unicode, in any case.
fn binary(name: &str, flags: Flags) -> Option<String> {
    let upper = name.to_uppercase();
    if flags.ignore_case && ["LOWERCASE", "UPPERCASE", "TITLECASE"].contains(&upper.as_str()) {
        return of("\\p{Lowercase}\\p{Uppercase}\\p{Lt}");
    }
    of(match upper.as_str() {
        "ALPHABETIC" => "\\p{Alphabetic}",
        "LETTER" => "\\p{L}",
        "IDEOGRAPHIC" => "\\p{Ideographic}",
        "LOWERCASE" => "\\p{Lowercase}",
        "UPPERCASE" => "\\p{Uppercase}",
        "TITLECASE" => "\\p{Lt}",
        "WHITE_SPACE" | "WHITESPACE" => "\\p{White_Space}",
        "CONTROL" => "\\p{Cc}",
        "PUNCTUATION" => "\\p{P}",
        "HEX_DIGIT" | "HEXDIGIT" => "\\p{Nd}\\p{Hex_Digit}",
        "ASSIGNED" => "\\P{Cn}",
        "NONCHARACTER_CODE_POINT" | "NONCHARACTERCODEPOINT" => "\\p{Noncharacter_Code_Point}",
        "DIGIT" => "\\p{Nd}",
        "ALNUM" => "\\p{Alphabetic}\\p{Nd}",
        "BLANK" => "\\p{Zs}\\x{9}",
        "GRAPH" => "^\\p{White_Space}\\p{Cc}\\p{Cn}",
        "PRINT" => "[^\\p{White_Space}\\p{Cc}\\p{Cn}]\\p{Zs}",
        "WORD" => UNICODE_WORD,
        "JOIN_CONTROL" | "JOINCONTROL" => "\\p{Join_Control}",
        _ => return None,
    })
}

/// Categories, classes of POSIX, and those of `java.lang.Character`.
fn simple(name: &str, flags: Flags) -> Option<String> {
    const CATEGORIES: &[&str] = &[
        "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf",
        "Co", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi", "Pf", "L", "M", "N", "Z", "C", "P",
        "S",
    ];
    let any_case = flags.ignore_case;
    if any_case && ["Lu", "Ll", "Lt"].contains(&name) {
        return of(CASED);
    }
    if CATEGORIES.contains(&name) {
        return Some(format!("[\\p{{{name}}}]"));
    }
    of(match name {
        "Cs" => return Some(NEVER.to_owned()),
        "LC" => CASED,
        "LD" => "\\p{L}\\p{Nd}",
        "L1" => "\\x{0}-\\x{ff}",
        "all" => "\\x{0}-\\x{10ffff}",
        "ASCII" => "\\x{0}-\\x{7f}",
        "Alnum" => "0-9A-Za-z",
        "Alpha" => "A-Za-z",
        "Blank" => "\\x{20}\\x{9}",
        "Cntrl" => "\\x{0}-\\x{1f}\\x{7f}",
        "Digit" => "0-9",
        "Graph" => "\\x{21}-\\x{7e}",
        "Lower" | "Upper" if any_case => "A-Za-z",
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "Print" => "\\x{20}-\\x{7e}",
        "Punct" => "\\x{21}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{60}\\x{7b}-\\x{7e}",
        "Space" => "\\x{9}-\\x{d}\\x{20}",
        "XDigit" => "0-9A-Fa-f",
        "javaLowerCase" | "javaUpperCase" | "javaTitleCase" if any_case => {
            "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"
        }
        _ => return java_class(name),
    })
}

/// The methods of `java.lang.Character`.
fn java_class(name: &str) -> Option<String> {
    const IGNORABLE: &str = "\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{7f}-\\x{9f}\\p{Cf}";
    const SPACES: &str = "\\x{9}-\\x{d}\\x{1c}-\\x{1f}[\\p{Z}&&[^\\x{a0}\\x{2007}\\x{202f}]]";
    of(match name {
        "javaLowerCase" => "\\p{Lowercase}",
        "javaUpperCase" => "\\p{Uppercase}",
        "javaAlphabetic" => "\\p{Alphabetic}",
        "javaIdeographic" => "\\p{Ideographic}",
        "javaTitleCase" => "\\p{Lt}",
        "javaDigit" => "\\p{Nd}",
        "javaDefined" => "\\P{Cn}",
        "javaLetter" => "\\p{L}",
        "javaLetterOrDigit" => "\\p{L}\\p{Nd}",
        "javaJavaIdentifierStart" => "\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}",
        "javaJavaIdentifierPart" => {
            return Some(format!(
                "[\\p{{L}}\\p{{Nl}}\\p{{Sc}}\\p{{Pc}}\\p{{Nd}}\\p{{Mn}}\\p{{Mc}}{IGNORABLE}]"
            ));
        }
        "javaUnicodeIdentifierStart" => "\\p{ID_Start}",
        "javaUnicodeIdentifierPart" => return Some(format!("[\\p{{ID_Continue}}{IGNORABLE}]")),
        "javaIdentifierIgnorable" => IGNORABLE,
        "javaSpaceChar" => "\\p{Z}",
        "javaWhitespace" => SPACES,
        "javaISOControl" => "\\x{0}-\\x{1f}\\x{7f}-\\x{9f}",
        _ => return None,
    })
}

/// A script, by its long or short name in any case.
fn script(name: &str) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
        return None;
    }
    let class = format!("[\\p{{sc={name}}}]");
    fancy_regex::Regex::new(&class).is_ok().then_some(class)
}

/// A block, by its name with or without the spaces, in any case.
fn block(name: &str) -> Option<String> {
    let plain = |name: &str| {
        let kept = name.chars().filter(|c| !matches!(c, ' ' | '_' | '-'));
        kept.collect::<String>().to_ascii_lowercase()
    };
    let wanted = plain(name);
    let mut at: u32 = 0;
    while at <= 0x10_ffff {
        let found = char::from_u32(at).and_then(unicode_blocks::find_unicode_block);
        let Some(found) = found else {
            // Blocks begin at multiples of 16.
            at = (at | 0xf) + 1;
            continue;
        };
        if plain(found.name()) == wanted {
            let part = |first: u32, last: u32| {
                if first <= last { format!("\\x{{{first:x}}}-\\x{{{last:x}}}") } else { String::new() }
            };
            let (first, last) = (found.start(), found.end());
            return of(&(part(first, last.min(0xd7ff)) + &part(first.max(0xe000), last)));
        }
        at = found.end() + 1;
    }
    None
}
