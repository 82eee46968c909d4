//! JAAS files (`javax.security.auth.login.Configuration`), as far as the REST API needs them: entries of login
//! modules with options.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A login module of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its Java class.
    pub(crate) class: String,
    pub(crate) options: BTreeMap<String, String>,
}

/// The modules of an entry; `None` if there is no such entry.
pub(crate) fn entry(text: &str, name: &str) -> Result<Option<Vec<Module>>, String> {
    let mut tokens = Tokens { rest: text.chars().peekable(), line: 1 };
    while let Some(found) = tokens.word()? {
        tokens.sign("{")?;
        let mut modules = Vec::new();
        loop {
            match tokens.must()?.as_str() {
                "}" => break,
                class => modules.push(tokens.module(class)?),
            }
        }
        tokens.sign(";")?;
        if found == name {
            return Ok(Some(modules));
        }
    }
    Ok(None)
}

struct Tokens<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
}

impl Tokens<'_> {
    fn module(&mut self, class: &str) -> Result<Module, String> {
        let flag = self.must()?.to_ascii_lowercase();
        if !["required", "requisite", "sufficient", "optional"].contains(&flag.as_str()) {
            return Err(format!(
                "line {}: {flag} is not required, requisite, sufficient or optional",
                self.line
            ));
        }
        let mut options = BTreeMap::new();
        loop {
            match self.must()?.as_str() {
                ";" => return Ok(Module { class: class.to_owned(), options }),
                key => {
                    let key = key.to_owned();
                    self.sign("=")?;
                    options.insert(key, self.must()?);
                }
            }
        }
    }

    fn sign(&mut self, sign: &str) -> Result<(), String> {
        match self.must()? {
            found if found == sign => Ok(()),
            found => Err(format!("line {}: {sign} is expected instead of {found}", self.line)),
        }
    }

    fn must(&mut self) -> Result<String, String> {
        self.word()?.ok_or_else(|| "it ends too early".to_owned())
    }

    /// A sign, a word, or a text within quotes; `None` at the end.
    fn word(&mut self) -> Result<Option<String>, String> {
        self.skip_blanks();
        let Some(first) = self.rest.next() else { return Ok(None) };
        if "{};=".contains(first) {
            return Ok(Some(first.to_string()));
        }
        if first == '"' || first == '\'' {
            return self.quoted(first).map(Some);
        }
        let mut word = first.to_string();
        while let Some(next) = self.rest.next_if(|c| !c.is_whitespace() && !"{};=\"'".contains(*c)) {
            word.push(next);
        }
        Ok(Some(word))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.extend(self.rest.next()),
                Some('\n') | None => return Err(format!("line {}: a text is not closed", self.line)),
                Some(c) => text.push(c),
            }
        }
    }

    /// Blanks and comments of both kinds.
    fn skip_blanks(&mut self) {
        loop {
            match self.rest.peek() {
                Some(c) if c.is_whitespace() => self.step(),
                Some('/') => {
                    let mut ahead = self.rest.clone();
                    ahead.next();
                    match ahead.peek() {
                        Some('/') => {
                            while self.rest.peek().is_some_and(|c| *c != '\n') {
                                self.step();
                            }
                        }
                        Some('*') => self.skip_comment(),
                        _ => return,
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        self.step();
        self.step();
        let mut before = ' ';
        while let Some(c) = self.rest.peek().copied() {
            self.step();
            if before == '*' && c == '/' {
                return;
            }
            before = c;
        }
    }

    fn step(&mut self) {
        self.line += usize::from(self.rest.next() == Some('\n'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found() {
        let text = "/* all */ Other { a.B required; };\n// next\nKafkaConnect {\n a.Module REQUIRED\n file='x y'\n \
                    debug=true; b.C optional x=\"a\\\"b\";\n};";
        let modules = entry(text, "KafkaConnect").unwrap().unwrap();
        assert_eq!(modules[0].class, "a.Module");
        assert_eq!(modules[0].options["file"], "x y");
        assert_eq!(modules[1].options["x"], "a\"b");
        assert_eq!(entry(text, "None"), Ok(None));
    }

    #[test]
    fn mistakes_have_their_line() {
        for (text, reason) in [
            ("K {\n a maybe; };", "line 2: maybe is not required"),
            ("K { a required", "ends too early"),
            ("K { a required x=\"y\n", "not closed"),
            ("K a", "{ is expected instead of a"),
        ] {
            let error = entry(text, "K").unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC*|[{};=\"'/* a-z\n]*") {
            let _ = entry(&text, "K");
        }
    }
}
