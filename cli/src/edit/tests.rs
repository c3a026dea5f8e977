use super::*;
use crate::pod::names;

fn agent() -> Agent {
    Agent { image: "agent:1".to_owned(), makes_proxy_native: true }
}

/// The new text, if there is one.
fn added(text: &str) -> String {
    add_agent(text, &agent()).unwrap().text
}

/// The container as it is written into a block, with that many spaces in front.
fn container(indent: usize) -> String {
    let lines = [
        "- name: exeunt",
        "  image: \"agent:1\"",
        "  restartPolicy: Always",
        "  securityContext:",
        "    runAsUser: 15190",
        "    runAsGroup: 15190",
        "    runAsNonRoot: true",
        "    readOnlyRootFilesystem: true",
        "    allowPrivilegeEscalation: false",
        "    capabilities: {drop: [ALL]}",
        "    seccompProfile: {type: RuntimeDefault}",
        "  resources:",
        "    requests: {cpu: 10m, memory: 16Mi}",
        "    limits: {memory: 16Mi}",
    ];
    lines.iter().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect::<Vec<_>>().concat()
}

#[test]
fn everything_else_stays_as_it_was_written() {
    let text = "\
# The nightly report.
apiVersion: batch/v1
kind: Job
metadata: {name: 'report'}   # single quotes
spec:
  template:
    spec:
      restartPolicy: Never
      # The task.
      containers:
      - name: main
        image: \"app:1\"
";
    let expected = format!(
        "\
# The nightly report.
apiVersion: batch/v1
kind: Job
metadata: {{name: 'report'}}   # single quotes
spec:
  template:
    metadata:
      annotations:
        sidecar.istio.io/nativeSidecar: \"true\"
    spec:
      initContainers:
{}      restartPolicy: Never
      # The task.
      containers:
      - name: main
        image: \"app:1\"
",
        container(8)
    );
    assert_eq!(added(text), expected);
}

#[test]
fn it_is_the_first_of_the_init_containers() {
    let text = "\
kind: CronJob
metadata: {name: x}
spec:
  jobTemplate:
    spec:
      template:
        metadata:
          annotations:
            # Ours.
            team: data
        spec:
          initContainers:
          # Before all others.
          - name: load
            image: b
          containers:
          - {name: main, image: a}
";
    let new = added(text);
    assert!(
        new.contains(&format!(
            "          initContainers:\n{}          # Before all others.\n          - name: load\n",
            container(10)
        )),
        "{new}"
    );
    assert!(new.contains("          annotations:\n            sidecar.istio.io/nativeSidecar: \"true\"\n            # Ours.\n            team: data\n"), "{new}");
}

#[test]
fn a_second_time_changes_nothing() {
    let text = "kind: Pod\nmetadata:\n  name: x\nspec:\n  containers:\n    - name: main\n      image: a\n";
    let once = added(text);
    let twice = add_agent(&once, &agent()).unwrap();
    assert_eq!((twice.text, twice.changed, twice.unchanged), (once, vec![], vec!["Pod/x".to_owned()]));
}

#[test]
fn what_is_written_in_one_line_stays_in_one_line() {
    let text = r#"{"kind": "Job", "metadata": {"name": "x"}, "spec": {"template": {"spec": {"initContainers": [], "containers": [{"name": "a"}]}}}}"#;
    let new: Value = serde_json::from_str(&added(text)).unwrap();
    assert_eq!(new["spec"]["template"]["spec"]["initContainers"][0]["name"], "exeunt");
    assert_eq!(new["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/nativeSidecar"], "true");
    let spaced = "kind: Pod\nmetadata:\n  name: x\nspec:\n  initContainers: [ {name: load}, {name: more} ]\n  containers: [ {name: main} ]\n";
    assert!(added(spaced).contains("[{\"image\":\"agent:1\""), "{}", added(spaced));
    let mixed = "kind: Pod\nmetadata: {name: x, annotations: {a: b}}\nspec: {containers: [{name: main}]}\n";
    assert_eq!(added(mixed).lines().count(), 3);
}

