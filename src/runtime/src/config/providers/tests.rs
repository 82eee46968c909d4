use super::*;
use std::fs;

const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

fn map(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn all(extra: &[(&str, &str)]) -> Result<Providers, ConfigError> {
    let mut worker = map(&[("config.providers", "file, dir,env,gone")]);
    for (name, class) in [("file", "File"), ("dir", "Directory"), ("env", "EnvVar")] {
        worker.insert(format!("config.providers.{name}.class"), format!("{PACKAGE}{class}ConfigProvider"));
    }
    worker.extend(map(extra));
    Providers::of(&worker)
}

#[test]
fn files_folders_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.properties");
    fs::write(&file, "password = h\u{e9} \\u00e9\npassword2=\\\u{1f980}x\nempty=\n").unwrap();
    fs::write(folder.path().join("token"), "line\n").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let (file, folder) = (file.display().to_string(), folder.path().display().to_string());
    let providers = all(&[]).unwrap();
    let resolve = |value: String| {
        let given = map(&[("k", &value)]);
        providers.resolve(&given).unwrap().config()["k"].clone()
    };
    assert_eq!(resolve(format!("<${{file:{file}:password}}>")), "<h\u{e9} \u{e9}>");
    assert_eq!(resolve(format!("${{file:{file}:password2}}")), "\u{1f980}x");
    assert_eq!(resolve(format!("[${{file:{file}:empty}}]")), "[]");
    assert_eq!(resolve(format!("${{dir:{folder}:token}}")), "line\n");
    assert_eq!(resolve("${env:CARGO_PKG_NAME}".to_owned()), "crossdock-runtime");
    for stays in [
        format!("${{file:{file}:none}}"),
        format!("${{dir:{folder}:sub}}"),
        format!("${{dir:{folder}:sub/../token}}"),
        format!("${{dir:{file}:token}}"),
        "${env:NO_SUCH_VARIABLE_HERE}".to_owned(),
        "${env:}".to_owned(),
        "${file:key}".to_owned(),
        "${gone:a:b}".to_owned(),
        "${other:a:b}".to_owned(),
    ] {
        assert_eq!(resolve(stays.clone()), stays);
    }
}

#[test]
fn failures_name_key_and_provider_and_show_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.properties");
    fs::write(&bad, b"password=geheim\xff\n").unwrap();
    let bad = bad.display().to_string();
    let providers = all(&[]).unwrap();
    let error = |value: &str| providers.resolve(&map(&[("db.password", value)])).unwrap_err().to_string();
    let missing = error("${file:/no/such/file:k}");
    assert!(missing.starts_with("Invalid value ${file:/no/such/file:k} for configuration db.password: config provider file: Could not read properties from file /no/such/file"), "{missing}");
    let undecoded = error(&format!("${{file:{bad}:password}}"));
    assert!(undecoded.contains("not UTF-8") && !undecoded.contains("geheim"), "{undecoded}");
    assert!(error("${env:path:k}").contains("Path is not supported for EnvVarConfigProvider"));
}

#[test]
fn what_may_be_read_can_be_limited() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("in");
    fs::create_dir(&inner).unwrap();
    fs::write(folder.path().join("out.properties"), "k=v").unwrap();
    fs::write(inner.join("in.properties"), "k=v").unwrap();
    let inner = inner.display().to_string();
    let providers = all(&[
        ("config.providers.file.param.allowed.paths", &inner),
        ("config.providers.env.param.allowlist.pattern", "CARGO_.*_NAME"),
    ])
    .unwrap();
    let resolve = |value: &str| providers.resolve(&map(&[("k", value)])).unwrap().config()["k"].clone();
    assert_eq!(resolve(&format!("${{file:{inner}/in.properties:k}}")), "v");
    let out = format!("${{file:{inner}/../out.properties:k}}");
    assert_eq!(resolve(&out), out);
    assert_eq!(resolve("${env:CARGO_PKG_NAME}"), "crossdock-runtime");
    assert_eq!(resolve("${env:CARGO_PKG_VERSION}"), "${env:CARGO_PKG_VERSION}");
}

#[test]
fn wrong_providers_are_refused() {
    let error = |extra| all(extra).unwrap_err().to_string();
    let unknown = error(&[("config.providers.gone.class", "org.example.Vault")]);
    assert!(
        unknown.contains("config.providers.gone.class") && unknown.contains("FileConfigProvider"),
        "{unknown}"
    );
    assert!(error(&[("config.providers.env.param.allowlist.pattern", "(")]).contains("allowlist.pattern"));
    assert!(error(&[("config.providers.dir.param.allowed.paths", "x")]).contains("not absolute"));
    assert!(error(&[("config.providers.file.param.crossdock.ttl.ms", "0")]).contains("crossdock.ttl.ms"));
}

#[test]
fn what_is_shown_has_the_references() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.properties");
    fs::write(&file, "p=geheim\np2=geheimnis\nn=1\n").unwrap();
    let file = file.display().to_string();
    let (p, p2, n) =
        (format!("${{file:{file}:p}}"), format!("${{file:{file}:p2}}"), format!("${{file:{file}:n}}"));
    let providers = all(&[("config.providers.file.param.crossdock.ttl.ms", "250")]).unwrap();
    let resolved = providers.resolve(&map(&[("a", &p), ("b", &p2), ("n", &n), ("plain", "1")])).unwrap();
    assert_eq!(resolved.hide("login with geheimnis, then geheim"), format!("login with {p2}, then {p}"));
    let mut task = map(&[("a", "geheim"), ("b", "other"), ("plain", "1"), ("own", "x")]);
    resolved.restore(&mut task);
    assert_eq!(task, map(&[("a", &p), ("b", "other"), ("plain", "1"), ("own", "x")]));
    let error = resolved.hide_in(ConfigError::invalid("n", "1", "geheim"));
    assert_eq!(error.to_string(), format!("Invalid value {n} for configuration n: {p}"));
    assert_eq!(providers.shortest_ttl(), Some(Duration::from_millis(250)));
    assert_eq!((resolved.reference_at("a"), resolved.reference_at("plain")), (Some(&*p), None));
    assert!(!format!("{resolved:?}").contains("geheim"));
    assert_eq!(all(&[]).unwrap().shortest_ttl(), None);
}
