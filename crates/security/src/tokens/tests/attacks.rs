//! Tokens that somebody made to be taken for somebody else, or for what they are not; each is refused for its reason.

use super::*;

struct Scene {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
    verifier: TokenVerifier,
}

fn scene() -> Scene {
    let (rsa, ec, ed) = (Signer::rsa("r1"), Signer::es256("e1"), Signer::ed("d1"));
    let keys = PublicKeys::Set(key_set(&[&rsa, &ec, &ed]));
    let verifier = verifier(vec![issuer(keys), secret_issuer()], clock());
    Scene { rsa, ec, ed, verifier }
}

/// Each token, with why it is refused. A token that is accepted without the attack shows that it is the attack.
async fn check(scene: &Scene, attacks: Vec<(&str, String, TokenError)>) {
    for (attack, token, error) in attacks {
        let refused = scene.verifier.verify(&token).await.err();
        assert_eq!(refused, Some(error), "{attack}");
        // And no second time either: only what was verified is remembered.
        assert_eq!(scene.verifier.verify(&token).await.err(), refused, "{attack}");
        assert_eq!(
            error.code(),
            if error == TokenError::Missing { "missing_token" } else { "invalid_token" }
        );
    }
    for signer in [&scene.rsa, &scene.ec, &scene.ed] {
        assert!(scene.verifier.verify(&signer.token(&good_claims())).await.is_ok());
    }
}

fn unsigned(header: &str, claims: &Value) -> String {
    format!("{}.{}.", encoded(header), encoded(claims.to_string()))
}

fn with_signature(token: &str, signature: impl AsRef<[u8]>) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", encoded(signature))
}

