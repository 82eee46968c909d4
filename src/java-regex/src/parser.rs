//! Reads a pattern and writes it for the engine: groups, alternatives, repetitions. Mirrors the descent of
//! `java.util.regex.Pattern`, so that the same patterns are mistakes.

use crate::SyntaxError;
use crate::assertion;
use crate::class::literal;
use crate::escape::Escape;
use crate::source::Source;
use std::collections::HashMap;

/// Levels of groups and classes within each other; the engine does not take many more.
const MOST_NESTED: usize = 40;

/// What nothing matches.
pub(crate) const NEVER: &str = "[a&&b]";

/// A pattern as the engine reads it.
pub(crate) struct Parsed {
    pub(crate) text: String,
    pub(crate) groups: usize,
    pub(crate) names: HashMap<String, usize>,
}

pub(crate) struct Parser<'p> {
    pub(crate) source: Source<'p>,
    /// Groups that were opened so far.
    pub(crate) groups: usize,
    pub(crate) names: HashMap<String, usize>,
    depth: usize,
    /// The highest group that is referred to.
    referred: usize,
    guarded: bool,
}

/// Reads a pattern. With `guarded`, what is repeated is written so that the engine repeats even what has no length.
pub(crate) fn parse(pattern: &str, guarded: bool) -> Result<Parsed, SyntaxError> {
    let source = Source::new(pattern);
    let mut parser = Parser { source, groups: 0, names: HashMap::new(), depth: 0, referred: 0, guarded };
    let mut text = parser.alternatives()?;
    if parser.source.at != parser.source.len() {
        let is_closing = parser.source.peek() == u32::from(')');
        let what = if is_closing { "Unmatched closing ')'" } else { "Unexpected internal error" };
        return Err(parser.source.error(what));
    }
    // A group that is opened only after the reference to it is known here; one that never is matches nothing.
    for missing in (parser.groups + 1..=parser.referred).rev() {
        for ignoring_case in ["(?i:", "(?:"] {
            text = text.replace(&format!("{ignoring_case}\\{missing})"), NEVER);
        }
    }
    Ok(Parsed { text, groups: parser.groups, names: parser.names })
}

const fn code(c: char) -> u32 {
    c as u32
}

