//! What a token says, when its signature holds.

use mainstay_domain::{RoleName, TierName};

use super::*;

/// Why the claims are refused, or `None`.
async fn refusal(settings: &IssuerSettings, signer: &Signer, claims: &Value) -> Option<TokenError> {
    verifier(vec![settings.clone()], clock()).verify(&signer.token(claims)).await.err()
}

fn scene() -> (Signer, IssuerSettings) {
    let signer = Signer::ed("d1");
    let settings = issuer(PublicKeys::Set(key_set(&[&signer])));
    (signer, settings)
}

#[tokio::test(start_paused = true)]
async fn a_token_counts_for_its_issuer_and_its_audience() {
    let (signer, settings) = scene();
    let (unknown, wrong) = (TokenError::UnknownIssuer, TokenError::WrongAudience);
    let (invalid, missing) = (TokenError::ClaimInvalid, TokenError::ClaimMissing);
    for (changes, error) in [
        (json!({}), None),
        (json!({"aud": ["other", "mainstay"]}), None),
        (json!({"iss": "https://login.example.com/"}), Some(unknown)),
        (json!({"iss": "https://LOGIN.example.com"}), Some(unknown)),
        (json!({"iss": "https://evil.example.com"}), Some(unknown)),
        (json!({"iss": ""}), Some(unknown)),
        (json!({"iss": [ISSUER]}), Some(invalid(Claim::Issuer))),
        (json!({"iss": null}), Some(missing(Claim::Issuer))),
        (json!({"aud": "other"}), Some(wrong)),
        (json!({"aud": "mainstay2"}), Some(wrong)),
        (json!({"aud": "Mainstay"}), Some(wrong)),
        (json!({"aud": "mainstay "}), Some(wrong)),
        (json!({"aud": []}), Some(wrong)),
        (json!({"aud": ["other", "another"]}), Some(wrong)),
        (json!({"aud": ["mainstay", 1]}), Some(invalid(Claim::Audience))),
        (json!({"aud": {"mainstay": true}}), Some(invalid(Claim::Audience))),
        (json!({"aud": true}), Some(invalid(Claim::Audience))),
        (json!({"aud": null}), Some(missing(Claim::Audience))),
    ] {
        assert_eq!(refusal(&settings, &signer, &claims_with(changes.clone())).await, error, "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_counts_in_its_time() {
    let (signer, settings) = scene();
    let (invalid, missing) = (TokenError::ClaimInvalid, TokenError::ClaimMissing);
    let (expired, early, long) = (TokenError::Expired, TokenError::NotYetValid, TokenError::LifetimeTooLong);
    let day = 86_400;
    for (changes, error) in [
        // The leeway of 60 s, to the second.
        (json!({"exp": NOW - 59, "iat": NOW - 100, "nbf": null}), None),
        (json!({"exp": NOW - 60, "iat": NOW - 100, "nbf": null}), Some(expired)),
        (json!({"exp": NOW - 61, "iat": NOW - 100, "nbf": null}), Some(expired)),
        (json!({"exp": 0}), Some(expired)),
        (json!({"nbf": NOW + 60}), None),
        (json!({"nbf": NOW + 61}), Some(early)),
        (json!({"iat": NOW + 60}), None),
        (json!({"iat": NOW + 61}), Some(early)),
        // A provider whose clock is an hour ahead.
        (json!({"iat": NOW + 3_600, "nbf": NOW + 3_600, "exp": NOW + 7_200}), Some(early)),
        // And one whose clock is an hour behind.
        (json!({"iat": NOW - 7_200, "nbf": NOW - 7_200, "exp": NOW - 3_600}), Some(expired)),
        // The longest lifetime of a day, to the second.
        (json!({"exp": NOW + day}), None),
        (json!({"exp": NOW + day + 1}), Some(long)),
        (json!({"iat": NOW - day, "nbf": null, "exp": NOW + 1}), Some(long)),
        (json!({"iat": null, "nbf": null, "exp": NOW + day}), None),
        (json!({"iat": null, "nbf": null, "exp": NOW + day + 1}), Some(long)),
        (json!({"iat": null, "nbf": NOW - day, "exp": NOW + 1}), Some(long)),
        (json!({"iat": null, "exp": 253_402_300_799_u64}), Some(long)),
        (json!({"exp": null}), Some(missing(Claim::Expiry))),
        (json!({"exp": NOW as f64 + 60.5}), Some(invalid(Claim::Expiry))),
        (json!({"exp": 1.8e9}), Some(invalid(Claim::Expiry))),
        (json!({"exp": (NOW + 60).to_string()}), Some(invalid(Claim::Expiry))),
        (json!({"exp": -1}), Some(invalid(Claim::Expiry))),
        (json!({"exp": 253_402_300_800_u64}), Some(invalid(Claim::Expiry))),
        (json!({"exp": u64::MAX}), Some(invalid(Claim::Expiry))),
        (json!({"exp": i64::MIN}), Some(invalid(Claim::Expiry))),
        (json!({"exp": 1e300}), Some(invalid(Claim::Expiry))),
        (json!({"exp": [NOW + 60]}), Some(invalid(Claim::Expiry))),
        (json!({"exp": true}), Some(invalid(Claim::Expiry))),
        (json!({"nbf": "0"}), Some(invalid(Claim::NotBefore))),
        (json!({"nbf": -1}), Some(invalid(Claim::NotBefore))),
        (json!({"iat": 1.5}), Some(invalid(Claim::IssuedAt))),
        (json!({"iat": u64::MAX}), Some(invalid(Claim::IssuedAt))),
    ] {
        assert_eq!(refusal(&settings, &signer, &claims_with(changes.clone())).await, error, "{changes}");
    }
    let payload = good_claims().to_string().replace(&format!("\"exp\":{}", NOW + 3_600), "\"exp\":null");
    assert!(payload.contains("\"exp\":null"));
    let token = signer.token_of_bytes(r#"{"alg":"EdDSA","kid":"d1"}"#, payload, "EdDSA");
    let refused = verifier(vec![settings], clock()).verify(&token).await;
    assert_eq!(refused, Err(invalid(Claim::Expiry)));
    assert_eq!(expired.code(), "expired_token");
}

#[tokio::test(start_paused = true)]
async fn who_is_named_can_be_seen_stored_and_printed() {
    let (signer, mut settings) = scene();
    settings.claims.tier = Some(ClaimPath::new("plan").unwrap());
    settings.claims.region = Some(ClaimPath::new("region").unwrap());
    for (name, claim, is_required) in [
        ("sub", Claim::User, true),
        ("tenant", Claim::Tenant, true),
        ("roles", Claim::Role, true),
        ("plan", Claim::Tier, false),
        ("region", Claim::Region, false),
        ("jti", Claim::TokenId, false),
    ] {
        for bad in [
            json!(""),
            json!("a\nb"),
            json!("a\u{0}"),
            json!("\u{1b}[2J"),
            json!("\u{85}"),
            json!("x".repeat(257)),
            json!(1),
            json!(true),
            json!({"a": "b"}),
            json!([["a"]]),
            json!([1]),
        ] {
            let refused = refusal(&settings, &signer, &claims_with(json!({name: bad}))).await;
            assert_eq!(refused, Some(TokenError::ClaimInvalid(claim)), "{name}: {bad}");
        }
        let refused = refusal(&settings, &signer, &claims_with(json!({name: null}))).await;
        assert_eq!(refused, is_required.then_some(TokenError::ClaimMissing(claim)), "{name}");
        for good in [json!("x".repeat(256)), json!("auth0|é 7")] {
            assert_eq!(refusal(&settings, &signer, &claims_with(json!({name: good}))).await, None, "{name}");
        }
    }
    // Only roles may be several.
    for (name, claim) in [("sub", Claim::User), ("tenant", Claim::Tenant), ("plan", Claim::Tier)] {
        let refused = refusal(&settings, &signer, &claims_with(json!({name: ["acme"]}))).await;
        assert_eq!(refused, Some(TokenError::ClaimInvalid(claim)));
    }
}

#[tokio::test(start_paused = true)]
async fn claims_are_found_where_the_settings_say() {
    let (signer, mut settings) = scene();
    let path = |text: &str| ClaimPath::new(text).unwrap();
    settings.claims = ClaimNames {
        user: path("preferred_username"),
        tier: Some(path("app.plan")),
        role: Some(path("realm_access.roles")),
        region: Some(path("https://acme.example/region")),
    };
    settings.tenant =
        TenantRule::Claim { path: path("org.id"), allowed: Some(BTreeSet::from(["acme".into()])) };
    let claims = claims_with(json!({
        "preferred_username": "ada", "app": {"plan": "gold"}, "realm_access": {"roles": ["engineer", "auditor"]},
        "https://acme.example/region": "eu-west-1", "org": {"id": "acme"}, "tenant": "evil", "roles": ["admin"],
        "realm_access.roles": ["admin"], "jti": null,
    }));
    let verifier = verifier(vec![settings.clone()], clock());
    let identity = verifier.verify(&signer.token(&claims)).await.unwrap();
    assert_eq!(identity.tenant, TenantId::new("acme"));
    assert_eq!(identity.roles, [RoleName::new("engineer"), RoleName::new("auditor")]);
    assert_eq!(identity.tier, Some(TierName::new("gold")));
    assert_eq!(identity.region, Some("eu-west-1".into()));
    assert_eq!(identity.token.id, None);
    for (change, error) in [
        (json!({"org": {"id": "globex"}}), TokenError::TenantNotAllowed),
        (json!({"org": "acme"}), TokenError::ClaimMissing(Claim::Tenant)),
        (json!({"realm_access": ["engineer"]}), TokenError::ClaimMissing(Claim::Role)),
        (json!({"app": {"plan": 7}}), TokenError::ClaimInvalid(Claim::Tier)),
    ] {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(refusal(&settings, &signer, &claims).await, Some(error), "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_of_one_tenant_speaks_for_no_other() {
    let (signer, mut settings) = scene();
    settings.tenant = TenantRule::Fixed(TenantId::new("acme"));
    let token = signer.token(&claims_with(json!({"tenant": "globex"})));
    let identity = verifier(vec![settings], clock()).verify(&token).await.unwrap();
    assert_eq!(identity.tenant, TenantId::new("acme"));
}

#[tokio::test(start_paused = true)]
async fn roles_are_those_that_have_a_name_here() {
    let (signer, mut settings) = scene();
    let names = [("ENG", "engineer"), ("dev", "engineer"), ("fin", "auditor")];
    settings.roles = RoleRules {
        names: Some(names.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).into())).collect()),
        default: None,
    };
    let missing = Some(TokenError::ClaimMissing(Claim::Role));
    for (roles, default, expected) in [
        (json!("ENG"), None, Ok(vec!["engineer"])),
        (json!(["fin", "ENG", "dev", "other"]), None, Ok(vec!["auditor", "engineer"])),
        (json!(["eng", "engineer", "admin"]), None, Err(missing)),
        (json!([]), None, Err(missing)),
        (json!([]), Some("guest"), Ok(vec!["guest"])),
        (json!(["admin", "x\ny"]), Some("guest"), Ok(vec!["guest"])),
        (json!(null), Some("guest"), Ok(vec!["guest"])),
        (json!(["fin"]), Some("guest"), Ok(vec!["auditor"])),
        (json!(["fin", 1]), Some("guest"), Err(Some(TokenError::ClaimInvalid(Claim::Role)))),
        (json!(7), Some("guest"), Err(Some(TokenError::ClaimInvalid(Claim::Role)))),
    ] {
        settings.roles.default = default.map(RoleName::new);
        let token = signer.token(&claims_with(json!({"roles": roles})));
        let verified = verifier(vec![settings.clone()], clock()).verify(&token).await;
        let found = verified.map(|identity| identity.roles).map_err(Some);
        let expected = expected.map(|roles| roles.into_iter().map(RoleName::new).collect::<Vec<_>>());
        assert_eq!(found, expected, "{roles}");
    }
    settings.roles = RoleRules::default();
    let many: Vec<String> = (0..65).map(|number| format!("role{number}")).collect();
    let refused = refusal(&settings, &signer, &claims_with(json!({"roles": many}))).await;
    assert_eq!(refused, Some(TokenError::ClaimInvalid(Claim::Role)));
}
