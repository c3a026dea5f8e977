//! Our own JSON reader, against `serde_json` as its judge, and against what it writes itself.
#![no_main]

use drain::json::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match (Value::parse(data), serde_json::from_slice::<serde_json::Value>(data)) {
        (Ok(ours), Ok(theirs)) => {
            assert!(same(&ours, &theirs), "{ours:?} is not {theirs:?}");
            let written = ours.to_string();
            assert_eq!(Value::parse(written.as_bytes()).as_ref(), Ok(&ours), "{written}");
            // One control character becomes six at worst.
            assert!(written.len() <= 6 * data.len());
        }
        (Ok(ours), Err(theirs)) => panic!("only ours takes it: {ours:?}, {theirs}"),
        // Bounded depth, and no field twice: stricter on purpose.
        (Err(ours), Ok(_)) => assert!(matches!(ours.why, "nested too deeply" | "a field that was there before"), "{ours}"),
        (Err(ours), Err(_)) => assert!(ours.at <= data.len(), "{ours}"),
    }
});

fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::Number(_), serde_json::Value::Number(theirs)) => ours.as_u64() == theirs.as_u64(),
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