/// A character as text, for messages and names.
fn shown(c: u32) -> char {
    char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Result<String, SyntaxError> {
        let mut out = self.sequence()?;
        while self.source.peek() == code('|') {
            self.source.next();
            out.push('|');
            out.push_str(&self.sequence()?);
        }
        Ok(out)
    }

    fn sequence(&mut self) -> Result<String, SyntaxError> {
        let mut out = String::new();
        loop {
            let c = self.source.peek();
            let atom = match shown(c) {
                '(' => match self.group()? {
                    None => continue,
                    Some(group) => group,
                },
                '[' => self.class()?,
                '^' => {
                    self.source.next();
                    assertion::caret(self.source.flags)
                }
                '$' => {
                    self.source.next();
                    assertion::dollar(self.source.flags)
                }
                '.' => {
                    self.source.next();
                    assertion::dot(self.source.flags)
                }
                '|' | ')' => return Ok(out),
                meta @ ('?' | '*' | '+') => {
                    self.source.next();
                    return Err(self.source.error(format!("Dangling meta character '{meta}'")));
                }
                '\0' if self.source.is_at_end() => return Ok(out),
                _ => self.atom()?,
            };
            out.push_str(&self.repeated(atom)?);
        }
    }

    fn atom(&mut self) -> Result<String, SyntaxError> {
        let c = self.source.peek();
        match shown(c) {
            // A repetition of nothing.
            '{' => Ok("(?:)".to_owned()),
            '\\' => {
                if let Some(class) = self.property()? {
                    return Ok(class);
                }
                Ok(match self.escape(false, false)? {
                    Escape::Char(c) => literal(c, self.source.flags),
                    Escape::Class(class) => class,
                    Escape::Node(node) => node,
                })
            }
            _ => {
                self.source.next();
                Ok(literal(c, self.source.flags))
            }
        }
    }

    /// A reference to a group by its number.
    pub(crate) fn reference(&mut self, group: usize) -> String {
        self.referred = self.referred.max(group);
        let flags = if self.source.flags.ignore_case { "i" } else { "" };
        format!("(?{flags}:\\{group})")
    }

    /// Keeps count of what is open.
    pub(crate) fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            let what = format!("More than {MOST_NESTED} groups or classes within each other");
            return Err(self.source.error(what));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// A group; `None` if it only sets flags.
    fn group(&mut self) -> Result<Option<String>, SyntaxError> {
        let flags = self.source.flags;
        self.enter()?;
        let (open, close) = match self.group_start()? {
            None => {
                self.leave();
                return Ok(None);
            }
            Some(ends) => ends,
        };
        let inner = self.alternatives()?;
        let closing = self.source.char_at(self.source.at);
        let closing = if self.source.flags.comments { self.source.peek() } else { closing };
        self.source.at += 1;
        if closing != code(')') {
            return Err(self.source.error("Unclosed group"));
        }
        self.source.flags = flags;
        self.leave();
        Ok(Some(format!("{open}{inner}{close}")))
    }

    fn group_start(&mut self) -> Result<Option<(&'static str, &'static str)>, SyntaxError> {
        if self.source.next() != code('?') {
            self.groups += 1;
            return Ok(Some(("(", ")")));
        }
        let kind = self.source.skip();
        Ok(Some(match shown(kind) {
            ':' => ("(?:", ")"),
            '=' => ("(?:(?=", "))"),
            '!' => ("(?:(?!", "))"),
            '>' => ("(?>", ")"),
            '<' => match shown(self.source.read()) {
                '=' => ("(?:(?<=", "))"),
                '!' => ("(?:(?<!", "))"),
                first => {
                    let name = self.group_name(first)?;
                    if self.names.contains_key(&name) {
                        let what = format!("Named capturing group <{name}> is already defined");
                        return Err(self.source.error(what));
                    }
                    self.groups += 1;
                    self.names.insert(name, self.groups);
                    ("(", ")")
                }
            },
            '$' | '@' => return Err(self.source.error("Unknown group type")),
            _ => {
                self.source.unread();
                self.set_flags();
                match shown(self.source.read()) {
                    ')' => return Ok(None),
                    ':' => ("(?:", ")"),
                    _ => return Err(self.source.error("Unknown inline modifier")),
                }
            }
        }))
    }

    pub(crate) fn group_name(&mut self, first: char) -> Result<String, SyntaxError> {
        if !first.is_ascii_alphabetic() {
            return Err(self.source.error("capturing group name does not start with a Latin letter"));
        }
        let mut name = String::from(first);
        loop {
            match shown(self.source.read()) {
                c if c.is_ascii_alphanumeric() => name.push(c),
                '>' => return Ok(name),
                _ => return Err(self.source.error("named capturing group is missing trailing '>'")),
            }
        }
    }

    fn set_flags(&mut self) {
        let mut on = true;
        let mut c = self.source.peek();
        loop {
            let flags = &mut self.source.flags;
            match shown(c) {
                'i' => flags.ignore_case = on,
                'm' => flags.multiline = on,
                's' => flags.dot_all = on,
                'd' => flags.unix_lines = on,
                'u' => flags.unicode_case = on,
                'x' => flags.comments = on,
                'U' => {
                    flags.unicode_classes = on;
                    flags.unicode_case |= on;
                }
                '-' if on => on = false,
                _ => return,
            }
            c = self.source.next();
        }
    }

    /// An atom with the repetition that follows it.
    fn repeated(&mut self, atom: String) -> Result<String, SyntaxError> {
        let count = match shown(self.source.peek()) {
            '?' => "?".to_owned(),
            '*' => "*".to_owned(),
            '+' => "+".to_owned(),
            '{' => self.count()?,
            _ => return Ok(atom),
        };
        let atom = if self.guarded { format!("(?:{atom}|{NEVER})") } else { atom };
        Ok(match shown(self.source.next()) {
            '?' => {
                self.source.next();
                format!("{atom}{count}?")
            }
            '+' => {
                self.source.next();
                format!("(?>{atom}{count})")
            }
            _ => format!("{atom}{count}"),
        })
    }

    /// `{n}`, `{n,}` or `{n,m}`; the place is its last character then.
    fn count(&mut self) -> Result<String, SyntaxError> {
        let first = self.source.skip();
        if !is_digit(first) {
            return Err(self.source.error("Illegal repetition"));
        }
        let (least, mut after) = self.number(first)?;
        let mut most = Some(least);
        if after == code(',') {
            after = self.source.read();
            most = None;
            if after != code('}') {
                if !is_digit(after) {
                    return Err(self.source.error("Illegal repetition"));
                }
                let (number, last) = self.number(after)?;
                (most, after) = (Some(number), last);
            }
        }
        if after != code('}') {
            return Err(self.source.error("Unclosed counted closure"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(self.source.error("Illegal repetition range"));
        }
        self.source.unread();
        Ok(match most {
            Some(most) if most == least => format!("{{{least}}}"),
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        })
    }

    /// A number that begins with `digit`, and the character after it.
    fn number(&mut self, digit: u32) -> Result<(i32, u32), SyntaxError> {
        let mut number: i32 = 0;
        let mut c = digit;
        while is_digit(c) {
            let digit = (c - code('0')) as i32;
            number = match number.checked_mul(10).and_then(|number| number.checked_add(digit)) {
                Some(number) => number,
                None => return Err(self.source.error("Illegal repetition range")),
            };
            c = self.source.read();
        }
        Ok((number, c))
    }
}

fn is_digit(c: u32) -> bool {
    (code('0')..=code('9')).contains(&c)
}
