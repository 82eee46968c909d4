//! A connection over an in-memory pipe, with a scripted peer.

use super::*;
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::Encodable;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const SECOND: Duration = Duration::from_secs(1);

fn pair() -> (Connection, DuplexStream) {
    pair_with(1 << 16)
}

/// The stream holds so many bytes that nobody has read.
fn pair_with(room: usize) -> (Connection, DuplexStream) {
    let (mine, peer) = tokio::io::duplex(room);
    let (read, write) = tokio::io::split(mine);
    (Connection::start("peer:1".into(), "me", SecurityProtocol::Plaintext, read, write), peer)
}

/// Key, version and correlation id of the next request.
async fn request(peer: &mut DuplexStream) -> (i16, i16, i32) {
    let len = peer.read_i32().await.unwrap();
    let mut frame = vec![0; len as usize];
    peer.read_exact(&mut frame).await.unwrap();
    let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
    (number(0), number(2), i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]))
}

async fn answer(peer: &mut DuplexStream, id: i32, response: &impl Encodable, version: i16) {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i32(id);
    response.encode(&mut frame, version).unwrap();
    let len = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    peer.write_all(&frame).await.unwrap();
}

/// Speaks Heartbeat 0 only.
fn versions() -> ApiVersions {
    let heartbeat = ApiVersion::default().with_api_key(HeartbeatRequest::KEY);
    ApiVersions::new(&ApiVersionsResponse::default().with_api_keys(vec![heartbeat]))
}

fn heartbeat(connection: &Connection) -> impl Future<Output = Result<HeartbeatResponse, ClientError>> {
    connection.call(4, SECOND, |_| HeartbeatRequest::default())
}

#[tokio::test]
async fn brokers_before_api_versions_3_are_asked_again() {
    let (connection, mut peer) = pair();
    let broker = async {
        let (_, version, id) = request(&mut peer).await;
        assert_eq!(version, 3);
        let refused = ApiVersionsResponse::default().with_error_code(35);
        answer(&mut peer, id, &refused, 0).await;
        let (key, version, id) = request(&mut peer).await;
        assert_eq!((key, version), (18, 0));
        let produce = ApiVersion::default().with_api_key(0).with_max_version(7);
        answer(&mut peer, id, &ApiVersionsResponse::default().with_api_keys(vec![produce]), 0).await;
    };
    let (versions, ()) = tokio::join!(connection.negotiate(Instant::now() + SECOND), broker);
    assert_eq!(versions.unwrap().range(0), Some((0, 7)));
}

#[tokio::test]
async fn calls_are_pipelined_and_answered_in_order() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let broker = async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(request(&mut peer).await.2);
        }
        for (n, id) in ids.into_iter().enumerate() {
            answer(&mut peer, id, &HeartbeatResponse::default().with_error_code(n as i16), 0).await;
        }
    };
    let (one, two, three, ()) =
        tokio::join!(heartbeat(&connection), heartbeat(&connection), heartbeat(&connection), broker);
    let codes = [one, two, three].map(|a| a.unwrap().error_code);
    assert_eq!(codes, [0, 1, 2]);
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test]
async fn an_answer_to_another_request_ends_the_connection() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let broker = async {
        let (_, _, id) = request(&mut peer).await;
        answer(&mut peer, id + 1, &HeartbeatResponse::default(), 0).await;
    };
    let (call, ()) = tokio::join!(heartbeat(&connection), broker);
    assert!(matches!(call, Err(ClientError::Protocol { .. })), "{call:?}");
    assert!(!connection.is_open());
    let next = heartbeat(&connection).await.unwrap_err();
    assert!(matches!(next, ClientError::Disconnected { may_have_been_sent: false, .. }), "{next}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_decoded_ends_the_connection() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let broker = async {
        let (_, _, id) = request(&mut peer).await;
        peer.write_all(&[0, 0, 0, 5]).await.unwrap();
        peer.write_all(&id.to_be_bytes()).await.unwrap();
        peer.write_all(&[0]).await.unwrap();
    };
    let (call, ()) = tokio::join!(heartbeat(&connection), broker);
    let error = call.unwrap_err();
    assert!(error.outcome_unknown() && error.to_string().contains("Heartbeat"), "{error}");
    assert!(!connection.is_open());
}

#[tokio::test]
async fn a_version_that_the_broker_lacks_is_not_sent() {
    let (connection, _peer) = pair();
    let error = heartbeat(&connection).await.unwrap_err();
    assert!(matches!(error, ClientError::UnsupportedVersion { api: "Heartbeat", .. }), "{error}");
    assert!(!error.is_retriable() && connection.is_open());
}

