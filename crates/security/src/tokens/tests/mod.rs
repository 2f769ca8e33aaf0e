//! An identity provider for the tests: its keys, its tokens, and the address at which its keys are asked for.

mod attacks;
mod claims;
mod cost;
mod mutations;
mod remote;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainstay_domain::config::Secret;
use mainstay_domain::{Clock, TenantId, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

use super::*;

/// The second in which the tests begin.
const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://login.example.com";
const SECRET_ISSUER: &str = "https://internal.example.com";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A private key with its id.
struct Signer {
    id: &'static str,
    key: SigningKey,
}

enum SigningKey {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Secret(Vec<u8>),
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn rsa(id: &'static str) -> Self {
        Self { id, key: SigningKey::Rsa(rsa_key(include_bytes!("fixtures/rsa-first.pk8"))) }
    }

    fn other_rsa(id: &'static str) -> Self {
        Self { id, key: SigningKey::Rsa(rsa_key(include_bytes!("fixtures/rsa-second.pk8"))) }
    }

    fn es256(id: &'static str) -> Self {
        Self { id, key: SigningKey::Ec(ec_key(&ECDSA_P256_SHA256_FIXED_SIGNING), "P-256") }
    }

    fn es384(id: &'static str) -> Self {
        Self { id, key: SigningKey::Ec(ec_key(&ECDSA_P384_SHA384_FIXED_SIGNING), "P-384") }
    }

    fn ed(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, key: SigningKey::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()) }
    }

    fn secret(secret: impl AsRef<[u8]>) -> Self {
        Self { id: "s1", key: SigningKey::Secret(secret.as_ref().to_vec()) }
    }

    /// The algorithm that it signs with where nothing else is asked for.
    fn algorithm(&self) -> &'static str {
        match &self.key {
            SigningKey::Rsa(_) => "RS256",
            SigningKey::Ec(_, "P-256") => "ES256",
            SigningKey::Ec(..) => "ES384",
            SigningKey::Ed(_) => "EdDSA",
            SigningKey::Secret(_) => "HS256",
        }
    }

    fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            SigningKey::Rsa(pair) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({"kty": "RSA", "n": encoded(public.n), "e": encoded(public.e)})
            }
            SigningKey::Ec(pair, curve) => {
                let (x, y) =
                    pair.public_key().as_ref()[1..].split_at(if *curve == "P-256" { 32 } else { 48 });
                json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)})
            }
            SigningKey::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())})
            }
            SigningKey::Secret(secret) => json!({"kty": "oct", "k": encoded(secret)}),
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims.
    fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": self.id, "typ": "JWT"}), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap_or(self.algorithm()).to_owned();
        self.token_of_bytes(header.to_string(), claims.to_string(), &algorithm)
    }

    /// A token of any bytes, with a signature that holds.
    fn token_of_bytes(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, algorithm: &str) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(payload));
        let signature = self.sign(signed.as_bytes(), algorithm);
        format!("{signed}.{}", encoded(signature))
    }

    fn sign(&self, message: &[u8], algorithm: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            SigningKey::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            SigningKey::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            SigningKey::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            SigningKey::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
        }
    }
}

fn rsa_key(pkcs8: &[u8]) -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(pkcs8).unwrap()
}

fn ec_key(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
}

/// Claims that are accepted for an hour.
fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "mainstay", "sub": "ada", "tenant": "acme", "roles": ["engineer"],
        "iat": NOW, "nbf": NOW, "exp": NOW + 3_600, "jti": "t1",
    })
}

