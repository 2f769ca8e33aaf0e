use std::sync::OnceLock;

use proptest::prelude::*;

use super::{keys, sealer};
use crate::{Context, Form, OVERHEAD, OpenError, Record, Sealer, is_sealed, unopenable};

const TITLE: Context<'_> = Context::row("revisions.title", 17);

/// Two tenants whose keys are made once.
fn tenants() -> &'static [Sealer; 2] {
    static TENANTS: OnceLock<[Sealer; 2]> = OnceLock::new();
    TENANTS.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let keys = keys();
        runtime.block_on(async { [sealer(&keys, "acme").await, sealer(&keys, "globex").await] })
    })
}

proptest! {
    #[test]
    fn what_was_sealed_opens_in_its_place(
        plain in prop::collection::vec(any::<u8>(), 0..2_000),
        purpose in "[a-z_.]{0,20}",
        number: u64,
        name in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let [acme, _] = tenants();
        let context = Context::new(&purpose, name.as_deref().map_or(Record::Number(number), Record::Name));
        let sealed = acme.seal(&context, &plain).expect("seals");
        prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        prop_assert!(is_sealed(&sealed));
        prop_assert_eq!(acme.open(&context, &sealed), Ok(plain));
    }

    #[test]
    fn a_changed_bit_is_refused(
        plain in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let [acme, _] = tenants();
        let mut sealed = acme.seal(&TITLE, &plain).expect("seals");
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(acme.open(&TITLE, &sealed).is_err());
    }

    #[test]
    fn bytes_that_nobody_sealed_never_open_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let [acme, _] = tenants();
        prop_assert!(acme.open(&TITLE, &bytes).is_err());
        let with_header = [b"\xf9\0\0\0\x01".as_slice(), &bytes].concat();
        prop_assert!(acme.open(&TITLE, &with_header).is_err());
    }
}

#[test]
fn what_cannot_be_sealed_any_more_is_refused_as_destroyed() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let keys = keys();
        let acme = sealer(&keys, "acme").await;
        keys.destroy(acme.tenant()).await.expect("destroys");
        let husk = unopenable(7);
        assert_eq!(husk.len(), 7 + OVERHEAD);
        assert!(matches!(acme.open(&TITLE, &husk), Err(OpenError::Shredded { .. })));
        // Later keys do not change that.
        keys.readmit(acme.tenant()).await.expect("readmits");
        assert!(matches!(acme.open(&TITLE, &husk), Err(OpenError::Shredded { .. })));
    });
}

#[test]
fn every_byte_that_is_changed_cut_off_or_added_is_refused() {
    let [acme, _] = tenants();
    let sealed = acme.seal(&TITLE, b"Q3 layoffs").expect("seals");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0xff;
        assert!(acme.open(&TITLE, &changed).is_err(), "byte {at} changed");
        assert!(acme.open(&TITLE, &sealed[..at]).is_err(), "cut off at {at}");
        assert!(acme.open(&TITLE, &sealed[at + 1..]).is_err(), "{} cut off in front", at + 1);
    }
    for extended in [[sealed.as_slice(), b"\0"].concat(), [sealed.as_slice(), &sealed].concat()] {
        assert!(matches!(acme.open(&TITLE, &extended), Err(OpenError::Damaged { version: 1, .. })));
    }
}

#[test]
fn sealed_data_opens_in_no_other_place_and_for_no_other_tenant() {
    let [acme, globex] = tenants();
    let sealed = acme.seal(&TITLE, b"Q3 layoffs").expect("seals");
    let seventeen = 17_u64.to_be_bytes();
    for other in [
        Context::row("revisions.title", 18),
        Context::row("revisions.metadata", 17),
        Context::row("revisions.titl", 17),
        Context::row("", 17),
        Context::new("revisions.title", Record::Name(b"17")),
        Context::new("revisions.title", Record::Name(&seventeen)),
        Context::new("revisions.title", Record::Name(b"")),
    ] {
        assert!(matches!(acme.open(&other, &sealed), Err(OpenError::Damaged { .. })), "{other:?}");
    }
    assert!(matches!(globex.open(&TITLE, &sealed), Err(OpenError::Damaged { .. })));
}

