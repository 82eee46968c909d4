//! `sasl.jaas.config`: `LoginModule flag key="value" … ;`, read as Kafka's `JaasConfig` does.
//!
//! Kafka lets `java.io.StreamTokenizer` take it apart, whose habits users have come to rely on: quotes of
//! both kinds with backslash escapes that end at the end of the line at the latest, comments of three
//! kinds (a lone `/` too), and numbers that are no values unless they are quoted.

use super::Secret;
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

const KEY: &str = "sasl.jaas.config";

/// The one login module of a client.
#[derive(Debug, Clone)]
pub(crate) struct Jaas {
    /// A Java class name; shows which mechanism the options are for.
    pub(crate) module: String,
    options: BTreeMap<String, Secret>,
}

impl Jaas {
    /// Reads the value of `sasl.jaas.config`. Errors quote nothing but names, since what is badly quoted
    /// may be a piece of a password.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut tokens = Tokenizer { chars: text.chars().peekable() };
        let mut modules = Vec::new();
        while let Some(first) = tokens.next() {
            modules.push(Self::entry(first, &mut tokens)?);
        }
        match (modules.pop(), modules.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(wrong("Login module not specified in JAAS config")),
            (Some(_), more) => {
                let count = more + 1;
                let text = format!("JAAS config property contains {count} login modules, should be 1 module");
                Err(wrong(&text))
            }
        }
    }

    fn entry(first: Token, tokens: &mut Tokenizer<'_>) -> Result<Self, ConfigError> {
        let Some(flag) = tokens.next() else {
            return Err(wrong("Login module control flag not specified in JAAS config"));
        };
        let Token::Text(flag) = flag else {
            return Err(wrong("Login module control flag is not available in the JAAS config"));
        };
        let flags = ["REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"];
        if !flags.contains(&flag.to_uppercase().as_str()) {
            return Err(wrong(&format!(
                "Invalid login module control flag {}in JAAS config: it is one of required, requisite, \
                 sufficient, optional",
                quoted(&flag)
            )));
        }
        let Token::Text(module) = first else {
            return Err(wrong("the login module's class is not a name in JAAS config"));
        };
        let mut options = BTreeMap::new();
        loop {
            let key = match tokens.next() {
                None => {
                    return Err(wrong(
                        "JAAS config entry not terminated by semi-colon (is a quote closed too early or not \
                         at all?)",
                    ));
                }
                Some(Token::Sign(';')) => return Ok(Self { module, options }),
                Some(Token::Text(key)) => key,
                Some(Token::Sign(_) | Token::Number) => String::new(),
            };
            let value = match tokens.next() {
                Some(Token::Sign('=')) => tokens.next(),
                _ => None,
            };
            let Some(Token::Text(value)) = value else {
                return Err(wrong(&format!(
                    "Value not specified for key {}in JAAS config: expected key=\"value\", with numbers and \
                     special characters in double quotes, and quotes and backslashes in them escaped by a \
                     backslash",
                    quoted(&key)
                )));
            };
            options.insert(key, Secret::new(value));
        }
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&Secret> {
        self.options.get(name)
    }

    /// All options, by name.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.options.iter().map(|(key, value)| (key.as_str(), value))
    }
}

fn wrong(reason: &str) -> ConfigError {
    ConfigError::Invalid(format!("Invalid value [hidden] for configuration {KEY}: {reason}"))
}

/// A word if it is surely not a piece of a password: one that Kafka's modules know.
fn quoted(word: &str) -> String {
    const KNOWN: [&str; 8] =
        ["clientId", "clientSecret", "keyTab", "password", "principal", "scope", "tokenauth", "username"];
    let is_known = KNOWN.contains(&word) || word.starts_with("unsecuredLogin");
    if is_known { format!("'{word}' ") } else { String::new() }
}

#[derive(Debug, PartialEq)]
enum Token {
    /// A word, or what stood in quotes.
    Text(String),
    /// A number without quotes. Its value is lost, as in Java.
    Number,
    /// Any other character.
    Sign(char),
}

/// `java.io.StreamTokenizer` as `JaasConfig` sets it up.
struct Tokenizer<'a> {
    chars: Peekable<Chars<'a>>,
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == '-'
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '$') || c >= '\u{a0}'
}

