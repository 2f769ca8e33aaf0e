//! People, who are in the log as numbers and can be forgotten.

use std::collections::HashSet;
use std::fs;
use std::thread;

use mainstay_audit::{
    Category, Durability, Outcome, PseudonymError, PseudonymSettings, Pseudonyms, Record, Settings,
};
use mainstay_domain::{TenantId, Timestamp, UserId};

use crate::place::{Place, files};

const DAY: i64 = 86_400_000_000;

fn day(number: i64) -> Timestamp {
    Timestamp::from_micros(number * DAY + DAY / 3)
}

fn open(place: &Place) -> Pseudonyms {
    Pseudonyms::open(&place.folder.path().join("lookup"), PseudonymSettings::default()).unwrap()
}

#[test]
fn an_erased_person_is_nowhere_and_the_chain_is_sound() {
    let place = Place::new();
    let log = place.open(&Settings::default());
    let people = open(&place);
    let (acme, other) = (TenantId::new("acme"), TenantId::new("other"));
    let (alice, bob) = (UserId::new("alice@example.com"), UserId::new("bob"));
    let mut pseudonyms = Vec::new();
    for number in 0..3 {
        for (tenant, user) in [(&acme, &alice), (&acme, &bob), (&other, &alice)] {
            let pseudonym = people.of(tenant, user, day(number)).unwrap();
            let record = Record::new(Category::Authentication, "login", Outcome::Succeeded)
                .with_tenant(tenant.clone())
                .with_subject(pseudonym.clone());
            log.append(&record, Durability::Buffered).unwrap();
            assert_eq!(people.of(tenant, user, day(number)).unwrap(), pseudonym, "one for a day");
            pseudonyms.push(pseudonym);
        }
    }
    people.sync().unwrap();
    assert_eq!(pseudonyms.iter().collect::<HashSet<_>>().len(), 9, "another every day and in every tenant");
    let person = people.resolve(&pseudonyms[3]).unwrap().unwrap();
    assert_eq!((person.tenant, person.user, person.since.as_micros()), (acme.clone(), alice.clone(), DAY));

    assert_eq!(people.erase(&acme, &alice).unwrap(), 3);
    for (place, pseudonym) in pseudonyms.iter().enumerate() {
        assert_eq!(people.resolve(pseudonym).unwrap().is_none(), place % 3 == 0, "{place}");
    }
    assert_eq!(people.erase(&acme, &alice).unwrap(), 0);
    assert_eq!(people.erase_tenant(&other).unwrap(), 3);
    for file in files(place.folder.path()) {
        let content = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!content.contains("alice"), "{file:?}");
    }
    // Who comes back is somebody new, and those who were not erased are who they were.
    let again = people.of(&acme, &alice, day(2)).unwrap();
    assert!(!pseudonyms.contains(&again));
    assert_eq!(people.of(&acme, &bob, day(2)).unwrap(), pseudonyms[7]);
    assert_eq!(people.resolve(&again).unwrap().unwrap().user, alice);
    log.close().unwrap();
    assert_eq!(place.verify(&log.public_key().unwrap()).faults, []);
}

#[test]
fn pseudonyms_outlive_a_restart_and_a_torn_row() {
    let place = Place::new();
    let (tenant, user) = (TenantId::new("acme"), UserId::new("ada"));
    let people = open(&place);
    let second = Pseudonyms::open(&place.folder.path().join("lookup"), PseudonymSettings::default());
    assert!(matches!(second, Err(PseudonymError::InUse { .. })));
    let first = people.of(&tenant, &user, day(7)).unwrap();
    drop(people);
    let file = files(&place.folder.path().join("lookup")).remove(1);
    let mut content = fs::read(&file).unwrap();
    content.extend_from_slice(b"{\"tenant\":\"acme\",\"user\":\"gra");
    fs::write(&file, content).unwrap();
    let people = open(&place);
    assert_eq!(people.of(&tenant, &user, day(7)).unwrap(), first);
    let grace = people.of(&tenant, &UserId::new("grace"), day(7)).unwrap();
    drop(people);
    let people = open(&place);
    assert_eq!(people.of(&tenant, &UserId::new("grace"), day(7)).unwrap(), grace);
    assert_eq!(people.resolve(&grace).unwrap().unwrap().user.as_str(), "grace");
    assert!(people.of(&tenant, &UserId::new("x".repeat(9_000)), day(7)).is_err());
}

