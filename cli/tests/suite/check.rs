//! `check`: the samples of the project are right, and each mistake in a template is found with its rule. What `add` makes is right, too, or it
//! says what is not.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `check -f -` on a text.
fn check(text: &str, more: &[&str]) -> Output {
    run("check", text, more)
}

fn run(verb: &str, text: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"));
    let command = command.args([verb, "-f", "-"]).args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A Job with these lines in its pod's metadata and in its pod's spec.
fn job(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: upload}}\nspec:\n  template:\n    metadata: {{{metadata}}}\n    spec:\n      \
         restartPolicy: Never\n      containers: [{{name: main, image: i}}]\n      {spec}\n"
    )
}

#[test]
fn the_samples_are_right() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/samples");
    let mut read = 0;
    for entry in std::fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let output = check(&std::fs::read_to_string(&path).unwrap(), &[]);
        assert_eq!(output.status.code(), Some(0), "{}: {output:?}", path.display());
        read += 1;
    }
    assert!(read >= 12);
}

#[test]
fn each_mistake_is_found_with_its_rule() {
    let agent = "initContainers: [{name: exeunt, image: a, restartPolicy: Always";
    for (metadata, spec, rule) in [
        ("", "initContainers: [{name: exeunt, image: a}]".to_owned(), "agent-stripped"),
        ("", format!("{agent}}}]\n      hostNetwork: true"), "host-network"),
        (r#"annotations: {sidecar.istio.io/nativeSidecar: "false"}"#, format!("{agent}}}]"), "no-shared-processes"),
        ("", format!("{agent}, args: [watch, --container, base]}}]"), "wrong-container-name"),
        (
            r#"annotations: {sidecar.istio.io/nativeSidecar: "false", status.sidecar.istio.io/port: "0"}"#,
            String::new(),
            "status-port-zero",
        ),
        ("annotations: {sidecar.istio.io/interceptionMode: NONE}", String::new(), "interception-off"),
        (r#"annotations: {sidecar.istio.io/nativeSidecar: "false"}"#, format!("{agent}}}]\n      hostPID: true"), "host-pid"),
        ("", format!("{agent}, args: [--restart-policy, OnFailure]}}]"), "restart-policy-differs"),
        ("", format!("{agent}, args: [watch, --grace-period, 1m]}}]"), "grace-period-differs"),
        ("", format!("{agent}, args: [watch, --placement, regular]}}]"), "placement-differs"),
        (
            r#"annotations: {sidecar.istio.io/nativeSidecar: "true"}"#,
            format!("{agent}, args: [watch, --proxy, classic]}}]"),
            "proxy-form-differs",
        ),
        (r#"labels: {exeunt.dev/drain: "true"}"#, format!("{agent}}}]"), "label-value"),
        (r#"labels: {exeunt.dev/drian: "on"}"#, format!("{agent}}}]"), "unknown-name"),
        ("annotations: {exeunt.dev/quit-signals: TERM}", format!("{agent}}}]"), "annotation-value"),
        ("annotations: {exeunt.dev/container: base}", String::new(), "wrong-container-name"),
        (
            r#"annotations: {proxy.istio.io/config: '{"proxyMetadata": {"ISTIO_META_HTTP_PROXY_PORT": "16000"}}'}"#,
            format!("{agent}}}]"),
            "signal-port-differs",
        ),
        (
            "",
            format!(
                "{agent}}}, {{name: cache, image: c, restartPolicy: Always, securityContext: {{runAsUser: 15190}}}}]\n      shareProcessNamespace: true"
            ),
            "agent-user-taken",
        ),
        (
            r#"annotations: {sidecar.istio.io/nativeSidecar: "false", status.sidecar.istio.io/port: "15099"}"#,
            format!("{agent}}}]\n      shareProcessNamespace: true"),
            "status-port-differs",
        ),
        (
            r#"annotations: {sidecar.istio.io/nativeSidecar: "false", traffic.sidecar.istio.io/excludeOutboundIPRanges: 10.0.0.0/8}"#,
            format!("{agent}}}]\n      shareProcessNamespace: true"),
            "capture-limited",
        ),
    ] {
        let output = check(&job(metadata, &spec), &["-o", "json"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let ids =
            found[0]["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(
            (ids, found[0]["workload"].as_str(), output.status.code()),
            (vec![rule], Some("Job/upload"), Some(1)),
            "{rule}"
        );
    }
}

#[test]
fn a_label_that_is_only_on_the_job_is_a_mistake() {
    for (of_pod, wanted) in [("", 1), (r#"labels: {exeunt.dev/drain: "on"}"#, 0)] {
        let labelled =
            job(of_pod, "volumes: []").replace("{name: upload}", r#"{name: upload, labels: {exeunt.dev/drain: "on"}}"#);
        let output = check(&labelled, &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            (text.matches("label-on-the-job").count(), output.status.code()),
            (wanted, i32::try_from(wanted).ok()),
            "{text}"
        );
    }
}

#[test]
fn what_a_template_does_not_tell_is_no_mistake() {
    for (metadata, spec) in [
        // Another webhook may add the helper, or the agent.
        ("annotations: {exeunt.dev/quit-signals: cash=TERM}", "volumes: []"),
        (r#"labels: {exeunt.dev/drain: "on"}"#, "volumes: []"),
        // The mesh decides the form of the proxy.
        ("", "initContainers: [{name: exeunt, image: a, restartPolicy: Always, args: [watch, --proxy, classic]}]"),
    ] {
        let output = check(&job(metadata, spec), &[]);
        assert_eq!(output.status.code(), Some(0), "{metadata} {spec}: {output:?}");
    }
    // Spark sets the restart policy itself.
    let pod = "kind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: main}]\n  \
               initContainers: [{name: exeunt, restartPolicy: Always, args: [--restart-policy, Never]}]\n";
    assert_eq!(check(pod, &[]).status.code(), Some(0));
    let always = check(&format!("{pod}  restartPolicy: Always\n"), &["-o", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&always.stdout).unwrap();
    let ids = found[0]["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect::<Vec<_>>();
    assert_eq!(ids, ["restart-always", "restart-policy-differs"]);
}

#[test]
fn the_form_of_the_mesh_decides_where_the_pod_does_not() {
    let text = job("", "initContainers: [{name: exeunt, image: a, restartPolicy: Always}]");
    assert_eq!(check(&text, &[]).status.code(), Some(0));
    assert_eq!(check(&text, &["--proxy", "classic"]).status.code(), Some(1));
}

#[test]
fn nonsense_is_a_mistake_of_the_command_line_and_no_escape_passes() {
    for text in ["a: [", "kind: Job\nspec: {template: {spec: {containers: 7}}}"] {
        let output = check(text, &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
    }
    let hostile =
        job("", "initContainers: [{name: exeunt, image: a, restartPolicy: Always, args: [\"--container\", \"\\e[31m\"]}]");
    let output = check(&hostile, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.contains(&0x1b), "{output:?}");
}

#[test]
fn what_add_makes_is_right_or_it_says_what_is_not() {
    let classic = "annotations: {sidecar.istio.io/nativeSidecar: \"false\"}";
    for (metadata, spec, told) in [
        ("", "", None),
        (classic, "", None),
        (classic, "shareProcessNamespace: false", Some("no-shared-processes")),
        ("", "hostNetwork: true", Some("host-network")),
    ] {
        let added = run("add", &job(metadata, spec), &[]);
        let (text, error) = (String::from_utf8(added.stdout).unwrap(), String::from_utf8(added.stderr).unwrap());
        assert_eq!(added.status.code(), Some(0), "{error}");
        assert!(error.contains("Job/upload: the agent is added"), "{error}");
        assert_eq!(error.lines().count(), 1 + usize::from(told.is_some()), "{error}");
        assert!(told.is_none_or(|rule| error.contains(&format!("Job/upload: {rule}: "))), "{error}");
        assert_eq!(check(&text, &[]).status.code(), Some(i32::from(told.is_some())), "{text}");
    }
}
