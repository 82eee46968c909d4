//! One broker with a listener for each way to be reached, shared by all tests.

use crate::certificates::{Authority, Identity};
use crate::support::{Sink, append, log_of};
use crossdock_client::{Admin, ClientConfig, Cluster, Producer, ProducerConfig, admin::NewTopic};
use crossdock_testcontainers::Kafka;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Part of every password, so that it can be looked for where it must not be.
pub(crate) const PASSWORD: &str = "pass;\"word\\1";
const MODULES: &str = "org.apache.kafka.common.security";

/// Name, protocol, and who its certificate is for.
const LISTENERS: [(&str, &str); 8] = [
    ("TLS", "SSL"),
    ("MUTUAL", "SSL"),
    ("EXPIRED", "SSL"),
    ("ELSEWHERE", "SSL"),
    ("SASLTLS", "SASL_SSL"),
    ("SASL", "SASL_PLAINTEXT"),
    ("REAUTH", "SASL_PLAINTEXT"),
    ("SCRAM", "SASL_PLAINTEXT"),
];

pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) authority: Authority,
    pub(crate) client: Identity,
}

pub(crate) async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD.get_or_init(start).await
}

async fn start() -> World {
    let authority = Authority::new("The CA of the tests");
    let mut builder = Kafka::builder();
    for (name, protocol) in LISTENERS {
        builder = builder.listener(name, protocol);
        let prefix = format!("listener.name.{}", name.to_lowercase());
        if protocol.ends_with("SSL") {
            let identity = match name {
                "EXPIRED" => authority.issue_expired(&["127.0.0.1"]),
                "ELSEWHERE" => authority.issue(&["elsewhere.example.com"]),
                _ => authority.issue(&["127.0.0.1"]),
            };
            let client_auth = if name == "MUTUAL" { "required" } else { "requested" };
            for (key, value) in [
                ("keystore.type", "PEM"),
                ("keystore.key", &*identity.key),
                ("keystore.certificate.chain", &identity.certificate),
                ("truststore.type", "PEM"),
                ("truststore.certificates", &authority.pem),
                ("client.auth", client_auth),
            ] {
                builder = builder.property(format!("{prefix}.ssl.{key}"), value);
            }
        }
        if protocol.starts_with("SASL") {
            let mechanisms = match name {
                "SCRAM" => "SCRAM-SHA-256",
                _ => "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            };
            let plain = format!("{MODULES}.plain.PlainLoginModule required user_alice={};", quoted(PASSWORD));
            let scram = format!("{MODULES}.scram.ScramLoginModule required;");
            let oauth = format!("{MODULES}.oauthbearer.OAuthBearerLoginModule required;");
            for (key, value) in [
                ("sasl.enabled.mechanisms", mechanisms),
                ("plain.sasl.jaas.config", &plain),
                ("scram-sha-256.sasl.jaas.config", &scram),
                ("scram-sha-512.sasl.jaas.config", &scram),
                ("oauthbearer.sasl.jaas.config", &oauth),
            ] {
                builder = builder.property(format!("{prefix}.{key}"), value);
            }
        }
    }
    for mechanism in ["plain", "scram-sha-256", "oauthbearer"] {
        builder =
            builder.property(format!("listener.name.reauth.{mechanism}.connections.max.reauth.ms"), "3000");
    }
    let kafka = builder.start().await.expect("a broker");
    add_user(&kafka).await;
    let client = authority.issue(&["client"]);
    World { kafka, authority, client }
}

async fn add_user(kafka: &Kafka) {
    // The broker takes one credential of a user in a request.
    let each = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|mechanism| async move {
        let credential = format!("{mechanism}=[password={PASSWORD}]");
        let arguments = ["--bootstrap-server", kafka.bootstrap(), "--alter", "--entity-type", "users"];
        let more = ["--entity-name", "alice", "--add-config", &credential];
        kafka.tool("kafka.admin.ConfigCommand", &[&arguments[..], &more].concat()).await.unwrap()
    });
    for output in futures_util::future::join_all(each).await {
        assert!(output.success, "{output:?}");
    }
}

/// As a value in a JAAS line.
pub(crate) fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

pub(crate) fn jaas(mechanism: &str, password: &str) -> String {
    match mechanism {
        "OAUTHBEARER" => format!(
            "{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"alice\";"
        ),
        "PLAIN" => format!(
            "{MODULES}.plain.PlainLoginModule required username=\"alice\" password={};",
            quoted(password)
        ),
        _ => format!(
            "{MODULES}.scram.ScramLoginModule required username=\"alice\" password={};",
            quoted(password)
        ),
    }
}

impl World {
    /// A client's settings for a listener, over the usual ones.
    pub(crate) fn settings(&self, listener: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let protocol = LISTENERS.iter().find(|(name, _)| *name == listener).map_or("PLAINTEXT", |l| l.1);
        let servers = self.kafka.listener(listener).unwrap_or_else(|| self.kafka.bootstrap().to_owned());
        let usual = [
            ("bootstrap.servers", &*servers),
            ("security.protocol", protocol),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &self.authority.pem),
        ];
        usual.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    pub(crate) fn cluster(&self, listener: &str, more: &[(&str, &str)]) -> Cluster {
        Cluster::new(ClientConfig::from_map(&self.settings(listener, more)).unwrap())
    }

    /// With a mechanism and its usual credentials.
    pub(crate) fn authenticated(&self, listener: &str, mechanism: &str) -> Cluster {
        let jaas = jaas(mechanism, PASSWORD);
        self.cluster(listener, &[("sasl.mechanism", mechanism), ("sasl.jaas.config", &jaas)])
    }

    /// With the client's certificate.
    pub(crate) fn identity(&self) -> [(&str, &str); 3] {
        [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.key", &self.client.key),
            ("ssl.keystore.certificate.chain", &self.client.certificate),
        ]
    }
}

/// Records through a cluster and back.
pub(crate) async fn round_trip(cluster: &Cluster) {
    const RECORDS: u64 = 200;
    let name = format!("t-{}", uuid::Uuid::new_v4());
    Admin::new(cluster.clone()).create_topic(&NewTopic::new(&name, 1, 1)).await.unwrap();
    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), sink.clone());
    let topic = producer.topic(&name);
    producer.wait_for_metadata(&topic).await.unwrap();
    for value in 0..RECORDS {
        append(&producer, &topic, 0, value).await;
    }
    producer.flush().await;
    assert_eq!(sink.written(), (0..RECORDS).collect::<Vec<_>>());
    let log = log_of(cluster, &name, 0).await;
    assert_eq!(log.len() as u64, RECORDS);
}
