use super::*;
use proptest::prelude::*;

/// The exchange of RFC 7677, section 3, and one that Kafka's classes made.
#[test]
fn known_exchanges() {
    let client = ScramClient::new(
        Mechanism::Sha256,
        "user",
        Secret::new("pencil"),
        false,
        "rOprNGfwEbeRWgbNEkqO".to_owned(),
    );
    assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let server_first =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let proof = client.prove(server_first).unwrap();
    assert_eq!(
        proof.message(),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    proof.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();

    let client =
        ScramClient::new(Mechanism::Sha256, "user", Secret::new("pencil"), false, "cnonce7919".to_owned());
    let proof = client.prove(b"r=cnonce7919snonce104729,s=c9Uau9icuBlv,i=4096").unwrap();
    assert!(proof.message().ends_with(",p=bYuplPD5XF4P0A1VgZQ1MZq+Jgh/ZW2uIv3gZldgEKE="));
    assert_eq!(BASE64.encode(proof.server_signature()), "xaTGBgL1Bvd+cifg8E0BRqW5J/ndoaj26O0rvaC0GGU=");
}

#[test]
fn a_server_that_is_not_to_be_trusted_is_refused() {
    let client =
        |password| ScramClient::new(Mechanism::Sha512, "a,b", Secret::new(password), true, "abc".to_owned());
    assert_eq!(client("p").first(), "n,,n=a=2Cb,r=abc,tokenauth=true");
    let refused = |message: &str| client("p").prove(message.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("r=abd,s=c2FsdA==,i=4096"), ScramError::Nonce.to_string());
    assert_eq!(
        refused("r=abcd,s=c2FsdA==,i=4095"),
        "Requested iterations 4095 is less than the minimum 4096 for SCRAM-SHA-512"
    );
    assert_eq!(
        refused("r=abcd,s=c2FsdA==,i=2147483647"),
        "Requested iterations 2147483647 is more than the maximum 1000000 for SCRAM-SHA-512"
    );
    let first = b"m=x,r=abcd,s=c2FsdA==,i=4096,x=y";
    assert_eq!(client("").prove(first).unwrap_err(), ScramError::EmptyPassword);
    let proof = client("p").prove(first).unwrap();
    assert_eq!(proof.verify(b"v=c2ln").unwrap_err(), ScramError::ServerSignature);
    assert_eq!(
        proof.verify(b"e=invalid-proof").unwrap_err().to_string(),
        "Sasl authentication using SCRAM-SHA-512 failed with error: invalid-proof"
    );
    let mut signature = proof.server_signature().to_vec();
    proof.verify(format!("v={},x=y", BASE64.encode(&signature)).as_bytes()).unwrap();
    signature[63] ^= 1;
    proof.verify(format!("v={}", BASE64.encode(&signature)).as_bytes()).unwrap_err();
}

#[test]
fn messages_that_are_off_are_refused_in_kafkas_words() {
    for bad in ["", "r=,s=c2FsdA==,i=1", "r=a b,s=c2FsdA==,i=1", "r=a,s=c2FsdA=,i=1", "r=a,s=c2FsdA==,i=-1"] {
        let error = ServerFirst::parse(bad.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("Invalid SCRAM server first message format: {bad}"));
    }
    for (count, text) in [("0", "invalid iterations 0"), ("2147483648", "invalid iterations")] {
        let error = ServerFirst::parse(format!("r=a,s=,i={count}").as_bytes()).unwrap_err();
        assert_eq!(error, ScramError::ServerFirst(text.to_owned()));
    }
    for bad in ["", "x=1", "v=!!", "e=", "e=a,x=y", "v=c2ln,x"] {
        let error = ServerFinal::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(error, ScramError::ServerFinal(bad.to_owned()));
    }
    assert_eq!(username("=2C=3D").unwrap(), ",=");
    assert_eq!(username("=2c").unwrap_err().to_string(), "Invalid username: =2c");
}

#[test]
fn debug_shows_no_secret() {
    let client = ScramClient::new(Mechanism::Sha256, "u", Secret::new("hunter2"), false, "n".to_owned());
    let proof = client.prove(b"r=nn,s=c2FsdA==,i=4096").unwrap();
    let shown = format!("{client:?} {proof:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(proof.message()), "{shown}");
}

proptest! {
    #[test]
    fn names_survive(name in "[a-c=,\\PC]{0,20}") {
        prop_assert_eq!(username(&sasl_name(&name)).unwrap(), name);
    }

    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[mrsiev=,0-9a]{0,40}") {
        for message in [&bytes[..], text.as_bytes()] {
            let _ = ServerFirst::parse(message);
            let _ = ServerFinal::parse(message);
        }
    }
}
