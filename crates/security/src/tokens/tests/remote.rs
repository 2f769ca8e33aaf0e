//! Keys that are fetched: when, how often, and what counts while they cannot be.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use mainstay_domain::UserId;
use mainstay_reliability::BreakerState;
use tokio_util::task::TaskTracker;

use super::*;

/// An identity provider's address for keys.
struct Provider {
    answer: Mutex<Answer>,
    asked: AtomicU32,
}

#[derive(Clone)]
enum Answer {
    Body(Vec<u8>),
    After(Duration, Vec<u8>),
    Fails,
    Hangs,
    Panics,
}

#[async_trait]
impl IssuerClient for Provider {
    async fn fetch(&self, _: &str) -> Result<Vec<u8>, IssuerError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Answer::Body(body) => Ok(body),
            Answer::After(duration, body) => {
                Clock::system().sleep(duration).await;
                Ok(body)
            }
            Answer::Fails => Err(IssuerError::Status(503)),
            Answer::Hangs => std::future::pending().await,
            Answer::Panics => panic!("a fault in whatever fetches"),
        }
    }

    async fn exchange(&self, _: &str, _: &Secret, _: Option<&Secret>) -> Result<Vec<u8>, IssuerError> {
        unreachable!("nobody signs in")
    }
}

impl Provider {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), asked: AtomicU32::new(0) })
    }

    fn of(signers: &[&Signer]) -> Arc<Self> {
        Self::new(set(signers))
    }

    fn now_answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn set(signers: &[&Signer]) -> Answer {
    Answer::Body(key_set(signers).into_bytes())
}

fn late(duration: Duration, signers: &[&Signer]) -> Answer {
    Answer::After(duration, key_set(signers).into_bytes())
}

fn remote(provider: &Arc<Provider>, clock: Clock) -> Arc<TokenVerifier> {
    let mut settings = issuer(PublicKeys::Url("https://login.example.com/keys".to_owned()));
    settings.longest_lifetime = 30 * DAY;
    Arc::new(TokenVerifier::new(vec![settings], provider.clone(), clock).unwrap())
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A token that is good for days; each of another user, so that none is known already.
fn token(signer: &Signer) -> String {
    static USERS: AtomicU32 = AtomicU32::new(0);
    let user = format!("user{}", USERS.fetch_add(1, Ordering::Relaxed));
    signer.token(&claims_with(json!({"sub": user, "exp": NOW + 20 * 86_400})))
}

/// Lets the tasks in the background run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_fetched_once_and_not_for_each_request() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::of(&[&signer]), clock());
    let verifier = remote(&provider, clock);
    assert_eq!(provider.asked(), 0);
    for _ in 0..200 {
        assert!(verifier.verify(&token(&signer)).await.is_ok());
        clock.sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 1);
    // From then on once in the last fifth of the time that they are fresh, without anybody waiting.
    for _ in 0..200 {
        let begin = clock.instant();
        assert!(verifier.verify(&token(&signer)).await.is_ok());
        assert_eq!(clock.instant(), begin);
        clock.sleep(Duration::from_secs(18)).await;
    }
    assert!((14..=17).contains(&provider.asked()), "{} in an hour", provider.asked());
}

