use super::*;
use proptest::prelude::*;

const TOPICS: &[Field] =
    &[structs(&[TEXT, values(&INT32)]), BOOL.since(1).until(1), tag(3, &one(&[INT16, BLOB])).since(2)];
const PLAIN: Encoding = Encoding { version: 0, is_flexible: false };
const FLEXIBLE: Encoding = Encoding { version: 2, is_flexible: true };

fn whole(bytes: &[u8], encoding: Encoding) -> Result<(), ShapeError> {
    check_whole(TOPICS, bytes, encoding, 1_000)
}

#[test]
fn plain_messages_are_walked() {
    let body = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    let version = |version| Encoding { version, is_flexible: false };
    assert_eq!(whole(&body, version(0)), Ok(()));
    assert_eq!(whole(&body, version(1)), Err(ShapeError::Truncated), "the flag of version 1");
    for cut in 0..body.len() {
        assert_eq!(whole(&body[..cut], version(0)), Err(ShapeError::Truncated), "cut at {cut}");
    }
    let longer = [&body[..], &[1]].concat();
    assert_eq!(whole(&longer, version(1)), Ok(()));
    assert_eq!(whole(&longer, version(2)), Err(ShapeError::Trailing { bytes: 1 }));
    assert_eq!(check(TOPICS, &longer, version(2), 1_000), Ok(&[1][..]));
}

#[test]
fn flexible_messages_are_walked() {
    // One topic with an unknown tagged field; then the known one.
    let body = [2, 2, b't', 2, 0, 0, 0, 9, 1, 7, 2, 0, 0, 1, 3, 5, 0, 1, 2, b'b', 0];
    assert_eq!(whole(&body, FLEXIBLE), Ok(()));
    for cut in 0..body.len() {
        assert_eq!(whole(&body[..cut], FLEXIBLE), Err(ShapeError::Truncated), "cut at {cut}");
    }
}

#[test]
fn nulls_pass() {
    assert_eq!(whole(&[0xff, 0xff, 0xff, 0xff], PLAIN), Ok(()));
    assert_eq!(whole(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], PLAIN), Ok(()));
    assert_eq!(whole(&[2, 0, 0, 0, 0], FLEXIBLE), Ok(()));
}

#[test]
fn a_struct_may_be_null() {
    let layout = &[optional(&[INT16]), BOOL];
    let check = |bytes: &[u8]| check_whole(layout, bytes, PLAIN, 0);
    assert_eq!((check(&[0xff, 1]), check(&[1, 0, 7, 1])), (Ok(()), Ok(())));
    assert_eq!((check(&[]), check(&[1, 0])), (Err(ShapeError::Truncated), Err(ShapeError::Truncated)));
}

#[test]
fn a_known_tagged_field_fills_its_bytes() {
    assert_eq!(whole(&[1, 1, 3, 5, 0, 1, 1, 0, 0], FLEXIBLE), Err(ShapeError::TagLength { number: 3 }));
    assert_eq!(whole(&[1, 1, 3, 3, 0, 1, 2, 0], FLEXIBLE), Err(ShapeError::Truncated));
    let before = Encoding { version: 0, ..FLEXIBLE };
    assert_eq!(whole(&[1, 1, 3, 3, 0, 1, 2], before), Ok(()), "version 0 does not know it");
}

#[test]
fn lengths_below_null_are_refused() {
    assert_eq!(whole(&[0xff, 0xff, 0xff, 0xfe], PLAIN), Err(ShapeError::BadLength));
    assert_eq!(whole(&[0, 0, 0, 1, 0xff, 0xfe], PLAIN), Err(ShapeError::BadLength));
    assert_eq!(whole(&[0xff; 6], FLEXIBLE), Err(ShapeError::BadLength));
}

#[test]
fn all_arrays_share_one_limit() {
    // Two topics of one partition each.
    let topic = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let body = [&[0, 0, 0, 2][..], &topic, &topic].concat();
    assert_eq!(check_whole(TOPICS, &body, PLAIN, 4), Ok(()));
    assert_eq!(check_whole(TOPICS, &body, PLAIN, 3), Err(ShapeError::TooManyElements { limit: 3 }));
}

#[test]
fn a_layout_within_itself_ends() {
    static ENDLESS: [Field; 1] = [structs(&ENDLESS)];
    assert_eq!(check(&ENDLESS, &[2; 1_000], FLEXIBLE, 1_000), Err(ShapeError::TooDeep));
    assert_eq!(check(&ENDLESS, &[0, 0, 0, 1].repeat(250), PLAIN, 1_000), Err(ShapeError::TooDeep));
}

const LAYOUTS: &[&[Field]] = &[
    TOPICS,
    &[values(&INT8)],
    &[BLOB, structs(&[UUID.since(2), structs(&[TEXT, structs(&[INT64, INT8])])]), TEXT.until(1)],
    &[tag(0, &structs(&[values(&TEXT), tag(1, &values(&INT16))])), tag(1, &BOOL)],
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_count_more_than_there_is(
        // Mostly small bytes: they are plausible lengths and counts.
        bytes in prop::collection::vec(prop_oneof![4 => 0u8..4, 1 => any::<u8>()], 0..200),
        version in 0i16..4,
        is_flexible: bool,
        layout in prop::sample::select(LAYOUTS),
    ) {
        let mut walk = Walk::new(&bytes, Encoding { version, is_flexible }, usize::MAX);
        if walk.fields(layout).is_ok() {
            prop_assert!(walk.elements <= bytes.len() - walk.rest.len());
            prop_assert_eq!(walk.depth, 0);
        }
    }

    #[test]
    fn a_count_passes_only_with_its_elements(count: i32, near in 0i32..40, there in 0usize..40) {
        for count in [count, near] {
            let fits = count >= -1 && count <= there as i32;
            let plain = [&count.to_be_bytes()[..], &vec![0; there]].concat();
            prop_assert_eq!(check(&[values(&INT8)], &plain, PLAIN, 1_000).is_ok(), fits);
            let compact = [&unsigned_varint(count.wrapping_add(1) as u32)[..], &vec![0; there], &[0]].concat();
            let fits = count == -1 || usize::try_from(count).is_ok_and(|count| count <= there);
            prop_assert_eq!(check(&[values(&INT8)], &compact, FLEXIBLE, 1_000).is_ok(), fits);
        }
    }
}

fn unsigned_varint(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
