//! Which files a configuration provider may read (`AllowedPaths`).

use crossdock_api::ConfigError;
use std::path::{Component, Path, PathBuf};

/// The paths of `allowed.paths`; without them every path is allowed.
#[derive(Debug, Clone, Default)]
pub(super) struct AllowedPaths(Option<Vec<PathBuf>>);

impl AllowedPaths {
    /// Reads a list with commas; `key` is where it is from.
    ///
    /// # Errors
    /// A path that is relative or not there.
    pub(super) fn parse(key: &str, list: Option<&str>) -> Result<Self, ConfigError> {
        let Some(list) = list.filter(|list| !list.trim().is_empty()) else { return Ok(Self(None)) };
        let checked = list.split(',').map(|path| {
            let path = normalized(Path::new(path.trim()));
            match path {
                path if !path.is_absolute() => Err(format!("Path {} is not absolute", path.display())),
                path if !path.exists() => Err(format!("Path {} does not exist", path.display())),
                path => Ok(path),
            }
        });
        let paths: Result<_, String> = checked.collect();
        paths.map(|paths| Self(Some(paths))).map_err(|reason| ConfigError::invalid(key, list, reason))
    }

    /// The path to read; `None` if it is not allowed. Steps up are taken out first, so that none leads out.
    pub(super) fn check(&self, path: &str) -> Option<PathBuf> {
        let Some(allowed) = &self.0 else { return Some(PathBuf::from(path)) };
        let path = normalized(Path::new(path));
        allowed.iter().any(|start| path.starts_with(start)).then_some(path)
    }
}

/// Without `.` and `..`, by the text alone (`Path.normalize`).
fn normalized(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match result.components().next_back() {
                Some(Component::Normal(_)) => {
                    result.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => result.push(".."),
            },
            part => result.push(part),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("in");
        std::fs::create_dir(&inner).unwrap();
        let list = format!("{}/x/..,{}", inner.display(), inner.display());
        let allowed = AllowedPaths::parse("k", Some(&list)).unwrap();
        let within = |path: &str| allowed.check(&format!("{}{path}", inner.display()));
        assert_eq!(within("/a/../b"), Some(inner.join("b")));
        assert_eq!(within("/a/../../out"), None);
        assert_eq!(within("side/a"), None);
        assert!(AllowedPaths::default().check("any/../where").is_some());
        for (list, reason) in [("in", "is not absolute"), ("/no/such/folder", "does not exist")] {
            let error = AllowedPaths::parse("k", Some(list)).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("configuration k"), "{error}");
        }
    }
}