#[test]
fn memory_is_bounded_and_forgotten_people_are_still_resolved() {
    let place = Place::new();
    let folder = place.folder.path().join("lookup");
    let settings = PseudonymSettings { capacity: 100, ..PseudonymSettings::default() };
    let people = Pseudonyms::open(&folder, settings).unwrap();
    let tenant = TenantId::new("acme");
    let first = people.of(&tenant, &UserId::new("0"), day(1)).unwrap();
    for number in 1..500 {
        people.of(&tenant, &UserId::new(number.to_string()), day(1)).unwrap();
    }
    let second = people.of(&tenant, &UserId::new("0"), day(1)).unwrap();
    assert_ne!(first, second);
    for pseudonym in [&first, &second] {
        assert_eq!(people.resolve(pseudonym).unwrap().unwrap().user.as_str(), "0");
    }
    assert_eq!(people.erase(&tenant, &UserId::new("0")).unwrap(), 2);
}

#[test]
fn old_periods_go_as_a_whole() {
    let place = Place::new();
    let people = open(&place);
    let (tenant, user) = (TenantId::new("acme"), UserId::new("ada"));
    let given: Vec<_> = (0..4).map(|number| people.of(&tenant, &user, day(number)).unwrap()).collect();
    assert_eq!(people.expire(Timestamp::from_micros(2 * DAY)).unwrap(), 2);
    let known: Vec<_> = given.iter().map(|pseudonym| people.resolve(pseudonym).unwrap().is_some()).collect();
    assert_eq!(known, [false, false, true, true]);
    // A clock that was set back finds the period empty, and not its old file.
    let again = people.of(&tenant, &user, day(0)).unwrap();
    assert_eq!(people.resolve(&again).unwrap().unwrap().since.as_micros(), 0);
}

#[test]
fn an_erasure_loses_nobody_who_comes_meanwhile() {
    const THREADS: usize = 4;
    const EACH: usize = 400;
    let place = Place::new();
    let people = open(&place);
    let tenant = TenantId::new("acme");
    let gone = UserId::new("gone");
    let given = thread::scope(|scope| {
        let (people, tenant) = (&people, &tenant);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let ask = |number: usize| {
                        let user = UserId::new(format!("user-{thread}-{number}"));
                        (people.of(tenant, &user, day(1)).unwrap(), user)
                    };
                    (0..EACH).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..20 {
            people.of(tenant, &gone, day(1)).unwrap();
            assert!(people.erase(tenant, &gone).unwrap() > 0);
            people.sync().unwrap();
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (pseudonym, user) in given {
        assert_eq!(people.resolve(&pseudonym).unwrap().unwrap().user, user);
        assert_eq!(people.of(&tenant, &user, day(1)).unwrap(), pseudonym);
    }
    let lookup = files(&place.folder.path().join("lookup"));
    assert!(!fs::read_to_string(&lookup[1]).unwrap().contains("gone"));
    assert_eq!(lookup.len(), 2, "the lock and the table");
}

#[test]
fn a_person_does_not_show_in_debug_output() {
    let place = Place::new();
    let people = open(&place);
    let pseudonym = people.of(&TenantId::new("acme"), &UserId::new("ada"), day(1)).unwrap();
    let person = people.resolve(&pseudonym).unwrap();
    assert!(!format!("{people:?} {person:?}").contains("ada"));
}
