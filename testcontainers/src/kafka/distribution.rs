//! Kafka's jars on this machine, and what is prepared from them once to make every start quick.
//!
//! In the user's cache there is one folder a version:
//!
//! ```text
//! kafka-4.3.1.lock               held by the process that downloads or prepares
//! kafka-4.3.1/libs/*.jar         downloaded by Maven
//! kafka-4.3.1/bootstrap.checkpoint   what StorageTool writes into a new data folder
//! kafka-4.3.1/classes-<java>.jsa     classes as the JVM holds them in memory: halves the start
//! ```
//!
//! Each appears under its name only when it is complete, by a rename; so whoever sees it may use it
//! without the lock.

use super::error::{KafkaError, tail};
use super::java::{Java, MavenFailure, maven};
use super::{KAFKA_VERSION, jvm};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Broker, tools, and the Java Connect worker with its plugins.
const ARTIFACTS: [&str; 8] = [
    "kafka_2.13",
    "kafka-server",
    "kafka-tools",
    "connect-runtime",
    "connect-json",
    "connect-transforms",
    "connect-file",
    "connect-mirror",
];
/// What another version needs: broker and tools.
const OTHER_ARTIFACTS: [&str; 2] = ["kafka_2.13", "kafka-tools"];
const LOG4J: &str = "2.25.4";
const MAVEN_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Jars that are ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    /// All jars, in a fixed order: the class archive fits only the order that it was made with.
    pub(crate) class_path: String,
    /// To be copied into each new data folder.
    pub(crate) checkpoint: PathBuf,
    /// Missing if this Java could not make one; then the start takes longer.
    pub(crate) class_archive: Option<PathBuf>,
}

impl Distribution {
    /// Downloads and prepares what is missing; while one process does so, others wait for it. `home`
    /// is a folder with jars (or with `libs/`) to use instead of downloading those of `version`.
    pub(crate) async fn prepare(java: &Java, home: Option<&Path>, version: &str) -> Result<Self, KafkaError> {
        let cache = cache_folder()?;
        let folder = cache.join(folder_name(home, version));
        fs::create_dir_all(&folder).map_err(KafkaError::io(format!("create {}", folder.display())))?;
        let libs = match home {
            Some(home) if home.join("libs").is_dir() => home.join("libs"),
            Some(home) => home.to_owned(),
            None => folder.join("libs"),
        };
        let archive = folder.join(format!("classes-{}.jsa", java.build));
        let checkpoint = folder.join("bootstrap.checkpoint");
        if !(libs.is_dir() && checkpoint.exists() && archive.exists()) {
            let _lock = lock(folder.with_added_extension("lock")).await?;
            if home.is_none() && !libs.is_dir() {
                download(&folder, &libs, version).await?;
            }
            let class_path = class_path(&libs)?;
            if !checkpoint.exists() {
                jvm::format(java, &class_path, &checkpoint).await?;
            }
            if !archive.exists() {
                let bare = Self { class_path, checkpoint: checkpoint.clone(), class_archive: None };
                archive_classes(java, bare, &archive).await;
            }
        }
        let class_archive = archive.exists().then_some(archive);
        Ok(Self { class_path: class_path(&libs)?, checkpoint, class_archive })
    }
}

/// `$CROSSDOCK_CACHE`, `$XDG_CACHE_HOME/crossdock` or `~/.cache/crossdock`.
fn cache_folder() -> Result<PathBuf, KafkaError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CROSSDOCK_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("crossdock")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/crossdock")))
        .ok_or(KafkaError::Option {
            name: "HOME",
            value: String::new(),
            expected: "the user's home folder, or CROSSDOCK_CACHE a folder for downloads",
        })
}

fn folder_name(home: Option<&Path>, version: &str) -> String {
    let Some(home) = home else { return format!("kafka-{version}") };
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    format!("kafka-home-{:016x}", hasher.finish())
}

/// The lock is released when the file is closed, also by the kernel when the process is killed.
async fn lock(path: PathBuf) -> Result<File, KafkaError> {
    let doing = format!("lock {}", path.display());
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(std::io::Error::other).flatten().map_err(KafkaError::io(doing))
}

