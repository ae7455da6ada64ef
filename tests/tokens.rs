//! Access tokens: only what this installation issued, for this purpose, in its time, is believed.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use evenhand_app::secrets::Sealer;
use serde_json::{Value, json};

use crate::support::{Client, SECRET, TestApp, both};

both!(forged_tokens_are_refused, signing_keys_rotate_without_a_gap, tokens_of_others_open_nothing);

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON")
}

fn header_of(token: &str) -> Value {
    let header = token.split('.').next().expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON")
}

/// Somebody who has stolen the private key, to show that each single check holds by itself.
struct Forger {
    key: Ed25519KeyPair,
}

impl Forger {
    async fn with_stolen_key(t: &TestApp) -> Self {
        let sealed = t.sql().await.texts("SELECT sealed_private_key FROM signing_keys").await.remove(0);
        let private =
            Sealer::new(SECRET).and_then(|sealer| sealer.open("signing-key", &sealed)).expect("opened");
        Self { key: Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private).expect("a key") }
    }

    fn with_own_key() -> Self {
        Self { key: Ed25519KeyPair::generate().expect("a key") }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let content = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(content.as_bytes()).as_ref());
        format!("{content}.{signature}")
    }
}

fn with(object: &Value, key: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[key] = value;
    changed
}

fn without(object: &Value, key: &str) -> Value {
    let mut changed = object.clone();
    changed.as_object_mut().expect("an object").remove(key);
    changed
}

async fn refusal(client: &Client) -> String {
    client.gql("{ viewer { role } }", json!({})).await.code().to_owned()
}

async fn forged_tokens_are_refused(t: TestApp) {
    let token = t.admin().access_token.expect("a token");
    let (header, claims) = (header_of(&token), claims_of(&token));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    let now = claims["iat"].as_i64().expect("seconds");
    let forger = Forger::with_stolen_key(&t).await;
    let stranger = Forger::with_own_key();
    let public = forger.key.public_key().as_ref().to_vec();
    let hs256 = |secret: &[u8]| {
        let content = format!("{}.{}", encode(&with(&header, "alg", json!("HS256"))), encode(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), content.as_bytes());
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let parts: Vec<&str> = token.split('.').collect();
    let own_jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(stranger.key.public_key()) });

    let mut forged = vec![
        ("empty", String::new()),
        ("no token at all", "Bearer".into()),
        ("alg none", format!("{}.{}.", encode(&with(&header, "alg", json!("none"))), parts[1])),
        (
            "alg None, old signature",
            format!("{}.{}.{}", encode(&with(&header, "alg", json!("None"))), parts[1], parts[2]),
        ),
        ("HS256 with the public key", hs256(&public)),
        ("HS256 with the public key as text", hs256(URL_SAFE_NO_PAD.encode(&public).as_bytes())),
        ("alg in small letters", forger.sign(&with(&header, "alg", json!("eddsa")), &claims)),
        ("alg missing", forger.sign(&without(&header, "alg"), &claims)),
        ("typ JWT", forger.sign(&with(&header, "typ", json!("JWT")), &claims)),
        ("typ missing", forger.sign(&without(&header, "typ"), &claims)),
        ("crit", forger.sign(&with(&header, "crit", json!(["exp"])), &claims)),
        ("crit of something unknown", forger.sign(&with(&header, "crit", json!(["x"])), &claims)),
        ("kid missing", forger.sign(&without(&header, "kid"), &claims)),
        ("kid unknown", forger.sign(&with(&header, "kid", json!("0123456789abcdef")), &claims)),
        ("kid of SQL", forger.sign(&with(&header, "kid", json!("' OR 1=1 --")), &claims)),
        ("another key under our kid", stranger.sign(&header, &claims)),
        ("a key of its own in the header", stranger.sign(&with(&header, "jwk", own_jwk), &claims)),
        ("foreign iss", forger.sign(&header, &with(&claims, "iss", json!("elsewhere")))),
        ("foreign aud", forger.sign(&header, &with(&claims, "aud", json!("elsewhere")))),
        ("several aud", forger.sign(&header, &with(&claims, "aud", json!(["elsewhere", "other"])))),
        ("expired", forger.sign(&header, &with(&claims, "exp", json!(now - 6)))),
        ("exp as text", forger.sign(&header, &with(&claims, "exp", json!("9999999999")))),
        ("nbf to come", forger.sign(&header, &with(&claims, "nbf", json!(now + 6)))),
        ("iat to come", forger.sign(&header, &with(&claims, "iat", json!(now + 60)))),
        ("session of nobody", forger.sign(&header, &with(&claims, "sid", claims["sub"].clone()))),
        ("somebody else's session", forger.sign(&header, &with(&claims, "sub", claims["sid"].clone()))),
        ("another organisation", forger.sign(&header, &with(&claims, "org", claims["sub"].clone()))),
        (
            "payload altered",
            format!("{}.{}.{}", parts[0], encode(&with(&claims, "jti", claims["sid"].clone())), parts[2]),
        ),
        ("signature cut off", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{token}.{}", parts[2])),
        ("header no JSON", format!("e30x.{}.{}", parts[1], parts[2])),
        ("very long", format!("{token}{}", "A".repeat(5_000))),
    ];
    for claim in ["iss", "aud", "exp", "nbf", "iat", "sub", "org", "sid", "jti"] {
        forged.push(("a claim missing", forger.sign(&header, &without(&claims, claim))));
    }
    for (name, forged) in &forged {
        assert_eq!(refusal(&t.anonymous().with_token(forged)).await, "UNAUTHENTICATED", "{name}: {forged}");
    }
    for position in [3, parts[0].len() + 5, token.len() - 5] {
        let mut altered = token.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        assert_eq!(refusal(&t.anonymous().with_token(&altered)).await, "UNAUTHENTICATED", "byte {position}");
    }

    // The forger's tools are sound, so that it was the one change that was refused each time.
    for (name, good) in [
        ("as issued", forger.sign(&header, &claims)),
        ("expired within the leeway", forger.sign(&header, &with(&claims, "exp", json!(now - 4)))),
        ("nbf within the leeway", forger.sign(&header, &with(&claims, "nbf", json!(now + 5)))),
    ] {
        assert_eq!(refusal(&t.anonymous().with_token(&good)).await, "", "{name}");
    }
    let basic =
        t.anonymous().get("/ready").header("authorization", "Basic YTpi").send().await.expect("an answer");
    assert_eq!(basic.status(), 200, "other schemes are not tokens");
}