#[test]
fn parts_of_a_place_cannot_flow_into_each_other() {
    let [acme, _] = tenants();
    let place = |purpose, name| Context::new(purpose, Record::Name(name));
    let sealed = acme.seal(&place("ab", b"c"), b"x").expect("seals");
    assert!(acme.open(&place("a", b"bc"), &sealed).is_err());
    assert!(acme.open(&place("abc", b""), &sealed).is_err());
    // Without the lengths, these two were the same bytes.
    let sealed = acme.seal(&place("a", b"\x01\0\0\0\0\0\0\0\0b"), b"x").expect("seals");
    assert!(acme.open(&place("a\u{1}\0\0\0\0\0\0\0\0", b"b"), &sealed).is_err());
    // Without the kind of the record, these two.
    let sealed = acme.seal(&Context::row("a", 0), b"x").expect("seals");
    assert!(acme.open(&place("a", b""), &sealed).is_err());
}

#[test]
fn equal_values_look_different_when_sealed() {
    let [acme, _] = tenants();
    let [one, two] = [(); 2].map(|()| acme.seal(&TITLE, b"the same").expect("seals"));
    assert_ne!(one[5..], two[5..]);
    assert!(!one.windows(4).any(|window| b"the same".windows(4).any(|plain| plain == window)));
}

#[test]
fn plain_data_is_told_apart_and_read_while_a_migration_runs() {
    let [acme, _] = tenants();
    let read = |stored: &[u8]| acme.open_as(Form::of_text(stored), &TITLE, stored);
    let sealed = acme.seal(&TITLE, "Grüße".as_bytes()).expect("seals");
    for stored in ["Grüße".as_bytes(), &sealed] {
        assert_eq!(read(stored).as_deref(), Ok("Grüße".as_bytes()));
    }
    assert_eq!(read(b""), Ok(Vec::new()));
    assert_eq!(acme.open(&TITLE, b"plain"), Err(OpenError::NotSealed), "the strict way lets nothing through");
    // Bytes that are no text may look sealed; what says which they are stands beside them.
    assert_eq!(acme.open_as(Form::Plain, &TITLE, &sealed).as_ref(), Ok(&sealed));
    assert!(acme.is_outdated(Form::Plain, b"plain") && !acme.is_outdated(Form::Sealed, &sealed));
}

#[test]
fn what_cannot_be_sealed_data_says_why() {
    let [acme, _] = tenants();
    assert_eq!(acme.open(&TITLE, b""), Err(OpenError::TooShort { bytes: 0 }));
    assert_eq!(acme.open(&TITLE, b"\xf9\0\0\0\x01"), Err(OpenError::TooShort { bytes: 5 }));
    assert_eq!(acme.open(&TITLE, &[0xfa; 100]), Err(OpenError::NewerFormat { format: 0xfa }));
    let unknown = [[0xf9, 0, 0, 0, 7].as_slice(), &[0; 60]].concat();
    assert_eq!(acme.open(&TITLE, &unknown), Err(OpenError::UnknownKey { tenant: "acme".into(), version: 7 }));
}

#[test]
fn a_lookup_tag_finds_equal_values_of_one_tenant_and_purpose_only() {
    let [acme, globex] = tenants();
    let tag = |sealer: &Sealer, purpose, value| sealer.lookup_tag(purpose, value).expect("a tag");
    let wanted = tag(acme, "documents.doc_id", b"hr/layoffs.md");
    assert_eq!(tag(acme, "documents.doc_id", b"hr/layoffs.md"), wanted);
    for other in [
        tag(globex, "documents.doc_id", b"hr/layoffs.md"),
        tag(acme, "events.doc_id", b"hr/layoffs.md"),
        tag(acme, "documents.doc_i", b"dhr/layoffs.md"),
        tag(acme, "documents.doc_id", b"hr/layoffs.m"),
    ] {
        assert_ne!(other, wanted);
    }
}

#[test]
fn a_sealer_and_its_errors_show_neither_keys_nor_content() {
    let [acme, _] = tenants();
    assert_eq!(format!("{acme:?}"), "Sealer { tenant: \"acme\", .. }");
    let context = Context::new("documents.doc_id", Record::Name(b"hunter2"));
    assert!(!format!("{context:?}").contains("hunter2"), "{context:?}");
    let error = acme.open(&context, b"hunter2").expect_err("not sealed");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
