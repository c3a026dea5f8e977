//! One function for each rule: what of a pod shows that it applies, or `None`. A file has the rules of one theme.

mod course;
mod form;
mod marks;
mod owner;
mod plugin;
mod ports;
mod told;

use super::Case;

type Evidence = fn(&Case<'_>) -> Option<String>;

/// The rules in the order of rules.yaml.
pub(super) const ALL: [(&str, Evidence); 44] = [
    ("agent-image-pull", course::agent_image_pull),
    ("agent-stripped", form::agent_stripped),
    ("host-network", form::host_network),
    ("host-pid", form::host_pid),
    ("restart-always", form::restart_always),
    ("ambient", form::ambient),
    ("quota", owner::quota),
    ("pod-security", owner::pod_security),
    ("webhook-refuses", owner::webhook_refuses),
    ("pod-invalid", owner::pod_invalid),
    ("suspended", owner::suspended),
    ("job-failed", owner::job_failed),
    ("finalizer", course::finalizer),
    ("proxy-exit-code", course::proxy_exit_code),
    ("on-failure-back-off", course::on_failure_back_off),
    ("wrong-container-name", told::wrong_container_name),
    ("wrong-helper-name", told::wrong_helper_name),
    ("restart-policy-differs", told::restart_policy_differs),
    ("no-shared-processes", form::no_shared_processes),
    ("regular-agent-not-shared", ports::regular_agent_not_shared),
    ("proxy-form-differs", told::proxy_form_differs),
    ("placement-differs", told::placement_differs),
    ("signal-port-differs", ports::signal_port_differs),
    ("agent-before-proxy", form::agent_before_proxy),
    ("agent-user-taken", ports::agent_user_taken),
    ("grace-period-differs", told::grace_period_differs),
    ("native-others-run", course::native_others_run),
    ("never-ended", course::never_ended),
    ("status-port-zero", form::status_port_zero),
    ("status-port-differs", ports::status_port_differs),
    ("capture-limited", ports::capture_limited),
    ("interception-off", form::interception_off),
    ("label-value", marks::label_value),
    ("label-without-agent", marks::label_without_agent),
    ("label-on-the-job", owner::label_on_the_job),
    ("unknown-name", marks::unknown_name),
    ("annotation-value", marks::annotation_value),
    ("unlabelled", plugin::unlabelled),
    ("plugin-elsewhere", plugin::plugin_elsewhere),
    ("plugin-not-matched", plugin::plugin_not_matched),
    ("plugin-index-digest", plugin::plugin_index_digest),
    ("plugin-not-fetched", plugin::plugin_not_fetched),
    ("plugin-not-loaded", plugin::plugin_not_loaded),
    ("no-agent", course::no_agent),
];

pub(super) fn of(id: &str, case: &Case<'_>) -> Option<String> {
    ALL.iter().find(|(known, _)| *known == id).and_then(|(_, evidence)| evidence(case))
}