impl Tokenizer<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            let c = self.chars.next()?;
            if c <= ' ' {
                continue;
            }
            if is_digit(c) {
                return Some(self.number(c));
            }
            if is_word(c) {
                return Some(self.word(c));
            }
            match c {
                '"' | '\'' => return Some(self.quoted(c)),
                '/' => self.comment(),
                other => return Some(Token::Sign(other)),
            }
        }
    }

    fn number(&mut self, first: char) -> Token {
        let starts = |c: &char| c.is_ascii_digit() || *c == '.';
        if first == '-' && !self.chars.peek().is_some_and(starts) {
            return Token::Sign('-');
        }
        let mut has_dot = first == '.';
        let mut more = |c: &char| c.is_ascii_digit() || (*c == '.' && !std::mem::replace(&mut has_dot, true));
        while self.chars.next_if(&mut more).is_some() {}
        Token::Number
    }

    fn word(&mut self, first: char) -> Token {
        let mut word = String::from(first);
        while let Some(c) = self.chars.next_if(|c| is_word(*c) || is_digit(*c)) {
            word.push(c);
        }
        Token::Text(word)
    }

    /// Up to the same quote, or the end of the line.
    fn quoted(&mut self, quote: char) -> Token {
        let mut text = String::new();
        while let Some(c) = self.chars.next_if(|c| !matches!(c, '\n' | '\r')) {
            match c {
                '\\' => text.extend(self.escaped()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        Token::Text(text)
    }

    fn escaped(&mut self) -> Option<char> {
        let octal = |c: &char| ('0'..='7').contains(c);
        let c = self.chars.next()?;
        Some(match c {
            '0'..='7' => {
                let most = if c <= '3' { 3 } else { 2 };
                let mut value = c.to_digit(8)?;
                for _ in 1..most {
                    let Some(digit) = self.chars.next_if(octal) else { break };
                    value = value * 8 + digit.to_digit(8)?;
                }
                char::from_u32(value)?
            }
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        })
    }

    /// What follows a `/`: `/*` up to `*/`, anything else up to the end of the line.
    fn comment(&mut self) {
        if self.chars.next_if_eq(&'*').is_none() {
            while self.chars.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
            return;
        }
        let mut before = ' ';
        for c in self.chars.by_ref() {
            if before == '*' && c == '/' {
                return;
            }
            before = c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(text: &str) -> Vec<(String, String)> {
        let jaas = Jaas::parse(text).unwrap();
        jaas.options().map(|(k, v)| (k.to_owned(), v.expose().to_owned())).collect()
    }

    fn value(quoted: &str) -> String {
        options(&format!("a.B required x={quoted};")).remove(0).1
    }

    #[test]
    fn a_module_and_its_options() {
        let text = "org.apache.kafka.common.security.scram.ScramLoginModule Required\n \
                    username=\"al'ice\" password='p\"w' // a comment\n tokenauth=true /* another; */;";
        let jaas = Jaas::parse(text).unwrap();
        assert_eq!(jaas.module, "org.apache.kafka.common.security.scram.ScramLoginModule");
        let pairs = [("password", "p\"w"), ("tokenauth", "true"), ("username", "al'ice")];
        assert_eq!(options(text), pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(!format!("{jaas:?}").contains("al'ice"));
        assert!(options("a required;").is_empty());
    }

    #[test]
    fn quotes_and_escapes_are_javas() {
        assert_eq!(value(r#""a\"b\\c\'d""#), "a\"b\\c'd");
        assert_eq!(value(r#""\101\1012\477\0x\t""#), "AA2\u{27}7\0x\t");
        assert_eq!(value("abc-1.2_$é"), "abc-1.2_$é");
        assert_eq!(value("\"semi;colon//no comment\""), "semi;colon//no comment");
    }

    #[test]
    fn what_java_refuses_is_refused_without_showing_secrets() {
        let text = |jaas: &str| Jaas::parse(jaas).unwrap_err().to_string();
        assert!(text("").ends_with("Login module not specified in JAAS config"));
        assert!(text("a.B").contains("control flag not specified"));
        assert!(text("a.B = x;").contains("control flag is not available"));
        assert!(text("a.B maybe;").contains("Invalid login module control flag in"));
        assert!(text("a.B required").contains("not terminated by semi-colon"));
        assert!(text("a.B required x=y").contains("not terminated by semi-colon"));
        assert!(text("a.B required password=123;").contains("Value not specified for key 'password' "));
        assert!(text("a.B required; a.C required;").contains("contains 2 login modules, should be 1"));
        let leak = text("a.B required password=\"abc\"hunter2\" x=\"y\";");
        assert!(leak.contains("Value not specified") && !leak.contains("hunter2"), "{leak}");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_shows_what_is_quoted(text in "[ a-c0-9.\\-=;\"'/*\\\\\n\\PC]{0,40}") {
            let _ = Jaas::parse(&text);
        }

        #[test]
        fn escaped_values_survive(secret in "\\PC{0,20}") {
            let escaped = secret.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(value(&format!("\"{escaped}\"")), secret);
        }
    }
}