#[tokio::test(start_paused = true)]
async fn those_who_come_together_share_a_fetch() {
    let signer = Signer::ed("d1");
    let provider = Provider::new(late(Duration::from_secs(1), &[&signer]));
    let verifier = remote(&provider, clock());
    let tasks = TaskTracker::new();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token(&signer));
            tasks.spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for verified in waiting {
        assert!(verified.await.unwrap().is_ok());
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_does_not_end_the_fetch_for_the_others() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::new(late(Duration::from_secs(2), &[&signer])), clock());
    let verifier = remote(&provider, clock);
    let first = token(&signer);
    assert!(clock.timeout(Duration::from_secs(1), verifier.verify(&first)).await.is_none());
    let begin = clock.instant();
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    assert_eq!((clock.instant() - begin).as_secs(), 1);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_three_seconds_for_keys_and_no_longer() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::new(late(Duration::from_secs(5), &[&signer])), clock());
    let verifier = remote(&provider, clock);
    let begin = clock.instant();
    let error = verifier.verify(&token(&signer)).await.unwrap_err();
    assert_eq!((error, error.code()), (TokenError::KeysUnavailable, "identity_provider_unavailable"));
    assert!(error.is_unavailable());
    assert_eq!((clock.instant() - begin).as_secs(), 3);
    // The fetch went on meanwhile, and the next request has its result.
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    assert_eq!((clock.instant() - begin).as_secs(), 5);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_not_hammered_and_is_noticed_when_it_is_back() {
    for down in [Answer::Fails, Answer::Panics] {
        let signer = Signer::ed("d1");
        let (provider, clock) = (Provider::new(down), clock());
        let verifier = remote(&provider, clock);
        for _ in 0..1_000 {
            let refused = verifier.verify(&token(&signer)).await;
            assert_eq!(refused, Err(TokenError::KeysUnavailable));
            clock.sleep(Duration::from_millis(100)).await;
        }
        // Three at once, then after 5, 10, 20, 40 s.
        assert!((5..=8).contains(&provider.asked()), "{} in 100 s", provider.asked());
        let breaker = |verifier: &TokenVerifier| verifier.breakers()[0].1;
        assert!(breaker(&verifier).state != BreakerState::Closed && breaker(&verifier).opens >= 3);
        provider.now_answers(set(&[&signer]));
        clock.sleep(MINUTE).await;
        assert!(verifier.verify(&token(&signer)).await.is_ok());
        settle().await;
        assert_eq!(breaker(&verifier).state, BreakerState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::new(Answer::Hangs), clock());
    let verifier = remote(&provider, clock);
    assert_eq!(verifier.verify(&token(&signer)).await, Err(TokenError::KeysUnavailable));
    clock.sleep(Duration::from_secs(8)).await;
    provider.now_answers(set(&[&signer]));
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_accepted_at_once_and_a_removed_one_no_more() {
    let (old, new) = (Signer::ed("d1"), Signer::ed("d2"));
    let (provider, clock) = (Provider::of(&[&old]), clock());
    let verifier = remote(&provider, clock);
    let before = token(&old);
    assert!(verifier.verify(&before).await.is_ok());
    provider.now_answers(set(&[&new]));
    clock.sleep(Duration::from_secs(1)).await;
    // The old keys count, and the token is remembered besides.
    assert!(verifier.verify(&before).await.is_ok());
    assert!(verifier.verify(&token(&new)).await.is_ok());
    assert_eq!(provider.asked(), 2);
    assert_eq!(verifier.verify(&before).await, Err(TokenError::UnknownKey));
    assert_eq!(verifier.verify(&token(&old)).await, Err(TokenError::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn a_removed_key_ends_with_the_next_refresh() {
    let (old, new) = (Signer::ed("d1"), Signer::ed("d2"));
    let (provider, clock) = (Provider::of(&[&old, &new]), clock());
    let verifier = remote(&provider, clock);
    assert!(verifier.verify(&token(&new)).await.is_ok());
    provider.now_answers(set(&[&new]));
    // In the background, because there are requests.
    clock.sleep(4 * MINUTE).await;
    assert!(verifier.verify(&token(&old)).await.is_ok());
    settle().await;
    assert_eq!(provider.asked(), 2);
    assert_eq!(verifier.verify(&token(&old)).await, Err(TokenError::UnknownKey));
    // And before the first use where nobody came for long.
    provider.now_answers(set(&[&old]));
    clock.sleep(60 * MINUTE).await;
    let asked = provider.asked();
    assert_eq!(verifier.verify(&token(&new)).await, Err(TokenError::UnknownKey));
    assert_eq!(
        provider.asked(),
        asked + 1,
        "a set that was fetched for a request is not fetched again for it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_key_under_the_old_id_ends_what_was_verified_with_it() {
    let (old, new) = (Signer::ed("d1"), Signer::ed("d1"));
    let (provider, clock) = (Provider::of(&[&old]), clock());
    let verifier = remote(&provider, clock);
    clock.sleep(Duration::from_secs(1)).await;
    assert!(verifier.verify(&token(&old)).await.is_ok());
    provider.now_answers(set(&[&new]));
    clock.sleep(4 * MINUTE).await;
    let late = token(&old);
    assert!(verifier.verify(&late).await.is_ok());
    settle().await;
    assert_eq!(verifier.verify(&late).await, Err(TokenError::BadSignature));
    assert!(verifier.verify(&token(&new)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_verified_is_known_on_when_the_same_keys_were_fetched_again() {
    let (signer, other) = (Signer::ed("d1"), Signer::ed("d2"));
    let (provider, clock) = (Provider::of(&[&signer]), clock());
    let fetches = super::super::remote::Fetches::new(provider.clone(), clock);
    let url = "https://login.example.com/keys".to_owned();
    let keys =
        Arc::new(super::super::remote::RemoteKeys::new("login".into(), url, KeyRefresh::default(), fetches));
    let first = keys.current().await.unwrap().version;
    clock.sleep(10 * MINUTE).await;
    assert_eq!((keys.current().await.unwrap().version, provider.asked()), (first, 2));
    provider.now_answers(set(&[&signer, &other]));
    clock.sleep(10 * MINUTE).await;
    assert_ne!(keys.current().await.unwrap().version, first);
}

#[tokio::test(start_paused = true)]
async fn made_up_key_ids_do_not_become_requests_to_the_provider() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::of(&[&signer]), clock());
    let verifier = remote(&provider, clock);
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    clock.sleep(Duration::from_secs(1)).await;
    let made_up = |number: u32| {
        signer.token_with(&json!({"alg": "EdDSA", "kid": format!("../{number}'--")}), &good_claims())
    };
    for number in 0..1_000 {
        assert_eq!(verifier.verify(&made_up(number)).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(provider.asked(), 2);
    clock.sleep(Duration::from_secs(28)).await;
    assert_eq!(verifier.verify(&made_up(1_000)).await, Err(TokenError::UnknownKey));
    assert_eq!(provider.asked(), 2);
    clock.sleep(Duration::from_secs(2)).await;
    assert_eq!(verifier.verify(&made_up(1_001)).await, Err(TokenError::UnknownKey));
    assert_eq!(provider.asked(), 3);
    // Those who come together share that one as well.
    clock.sleep(Duration::from_secs(31)).await;
    provider.now_answers(late(Duration::from_secs(1), &[&signer]));
    let tasks = TaskTracker::new();
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let (verifier, token) = (verifier.clone(), made_up(number));
            tasks.spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for refused in waiting {
        assert_eq!(refused.await.unwrap(), Err(TokenError::UnknownKey));
    }
    assert_eq!(provider.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_has_no_keys_fetched_for_it() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::of(&[&signer]), clock());
    let verifier = remote(&provider, clock);
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    clock.sleep(Duration::from_secs(1)).await;
    let old = Signer::ed("d0").token(&claims_with(json!({"exp": NOW - 100, "iat": NOW - 200, "nbf": null})));
    assert_eq!(verifier.verify(&old).await, Err(TokenError::Expired));
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_of_a_provider_that_gives_its_keys_no_ids_is_found_by_its_signature() {
    let (old, new) = (Signer::ed("d1"), Signer::ed("d1"));
    let (provider, clock) = (Provider::of(&[&old]), clock());
    let verifier = remote(&provider, clock);
    let without_id = |signer: &Signer| signer.token_with(&json!({"alg": "EdDSA"}), &good_claims());
    assert!(verifier.verify(&without_id(&old)).await.is_ok());
    provider.now_answers(set(&[&new]));
    clock.sleep(Duration::from_secs(1)).await;
    assert!(verifier.verify(&without_id(&new)).await.is_ok());
    let nobody = without_id(&Signer::ed("d1"));
    for _ in 0..10 {
        assert_eq!(verifier.verify(&nobody).await, Err(TokenError::BadSignature));
    }
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_is_down_its_last_keys_count_for_a_day() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::of(&[&signer]), clock());
    let verifier = remote(&provider, clock);
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    provider.now_answers(Answer::Hangs);
    clock.sleep(60 * MINUTE).await;
    // The first one waits, because keys may have been withdrawn; later ones know that the provider is down.
    let begin = clock.instant();
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    assert_eq!((clock.instant() - begin).as_secs(), 3);
    for _ in 0..100 {
        clock.sleep(Duration::from_secs(10)).await;
        let begin = clock.instant();
        assert!(verifier.verify(&token(&signer)).await.is_ok());
        assert_eq!(clock.instant(), begin);
    }
    assert!(provider.asked() < 30, "{} in 1000 s", provider.asked());
    provider.now_answers(Answer::Fails);
    clock.sleep(22 * 60 * MINUTE).await;
    assert!(verifier.verify(&token(&signer)).await.is_ok());
    clock.sleep(60 * MINUTE).await;
    assert_eq!(verifier.verify(&token(&signer)).await, Err(TokenError::KeysUnavailable));
    provider.now_answers(set(&[&signer]));
    clock.sleep(MINUTE).await;
    assert!(verifier.verify(&token(&signer)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_key_set_is_refused_and_the_old_one_kept() {
    let signer = Signer::ed("d1");
    // Good but for its size.
    let huge = format!("{{\"keys\":[{}],\"x\":\"{}\"}}", signer.jwk(), "x".repeat(1024 * 1024));
    let many = key_set_of(vec![signer.jwk(); 201]);
    let bodies = [
        huge.into_bytes(),
        many.into_bytes(),
        Vec::new(),
        b"<html>down for maintenance</html>".to_vec(),
        b"{\"keys\":".to_vec(),
        b"{}".to_vec(),
        b"{\"keys\":[]}".to_vec(),
        b"{\"keys\":{}}".to_vec(),
        b"{\"keys\":[1]}".to_vec(),
        b"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"d1\",\"k\":\"AAAA\"}]}".to_vec(),
        b"{\"keys\":\"\xff\"}".to_vec(),
        vec![b'['; 100_000],
    ];
    for body in bodies {
        let (provider, clock) = (Provider::of(&[&signer]), clock());
        let verifier = remote(&provider, clock);
        assert!(verifier.verify(&token(&signer)).await.is_ok());
        let text = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        provider.now_answers(Answer::Body(body.clone()));
        clock.sleep(60 * MINUTE).await;
        assert!(verifier.verify(&token(&signer)).await.is_ok(), "{text}");
        assert_eq!(provider.asked(), 2, "{text}");
        // Without an old one there is none.
        let verifier = remote(&Provider::new(Answer::Body(body)), clock);
        assert_eq!(verifier.verify(&token(&signer)).await, Err(TokenError::KeysUnavailable), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn whether_a_key_is_new_nobody_can_say_while_the_provider_is_down() {
    let (old, new) = (Signer::ed("d1"), Signer::ed("d2"));
    let (provider, clock) = (Provider::of(&[&old]), clock());
    let verifier = remote(&provider, clock);
    assert!(verifier.verify(&token(&old)).await.is_ok());
    provider.now_answers(Answer::Fails);
    clock.sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        assert_eq!(verifier.verify(&token(&new)).await, Err(TokenError::KeysUnavailable));
    }
    assert_eq!(provider.asked(), 2);
    assert!(verifier.verify(&token(&old)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_no_matter_of_the_others() {
    let signer = Signer::ed("d1");
    let provider = Provider::new(Answer::Hangs);
    let clock = clock();
    let mut down = issuer(PublicKeys::Url("https://login.example.com/keys".to_owned()));
    (down.name, down.issuer) = ("down".to_owned(), "https://down.example.com".to_owned());
    let up = issuer(PublicKeys::Set(key_set(&[&signer])));
    let verifier = TokenVerifier::new(vec![down, up], provider, clock).unwrap();
    let of_down = signer.token(&claims_with(json!({"iss": "https://down.example.com"})));
    assert_eq!(verifier.verify(&of_down).await, Err(TokenError::KeysUnavailable));
    let begin = clock.instant();
    let identity = verifier.verify(&signer.token(&good_claims())).await.unwrap();
    assert_eq!(identity.user, UserId::new("ada"));
    assert_eq!(clock.instant(), begin);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_ends_the_fetches() {
    let signer = Signer::ed("d1");
    let (provider, clock) = (Provider::new(Answer::Hangs), clock());
    let verifier = remote(&provider, clock);
    assert_eq!(verifier.verify(&token(&signer)).await, Err(TokenError::KeysUnavailable));
    let begin = clock.instant();
    verifier.close().await;
    assert_eq!(clock.instant(), begin);
    provider.now_answers(set(&[&signer]));
    assert_eq!(verifier.verify(&token(&signer)).await, Err(TokenError::KeysUnavailable));
}
