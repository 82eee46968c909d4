//! Keys of authenticated connections.

use super::super::definition::{Definition, Valid};
use super::super::key::{
    Key, List, Text, boolean, class, double, int, list, long, long_ms, optional_class, optional_int_ms,
    optional_text, password, short, text,
};
use std::time::Duration;

const NO_JAVA: &str = "only Kafka's own classes; others are refused, since Java classes cannot be loaded";
const NO_CLASS: &str = "refused if it is set and SASL is used, since Java classes cannot be loaded";
const NO_ASSERTIONS: &str = "assertions are not supported; use an id and a secret";
const NO_KERBEROS: &str = "Kerberos (GSSAPI) is not supported";
const FOR_BROKERS: &str = "tokens are checked by brokers, not by clients";

keys! { SASL:
    SASL_MECHANISM: Text = text("sasl.mechanism", "GSSAPI")
        .partly("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER; not GSSAPI")
        .doc("How the client shows who it is.");

    SASL_JAAS_CONFIG: Option<Text> = password("sasl.jaas.config")
        .doc("User, password and the like, in the form of Java's JAAS files.");

    SASL_CALLBACK_HANDLER: Option<Text> = optional_class("sasl.client.callback.handler.class")
        .partly(NO_CLASS)
        .doc("Java class that answers the questions of a mechanism.");

    SASL_LOGIN_CALLBACK_HANDLER: Option<Text> = optional_class("sasl.login.callback.handler.class")
        .partly(NO_JAVA)
        .doc("Java class that answers the questions of a login.");

    SASL_LOGIN_CLASS: Option<Text> = optional_class("sasl.login.class")
        .partly(NO_CLASS)
        .doc("Java class that logs in.");

    SASL_LOGIN_CONNECT_TIMEOUT: Option<Duration> = optional_int_ms("sasl.login.connect.timeout.ms")
        .low()
        .doc("How long connecting to the identity provider may take.");

    SASL_LOGIN_READ_TIMEOUT: Option<Duration> = optional_int_ms("sasl.login.read.timeout.ms")
        .low()
        .doc("How long the identity provider may take to answer.");

    SASL_LOGIN_RETRY_BACKOFF: Duration = long_ms("sasl.login.retry.backoff.ms", 100)
        .low()
        .doc("Wait before the identity provider is asked again; doubles with each failure.");

    SASL_LOGIN_RETRY_BACKOFF_MAX: Duration = long_ms("sasl.login.retry.backoff.max.ms", 10_000)
        .low()
        .doc("The longest wait before the identity provider is asked again.");

    SASL_LOGIN_REFRESH_BUFFER: i16 = short("sasl.login.refresh.buffer.seconds", 300).between(0, 3_600)
        .low()
        .doc("Seconds before its end at which a token is renewed at the latest.");

    SASL_LOGIN_REFRESH_MIN_PERIOD: i16 = short("sasl.login.refresh.min.period.seconds", 60).between(0, 900)
        .low()
        .doc("Seconds between two renewals of a token at least.");

    SASL_LOGIN_REFRESH_WINDOW_FACTOR: f64 = double("sasl.login.refresh.window.factor", 0.8)
        .valid(Valid::BetweenDoubles(0.5, 1.0))
        .low()
        .doc("Part of a token's life after which it is renewed.");

    SASL_LOGIN_REFRESH_WINDOW_JITTER: f64 = double("sasl.login.refresh.window.jitter", 0.05)
        .valid(Valid::BetweenDoubles(0.0, 0.25))
        .low()
        .doc("Part of a token's life by which the renewal is moved by chance.");

    SASL_KERBEROS_SERVICE_NAME: Option<Text> = optional_text("sasl.kerberos.service.name")
        .without_effect(NO_KERBEROS)
        .doc("Name under which brokers run in Kerberos.");

    SASL_KERBEROS_KINIT_CMD: Text = text("sasl.kerberos.kinit.cmd", "/usr/bin/kinit")
        .low()
        .without_effect(NO_KERBEROS)
        .doc("Path of `kinit`.");

    SASL_KERBEROS_MIN_TIME_BEFORE_RELOGIN: i64 = long("sasl.kerberos.min.time.before.relogin", 60_000)
        .low()
        .without_effect(NO_KERBEROS)
        .doc("Milliseconds between two renewals of a ticket.");

    SASL_KERBEROS_RENEW_JITTER: f64 = double("sasl.kerberos.ticket.renew.jitter", 0.05)
        .low()
        .without_effect(NO_KERBEROS)
        .doc("Part of a ticket's life by which its renewal is moved by chance.");

    SASL_KERBEROS_RENEW_WINDOW_FACTOR: f64 = double("sasl.kerberos.ticket.renew.window.factor", 0.8)
        .low()
        .without_effect(NO_KERBEROS)
        .doc("Part of a ticket's life after which it is renewed.");

    SASL_OAUTH_TOKEN_ENDPOINT_URL: Option<Text> = optional_text("sasl.oauthbearer.token.endpoint.url")
        .doc("Where tokens are asked for, or the file that holds one.");

    SASL_OAUTH_CLIENT_ID: Option<Text> = optional_text("sasl.oauthbearer.client.credentials.client.id")
        .doc("The client's id at the identity provider.");

    SASL_OAUTH_CLIENT_SECRET: Option<Text> = password("sasl.oauthbearer.client.credentials.client.secret")
        .doc("The client's secret at the identity provider.");

    SASL_OAUTH_SCOPE: Option<Text> = optional_text("sasl.oauthbearer.scope")
        .doc("The scope that is asked for.");

    SASL_OAUTH_HEADER_URLENCODE: bool = boolean("sasl.oauthbearer.header.urlencode", false)
        .low()
        .doc("Whether id and secret are percent-encoded in the header, as RFC 6749 has it.");

    SASL_OAUTH_SCOPE_CLAIM_NAME: Text = text("sasl.oauthbearer.scope.claim.name", "scope")
        .low()
        .doc("The claim of a token that holds its scope.");

    SASL_OAUTH_SUB_CLAIM_NAME: Text = text("sasl.oauthbearer.sub.claim.name", "sub")
        .low()
        .doc("The claim of a token that holds its subject.");

    SASL_OAUTH_JWT_RETRIEVER: Text = class(
            "sasl.oauthbearer.jwt.retriever.class",
            "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        )
        .partly(NO_JAVA)
        .doc("Java class that fetches tokens.");

    SASL_OAUTH_JWT_VALIDATOR: Text = class(
            "sasl.oauthbearer.jwt.validator.class",
            "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        )
        .partly(NO_JAVA)
        .doc("Java class that checks tokens.");

    SASL_OAUTH_ASSERTION_ALGORITHM: Text = text("sasl.oauthbearer.assertion.algorithm", "RS256")
        .any_case(&["ES256", "RS256"])
        .without_effect(NO_ASSERTIONS)
        .doc("How assertions are signed.");

    SASL_OAUTH_ASSERTION_AUD: Option<Text> = optional_text("sasl.oauthbearer.assertion.claim.aud")
        .without_effect(NO_ASSERTIONS)
        .doc("The audience of an assertion.");

    SASL_OAUTH_ASSERTION_EXP: i32 = int("sasl.oauthbearer.assertion.claim.exp.seconds", 300)
        .between(0, 86_400)
        .low()
        .without_effect(NO_ASSERTIONS)
        .doc("Seconds that an assertion holds.");

    SASL_OAUTH_ASSERTION_ISS: Option<Text> = optional_text("sasl.oauthbearer.assertion.claim.iss")
        .without_effect(NO_ASSERTIONS)
        .doc("The issuer of an assertion.");

    SASL_OAUTH_ASSERTION_JTI: bool = boolean("sasl.oauthbearer.assertion.claim.jti.include", false)
        .without_effect(NO_ASSERTIONS)
        .doc("Whether an assertion has an id of its own.");

    SASL_OAUTH_ASSERTION_NBF: i32 = int("sasl.oauthbearer.assertion.claim.nbf.seconds", 60).between(0, 3_600)
        .low()
        .without_effect(NO_ASSERTIONS)
        .doc("Seconds before now from which an assertion holds.");

    SASL_OAUTH_ASSERTION_SUB: Option<Text> = optional_text("sasl.oauthbearer.assertion.claim.sub")
        .without_effect(NO_ASSERTIONS)
        .doc("The subject of an assertion.");

    SASL_OAUTH_ASSERTION_FILE: Option<Text> = optional_text("sasl.oauthbearer.assertion.file")
        .partly("refused if it is set and OAUTHBEARER is used")
        .doc("File that holds an assertion.");

    SASL_OAUTH_ASSERTION_KEY_FILE: Option<Text> = optional_text("sasl.oauthbearer.assertion.private.key.file")
        .partly("refused if it is set and OAUTHBEARER is used")
        .doc("File of the key that signs assertions.");

    SASL_OAUTH_ASSERTION_KEY_PASSPHRASE: Option<Text> =
        password("sasl.oauthbearer.assertion.private.key.passphrase")
        .without_effect(NO_ASSERTIONS)
        .doc("Password of that key.");

    SASL_OAUTH_ASSERTION_TEMPLATE_FILE: Option<Text> =
        optional_text("sasl.oauthbearer.assertion.template.file")
        .without_effect(NO_ASSERTIONS)
        .doc("File of an assertion's header and claims.");

    SASL_OAUTH_CLOCK_SKEW: i32 = int("sasl.oauthbearer.clock.skew.seconds", 30)
        .low()
        .not_applicable(FOR_BROKERS)
        .doc("Seconds by which clocks may differ.");

    SASL_OAUTH_EXPECTED_AUDIENCE: List = list("sasl.oauthbearer.expected.audience", "")
        .high()
        .not_applicable(FOR_BROKERS)
        .doc("Audiences that a token may be for.");

    SASL_OAUTH_EXPECTED_ISSUER: Option<Text> = optional_text("sasl.oauthbearer.expected.issuer")
        .high()
        .not_applicable(FOR_BROKERS)
        .doc("The issuer that a token must be of.");

    SASL_OAUTH_JWKS_URL: Option<Text> = optional_text("sasl.oauthbearer.jwks.endpoint.url")
        .not_applicable(FOR_BROKERS)
        .doc("Where the keys are that check tokens.");

    SASL_OAUTH_JWKS_REFRESH: Duration = long_ms("sasl.oauthbearer.jwks.endpoint.refresh.ms", 3_600_000)
        .low()
        .not_applicable(FOR_BROKERS)
        .doc("How often those keys are fetched.");

    SASL_OAUTH_JWKS_RETRY_BACKOFF: Duration = long_ms("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", 100)
        .low()
        .not_applicable(FOR_BROKERS)
        .doc("Wait before those keys are asked for again; doubles with each failure.");

    SASL_OAUTH_JWKS_RETRY_BACKOFF_MAX: Duration =
        long_ms("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", 10_000)
        .low()
        .not_applicable(FOR_BROKERS)
        .doc("The longest wait before those keys are asked for again.");
}