#[tokio::test]
async fn a_frame_without_answer_is_done_once_it_is_written() {
    let (connection, mut peer) = pair();
    let head = connection.head(HeartbeatRequest::KEY, 0, 1);
    let frame = Frame::encode(&head, &HeartbeatRequest::default()).unwrap();
    let reply = connection.send(frame, Instant::now() + SECOND, SECOND, false).await.unwrap();
    assert_eq!(reply.body().await.unwrap(), Bytes::new());
    assert_eq!(request(&mut peer).await.0, HeartbeatRequest::KEY);
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_answer_that_is_cut_off_may_have_been_sent() {
    let (connection, mut peer) = pair_with(16);
    let head = connection.head(HeartbeatRequest::KEY, 0, 1);
    let frame = Frame::encode(&head, &HeartbeatRequest::default()).unwrap();
    let reply = connection.send(frame, Instant::now() + 60 * SECOND, 60 * SECOND, false).await.unwrap();
    peer.read_i32().await.unwrap();
    let idle = tokio::spawn(io::close_when_idle(connection.shared.clone(), SECOND));
    tokio::time::sleep(5 * SECOND).await;
    assert!(connection.is_open(), "it is being written");
    connection.close("a test");
    idle.await.unwrap();
    let error = reply.body().await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
}

#[tokio::test]
async fn dropping_the_handle_closes_the_stream_after_what_is_queued() {
    let (connection, mut peer) = pair();
    let head = connection.head(HeartbeatRequest::KEY, 0, 1);
    let frame = Frame::encode(&head, &HeartbeatRequest::default()).unwrap();
    let reply = connection.send(frame, Instant::now() + SECOND, SECOND, true).await.unwrap();
    drop(connection);
    request(&mut peer).await;
    assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0, "the end of the stream");
    assert!(reply.body().await.unwrap_err().outcome_unknown());
}

/// The peer's part of an authentication.
async fn authenticate(peer: &mut DuplexStream) {
    let (key, version, id) = request(peer).await;
    assert_eq!((key, version), (SaslHandshakeRequest::KEY, 1));
    answer(peer, id, &SaslHandshakeResponse::default(), 1).await;
    let (key, _, id) = request(peer).await;
    assert_eq!(key, SaslAuthenticateRequest::KEY);
    let renewed = SaslAuthenticateResponse::default().with_session_lifetime_ms(60_000);
    answer(peer, id, &renewed, 1).await;
}

/// What was sent before is answered before, what comes meanwhile waits.
#[tokio::test]
async fn a_session_is_renewed_between_requests() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let connection = Arc::new(connection);
    let first = tokio::spawn({
        let connection = connection.clone();
        async move { heartbeat(&connection).await }
    });
    let (_, _, first_id) = request(&mut peer).await;
    connection.shared.session.set(Session::due()).unwrap();
    let broker = async {
        answer(&mut peer, first_id, &HeartbeatResponse::default().with_error_code(1), 0).await;
        authenticate(&mut peer).await;
        for _ in 0..2 {
            let (key, _, id) = request(&mut peer).await;
            assert_eq!(key, HeartbeatRequest::KEY);
            answer(&mut peer, id, &HeartbeatResponse::default().with_error_code(2), 0).await;
        }
    };
    let (second, third, ()) = tokio::join!(heartbeat(&connection), heartbeat(&connection), broker);
    assert_eq!(first.await.unwrap().unwrap().error_code, 1);
    assert_eq!([second, third].map(|answer| answer.unwrap().error_code), [2, 2]);
}

/// The time for each answer of the exchange begins when nothing is before it.
#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_behind_a_request_that_is_held_for_long() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let connection = Arc::new(connection);
    let long = || {
        let connection = connection.clone();
        tokio::spawn(async move { connection.call(4, 60 * SECOND, |_| HeartbeatRequest::default()).await })
    };
    let held = long();
    let (_, _, held_id) = request(&mut peer).await;
    connection.shared.session.set(Session::due()).unwrap();
    let next = long();
    tokio::time::sleep(30 * SECOND).await;
    answer(&mut peer, held_id, &HeartbeatResponse::default(), 0).await;
    authenticate(&mut peer).await;
    let (_, _, id) = request(&mut peer).await;
    answer(&mut peer, id, &HeartbeatResponse::default(), 0).await;
    held.await.unwrap().unwrap();
    next.await.unwrap().unwrap();
}

