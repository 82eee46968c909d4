//! The three providers that Kafka has: of properties files, of folders with a file a key, of environment
//! variables.

use super::allowed::AllowedPaths;
use crate::config::properties;
use crossdock_api::{ConfigError, ConfigMap};
use crossdock_client::consumer::JavaPattern;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Package of Kafka's providers.
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";
/// The largest file that is read.
const MAX_FILE: u64 = 1024 * 1024;

/// Where values are from.
#[derive(Debug)]
pub(super) enum Source {
    /// `DirectoryConfigProvider`.
    Directory(AllowedPaths),
    /// `EnvVarConfigProvider`, with what may be read.
    Environment(Option<JavaPattern>),
    /// `FileConfigProvider`.
    File(AllowedPaths),
}

/// What a path has, or why it cannot be read; no value is in it.
pub(super) type Found = Result<BTreeMap<String, String>, String>;

impl Source {
    /// The provider of a class, with its parameters. `prefix` is what their keys begin with.
    ///
    /// # Errors
    /// A class that is none of the three, a wrong parameter.
    pub(super) fn make(
        class_key: &str,
        class: &str,
        prefix: &str,
        params: &ConfigMap,
    ) -> Result<Self, ConfigError> {
        let allowed = || {
            let key = "allowed.paths";
            AllowedPaths::parse(&format!("{prefix}{key}"), params.get(key).map(String::as_str))
        };
        let name = class.strip_prefix(PACKAGE).unwrap_or(class);
        match name.strip_suffix("ConfigProvider").unwrap_or(name) {
            "Directory" => allowed().map(Self::Directory),
            "EnvVar" => {
                let key = "allowlist.pattern";
                let pattern = params.get(key).map(|pattern| {
                    let wrong =
                        |error| ConfigError::invalid(&format!("{prefix}{key}"), pattern, format!("{error}"));
                    JavaPattern::new(pattern).map_err(wrong)
                });
                Ok(Self::Environment(pattern.transpose()?))
            }
            "File" => allowed().map(Self::File),
            _ => {
                let reason = format!(
                    "no such config provider: {PACKAGE}FileConfigProvider, DirectoryConfigProvider and \
                     EnvVarConfigProvider of the same package are known; Java classes cannot be loaded"
                );
                Err(ConfigError::invalid(class_key, class, reason))
            }
        }
    }

    /// The values of `keys` at a path. Those that are not there are left out.
    pub(super) fn get(&self, path: &str, keys: &[String]) -> Found {
        match self {
            Self::Environment(_) if !path.is_empty() => {
                Err(format!("Path is not supported for EnvVarConfigProvider, invalid value '{path}'"))
            }
            Self::Environment(allowed) => Ok(environment(allowed.as_ref(), keys)),
            Self::Directory(_) | Self::File(_) if path.is_empty() => Ok(BTreeMap::new()),
            Self::Directory(allowed) | Self::File(allowed) => match allowed.check(path) {
                None => {
                    tracing::warn!(
                        path,
                        "the path is not one that this config provider may read (param.allowed.paths)"
                    );
                    Ok(BTreeMap::new())
                }
                Some(place) if matches!(self, Self::File(_)) => file(&place, path, keys),
                Some(place) => directory(&place, keys),
            },
        }
    }
}

fn environment(allowed: Option<&JavaPattern>, keys: &[String]) -> BTreeMap<String, String> {
    let may = |key: &&String| {
        // The system refuses to look up what cannot be a name.
        let is_name = !key.is_empty() && !key.contains(['=', '\0']);
        is_name && allowed.is_none_or(|pattern| pattern.matches(key))
    };
    let value = |key: &String| Some((key.clone(), std::env::var_os(key)?.to_string_lossy().into_owned()));
    keys.iter().filter(may).filter_map(value).collect()
}

fn file(place: &Path, path: &str, keys: &[String]) -> Found {
    let failed = |reason: String| format!("Could not read properties from file {path}: {reason}");
    let bytes = read(place).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))?;
    let entries = properties::parse_text(&text).map_err(|error| failed(error.to_string()))?;
    // The last one of a key counts.
    Ok(entries.into_iter().filter(|(key, _)| keys.contains(key)).collect())
}

fn directory(place: &Path, keys: &[String]) -> Found {
    if !place.is_dir() {
        tracing::warn!(path = %place.display(), "the path of a config provider is not a directory");
        return Ok(BTreeMap::new());
    }
    let mut found = BTreeMap::new();
    for key in keys {
        // Only names of files in the folder itself.
        let is_name = Path::new(key).file_name().is_some_and(|name| name == key.as_str());
        let file = place.join(key);
        if is_name && file.is_file() {
            let bytes = read(&file).map_err(|error| {
                format!("Could not read file {} for property {key}: {error}", file.display())
            })?;
            found.insert(key.clone(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(found)
}

fn read(place: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(place)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}
