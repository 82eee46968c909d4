//! Config files: what `connect-standalone` takes.
//!
//! A worker's file is a Java properties file. A connector's file is a properties file, or JSON: a flat
//! object of strings, or `{"name": …, "config": {…}}` as the REST API takes it
//! (`ConnectStandalone.parseConnectorConfigurationFile`).

use crossdock_api::ConfigMap;
use std::path::{Path, PathBuf};

/// A config file that cannot be used. The operator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is a properties file with a syntax error.
    #[error("{} is not a valid properties file: {message}", path.display())]
    Properties {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// It looks like JSON but is neither of the two forms.
    #[error(
        "{} is not a connector configuration: {message}; expected an object of strings, or {{\"name\": …, \"config\": {{…}}}}",
        path.display()
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// It has no `name`.
    #[error("{} has no \"name\"; every connector needs one", path.display())]
    NoName {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a worker's properties file.
pub fn read_worker(path: &Path) -> Result<ConfigMap, ConfigFileError> {
    parse_properties(path, &read(path)?)
}

/// Reads a connector's properties or JSON file. The result has a `name`.
pub fn read_connector(path: &Path) -> Result<ConfigMap, ConfigFileError> {
    let bytes = read(path)?;
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"))
        || bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let config = if is_json { parse_json(path, &bytes)? } else { parse_properties(path, &bytes)? };
    if config.get("name").is_none_or(|name| name.trim().is_empty()) {
        return Err(ConfigFileError::NoName { path: path.to_owned() });
    }
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigFileError> {
    std::fs::read(path).map_err(|source| ConfigFileError::Read { path: path.to_owned(), source })
}

fn parse_properties(path: &Path, bytes: &[u8]) -> Result<ConfigMap, ConfigFileError> {
    let entries = super::properties::parse(bytes)
        .map_err(|error| ConfigFileError::Properties { path: path.to_owned(), message: error.to_string() })?;
    Ok(entries.into_iter().collect())
}

fn parse_json(path: &Path, bytes: &[u8]) -> Result<ConfigMap, ConfigFileError> {
    let error = |message: String| ConfigFileError::Json { path: path.to_owned(), message };
    // Java's reader takes a byte order mark too.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| error(e.to_string()))?;
    let object = value.as_object().ok_or_else(|| error("it is not an object".to_owned()))?;
    match object.get("config") {
        Some(serde_json::Value::Object(config)) => {
            let mut config = flat(config).map_err(error)?;
            if let Some(state) = object.get("initial_state").filter(|s| *s != "RUNNING") {
                return Err(error(format!(
                    "initial_state {state} is not supported in this version, only \"RUNNING\""
                )));
            }
            if let Some(name) = object.get("name").and_then(|n| n.as_str()) {
                let inner = config.entry("name".to_owned()).or_insert_with(|| name.to_owned());
                if inner != name {
                    return Err(error(format!("its name is {name} but its config says {inner}")));
                }
            }
            Ok(config)
        }
        _ => flat(object).map_err(error),
    }
}

/// Strings as they are; numbers and booleans by their JSON text, as Jackson reads them into a map of
/// strings.
fn flat(object: &serde_json::Map<String, serde_json::Value>) -> Result<ConfigMap, String> {
    let mut config = ConfigMap::new();
    for (key, value) in object {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            serde_json::Value::Null => continue,
            other => return Err(format!("the value of \"{key}\" is {other}, not a string")),
        };
        config.insert(key.clone(), text);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(name: &str, content: &str) -> Result<ConfigMap, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        read_connector(&path)
    }

    #[test]
    fn properties_and_both_json_forms() {
        let expected: ConfigMap =
            [("name", "c"), ("tasks.max", "1")].into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        for (file, content) in [
            ("c.properties", "# note\nname = c\ntasks.max:1\n"),
            ("c.json", r#"{"name":"c","tasks.max":1}"#),
            ("c.json", r#"{"name":"c","config":{"tasks.max":"1"}}"#),
            ("c.conf", r#" {"name":"c","config":{"name":"c","tasks.max":"1"}}"#),
            ("c.json", "\u{feff}{\"name\":\"c\",\"tasks.max\":1}"),
            ("c.json", r#"{"name":"c","initial_state":"RUNNING","config":{"tasks.max":"1"}}"#),
        ] {
            assert_eq!(connector(file, content).unwrap(), expected, "{content}");
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        let config = connector("c.json", r#"{"name":"c","x":1.50,"y":12345678901234567890123}"#).unwrap();
        assert_eq!((config["x"].as_str(), config["y"].as_str()), ("1.50", "12345678901234567890123"));
    }

    #[test]
    fn mistakes_name_the_file() {
        for (file, content, part) in [
            ("c.json", "{", "EOF"),
            ("c.json", "[]", "not an object"),
            ("c.json", r#"{"name":"c","x":[1]}"#, "\"x\""),
            ("c.json", r#"{"name":"c","config":{"name":"d"}}"#, "its config says d"),
            ("c.json", r#"{"name":"c","initial_state":"STOPPED","config":{}}"#, "initial_state"),
            ("c.properties", "tasks.max=1\n", "has no \"name\""),
        ] {
            let error = connector(file, content).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(file), "{error}");
        }
        let error = read_connector(Path::new("/nonexistent/c.json")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/c.json"), "{error}");
        assert!(read_connector(&std::env::temp_dir()).is_err());
    }
}
