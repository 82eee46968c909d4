//! From Java's syntax of regular expressions to that of this side's engine. Most is the same; what is
//! different, and what the engine would read in another way without a word, is rewritten here.

/// A rewritten pattern.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) text: String,
    /// Lengths of the text, in bytes, with the index of the character of the origin that follows.
    origins: Vec<(usize, usize)>,
}

impl Translated {
    /// The character of the origin behind a byte of the text.
    pub(super) fn origin(&self, at: usize) -> usize {
        let known = self.origins.iter().take_while(|(text, _)| *text <= at).last();
        known.map_or(0, |(_, origin)| *origin)
    }
}

/// The place, in characters, and the mistake.
type Mistake = (usize, String);

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: Translated,
    /// Where the open groups and classes began.
    groups: Vec<usize>,
    classes: Vec<usize>,
}

/// Rewrites `pattern`; finds the mistakes that need no deeper reading.
pub(super) fn translate(pattern: &str) -> Result<Translated, Mistake> {
    let mut translator = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: Translated { text: String::new(), origins: Vec::new() },
        groups: Vec::new(),
        classes: Vec::new(),
    };
    while translator.at < translator.chars.len() {
        translator.out.origins.push((translator.out.text.len(), translator.at));
        if translator.classes.is_empty() { translator.outside()? } else { translator.inside() }
    }
    translator.out.origins.push((translator.out.text.len(), translator.at));
    if let Some(begin) = translator.classes.first() {
        return Err((*begin, "a character class is not closed".to_owned()));
    }
    if !translator.groups.is_empty() {
        return Err((translator.at, "a group is not closed".to_owned()));
    }
    Ok(translator.out)
}

impl Translator {
    fn outside(&mut self) -> Result<(), Mistake> {
        let at = self.at;
        match self.chars[at] {
            '\\' => return self.escape(),
            '[' => self.open_class(),
            '(' => {
                self.groups.push(at);
                self.copy(1);
            }
            ')' if self.groups.pop().is_none() => return Err((at, "a ')' without '('".to_owned())),
            '*' | '+' | '?' if at == 0 => {
                return Err((at, format!("nothing to repeat before '{}'", self.chars[at])));
            }
            '{' => self.repetition()?,
            _ => self.copy(1),
        }
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`.
    fn repetition(&mut self) -> Result<(), Mistake> {
        let at = self.at;
        let inner: String = self.chars[at + 1..].iter().take_while(|c| **c != '}').collect();
        let number =
            |text: &str| text.parse::<u32>().map_err(|_| (at, "'{' without a repetition".to_owned()));
        let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
        let least = number(least)?;
        if !most.is_empty() && number(most)? < least {
            return Err((at, "a repetition with an upper bound below the lower".to_owned()));
        }
        self.copy(1);
        Ok(())
    }

    fn inside(&mut self) {
        match (self.chars[self.at], self.peek(1)) {
            ('\\', _) => {
                // Only a backslash at the end is a mistake, and then the class is not closed either.
                let _ = self.escape();
            }
            ('[', _) => self.open_class(),
            (']', _) => {
                self.classes.pop();
                self.copy(1);
            }
            // Operators of sets here, but not in Java.
            (c @ ('-' | '~'), Some(next)) if c == next => {
                self.out.text.extend([c, '\\', c]);
                self.at += 2;
            }
            _ => self.copy(1),
        }
    }

    fn open_class(&mut self) {
        self.classes.push(self.at);
        self.copy(1);
        if self.peek(0) == Some('^') {
            self.copy(1);
        }
        match self.peek(0) {
            Some(']') => self.replace("\\]", 1),
            // Literal: Java has no POSIX classes of the form [:name:], and the engine sees them through escapes.
            Some(':') => self.replace(":-:", 1),
            _ => {}
        }
    }

    fn escape(&mut self) -> Result<(), Mistake> {
        let Some(kind) = self.peek(1) else {
            let at = self.at;
            self.at += 1;
            return Err((at, "a backslash at the end".to_owned()));
        };
        match kind {
            'Q' => self.quotation(),
            'p' | 'P' => self.property(kind == 'P'),
            'h' => self.replace("[ \\t]", 2),
            'H' => self.replace("[^ \\t]", 2),
            'v' => self.replace("[\\n\\x0B\\f\\r]", 2),
            'V' => self.replace("[^\\n\\x0B\\f\\r]", 2),
            _ => self.copy(2),
        }
        Ok(())
    }

    /// `\Q…\E`, or to the end.
    fn quotation(&mut self) {
        self.at += 2;
        while let Some(c) = self.peek(0) {
            if c == '\\' && self.peek(1) == Some('E') {
                self.at += 2;
                return;
            }
            if !c.is_alphanumeric() {
                self.out.text.push('\\');
            }
            self.out.text.push(c);
            self.at += 1;
        }
    }

    /// POSIX classes are of ASCII in Java; the rest is Unicode's as it is here.
    fn property(&mut self, negated: bool) {
        let rest = &self.chars[self.at + 2..];
        let name: Option<String> = rest
            .iter()
            .position(|c| *c == '}')
            .filter(|_| rest.first() == Some(&'{'))
            .map(|end| rest[1..end].iter().collect());
        let Some(name) = name else { return self.copy(2) };
        let len = 4 + name.chars().count();
        let not = if negated { "^" } else { "" };
        match name.as_str() {
            "Lower" | "Upper" | "ASCII" | "Alpha" | "Digit" | "Alnum" | "Punct" | "Graph" | "Print"
            | "Blank" | "Cntrl" | "XDigit" | "Space" => {
                self.replace(&format!("[[:{not}{}:]]", name.to_ascii_lowercase()), len);
            }
            "javaLowerCase" => self.replace(if negated { "\\P{Lowercase}" } else { "\\p{Lowercase}" }, len),
            "javaUpperCase" => self.replace(if negated { "\\P{Uppercase}" } else { "\\p{Uppercase}" }, len),
            _ => self.copy(len),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn copy(&mut self, count: usize) {
        let end = (self.at + count).min(self.chars.len());
        self.out.text.extend(&self.chars[self.at..end]);
        self.at = end;
    }

    fn replace(&mut self, by: &str, count: usize) {
        self.out.text.push_str(by);
        self.at += count;
    }
}