/// An identity provider that is slow stops nothing while the session holds.
#[tokio::test]
async fn a_session_is_used_while_a_token_for_the_next_is_waited_for() {
    let provider = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", provider.local_addr().unwrap());
    let security = crate::security::Security::read(|key| match key {
        "security.protocol" => Some("SASL_PLAINTEXT"),
        "sasl.mechanism" => Some("OAUTHBEARER"),
        "sasl.oauthbearer.token.endpoint.url" => Some(&*url),
        "sasl.jaas.config" => Some("a.OAuthBearerLoginModule required clientId=\"me\" clientSecret=\"x\";"),
        _ => None,
    });
    let sasl = security.unwrap().sasl.unwrap();
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    connection.shared.session.set(Session::due_by(sasl.clone())).unwrap();
    for _ in 0..2 {
        let broker = async {
            let (key, _, id) = request(&mut peer).await;
            assert_eq!(key, HeartbeatRequest::KEY);
            answer(&mut peer, id, &HeartbeatResponse::default(), 0).await;
        };
        let (call, ()) = tokio::join!(heartbeat(&connection), broker);
        call.unwrap();
    }

    let (mut socket, _) = provider.accept().await.unwrap();
    let token = "e30.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.x";
    let body = format!(r#"{{"access_token":"{token}"}}"#);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    sasl.prepare().await.unwrap();
    let broker = async {
        authenticate(&mut peer).await;
        let (_, _, id) = request(&mut peer).await;
        answer(&mut peer, id, &HeartbeatResponse::default(), 0).await;
    };
    let (call, ()) = tokio::join!(heartbeat(&connection), broker);
    call.unwrap();
}

#[tokio::test]
async fn a_session_that_is_not_renewed_ends_the_connection_and_says_why() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    connection.shared.session.set(Session::due()).unwrap();
    let broker = async {
        let (_, _, handshake) = request(&mut peer).await;
        answer(&mut peer, handshake, &SaslHandshakeResponse::default().with_error_code(33), 1).await;
    };
    let (call, ()) = tokio::join!(heartbeat(&connection), broker);
    let error = call.unwrap_err();
    assert!(!error.outcome_unknown() && error.is_retriable(), "it was never sent: {error}");
    assert!(error.to_string().contains("could not be authenticated again"), "{error}");
    assert!(!connection.is_open());
}

#[tokio::test]
async fn a_listener_of_tls_is_recognised() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let broker = async {
        request(&mut peer).await;
        peer.write_all(&[0x15, 3, 3, 0, 2, 2, 80]).await.unwrap();
    };
    let (call, ()) = tokio::join!(heartbeat(&connection), broker);
    let text = call.unwrap_err().to_string();
    assert!(text.contains("set security.protocol to SSL"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_throttles_is_left_alone() {
    let (mut connection, mut peer) = pair();
    let heartbeats = ApiVersion::default().with_api_key(HeartbeatRequest::KEY).with_max_version(3);
    connection.versions = ApiVersions::new(&ApiVersionsResponse::default().with_api_keys(vec![heartbeats]));
    let broker = async {
        for throttled in [3000, 0] {
            let (_, _, id) = request(&mut peer).await;
            answer(&mut peer, id, &HeartbeatResponse::default().with_throttle_time_ms(throttled), 3).await;
        }
    };
    let begin = Instant::now();
    let calls = async {
        heartbeat(&connection).await.unwrap();
        // Longer than its timeout, which begins afterwards.
        heartbeat(&connection).await.unwrap();
    };
    tokio::join!(calls, broker);
    assert!(begin.elapsed() >= 3 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_but_not_while_an_answer_is_waited_for() {
    let (mut connection, mut peer) = pair();
    connection.versions = versions();
    let idle = tokio::spawn(io::close_when_idle(connection.shared.clone(), 10 * SECOND));
    let call = connection.call(4, 60 * SECOND, |_| HeartbeatRequest::default());
    let broker = async {
        let (_, _, id) = request(&mut peer).await;
        tokio::time::sleep(50 * SECOND).await;
        answer(&mut peer, id, &HeartbeatResponse::default(), 0).await;
    };
    let (call, ()) = tokio::join!(call, broker);
    call.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    assert!(connection.take_up(), "used now");
    tokio::time::sleep(9 * SECOND).await;
    assert!(connection.is_open());
    idle.await.unwrap();
    assert!(!connection.take_up());
    let error = heartbeat(&connection).await.unwrap_err();
    assert!(error.to_string().contains("idle for 10000 ms") && !error.outcome_unknown(), "{error}");
}

/// Of a peer that reads nothing any more: what TLS says at the end never gets out.
struct Stuck;

impl tokio::io::AsyncWrite for Stuck {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_does_not_keep_a_closed_connection() {
    let shared = Arc::new(Shared::new("peer:1".into(), SecurityProtocol::Plaintext));
    let (queue, outgoing) = mpsc::channel(1);
    drop(queue);
    let written = io::write_loop(shared.clone(), Stuck, outgoing);
    tokio::time::timeout(60 * SECOND, written).await.expect("the socket is let go");
    assert!(!shared.is_open());
}
