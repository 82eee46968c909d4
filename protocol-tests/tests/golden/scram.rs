//! SCRAM: the four messages and the keys of an exchange, the messages' grammar, and escaped names.

use super::Verdict;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_client::security::Secret;
use crossdock_client::security::scram::{
    Mechanism, ScramClient, ScramError, ServerFinal, ServerFirst, sasl_name, username,
};
use protocol_tests::golden::{Case, Expected};
use serde_json::{Value as Json, json};

pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let ran = match case.op() {
        "exchange" => exchange(case.input()),
        "parse_server_first" => ServerFirst::parse(text(case, "text").as_bytes()).map(|first| {
            json!({"nonce": first.nonce, "salt": STANDARD.encode(first.salt), "iterations": first.iterations})
        }),
        "parse_server_final" => ServerFinal::parse(text(case, "text").as_bytes()).map(|last| match last {
            ServerFinal::Error(error) => json!({"error": error, "server_signature": null}),
            ServerFinal::Signature(bytes) => {
                json!({"error": null, "server_signature": STANDARD.encode(bytes)})
            }
        }),
        "sasl_name" => Ok(json!({"sasl_name": sasl_name(text(case, "username"))})),
        "username" => username(text(case, "sasl_name")).map(|name| json!({"username": name})),
        _ => return None,
    };
    Some(Verdict::of(difference(case, &ran)))
}

fn text<'a>(case: &'a Case, member: &str) -> &'a str {
    case.input()[member].as_str().unwrap()
}

fn difference(case: &Case, ran: &Result<Json, ScramError>) -> Option<String> {
    let is_same = match (case.expected(), ran) {
        (Expected::Output(expected), Ok(output)) => expected == output,
        (expected @ Expected::Error { .. }, Err(error)) => expected.has_message(&error.to_string()),
        _ => false,
    };
    (!is_same).then(|| format!("{ran:?}"))
}

fn exchange(input: &Json) -> Result<Json, ScramError> {
    let text = |member: &str| input[member].as_str().unwrap();
    let mechanism = Mechanism::from_name(text("mechanism")).unwrap();
    let salt = STANDARD.decode(text("salt")).unwrap();
    let iterations = u32::try_from(input["iterations"].as_u64().unwrap()).unwrap();
    let salted = mechanism.salted_password(text("password"), &salt, iterations)?;
    let client_key = mechanism.client_key(&salted);
    let client = ScramClient::new(
        mechanism,
        text("username"),
        Secret::new(text("password")),
        input["token_auth"] == Json::Bool(true),
        text("client_nonce").to_owned(),
    );
    let nonce = format!("{}{}", text("client_nonce"), text("server_nonce_suffix"));
    let server_first = format!("r={nonce},s={},i={iterations}", text("salt"));
    let proof = client.prove(server_first.as_bytes())?;
    let server_final = format!("v={}", STANDARD.encode(proof.server_signature()));
    proof.verify(server_final.as_bytes())?;
    Ok(json!({
        "sasl_name": sasl_name(text("username")),
        "salted_password": STANDARD.encode(&salted),
        "client_key": STANDARD.encode(&client_key),
        "stored_key": STANDARD.encode(mechanism.stored_key(&client_key)),
        "server_key": STANDARD.encode(mechanism.server_key(&salted)),
        "client_first": client.first(),
        "server_first": server_first,
        "client_final": proof.message(),
        "server_final": server_final,
    }))
}
