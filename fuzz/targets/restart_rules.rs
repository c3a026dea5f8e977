//! The restart rules of a container, as the pod's template has them. A wrong reading can end the proxy of a task that kubelet starts again.
#![no_main]

use std::ffi::OsString;

use agent::options::restarts::Then;
use agent::options::{Invocation, Options};
use libfuzzer_sys::fuzz_target;
use pod::pidfd::Exit;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let by_flag = options(&["watch", "--restart-policy", "Never", "--restart-rules", &format!("main={text}")], "");
    let [(name, _)] = by_flag.restarts.rules.as_slice() else {
        // A rule that is not read is a mistake, and the policy of the pod counts.
        assert!(by_flag.restarts.rules.is_empty() && by_flag.warnings.len() == 1, "{:?}", by_flag.warnings);
        assert_eq!(by_flag.restarts.then("main", Exit::Code(42)), Then::Nothing);
        return;
    };
    assert_eq!(name, "main");
    assert_eq!(by_flag.warnings, [""; 0]);
    let document: Value = serde_json::from_str(text).expect("it was read as JSON");
    for code in 0..=255 {
        if let Some(expected) = judge(&document, code) {
            assert_eq!(by_flag.restarts.then("main", Exit::Code(code)), expected, "{text}, exit code {code}");
        }
    }
    // A variable holds a list: its commas inside of JSON separate none, unless a text has a bracket.
    if !document_has_brackets(&document) {
        let by_variable = options(&["watch", "--restart-policy", "Never"], &format!("main={text}"));
        assert_eq!(by_variable.restarts.rules, by_flag.restarts.rules, "{text}");
    }
});

/// What the command line `line` means, with this variable.
fn options(line: &[&str], rules: &str) -> Options {
    let variable = |name: &str| (name == "EXEUNT_RESTART_RULES").then(|| rules.to_owned());
    match Invocation::parse(line.iter().map(OsString::from), variable) {
        Ok(Invocation::Run(options)) => options,
        other => panic!("{other:?}"),
    }
}

/// What kubelet does after this exit code, by the tree that `serde_json` makes of the same text: the first rule that matches decides.
/// `None` if a rule has another form, such as a list in place of an object.
fn judge(document: &Value, code: u8) -> Option<Then> {
    for rule in document.as_array()? {
        let (action, exit_codes) = (rule.get("action")?.as_str()?, rule.get("exitCodes")?);
        let operator = exit_codes.get("operator")?.as_str()?;
        let values = match exit_codes.get("values") {
            Some(values) => values.as_array()?.clone(),
            None => Vec::new(),
        };
        let has = values.iter().any(|value| value.as_i64() == Some(code.into()));
        if has == (operator == "In") {
            return Some(if action == "Restart" { Then::Restart } else { Then::RestartAll });
        }
    }
    Some(Then::Nothing)
}

/// Whether a text in the document has a bracket.
fn document_has_brackets(document: &Value) -> bool {
    let has = |text: &str| text.contains(['[', ']', '{', '}']);
    match document {
        Value::String(text) => has(text),
        Value::Array(values) => values.iter().any(document_has_brackets),
        Value::Object(fields) => fields.iter().any(|(name, value)| has(name) || document_has_brackets(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