#[tokio::test(start_paused = true)]
async fn no_algorithm_is_accepted_but_those_of_the_issuer() {
    let scene = scene();
    let refused = TokenError::AlgorithmNotAllowed;
    let mut attacks = Vec::new();
    for name in
        ["none", "None", "NONE", "nOnE", "", " none", "none\0", "HS512", "RS384", "rs256", "ES256K", "RS256 "]
    {
        let header = json!({"alg": name, "kid": "r1"}).to_string();
        attacks.push((name, unsigned(&header, &good_claims()), refused));
        // With a signature that holds, too.
        attacks.push((name, scene.rsa.token_of_bytes(&header, good_claims().to_string(), "RS256"), refused));
        let inside = claims_with(json!({"iss": SECRET_ISSUER}));
        attacks.push((name, unsigned(&header, &inside), refused));
    }
    // What everybody can read of an issuer's key, in every form, taken for a secret.
    let jwk = scene.rsa.jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let header = json!({"alg": "HS256", "kid": "r1"});
    for public in
        [modulus, jwk["n"].as_str().unwrap().into(), jwk.to_string().into(), key_set(&[&scene.rsa]).into()]
    {
        attacks.push((
            "public key as secret",
            Signer::secret(&public).token_with(&header, &good_claims()),
            refused,
        ));
    }
    // The secret of one issuer says nothing about another, and the other way round.
    attacks.push(("another's secret", Signer::secret(SECRET).token(&good_claims()), refused));
    let inside = claims_with(json!({"iss": SECRET_ISSUER}));
    attacks.push(("public key where a secret counts", scene.rsa.token(&inside), refused));
    for header in
        [r#"{"kid":"r1"}"#, r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":{"x":1}}"#, r#"{"alg":1}"#]
    {
        let token = scene.rsa.token_of_bytes(header, good_claims().to_string(), "RS256");
        attacks.push((header, token, TokenError::Malformed(Malformation::Header)));
    }
    check(&scene, attacks).await;
}

#[tokio::test(start_paused = true)]
async fn a_signature_holds_for_its_key_its_algorithm_and_its_bytes_alone() {
    let scene = scene();
    let bad = TokenError::BadSignature;
    let good = scene.rsa.token(&good_claims());
    let es = scene.ec.token(&good_claims());
    let of_other = |token: &str, part: usize, bytes: String| {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[part] = encoded(bytes);
        parts.join(".")
    };
    let admin = claims_with(json!({"roles": ["admin"]})).to_string();
    let inside = claims_with(json!({"iss": SECRET_ISSUER}));
    let mut order = [0xff; 64];
    order[..4].fill(0);
    let attacks = vec![
        ("wrong RSA key", Signer::other_rsa("r1").token(&good_claims()), bad),
        ("wrong EC key", Signer::es256("e1").token(&good_claims()), bad),
        ("wrong Ed25519 key", Signer::ed("d1").token(&good_claims()), bad),
        ("wrong secret", Signer::secret([b'x'; 32]).token(&inside), bad),
        ("empty secret", Signer::secret([]).token(&inside), bad),
        ("altered payload", of_other(&good, 1, admin.clone()), bad),
        ("altered payload, ES256", of_other(&es, 1, admin.clone()), bad),
        ("altered payload, EdDSA", of_other(&scene.ed.token(&good_claims()), 1, admin.clone()), bad),
        (
            "altered payload, HS256",
            of_other(&Signer::secret(SECRET).token(&inside), 1, inside.to_string() + " "),
            bad,
        ),
        ("altered header", of_other(&good, 0, json!({"alg": "RS256", "kid": "r1"}).to_string()), bad),
        ("no signature", with_signature(&good, []), bad),
        ("no signature, HS256", with_signature(&Signer::secret(SECRET).token(&inside), []), bad),
        ("short signature, HS256", with_signature(&Signer::secret(SECRET).token(&inside), [0; 16]), bad),
        ("psychic signature: r = s = 0", with_signature(&es, [0; 64]), bad),
        ("r = s = more than the order", with_signature(&es, [0xff; 64]), bad),
        ("r and s odd", with_signature(&es, order), bad),
        ("empty EC signature", with_signature(&es, []), bad),
        ("EC signature as ASN.1", with_signature(&es, [0x30, 6, 2, 1, 1, 2, 1, 1]), bad),
        ("RSA signature of zeros", with_signature(&good, [0; 256]), bad),
        ("RSA signature 1", with_signature(&good, [[0; 255].as_slice(), &[1]].concat()), bad),
        ("Ed25519 signature of zeros", with_signature(&scene.ed.token(&good_claims()), [0; 64]), bad),
        (
            "another token's signature",
            {
                let (_, signature) = good.rsplit_once('.').unwrap();
                let other = scene.rsa.token(&claims_with(json!({"sub": "eve"})));
                format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
            },
            bad,
        ),
    ];
    check(&scene, attacks).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_bring_its_own_key() {
    let scene = scene();
    let attacker = Signer::other_rsa("r1");
    let mut attacks = Vec::new();
    for (name, header) in [
        ("jwk", json!({"alg": "RS256", "kid": "r1", "jwk": attacker.jwk()})),
        ("jku", json!({"alg": "RS256", "kid": "r1", "jku": "https://evil.example/keys"})),
        ("x5u", json!({"alg": "RS256", "kid": "r1", "x5u": "https://evil.example/cert"})),
        ("x5c", json!({"alg": "RS256", "kid": "r1", "x5c": ["MIIB"]})),
    ] {
        attacks.push((name, attacker.token_with(&header, &good_claims()), TokenError::BadSignature));
    }
    // The same headers on an honest token change nothing.
    let header = json!({"alg": "RS256", "kid": "r1", "jwk": attacker.jwk(), "jku": "https://evil.example"});
    assert!(scene.verifier.verify(&scene.rsa.token_with(&header, &good_claims())).await.is_ok());
    for kid in [
        "",
        "r2",
        "R1",
        "r1 ",
        "r1\0",
        "../../etc/passwd",
        "/dev/null",
        "' OR '1'='1",
        "r1' UNION SELECT 'x",
        "%00",
        "d1",
    ] {
        let header = json!({"alg": "RS256", "kid": kid});
        attacks.push((kid, scene.rsa.token_with(&header, &good_claims()), TokenError::UnknownKey));
    }
    let malformed = TokenError::Malformed(Malformation::Header);
    for kid in [json!(null), json!(1), json!(["r1"]), json!({"r1": 1}), json!("k".repeat(257))] {
        let header = json!({"alg": "RS256", "kid": kid});
        attacks.push(("no text as kid", scene.rsa.token_with(&header, &good_claims()), malformed));
    }
    check(&scene, attacks).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_key_id_there_must_be_exactly_one_key_that_fits() {
    let (first, second) = (Signer::rsa("r1"), Signer::other_rsa("r2"));
    let (ec, clock) = (Signer::es256("e1"), clock());
    let token = first.token_with(&json!({"alg": "RS256"}), &good_claims());
    assert!(verifier_of(&[&first, &ec], clock).verify(&token).await.is_ok());
    let two = verifier_of(&[&first, &second], clock);
    assert_eq!(two.verify(&token).await, Err(TokenError::UnknownKey));
    // Two keys under one id are no better.
    let same = verifier_of(&[&first, &Signer::other_rsa("r1")], clock);
    assert_eq!(same.verify(&first.token(&good_claims())).await, Err(TokenError::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn a_key_checks_only_what_it_is_published_for() {
    let (rsa, clock) = (Signer::rsa("r1"), clock());
    let token = rsa.token(&good_claims());
    for (change, is_accepted) in [
        (json!({}), true),
        (json!({"alg": "RS256"}), true),
        (json!({"use": null}), true),
        (json!({"key_ops": ["verify"]}), true),
        (json!({"x5c": ["MIIB"], "x5t": "abc", "ext": true}), true),
        (json!({"alg": "PS256"}), false),
        (json!({"alg": "RSA-OAEP"}), false),
        (json!({"use": "enc"}), false),
        (json!({"key_ops": ["encrypt"]}), false),
        (json!({"kty": "oct", "k": rsa.jwk()["n"]}), false),
        (json!({"kty": "EC"}), false),
    ] {
        let mut jwk = rsa.jwk();
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        if jwk["use"].is_null() {
            jwk.as_object_mut().unwrap().remove("use");
        }
        // Beside a key that can be used, so that the set itself counts.
        let set = PublicKeys::Set(key_set_of(vec![jwk, Signer::ed("d1").jwk()]));
        let verified = verifier(vec![issuer(set)], clock).verify(&token).await;
        assert_eq!(verified.err(), (!is_accepted).then_some(TokenError::UnknownKey), "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_weak_key_is_refused_although_its_signature_holds() {
    let weak: Value = serde_json::from_str(include_str!("fixtures/rsa-1024.jwk")).unwrap();
    let token = include_str!("fixtures/openssl-rs256-weak.jwt").trim_end();
    let set =
        key_set::KeySet::read(key_set_of(vec![weak.clone(), Signer::rsa("r1").jwk()]).as_bytes()).unwrap();
    assert_eq!(set.find(Some("weak"), Algorithm::Rs256), None);
    let alone = key_set::KeySet::read(key_set_of(vec![weak.clone()]).as_bytes());
    assert_eq!(alone, Err(KeySetFault::NothingUsable));
    // Without the weak key nobody knows the token's.
    let verifier = verifier_of(&[&Signer::rsa("r1")], clock());
    assert_eq!(verifier.verify(token).await, Err(TokenError::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_token_is_refused_for_what_is_wrong_with_its_form() {
    let scene = scene();
    let good = scene.rsa.token(&good_claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let form = TokenError::Malformed;
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let of = |header: &str, payload: &str| scene.rsa.token_of_bytes(header, payload, "RS256");
    let head = r#"{"alg":"RS256","kid":"r1"}"#;
    let body = good_claims().to_string();
    let twice = |extra: &str| format!("{},{extra}}}", body.strip_suffix('}').unwrap());
    let mut attacks = vec![
        ("nothing", String::new(), TokenError::Missing),
        ("a blank", " ".to_owned(), form(Malformation::Parts)),
        ("an API key", "msk_ab_cd".to_owned(), form(Malformation::Parts)),
        ("two parts", signed.to_owned(), form(Malformation::Parts)),
        ("four parts", format!("{good}."), form(Malformation::Parts)),
        ("a dot in front", format!(".{good}"), form(Malformation::Parts)),
        ("an encrypted token", format!("{header}..a.b.c"), form(Malformation::Parts)),
        ("only dots", "..".to_owned(), form(Malformation::Header)),
        ("a scheme in front", format!("Bearer {good}"), form(Malformation::Encoding)),
        ("a blank in front", format!(" {good}"), form(Malformation::Encoding)),
        ("a blank behind", format!("{good} "), form(Malformation::Encoding)),
        ("a line break", format!("{good}\n"), form(Malformation::Encoding)),
        ("a line break inside", format!("{header}.\r\n{payload}.{signature}"), form(Malformation::Encoding)),
        ("padding", format!("{good}=="), form(Malformation::Encoding)),
        ("padding of the payload", format!("{header}.{payload}=.{signature}"), form(Malformation::Encoding)),
        (
            "the other alphabet",
            format!("{header}.{payload}.+{}", &signature[1..]),
            form(Malformation::Encoding),
        ),
        (
            "letters that are not ASCII",
            format!("{header}.{payload}é.{signature}"),
            form(Malformation::Encoding),
        ),
        ("trailing garbage", format!("{good}AAAA"), TokenError::BadSignature),
        (
            "huge",
            format!("{header}.{}.{signature}", "A".repeat(16 * 1_024)),
            TokenError::TooLong { limit: 16_384 },
        ),
        ("two objects", of(head, &format!("{body}{body}")), form(Malformation::Payload)),
        ("a list", of(head, "[]"), form(Malformation::Payload)),
        ("no JSON", of(head, "iss=x"), form(Malformation::Payload)),
        ("an empty payload", of(head, ""), form(Malformation::Payload)),
        ("a header that is no object", of("\"RS256\"", &body), form(Malformation::Header)),
        ("a deep payload", of(head, &twice(&deep(4_000)[1..4_000])), form(Malformation::Payload)),
        ("a deep header", of(&deep(50), &body), form(Malformation::Header)),
        ("a claim twice", of(head, &twice(r#""sub":"eve""#)), form(Malformation::Payload)),
        ("a claim twice, escaped", of(head, &twice(r#""\u0073ub":"eve""#)), form(Malformation::Payload)),
        (
            "an algorithm twice",
            of(r#"{"alg":"none","alg":"RS256","kid":"r1"}"#, &body),
            form(Malformation::Header),
        ),
        (
            "no UTF-8",
            scene.rsa.token_of_bytes(head, b"{\"sub\":\"\xff\xfe\"}", "RS256"),
            form(Malformation::Payload),
        ),
        (
            "no UTF-8 in the header",
            scene.rsa.token_of_bytes(b"{\"alg\":\"\xff\"}", &body, "RS256"),
            form(Malformation::Header),
        ),
        ("a byte order mark", of(head, &format!("\u{feff}{body}")), form(Malformation::Payload)),
    ];
    for crit in [json!(["exp"]), json!([]), json!(["b64"]), json!(null), json!("exp")] {
        let header = json!({"alg": "RS256", "kid": "r1", "crit": crit, "b64": false}).to_string();
        attacks.push(("crit", of(&header, &body), form(Malformation::Critical)));
    }
    for typ in [json!("logout+jwt"), json!("dpop+jwt"), json!("JOSE"), json!(""), json!(null), json!(["JWT"])]
    {
        let header = json!({"alg": "RS256", "kid": "r1", "typ": typ}).to_string();
        attacks.push(("typ", of(&header, &body), form(Malformation::Type)));
    }
    check(&scene, attacks).await;
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = json!({"alg": "RS256", "kid": "r1", "typ": typ}).to_string();
        assert!(scene.verifier.verify(&of(&header, &body)).await.is_ok(), "{typ}");
    }
}

#[tokio::test(start_paused = true)]
async fn base64_can_be_written_in_one_way_only() {
    let scene = scene();
    // 64 bytes leave four bits of the last character unused.
    let token = scene.ec.token(&good_claims());
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut accepted, mut malformed) = (0, 0);
    for character in alphabet.chars() {
        match scene.verifier.verify(&format!("{rest}{character}")).await {
            Ok(_) => {
                assert_eq!(character.to_string(), last);
                accepted += 1;
            }
            Err(TokenError::Malformed(Malformation::Encoding)) => malformed += 1,
            Err(error) => assert_eq!(error, TokenError::BadSignature),
        }
    }
    assert_eq!((accepted, malformed), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn messages_repeat_nothing_of_a_token() {
    let scene = scene();
    let marker = "hunter2";
    for token in [
        format!("{marker}.{marker}.{marker}"),
        scene.rsa.token(&claims_with(json!({"iss": marker}))),
        scene.rsa.token(&claims_with(json!({"aud": marker}))),
        scene.rsa.token(&claims_with(json!({"sub": format!("{marker}\n")}))),
        scene.rsa.token(&claims_with(json!({"tenant": [marker]}))),
        scene.rsa.token_with(&json!({"alg": marker, "kid": "r1"}), &good_claims()),
        scene.rsa.token_with(&json!({"alg": "RS256", "kid": marker}), &good_claims()),
        scene.rsa.token_with(&json!({"alg": "RS256", "typ": marker}), &good_claims()),
    ] {
        let error = scene.verifier.verify(&token).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(marker), "{error}");
    }
}
