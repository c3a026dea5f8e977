//! Our own JSON reader, held against `serde_json`.

#![allow(clippy::panic, missing_docs)]

use drain::json::{ObjectWriter, Value};
use proptest::prelude::*;

/// Whether both read the same value. Numbers are compared as text where they are whole, and not at all where they are not: ours keeps
/// them as they were written.
fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::Number(_), serde_json::Value::Number(theirs)) => {
            theirs.as_u64().is_none_or(|number| ours.as_u64() == Some(number))
        }
        (Value::Text(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), serde_json::Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, value)| theirs.get(name).is_some_and(|theirs| same(value, theirs)))
        }
        _ => false,
    }
}

/// Where ours may refuse what `serde_json` takes: deeper than ours goes, a field twice, a number beyond floating point or its judge's
/// rounding.
fn is_stricter_on_purpose(why: &str) -> bool {
    why == "nested too deeply" || why == "a field that was there before"
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    match (Value::parse(text), serde_json::from_slice::<serde_json::Value>(text)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{ours:?} is not {theirs:?}"),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(theirs)) => prop_assert!(theirs.to_string().contains("number out of range"), "only ours takes it: {theirs}"),
        (Err(ours), Ok(_)) => prop_assert!(is_stricter_on_purpose(ours.why), "only ours refuses it: {ours}"),
    }
    Ok(())
}

fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_judged_alike(text in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&text)?;
    }

    #[test]
    fn almost_json_is_judged_alike(text in r#"[\[\]{}:,"\\untrfalse0-9eE+\-. \t\n]{0,60}"#) {
        check(text.as_bytes())?;
    }

    #[test]
    fn real_documents_are_read_alike(document in documents()) {
        check(document.to_string().as_bytes())?;
    }

    #[test]
    fn a_cut_document_is_judged_alike(document in documents(), cut in any::<prop::sample::Index>()) {
        let text = document.to_string();
        check(text.as_bytes().get(..cut.index(text.len())).unwrap_or_default())?;
    }

    #[test]
    fn what_is_written_is_read_back(name in any::<String>(), text in any::<String>(), number in any::<u64>()) {
        prop_assume!(name != "n");
        let written = ObjectWriter::default().text(&name, Some(&text)).number("n", Some(number)).finish();
        let read: serde_json::Value = serde_json::from_str(&written).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read.get(&name).and_then(serde_json::Value::as_str), Some(text.as_str()));
        prop_assert_eq!(read.get("n").and_then(serde_json::Value::as_u64), Some(number));
    }
}

#[test]
fn surrogate_pairs_make_one_character_and_halves_are_refused() {
    assert_eq!(Value::parse(br#""\ud83d\ude00""#), Ok(Value::Text("\u{1f600}".to_owned())));
    for text in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dA""#, r#""\ud83dx""#] {
        assert!(Value::parse(text.as_bytes()).is_err(), "{text}");
    }
}