async fn published_keys(t: &TestApp) -> Vec<String> {
    let response = t.anonymous().get("/.well-known/jwks.json").send().await.expect("an answer");
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    let set: Value = response.json().await.expect("JSON");
    let keys = set["keys"].as_array().expect("keys");
    for key in keys {
        assert_eq!(
            (&key["kty"], &key["crv"], &key["use"], &key["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("sig"), &json!("EdDSA"))
        );
        assert!(key.get("d").is_none(), "the private key stays private");
    }
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn signing_keys_rotate_without_a_gap(t: TestApp) {
    let sign_in = || async { t.sign_in(crate::support::ADMIN_EMAIL, crate::support::PASSWORD).await };
    let kid = |client: &Client| header_of(client.access_token.as_ref().expect("a token"))["kid"].clone();
    let old = published_keys(&t).await;
    assert_eq!(old.len(), 1);
    let forger = Forger::with_stolen_key(&t).await;
    let new = t.app.rotate_signing_key().await.expect("rotated");
    assert_eq!(published_keys(&t).await, [new.clone(), old[0].clone()], "published before it signs");

    let before = sign_in().await;
    assert_eq!(kid(&before), json!(old[0]), "caches may not have the new key yet");
    t.clock.advance(Duration::seconds(301));
    let after = sign_in().await;
    assert_eq!(kid(&after), json!(new));
    assert_eq!((refusal(&before).await.as_str(), refusal(&after).await.as_str()), ("", ""), "both sign in");

    t.clock.advance(Duration::minutes(12));
    let latest = sign_in().await;
    assert_eq!(published_keys(&t).await, [new], "the old key has retired");
    let claims = claims_of(latest.access_token.as_ref().expect("a token"));
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": old[0] });
    assert_eq!(refusal(&t.anonymous().with_token(&forger.sign(&header, &claims))).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&latest).await, "");
}

async fn tokens_of_others_open_nothing(t: TestApp) {
    let person = t.user("REP", "Rosa Rep").await;
    // A refresh token is no access token, nor the other way round.
    let refresh = person.refresh_token.clone().expect("a token");
    assert_eq!(refusal(&t.anonymous().with_token(&refresh)).await, "UNAUTHENTICATED");
    let input = json!({ "refreshToken": person.access_token });
    let outcome = t.anonymous().mutate("refreshSession", input, "accessToken").await;
    assert_eq!(outcome.code(), "INVALID_REFRESH_TOKEN");
}
