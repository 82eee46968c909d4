//! Regular expressions in settings, and applied to records.

use crossdock_api::config::Setting;
use crossdock_api::{ConfigError, ConnectError, Exception, ParsedConfig};
use crossdock_java_regex::{Pattern, ReplaceError, Replacement, TooComplex};

/// Whether a setting is a regular expression. Mirrors Connect's `RegexValidator`.
pub(crate) fn check(setting: &Setting) -> Result<(), String> {
    match setting {
        Setting::String(pattern) => {
            Pattern::new(pattern).map(|_| ()).map_err(|error| format!("Invalid regex: {error}"))
        }
        _ => Ok(()),
    }
}

/// The pattern of a setting that [`check`] passed.
pub(crate) fn pattern_of(config: &ParsedConfig, key: &str) -> Result<Pattern, ConfigError> {
    let pattern = config.string(key)?;
    Pattern::new(pattern).map_err(|error| ConfigError::invalid(key, pattern, error.to_string()))
}

/// The text with its first match replaced, if the text matches as a whole.
///
/// # Errors
/// A mistake in the replacement, or too many steps.
pub(crate) fn replaced(
    pattern: &Pattern,
    text: &str,
    replacement: &Replacement,
) -> Result<Option<String>, ConnectError> {
    if !pattern.matches(text).map_err(too_complex)? {
        return Ok(None);
    }
    match pattern.replace_first(text, replacement) {
        Ok(text) => Ok(Some(text.into_owned())),
        Err(ReplaceError::TooComplex(error)) => Err(too_complex(error)),
        Err(error) => {
            let exception = match error {
                ReplaceError::NoGroup(_) => Exception::IndexOutOfBounds,
                _ => Exception::IllegalArgument,
            };
            Err(ConnectError::bad_record(error.to_string()).with_exception(exception))
        }
    }
}

/// Java's pattern would end in a `StackOverflowError`, or not at all.
pub(crate) fn too_complex(error: TooComplex) -> ConnectError {
    ConnectError::bad_record(error.to_string())
}
