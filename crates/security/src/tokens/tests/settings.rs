//! Settings that would not do what they look like.

use super::*;

fn fault(change: impl FnOnce(&mut IssuerSettings)) -> Option<IssuerFault> {
    let mut settings = issuer(PublicKeys::Set(key_set(&[&Signer::rsa("r1")])));
    change(&mut settings);
    TokenVerifier::new(vec![settings], Arc::new(Nowhere), clock()).err()
}

fn with_set(keys: Vec<Value>) -> Option<IssuerFault> {
    fault(|settings| *settings = issuer(PublicKeys::Set(key_set_of(keys))))
}

#[tokio::test]
async fn an_issuer_that_would_accept_too_much_or_nothing_is_refused() {
    let name = || "login".to_owned();
    assert_eq!(fault(|_| {}), None);
    assert_eq!(fault(|settings| settings.name = " ".to_owned()), Some(IssuerFault::Unnamed));
    assert_eq!(fault(|settings| settings.issuer.clear()), Some(IssuerFault::NoIssuer(name())));
    assert_eq!(fault(|settings| settings.audiences.clear()), Some(IssuerFault::NoAudience(name())));
    let empty_audience = fault(|settings| {
        settings.audiences.insert(String::new());
    });
    assert_eq!(empty_audience, Some(IssuerFault::NoAudience(name())));
    let no_role = fault(|settings| settings.claims.role = None);
    assert_eq!(no_role, Some(IssuerFault::NoRole(name())));
    let no_algorithm = fault(|settings| {
        let keys = PublicKeys::Url("https://login.example.com/keys".to_owned());
        settings.keys = KeySource::Public { keys, algorithms: BTreeSet::new() };
    });
    assert_eq!(no_algorithm, Some(IssuerFault::NoAlgorithm(name())));
    let insecure =
        fault(|settings| *settings = issuer(PublicKeys::Url("http://login.example.com/keys".to_owned())));
    assert_eq!(insecure, Some(IssuerFault::InsecureUrl(name())));
    let short = fault(|settings| settings.keys = KeySource::Secret(Secret::new(&SECRET[1..])));
    assert_eq!(short, Some(IssuerFault::ShortSecret(name())));
    for change in [
        (|settings| settings.leeway = Duration::from_secs(601)) as fn(&mut IssuerSettings),
        |settings| settings.longest_lifetime = Duration::ZERO,
        |settings| settings.longest_lifetime = Duration::MAX,
        |settings| settings.refresh.fresh = Duration::ZERO,
        |settings| settings.refresh.stale = Duration::from_secs(1),
        |settings| settings.refresh.wait = Duration::MAX,
        |settings| settings.refresh.unknown_key_pause = Duration::ZERO,
        |settings| settings.remembered = Duration::MAX,
    ] {
        assert!(matches!(fault(change), Some(IssuerFault::Duration { .. })));
    }
}

#[tokio::test]
async fn a_key_set_of_the_settings_has_no_key_that_is_weak_or_broken() {
    let weak: Value = serde_json::from_str(include_str!("fixtures/rsa-1024.jwk")).unwrap();
    let good = Signer::rsa("r1").jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    for (keys, expected) in [
        (vec![good.clone(), json!({"kty": "oct", "k": "AAAA"}), json!({"kty": "new"})], None),
        (vec![good.clone(), weak], Some(KeySetFault::Weak)),
        (vec![with("e", json!("AQ"))], Some(KeySetFault::Weak)),
        (vec![with("e", json!("Ag"))], Some(KeySetFault::BrokenKey)),
        (vec![with("n", json!(1))], Some(KeySetFault::BrokenKey)),
        (vec![with("n", json!("a=b"))], Some(KeySetFault::BrokenKey)),
        (vec![with("alg", json!("ES256"))], Some(KeySetFault::BrokenKey)),
        (vec![json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"})], Some(KeySetFault::BrokenKey)),
        (vec![json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})], Some(KeySetFault::BrokenKey)),
        (vec![json!({"n": "AQAB"})], Some(KeySetFault::BrokenKey)),
        (vec![], Some(KeySetFault::NothingUsable)),
        (vec![json!({"kty": "oct", "k": "AAAA"})], Some(KeySetFault::NothingUsable)),
        (vec![with("use", json!("enc"))], Some(KeySetFault::NothingUsable)),
        (vec![json!("key")], Some(KeySetFault::Malformed)),
        (vec![good.clone(); 201], Some(KeySetFault::TooMany)),
    ] {
        let expected = expected.map(|fault| IssuerFault::KeySet { name: "login".to_owned(), fault });
        assert_eq!(with_set(keys), expected);
    }
}

#[tokio::test]
async fn two_issuers_are_two() {
    let set = || PublicKeys::Set(key_set(&[&Signer::rsa("r1")]));
    let fault = |change: fn(&mut IssuerSettings)| {
        let mut second = issuer(set());
        change(&mut second);
        TokenVerifier::new(vec![issuer(set()), second], Arc::new(Nowhere), clock()).err()
    };
    let same_name = fault(|second| second.issuer = "https://other.example.com".to_owned());
    assert_eq!(same_name, Some(IssuerFault::SameName("login".to_owned())));
    let same_issuer = fault(|second| second.name = "other".to_owned());
    assert_eq!(same_issuer, Some(IssuerFault::SameIssuer("login".to_owned(), "other".to_owned())));
}

#[tokio::test]
async fn a_secret_shows_in_no_debug_output() {
    let settings = secret_issuer();
    let verifier = verifier(vec![settings.clone()], clock());
    assert!(!format!("{settings:?} {verifier:?}").contains(SECRET));
}
