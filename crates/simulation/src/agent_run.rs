//! One run of the agent in the simulated world: its command line, and its own steps.

use core::time::Duration;
use std::ffi::OsString;

use agent::command::watch;
use agent::options::{Invocation, Options};
use agent::task::Source;
use drain::duration;
use serde_json::json;

use crate::files;
use crate::machine::Machine;
use crate::plan::{Main, Plan, RULED};
use crate::world::{self, World};

/// Runs the agent of `plan` to its end.
pub(crate) fn run(plan: &Plan) {
    // It may have to wait for its processor first.
    world::pass(Duration::ZERO);
    world::with(World::watch_creations);
    match options(plan) {
        Some(options) if Source::of(&options) == plan.source => watch::see_out(&Machine, &options, true),
        Some(_) | None => world::with(|world| world.wrong("the agent does not take its command line")),
    }
}

/// The command line of the agent in `plan`.
fn options(plan: &Plan) -> Option<Options> {
    let kubelet = &plan.kubelet;
    let mut words = vec!["watch".to_owned()];
    let mut add = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    add("proxy", if plan.native { "native" } else { "classic" }.to_owned());
    add("placement", if kubelet.agent_native { "native" } else { "regular" }.to_owned());
    add("termination-log", files::verdict().display().to_string());
    for Main { name, own_policy, .. } in &kubelet.mains {
        if kubelet.tells_names {
            add("container", (*name).to_owned());
        }
        if let Some(on_failure) = own_policy {
            add("restart-policy", format!("{name}={}", policy(*on_failure)));
        }
    }
    if let Some((action, exit_code)) = kubelet.rule.action() {
        let rule = json!([{"action": action, "exitCodes": {"operator": "In", "values": [exit_code]}}]);
        add("restart-rules", format!("{RULED}={rule}"));
    }
    if kubelet.state_dir {
        add("state-dir", files::state_dir().display().to_string());
    }
    if kubelet.tells_policy {
        add("restart-policy", policy(kubelet.on_failure).to_owned());
    }
    for (name, limit) in [("drain-timeout", plan.agent_limits.drain), ("stall-timeout", plan.agent_limits.stall)] {
        if let Some(limit) = limit {
            add(name, duration::display(Duration::from_millis(limit)));
        }
    }
    if kubelet.told {
        add("grace-period", duration::display(Duration::from_millis(kubelet.grace)));
    }
    match Invocation::parse(words.iter().map(OsString::from), |_| None) {
        Ok(Invocation::Run(options)) => Some(options),
        Ok(_) | Err(_) => None,
    }
}

const fn policy(on_failure: bool) -> &'static str {
    if on_failure { "OnFailure" } else { "Never" }
}