/// Has Maven copy the artifacts and all they need into a new folder, then gives it its name.
async fn download(folder: &Path, libs: &Path, version: &str) -> Result<(), KafkaError> {
    let part = tempfile::Builder::new()
        .prefix("download-")
        .tempdir_in(folder)
        .map_err(KafkaError::io(format!("create a folder in {}", folder.display())))?;
    let (pom, jars) = (part.path().join("pom.xml"), part.path().join("libs"));
    fs::write(&pom, project(version)).map_err(KafkaError::io(format!("write {}", pom.display())))?;
    let target = format!("-DoutputDirectory={}", jars.display());
    let arguments = ["-q", "-B", "-f"].map(OsStr::new);
    let goal = [pom.as_os_str(), OsStr::new(MAVEN_GOAL), OsStr::new(&target)];
    maven(&[&arguments[..], &goal[..]].concat()).await.map_err(|failure| match failure {
        MavenFailure::Missing => KafkaError::NoRuntime { reasons: "java: found; mvn: not found".into() },
        MavenFailure::Failed(output) => KafkaError::Download { folder: folder.to_owned(), output },
        MavenFailure::Other(error) => error,
    })?;
    fs::rename(&jars, libs).map_err(KafkaError::io(format!("name {}", libs.display())))
}

/// A Maven project that depends on the artifacts.
fn project(version: &str) -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>\n"
        )
    };
    let artifacts = if version == KAFKA_VERSION { &ARTIFACTS[..] } else { &OTHER_ARTIFACTS };
    let mut dependencies: String =
        artifacts.iter().map(|artifact| dependency("org.apache.kafka", artifact, version)).collect();
    dependencies.push_str(&dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J));
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>crossdock</groupId>\n  <artifactId>kafka</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}

fn class_path(libs: &Path) -> Result<String, KafkaError> {
    let reading = || format!("read {}", libs.display());
    let mut jars = Vec::new();
    for entry in fs::read_dir(libs).map_err(KafkaError::io(reading()))? {
        let path = entry.map_err(KafkaError::io(reading()))?.path();
        if path.extension() == Some(OsStr::new("jar")) {
            jars.push(path.display().to_string());
        }
    }
    if jars.is_empty() {
        return Err(KafkaError::Option {
            name: "CROSSDOCK_KAFKA_HOME",
            value: libs.display().to_string(),
            expected: "a folder that holds Kafka's jars, or whose folder libs does",
        });
    }
    jars.sort_unstable();
    Ok(jars.join(":"))
}

/// Runs a broker once and keeps the classes that it loaded. Without them all works, only slower, so
/// a failure is told but is no error.
async fn archive_classes(java: &Java, bare: Distribution, archive: &Path) {
    let part = archive.with_extension(format!("part{}", std::process::id()));
    let made = jvm::run_once_archiving(java, bare, &part).await;
    let named =
        made.and_then(|()| fs::rename(&part, archive).map_err(KafkaError::io("name the class archive")));
    if let Err(error) = named {
        eprintln!(
            "Kafka will start slowly, its classes could not be archived: {}",
            tail(&error.to_string(), 3)
        );
        // There may be no such file; nothing to do then.
        let _ = fs::remove_file(&part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_names_every_artifact_once() {
        let text = project(KAFKA_VERSION);
        for artifact in ARTIFACTS {
            assert_eq!(
                text.matches(&format!("<artifactId>{artifact}</artifactId>")).count(),
                1,
                "{artifact}"
            );
        }
        assert_eq!(text.matches("<version>4.3.1</version>").count(), ARTIFACTS.len());
        let text = project("3.9.1");
        assert!(text.contains("<artifactId>kafka_2.13</artifactId><version>3.9.1</version>"), "{text}");
        assert!(!text.contains(KAFKA_VERSION), "{text}");
    }

    #[test]
    fn a_home_without_jars_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("readme.txt"), "").unwrap();
        let text = class_path(folder.path()).unwrap_err().to_string();
        assert!(text.contains("CROSSDOCK_KAFKA_HOME") && text.contains("jars"), "{text}");
    }

    #[test]
    fn jars_are_in_a_fixed_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jar", "a.jar", "c.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let path = folder.path().display();
        assert_eq!(class_path(folder.path()).unwrap(), format!("{path}/a.jar:{path}/b.jar"));
    }
}
