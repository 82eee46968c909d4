//! Subscribing by a pattern instead of by names.
//!
//! - [`TopicPattern`]: the choice: matched here, or by the coordinator.
//! - [`JavaPattern`]: a regular expression with the syntax and meaning of `java.util.regex.Pattern`.
//! - `Matching`: the task that looks for topics that match.
//!
//! A pattern must match the whole name, as with Java's `Matcher.matches`.

mod matching;

pub(super) use matching::{Matching, Subscriber};

use crossdock_java_regex::Pattern;
use std::fmt;
use std::sync::Arc;

/// Topics by a pattern; those that are created later are subscribed to as well.
#[derive(Debug, Clone)]
pub enum TopicPattern {
    /// Matched by this consumer against all topics that it may describe, every `metadata.max.age.ms`. Internal
    /// topics are left out unless `exclude.internal.topics` is false. For both group protocols (Java's
    /// `subscribe(Pattern)`).
    Java(JavaPattern),
    /// Matched by the coordinator, which reads the syntax of RE2/J. Only for the consumer protocol (Java's
    /// `subscribe(SubscriptionPattern)`); an invalid one ends the membership with INVALID_REGULAR_EXPRESSION.
    Re2j(Arc<str>),
}

impl TopicPattern {
    /// A pattern that is matched by this consumer.
    pub fn java(pattern: &str) -> Result<Self, PatternError> {
        JavaPattern::new(pattern).map(Self::Java)
    }

    /// A pattern that is matched by the coordinator.
    pub fn re2j(pattern: &str) -> Result<Self, PatternError> {
        check_not_empty(pattern)?;
        Ok(Self::Re2j(pattern.into()))
    }
}

/// A regular expression of Java's syntax.
#[derive(Clone)]
pub struct JavaPattern(Arc<Pattern>);

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern \"{pattern}\" is not valid{}: {reason}", Place(.at))]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// Where it is wrong, in UTF-16 units from 0; `None` if that is not known.
    pub at: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl JavaPattern {
    /// Reads the pattern. The empty one is refused, as Java's consumer does.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        check_not_empty(pattern)?;
        Pattern::new(pattern).map(|compiled| Self(Arc::new(compiled))).map_err(|error| PatternError {
            pattern: pattern.to_owned(),
            at: error.index,
            reason: error.description,
        })
    }

    /// The pattern as given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the whole of `name` matches. A pattern that takes too many steps does not match; that is logged.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name).unwrap_or_else(|error| {
            tracing::warn!(name, %error, "a topic counts as not matched");
            false
        })
    }
}

impl fmt::Debug for JavaPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JavaPattern").field(&self.as_str()).finish()
    }
}

struct Place<'a>(&'a Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, " near index {at}"),
            None => Ok(()),
        }
    }
}

fn check_not_empty(pattern: &str) -> Result<(), PatternError> {
    if pattern.is_empty() {
        let reason = "it is empty, and no topic has an empty name".to_owned();
        return Err(PatternError { pattern: String::new(), at: None, reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line has names; the others a pattern and for each name whether Java 21 says that it matches, or
    /// the error with its index.
    const JAVA: &str = include_str!("../../tests/golden/java-topic-patterns.tsv");

    #[test]
    fn patterns_match_what_they_match_in_java() {
        let mut lines = JAVA.lines();
        let names: Vec<_> = lines.next().unwrap().split('\t').skip(1).collect();
        let mut wrong = Vec::new();
        for line in lines {
            let (pattern, expected) = line.split_once('\t').unwrap();
            let pattern = pattern.replace("\\\\", "\\");
            let ours = JavaPattern::new(&pattern);
            let agrees = match &ours {
                Ok(ours) => {
                    let bits: String =
                        names.iter().map(|n| if ours.matches(n) { '1' } else { '0' }).collect();
                    bits == expected
                }
                Err(error) => {
                    let at = error.at.unwrap_or(usize::MAX);
                    pattern.is_empty() || expected.starts_with(&format!("error {at} "))
                }
            };
            if !agrees {
                wrong.push(format!("{line}: {ours:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn errors_say_where() {
        for (pattern, at) in
            [("a(", 2), ("äa)", 1), ("[z", 1), ("*a", 0), ("ä\\", 2), ("a{,3}", 2), ("x\\Qa", 0)]
        {
            match JavaPattern::new(pattern) {
                Ok(_) => assert_eq!(pattern, "x\\Qa", "Java takes a quotation without end"),
                Err(error) => {
                    assert_eq!(error.at, Some(at), "{error}");
                    assert!(
                        error.to_string().contains(&format!("\"{pattern}\" is not valid near index {at}"))
                    );
                }
            }
        }
        let text = JavaPattern::new("a{2,1}").unwrap_err().to_string();
        assert!(text.starts_with("the pattern \"a{2,1}\" is not valid"), "{text}");
        assert!(!text.contains('\n'), "{text}");
        assert!(JavaPattern::new("").is_err() && TopicPattern::re2j("").is_err());
    }

    #[test]
    fn a_pattern_that_explodes_does_not_hang() {
        let pattern = JavaPattern::new("(a|a|b\\1)*c(?=x)").unwrap();
        assert!(!pattern.matches(&"a".repeat(200)));
    }
}
