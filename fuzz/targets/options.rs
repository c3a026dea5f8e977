//! The command line and the environment. They are in the pod's template, and a mistake in them must cost neither the task nor the pod.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use agent::options::{Invocation, Options, Verb};
use drain::limits::Limits;
use libfuzzer_sys::fuzz_target;

/// The longest warning: the names in it are cut.
const LONGEST: usize = 1_024;

fuzz_target!(|data: &[u8]| {
    // Words with zeros between them, and after an empty one the environment.
    let mut words = data.split(|byte| *byte == 0);
    let arguments: Vec<OsString> =
        words.by_ref().take_while(|word| !word.is_empty()).map(|word| OsString::from_vec(word.to_vec())).collect();
    let variables: Vec<(String, String)> = words
        .filter_map(|word| core::str::from_utf8(word).ok()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let variable = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match Invocation::parse(arguments.clone(), variable) {
        Ok(Invocation::Run(options) | Invocation::Explain(options)) => check(&options, &arguments),
        Ok(Invocation::Help(_) | Invocation::Version) => {}
        Err(mistakes) => {
            // Somebody waits for the answer of these two, and can correct it.
            assert!(arguments.iter().any(|word| misspells(&word.to_string_lossy(), &[Verb::Wait, Verb::Complete])));
            assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| mistake.to_string().len() <= LONGEST));
        }
    }
});

fn check(options: &Options, arguments: &[OsString]) {
    for warning in &options.warnings {
        assert!(!warning.is_empty() && warning.len() <= LONGEST, "{} bytes: {warning}", warning.len());
    }
    assert!(options.command.is_empty() || options.verb == Verb::Exec);
    assert!(arguments.ends_with(&options.command), "the command of the task is as it was given");
    let is_label = |name: &String| (1..=63).contains(&name.len()) && name.is_ascii();
    assert!(options.containers.iter().all(is_label));
    assert!(options.restarts.policies.iter().all(|(name, _)| is_label(name)));
    assert!((1..=8).contains(&options.signal.len()) && options.signal.iter().all(|at| at.port() > 0));
    let limits = [options.drain_timeout, options.stall_timeout, Some(options.ready_timeout), Some(options.late_start)];
    assert!(limits.into_iter().flatten().all(|limit| Limits::TIMEOUTS.contains(&limit)));
    assert!(options.grace_period <= *Limits::TIMEOUTS.end());
    assert!(options.pid.is_none_or(|pid| pid > 0) && options.proxy_pid.is_none_or(|pid| pid > 0));
}

/// Whether `word` is near enough to one of the verbs to be taken for it.
fn misspells(word: &str, verbs: &[Verb]) -> bool {
    verbs.iter().any(|verb| word.len().abs_diff(verb.name().len()) <= 2)
}
