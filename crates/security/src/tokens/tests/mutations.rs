//! Whatever somebody makes of a token, or of nothing: it does not verify, and nothing panics.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

struct Scene {
    runtime: tokio::runtime::Runtime,
    verifier: TokenVerifier,
    tokens: Vec<String>,
    signer: Signer,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (settings, tokens) = one_token_per_algorithm();
    // Wall time must not end the tokens in the middle of the test.
    let mut settings: Vec<IssuerSettings> = settings;
    let signer = Signer::ed("m1");
    settings[0].keys = match &settings[0].keys {
        KeySource::Public { keys: PublicKeys::Set(set), algorithms } => {
            let mut set: Value = serde_json::from_str(set).unwrap();
            set["keys"].as_array_mut().unwrap().push(signer.jwk());
            KeySource::Public { keys: PublicKeys::Set(set.to_string()), algorithms: algorithms.clone() }
        }
        other => other.clone(),
    };
    let verifier = verifier(settings, clock());
    Scene { runtime, verifier, tokens: tokens.into_iter().map(|(_, token)| token).collect(), signer }
});

impl Scene {
    fn verify(&self, token: &str) -> Result<TokenIdentity, TokenError> {
        self.runtime.block_on(self.verifier.verify(token))
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(usize, char),
    Insert(usize, char),
    Remove(usize),
    Swap(usize, usize),
    Cut(usize),
    Flip(usize, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let character = prop_oneof![
        proptest::char::range('!', '~'),
        Just('.'),
        Just('='),
        Just('\n'),
        Just('\0'),
        any::<char>(),
    ];
    let at = any::<usize>();
    prop_oneof![
        (at, character.clone()).prop_map(|(at, character)| Mutation::Replace(at, character)),
        (at, character).prop_map(|(at, character)| Mutation::Insert(at, character)),
        at.prop_map(Mutation::Remove),
        (at, any::<usize>()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        at.prop_map(Mutation::Cut),
        (at, 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
    ]
}

fn mutate(token: &str, mutations: &[Mutation]) -> String {
    let mut characters: Vec<char> = token.chars().collect();
    for mutation in mutations {
        let length = characters.len().max(1);
        if characters.is_empty() {
            characters.push('e');
        }
        match *mutation {
            Mutation::Replace(at, character) => characters[at % length] = character,
            Mutation::Insert(at, character) => characters.insert(at % (length + 1), character),
            Mutation::Remove(at) => {
                characters.remove(at % length);
            }
            Mutation::Swap(one, other) => characters.swap(one % length, other % length),
            Mutation::Cut(at) => characters.truncate(at % length),
            Mutation::Flip(at, bit) => {
                let at = at % length;
                characters[at] = char::from_u32(u32::from(characters[at]) ^ (1 << bit)).unwrap_or('x');
            }
        }
    }
    characters.into_iter().collect()
}

/// JSON of any shape, with the names that count.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(ISSUER)),
        Just(json!("mainstay")),
        Just(json!(NOW + 60)),
    ];
    let name = || {
        prop_oneof![
            proptest::sample::select(vec![
                "iss", "aud", "exp", "nbf", "iat", "sub", "tenant", "roles", "jti"
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ]
    };
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(name(), inner, 0..6)
                .prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn a_token_that_was_changed_in_any_way_never_verifies(
        which in any::<proptest::sample::Index>(),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let scene = &*SCENE;
        let token = which.get(&scene.tokens);
        let mutated = mutate(token, &mutations);
        if mutated == *token {
            prop_assert!(scene.verify(&mutated).is_ok());
        } else {
            prop_assert!(scene.verify(&mutated).is_err(), "{mutated}");
        }
    }

    #[test]
    fn a_changed_header_or_payload_under_the_old_signature_never_verifies(
        which in any::<proptest::sample::Index>(),
        part in 0_usize..2,
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let scene = &*SCENE;
        let token = which.get(&scene.tokens);
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
        let at = at.index(bytes.len());
        let is_same = bytes[at] == byte;
        bytes[at] = byte;
        parts[part] = encoded(bytes);
        prop_assert_eq!(scene.verify(&parts.join(".")).is_ok(), is_same);
    }

    #[test]
    fn any_text_is_refused(text in any::<String>()) {
        prop_assert!(SCENE.verify(&text).is_err());
    }

    #[test]
    fn any_claims_of_the_issuer_are_read_without_a_panic(claims in any_json()) {
        let _ = SCENE.verify(&SCENE.signer.token(&claims));
        let mut good = good_claims();
        if let Value::Object(claims) = claims {
            good.as_object_mut().unwrap().extend(claims);
        }
        if let Ok(identity) = SCENE.verify(&SCENE.signer.token(&good)) {
            for name in [identity.user.as_str(), identity.tenant.as_str(), identity.roles[0].as_str()] {
                prop_assert!(!name.is_empty() && name.len() <= 256 && !name.contains(char::is_control));
            }
        }
    }

    #[test]
    fn any_key_set_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), keys in any_json()) {
        let _ = key_set::KeySet::read(&bytes);
        let _ = key_set::KeySet::read(json!({"keys": [keys.clone(), keys]}).to_string().as_bytes());
    }
}
