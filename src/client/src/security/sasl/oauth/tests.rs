//! Token sources, against an identity provider in the same process.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn source(pairs: &[(&str, &str)], options: &str) -> Result<TokenSource, String> {
    let find = |key: &'static str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    let jaas = Jaas::parse(&format!("a.OAuthBearerLoginModule required {options};")).unwrap();
    let settings = OAuthSettings::read(find);
    TokenSource::new(&settings, find("sasl.login.callback.handler.class"), &jaas).map_err(|e| e.to_string())
}

fn token(lifetime: i64) -> String {
    let exp = now_ms() / 1000 + lifetime;
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"a","exp":{exp}}}"#)))
}

/// Answers each request with the next of `answers`; gives what was asked.
async fn provider(answers: Vec<(u16, String)>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token?x=y", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("grant_type") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            asked.push(String::from_utf8(request).unwrap());
        }
        asked
    });
    (url, served)
}

fn granted(token: &str) -> (u16, String) {
    (200, format!(r#"{{"access_token":"{token}","token_type":"bearer"}}"#))
}

const CREDENTIALS: &str = "clientId=\"me\" clientSecret=\"hunter2\" scope=\"a b\" extension_traceId=\"7\"";

#[tokio::test]
async fn client_credentials_are_exchanged_once_for_all_connections() {
    let value = token(3600);
    let (url, served) = provider(vec![(503, "busy".to_owned()), granted(&value)]).await;
    let source = source(&[(URL_KEY, &url), ("sasl.login.retry.backoff.ms", "1")], CREDENTIALS).unwrap();
    let (one, two) = tokio::join!(source.token(), source.token());
    assert_eq!((one.unwrap().value(), two.unwrap().value()), (&*value, &*value));
    assert_eq!(source.extensions(), [("traceId".to_owned(), "7".to_owned())]);
    let asked = served.await.unwrap();
    assert!(asked[1].starts_with("POST /token?x=y HTTP/1.1\r\n"), "{}", asked[1]);
    assert!(asked[1].contains("authorization: Basic bWU6aHVudGVyMg==\r\n"), "{}", asked[1]);
    assert!(asked[1].ends_with("grant_type=client_credentials&scope=a+b"), "{}", asked[1]);
    assert!(!format!("{source:?}").contains("hunter2"));
}

#[test]
fn a_user_in_the_url_is_refused_and_never_shown() {
    for url in
        ["http://me:hunter2@localhost:1/", "https://hunter2@[::1]/", "ht tp://me:hunter2@x/", "me:hunter2@x"]
    {
        let error = source(&[(URL_KEY, url)], CREDENTIALS).unwrap_err();
        assert!(error.contains(URL_KEY) && !error.contains("hunter2"), "{error}");
        assert!(error.contains("client.credentials.client.id"), "{error}");
        let settings = OAuthSettings::read(|key| (key == URL_KEY).then_some(url));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
    // Not before the path.
    source(&[(URL_KEY, "http://localhost:1/a@b?c=d@e")], CREDENTIALS).unwrap();
}

#[test]
fn the_host_is_named_as_in_the_url() {
    for (url, host) in
        [("http://[::1]:81/x", "[::1]:81"), ("http://[::1]/x", "[::1]:80"), ("http://a.b/x", "a.b:80")]
    {
        let source = source(&[(URL_KEY, url)], CREDENTIALS).unwrap();
        let Origin::Endpoint(endpoint) = &source.origin else { panic!("{source:?}") };
        assert_eq!(endpoint.host_header(), host);
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_an_old_token_is_used_while_it_lives() {
    let refused = (401, r#"{"error":"invalid_client","error_description":"wrong secret"}"#.to_owned());
    let (url, served) = provider(vec![refused.clone(), granted(&token(3600)), refused]).await;
    let source = source(&[(URL_KEY, &url)], CREDENTIALS).unwrap();
    let error = source.token().await.unwrap_err();
    assert!(error.is_authentication() && !error.is_retriable());
    let text = error.to_string();
    assert!(text.contains(&url) && text.contains("401 (invalid_client wrong secret)"), "{text}");

    source.token().await.unwrap();
    source.current.lock().await.as_mut().unwrap().refresh_at = 0;
    source.token().await.unwrap();
    assert_eq!(served.await.unwrap().len(), 3);
}

#[tokio::test]
async fn answers_without_a_usable_token_are_refused() {
    let answers = vec![(200, "{}".to_owned()), granted("abc"), granted(&token(-5))];
    let (url, _served) = provider(answers).await;
    let source = source(&[(URL_KEY, &url)], CREDENTIALS).unwrap();
    for expected in ["no access_token", "1 parts", "expired already"] {
        let text = source.token().await.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn a_token_may_be_in_a_file() {
    let folder = std::env::temp_dir().join(format!("crossdock-token-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("a token.jwt");
    let value = token(3600);
    std::fs::write(&path, format!("{value}\n")).unwrap();
    let url = format!("file://{}/a%20token.jwt", folder.display());
    let handler = format!("{PACKAGE}OAuthBearerLoginCallbackHandler");
    let found = source(&[(URL_KEY, &url), ("sasl.login.callback.handler.class", &handler)], "x=y").unwrap();
    assert_eq!(found.token().await.unwrap().value(), value);
    std::fs::remove_dir_all(&folder).unwrap();
    let error = source(&[(URL_KEY, &url)], "x=y").unwrap_err();
    assert!(error.contains(URL_KEY) && error.contains(&url), "{error}");
}

/// Whoever rotates it may have truncated it, or not put it back yet.
#[tokio::test]
async fn a_file_without_a_usable_token_is_read_again() {
    let folder = std::env::temp_dir().join(format!("crossdock-token-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("token.jwt");
    let value = token(3600);
    std::fs::write(&path, &value).unwrap();
    let source = source(&[(URL_KEY, &format!("file://{}", path.display()))], "x=y").unwrap();
    let expired = token(-5);
    for (content, reason) in [
        (None, "os error"),
        (Some(""), "1 parts"),
        (Some(&value[..9]), "parts"),
        (Some(&*expired), "expired already"),
    ] {
        match content {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = source.token().await.unwrap_err();
        assert!(error.is_retriable() && !error.is_authentication(), "{error}");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains("token.jwt"), "{text}");
    }
    std::fs::write(&path, &value).unwrap();
    assert_eq!(source.token().await.unwrap().value(), value);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn settings_choose_the_source_or_are_refused() {
    source(&[], "unsecuredLoginStringClaim_sub=a").unwrap().token().await.unwrap();
    let error = |pairs: &[(&str, &str)], options: &str| source(pairs, options).unwrap_err();
    assert!(error(&[], "x=y").contains("unsecuredLoginStringClaim_sub"));
    let url = (URL_KEY, "http://localhost:1/");
    assert!(error(&[url], "x=y").contains("client.credentials.client.id"));
    assert!(error(&[url], "clientId=a").contains("client.credentials.client.secret"));
    assert!(error(&[(URL_KEY, "ftp://x/")], CREDENTIALS).contains("only \"http\""));
    assert!(error(&[(URL_KEY, "http:")], CREDENTIALS).contains(URL_KEY));
    let class = ("sasl.login.callback.handler.class", "com.example.Mine");
    assert!(error(&[class], CREDENTIALS).contains("com.example.Mine"));
    let retriever = ("sasl.oauthbearer.jwt.retriever.class", "JwtBearerJwtRetriever");
    assert!(error(&[url, retriever], CREDENTIALS).contains("supported are"));
    assert!(error(&[url, ("sasl.oauthbearer.assertion.file", "x")], CREDENTIALS).contains("assertion.file"));
    assert!(error(&[], "unsecuredLoginStringClaim_sub=a unsecuredLoginExtension_auth=x").contains("auth"));
}