/// The claims with some of them others; `null` takes one away.
fn claims_with(changes: Value) -> Value {
    let mut claims = good_claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn key_set(signers: &[&Signer]) -> String {
    key_set_of(signers.iter().map(|signer| signer.jwk()).collect())
}

fn key_set_of(keys: Vec<Value>) -> String {
    json!({"keys": keys}).to_string()
}

fn tenant_of_claim() -> TenantRule {
    TenantRule::Claim { path: ClaimPath::new("tenant").unwrap(), allowed: None }
}

/// An issuer with these keys, which may use RS256, ES256 and EdDSA.
fn issuer(keys: PublicKeys) -> IssuerSettings {
    let algorithms = BTreeSet::from([Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]);
    IssuerSettings::new(
        "login",
        ISSUER,
        "mainstay",
        KeySource::Public { keys, algorithms },
        tenant_of_claim(),
    )
}

fn secret_issuer() -> IssuerSettings {
    let keys = KeySource::Secret(Secret::new(SECRET));
    IssuerSettings::new("internal", SECRET_ISSUER, "mainstay", keys, tenant_of_claim())
}

fn clock() -> Clock {
    Clock::starting_at(Timestamp::from_micros(NOW * 1_000_000))
}

/// A verifier that has all its keys.
fn verifier(settings: Vec<IssuerSettings>, clock: Clock) -> TokenVerifier {
    TokenVerifier::new(settings, Arc::new(Nowhere), clock).unwrap()
}

fn verifier_of(signers: &[&Signer], clock: Clock) -> TokenVerifier {
    verifier(vec![issuer(PublicKeys::Set(key_set(signers)))], clock)
}

/// Where nothing can be fetched.
struct Nowhere;

#[async_trait]
impl IssuerClient for Nowhere {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, IssuerError> {
        Err(IssuerError::Unreachable(format!("there is nothing at {url}")))
    }

    async fn exchange(&self, _: &str, _: &Secret, _: Option<&Secret>) -> Result<Vec<u8>, IssuerError> {
        unreachable!("nobody signs in")
    }
}

#[test]
fn tokens_and_api_keys_are_told_apart_by_their_first_bytes() {
    let token = Signer::secret(SECRET).token(&good_claims());
    assert!(looks_like_token(&token));
    assert!(looks_like_token(&format!("{}..", encoded("{\n\"alg\":\"none\"}"))));
    assert!(looks_like_token(&format!("{}..", encoded("{ \"alg\":\"none\"}"))));
    for key in ["", "msk_ab12_cd34", "msk_ey.x_y", "sk-ey.ab", "ey", "eyJhbGciOiJub25lIn0", "hello.world.x"] {
        assert!(!looks_like_token(key), "{key}");
    }
}

/// Every valid way of signing, one token each.
fn one_token_per_algorithm() -> (Vec<IssuerSettings>, Vec<(String, String)>) {
    let (rsa, es256, es384, ed) =
        (Signer::rsa("r1"), Signer::es256("e1"), Signer::es384("e3"), Signer::ed("d1"));
    let mut settings = issuer(PublicKeys::Set(String::new()));
    let keys = PublicKeys::Set(key_set(&[&rsa, &es256, &es384, &ed]));
    settings.keys = KeySource::Public { keys, algorithms: BTreeSet::from(Algorithm::ALL) };
    let mut tokens = Vec::new();
    for algorithm in
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
    {
        let signer = match algorithm {
            "ES256" => &es256,
            "ES384" => &es384,
            "EdDSA" | "Ed25519" => &ed,
            _ => &rsa,
        };
        let header = json!({"alg": algorithm, "kid": signer.id});
        tokens.push((algorithm.to_owned(), signer.token_with(&header, &good_claims())));
    }
    let claims = claims_with(json!({"iss": SECRET_ISSUER}));
    tokens.push(("HS256".to_owned(), Signer::secret(SECRET).token(&claims)));
    (vec![settings, secret_issuer()], tokens)
}

#[tokio::test(start_paused = true)]
async fn tokens_of_every_algorithm_identify_who_shows_them() {
    let (settings, tokens) = one_token_per_algorithm();
    let verifier = verifier(settings, clock());
    for (algorithm, token) in tokens {
        let identity = verifier.verify(&token).await.expect(&algorithm);
        let name = if algorithm == "HS256" { "internal" } else { "login" };
        assert_eq!((&*identity.issuer, identity.user.as_str()), (name, "ada"), "{algorithm}");
        assert_eq!(identity.tenant, TenantId::new("acme"));
        assert_eq!(identity.roles, ["engineer".into()]);
        assert_eq!((identity.tier, identity.region), (None, None));
        assert_eq!(identity.expires_at, Timestamp::from_micros((NOW + 3_600) * 1_000_000));
        assert_eq!(identity.token.id.as_deref(), Some("t1"));
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_another_implementation_signed_are_verified() {
    let (settings, _) = one_token_per_algorithm();
    let verifier = verifier(settings, clock());
    for token in [
        include_str!("fixtures/openssl-rs256.jwt"),
        include_str!("fixtures/openssl-rs512.jwt"),
        include_str!("fixtures/openssl-ps384.jwt"),
    ] {
        assert_eq!(verifier.verify(token.trim_end()).await.unwrap().user.as_str(), "ada");
    }
}

/// RFC 7515, A.3: a signature on P-256 that is not ours.
#[test]
fn the_example_of_the_standard_verifies() {
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let key = key::Key::from_jwk(jwk.as_object().unwrap()).unwrap();
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                  c19yb290Ijp0cnVlfQ";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.verifies(Algorithm::Es256, signed.as_bytes(), &signature));
    assert!(!key.verifies(Algorithm::Es256, &signed.as_bytes()[1..], &signature));
}

#[tokio::test(start_paused = true)]
async fn a_verified_token_is_known_again_and_still_expires() {
    let signer = Signer::rsa("r1");
    let clock = clock();
    let mut settings = issuer(PublicKeys::Set(key_set(&[&signer])));
    settings.leeway = Duration::from_secs(5);
    let verifier = verifier(vec![settings], clock);
    let token = signer.token(&claims_with(json!({"exp": NOW + 20})));
    assert!(verifier.verify(&token).await.is_ok());
    clock.sleep(Duration::from_millis(24_999)).await;
    assert!(verifier.verify(&token).await.is_ok());
    clock.sleep(Duration::from_millis(1)).await;
    // Within the minute for which it is remembered.
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Expired));
    verifier.forget();
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_known_lends_nothing_to_one_that_is_almost_the_same() {
    let signer = Signer::es256("e1");
    let verifier = verifier_of(&[&signer], clock());
    let token = signer.token(&good_claims());
    assert!(verifier.verify(&token).await.is_ok());
    let (rest, _) = token.rsplit_once('.').unwrap();
    let other = format!("{rest}.{}", encoded([1; 64]));
    assert_eq!(verifier.verify(&other).await, Err(TokenError::BadSignature));
}