#[test]
fn several_documents_and_other_kinds() {
    let text = "\
kind: ConfigMap
metadata: {name: c}
data: {a: b}
---
# Nothing here.
---
kind: Pod
metadata:
  name: 任务
spec:
  containers:
    - name: main
---
kind: Deployment
spec: {template: {spec: {containers: [{name: a}]}}}
";
    let edited = add_agent(text, &agent()).unwrap();
    assert_eq!(edited.changed, ["Pod/任务"]);
    assert!(
        edited.text.starts_with("kind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\n# Nothing here.\n---\nkind: Pod\n")
    );
    assert!(edited.text.ends_with("---\nkind: Deployment\nspec: {template: {spec: {containers: [{name: a}]}}}\n"));
}

#[test]
fn a_form_that_the_pod_has_chosen_stays_and_beside_a_classic_proxy_it_shares_its_processes() {
    let text = "\
kind: Pod
metadata:
  annotations:
    sidecar.istio.io/nativeSidecar: \"false\"
spec:
  containers:
    - name: main
";
    let new = added(text);
    assert_eq!(new.matches("nativeSidecar").count(), 1);
    assert!(new.contains("\n  shareProcessNamespace: true\n"), "{new}");
    let job = format!("kind: Job\nspec:\n  template:\n{}", text.replace("kind: Pod\n", "").replace('\n', "\n    "));
    let job = job.replace("template:\nmetadata", "template:\n    metadata").trim_end().to_owned() + "\n";
    assert!(added(&job).contains("\n      shareProcessNamespace: true\n"), "{}", added(&job));
    for says in ["false", "true"] {
        let text = text.replace("spec:\n", &format!("spec:\n  shareProcessNamespace: {says}\n"));
        assert_eq!(added(&text).matches("shareProcessNamespace").count(), 1, "what the pod says stays, and add warns of it");
    }
    let inline =
        "kind: Pod\nmetadata: {annotations: {sidecar.istio.io/nativeSidecar: \"false\"}}\nspec: {containers: [{name: main}]}\n";
    assert!(added(inline).contains("\"shareProcessNamespace\": true"), "{}", added(inline));
    assert!(!added(&text.replace("\"false\"", "\"true\"")).contains("shareProcessNamespace"));
    assert!(
        !add_agent(&text.replace("\"false\"", "\"true\""), &Agent { makes_proxy_native: false, ..agent() })
            .unwrap()
            .changed
            .is_empty()
    );
}

#[test]
fn what_cannot_be_changed_safely_is_refused() {
    let alias = "\
kind: Pod
metadata: &meta
  name: x
spec:
  initContainers:
  containers:
    - name: main
";
    assert!(add_agent(alias, &agent()).unwrap_err().contains("initContainers are no list"), "{:?}", add_agent(alias, &agent()));
    let shared = "\
kind: Pod
metadata:
  name: x
  labels: &same {a: b}
  annotations: *same
spec:
  containers:
    - name: main
";
    // The insertion into the anchor would change the labels, too.
    assert!(add_agent(shared, &agent()).is_err(), "{:?}", add_agent(shared, &agent()));
    assert!(add_agent("a: [", &agent()).is_err());
}

