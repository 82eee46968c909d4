//! What is done to a request's path before it is matched.
//!
//! As in Connect's server, `;…` in a segment is a matrix parameter and dropped, a slash at the end is
//! dropped, `.` and `..` are names as any other, and an empty segment is an error. Unlike there, a
//! segment may decode to anything that is UTF-8: a name with `/` is addressed as `%2F`.

use axum::http::uri::{PathAndQuery, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Why a path is refused, as the message of a 400.
pub(crate) type PathError = &'static str;

/// The URI with its path ready to be matched. The query is left alone.
pub(crate) fn normalized(uri: &Uri) -> Result<Uri, PathError> {
    let path = normalized_path(uri.path())?;
    if path == uri.path() && uri.scheme().is_none() {
        return Ok(uri.clone());
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let path_and_query: PathAndQuery = path_and_query.parse().map_err(|_| "Bad URI")?;
    Ok(Uri::from(path_and_query))
}

fn normalized_path(path: &str) -> Result<String, PathError> {
    // `OPTIONS *` has no leading slash.
    let inner = path.strip_prefix('/').ok_or("Bad URI: the path does not start with /")?;
    if inner.is_empty() {
        return Ok("/".to_owned());
    }
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let mut result = String::with_capacity(path.len());
    for segment in inner.split('/') {
        let segment = segment.split_once(';').map_or(segment, |(name, _)| name);
        if segment.is_empty() {
            return Err("Ambiguous URI empty segment");
        }
        check_encoding(segment)?;
        result.push('/');
        result.push_str(segment);
    }
    Ok(result)
}

/// Each `%` must be followed by two hexadecimal digits, and what they stand for must be UTF-8.
fn check_encoding(segment: &str) -> Result<(), PathError> {
    let hex = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_hexdigit());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return Err("Bad URI: % is not followed by two hexadecimal digits");
        }
    }
    match percent_decode_str(segment).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err("Bad URI: the path is not UTF-8"),
    }
}

/// What needs no escape in a segment.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// The same in Connect's own addresses of connectors, which a `/` or `;` makes those of something else.
const PLAIN_IN_CONNECT: &AsciiSet = &PLAIN.remove(b'/').remove(b';').remove(b'%');

/// A name as a segment of a path. As Connect builds it, escapes in the name stay what they are, and braces are
/// templates.
///
/// # Errors
/// A name that Connect takes for a template.
pub(crate) fn segment(name: &str, as_connect: bool) -> Result<String, String> {
    if !as_connect {
        return Ok(utf8_percent_encode(name, PLAIN).to_string());
    }
    if let Some((_, rest)) = name.split_once('{')
        && let Some((variable, _)) = rest.split_once('}')
    {
        return Err(format!("The template variable '{variable}' has no value"));
    }
    let mut built = String::new();
    for (number, part) in name.split('%').enumerate() {
        let is_escape = part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        if number > 0 {
            built += if is_escape { "%" } else { "%25" };
        }
        built.extend(utf8_percent_encode(part, PLAIN_IN_CONNECT));
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_made_ready() {
        let path = |uri: &str| normalized(&uri.parse().unwrap()).map(|u| u.to_string());
        assert_eq!(path("/").unwrap(), "/");
        assert_eq!(path("/connectors/?x=/;").unwrap(), "/connectors?x=/;");
        assert_eq!(path("/connectors/semi;colon/config").unwrap(), "/connectors/semi/config");
        assert_eq!(path("/connectors/a%3Bb").unwrap(), "/connectors/a%3Bb");
        assert_eq!(path("/connectors/../status").unwrap(), "/connectors/../status");
        assert_eq!(path("/connectors/a%2Fb").unwrap(), "/connectors/a%2Fb");
        assert_eq!(path("http://host:1/connectors/").unwrap(), "/connectors");
        for bad in ["//", "/a//b", "/a//", "/;x", "/%", "/%2", "/%ZZ", "/%FF", "*"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_as_segments() {
        let of_connect = |name: &str| segment(name, true);
        for (name, expected) in [
            ("a b", "a%20b"),
            ("a/b", "a/b"),
            ("a%2Fb", "a%2Fb"),
            ("5%", "5%25"),
            ("ü;'", "%C3%BC;'"),
            ("a|b", "a%7Cb"),
        ] {
            assert_eq!(of_connect(name).unwrap(), expected);
        }
        assert_eq!(of_connect("a{b}").unwrap_err(), "The template variable 'b' has no value");
        assert_eq!(segment("a/b%;{c}", false).unwrap(), "a%2Fb%25%3B%7Bc%7D");
    }

    proptest! {
        #[test]
        fn never_panics(path in "\\PC*") {
            let _ = normalized_path(&path);
        }

        #[test]
        fn twice_is_as_once(path in "(/[a-z%0-9A-F;]{0,4}){1,4}/?") {
            if let Ok(once) = normalized_path(&path) {
                prop_assert_eq!(normalized_path(&once).unwrap(), once);
            }
        }
    }
}
