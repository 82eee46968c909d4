//! Values that configurations take from elsewhere: `${provider:path:key}` and `${provider:key}`
//! (`org.apache.kafka.common.config.ConfigTransformer`).

/// Puts what `lookup` finds in the place of references to it. `lookup` gets provider, path (empty if there is none)
/// and key. What it does not find, and what is no reference, stays as it is; what was put in is not looked at again.
pub fn transform(value: &str, lookup: impl Fn(&str, &str, &str) -> Option<String>) -> String {
    let mut transformed = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        transformed.push_str(before);
        let Some(end) = reference.find('}') else { break };
        let inside = &reference[2..end];
        match inside.split_once(':') {
            None => {
                // No reference, but one may begin within.
                transformed.push_str("${");
                rest = &reference[2..];
                continue;
            }
            Some((provider, path_and_key)) => {
                let (path, key) = path_and_key.split_once(':').unwrap_or(("", path_and_key));
                match lookup(provider, path, key) {
                    Some(found) => transformed.push_str(&found),
                    None => transformed.push_str(&reference[..=end]),
                }
            }
        }
        rest = &reference[end + 1..];
    }
    if let Some(start) = rest.find("${").filter(|start| !rest[*start..].contains('}')) {
        // Never closed.
        return transformed + &rest[start..];
    }
    transformed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_once_and_the_rest_stays() {
        let lookup = |provider: &str, path: &str, key: &str| match (provider, path, key) {
            ("p", "f", "k") => Some("${p:f:k}".to_owned()),
            ("p", "", "k") => Some("root".to_owned()),
            _ => None,
        };
        for (value, expected) in [
            ("${p:f:k}-${p:k}", "${p:f:k}-root"),
            ("${p:f:none}", "${p:f:none}"),
            ("a${p:k", "a${p:k"),
            ("${}${p:k}", "${}root"),
            ("${${p:k}", "${${p:k}"),
            ("x$y}", "x$y}"),
        ] {
            assert_eq!(transform(value, lookup), expected, "{value}");
        }
    }
}