#[test]
fn the_samples_get_back_what_was_taken_from_them() {
    for sample in ["job", "cronjob", "airflow-pod-template", "job-classic", "spark-pod-template"] {
        let text = std::fs::read_to_string(format!("{}/../deploy/samples/{sample}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        // Without comments, an agent that is called otherwise is an init container like any other.
        let other = text.replace("name: exeunt\n", "name: other\n").replace("exeunt-agent", "other-agent");
        for text in [other.clone(), other.replace('\n', "\r\n")] {
            let edited = add_agent(&text, &agent()).unwrap_or_else(|error| panic!("{sample}: {error}\n{text}"));
            assert_eq!(edited.changed.len(), 1, "{sample}");
            // Every line of the file is still there, in its order.
            let mut new = edited.text.lines();
            assert!(text.lines().all(|line| new.any(|other| other == line)), "{sample}: {}", edited.text);
        }
    }
}

#[test]
fn an_unprepared_sample_becomes_the_sample() {
    // The container's list, and the file.
    let samples = [
        ("job", "/spec/template/spec/initContainers"),
        ("cronjob", "/spec/jobTemplate/spec/template/spec/initContainers"),
        ("airflow-pod-template", "/spec/initContainers"),
        ("spark-pod-template", "/spec/initContainers"),
        ("argo-workflow", "/spec/templateDefaults"),
        ("spark-application", "/spec/driver/initContainers"),
        ("tekton-taskrun", "/spec/taskSpec/sidecars"),
    ];
    for (sample, list) in samples {
        let text = std::fs::read_to_string(format!("{}/../deploy/samples/{sample}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let prepared = documents(&text).unwrap().remove(0);
        let mut object = prepared.clone();
        let (holder, last) = list.rsplit_once('/').unwrap();
        object.pointer_mut(holder).unwrap().as_object_mut().unwrap().remove(last).unwrap();
        let unprepared = serde_saphyr::to_string(&object).unwrap().replace("sidecar.istio.io/nativeSidecar: \"true\"", "a: b");
        let image = prepared.pointer(list).unwrap().to_string();
        let image = image.split("\"image\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let edited = add_agent(&unprepared, &Agent { image, makes_proxy_native: true }).unwrap();
        assert!(edited.text.contains("sidecar.istio.io/nativeSidecar: \"true\""), "{sample}");
        let new = documents(&edited.text.replace("a: b\n", "")).unwrap().remove(0);
        assert_eq!(new.pointer(list), prepared.pointer(list), "{sample}");
        assert_eq!(add_agent(&edited.text, &agent()).unwrap().text, edited.text, "{sample}: a second time changes nothing");
    }
}

#[test]
fn what_is_missing_is_made() {
    let cases = [
        (
            "kind: Workflow\nspec:\n  templates: []\n",
            "/spec/templateDefaults/initContainers/0/name",
            "/spec/podMetadata/annotations",
        ),
        (
            "{kind: CronWorkflow, spec: {workflowSpec: {templates: []}}}",
            "/spec/workflowSpec/templateDefaults/initContainers/0/name",
            "/spec/workflowSpec/podMetadata/annotations",
        ),
        (
            "kind: SparkApplication\nspec:\n  driver: {cores: 1}\n",
            "/spec/driver/initContainers/0/name",
            "/spec/driver/annotations",
        ),
        (
            "kind: ScheduledSparkApplication\nspec:\n  template:\n    driver:\n      cores: 1\n",
            "/spec/template/driver/initContainers/0/name",
            "/spec/template/driver/annotations",
        ),
        ("kind: Task\nspec:\n  steps:\n  - name: a\n", "/spec/sidecars/0/name", "/metadata/annotations"),
        ("- kind: Pod\n", "/none", "/none"),
    ];
    for (text, name, annotations) in cases {
        let edited = add_agent(text, &agent()).unwrap_or_else(|error| panic!("{text}: {error}"));
        if edited.changed.is_empty() {
            assert_eq!((edited.text.as_str(), name), (text, "/none"));
            continue;
        }
        let object = documents(&edited.text).unwrap().remove(0);
        assert_eq!(object.pointer(name), Some(&Value::from("exeunt")), "{}", edited.text);
        assert_eq!(object.pointer(annotations).unwrap()[names::NATIVE], "true", "{}", edited.text);
    }
    // A template that is only a reference makes no pod here.
    assert!(add_agent("kind: Workflow\nspec: {workflowTemplateRef: {name: x}}\n", &agent()).unwrap().changed.is_empty());
    let error = add_agent("kind: Workflow\nspec:\n  podMetadata:\n  templates: []\n", &agent()).unwrap_err();
    assert!(error.contains("its podMetadata is no mapping"), "{error}");
}

#[test]
fn an_agent_in_one_template_of_a_workflow_is_found() {
    let text = "kind: Workflow\nspec:\n  templates:\n  - name: a\n    initContainers:\n    - name: exeunt\n";
    assert_eq!(add_agent(text, &agent()).unwrap().unchanged, ["Workflow/"]);
}

#[test]
fn the_container_is_that_of_the_samples() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/samples/job.yaml")).unwrap();
    let sample = documents(&text).unwrap().remove(0);
    let mut ours = sample.clone();
    ours["spec"]["template"]["spec"].as_object_mut().unwrap().remove("initContainers");
    let image = sample.pointer("/spec/template/spec/initContainers/0/image").and_then(Value::as_str).unwrap().to_owned();
    Agent { image, makes_proxy_native: true }.add_to(&mut ours);
    assert_eq!(ours, sample);
}
