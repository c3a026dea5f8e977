use serde_json::{Value, json};

use super::*;
use crate::pod::{Facts, Part, Placement, ProxyForm};

/// Each template of a text: its name, the form of its proxy, the placement of its agent, its main containers.
fn read(text: &str, usual: ProxyForm) -> Vec<(String, ProxyForm, Placement, Vec<String>)> {
    let templates = documents(text).unwrap().iter().flat_map(|object| templates(object).unwrap()).collect::<Vec<_>>();
    let facts = templates.into_iter().map(|mut template| {
        inject(&mut template.pod, usual);
        let facts = Facts::of(&template.pod);
        let main = facts.with(Part::Main).map(|container| container.name.to_owned()).collect();
        (template.of, facts.proxy, facts.agent.placement, main)
    });
    facts.collect()
}

#[test]
fn the_samples_have_the_agent_that_they_say() {
    for (sample, of, form, placement, main) in [
        ("job", "Job/upload-job", ProxyForm::Native, Placement::Native, vec!["main"]),
        ("job-classic", "Job/upload-job-classic", ProxyForm::Classic, Placement::Native, vec!["main"]),
        ("job-regular", "Job/upload-job-regular", ProxyForm::Classic, Placement::Regular, vec!["main"]),
        ("argo-workflow", "Workflow/upload-workflow-/upload", ProxyForm::Native, Placement::Native, vec!["wait", "main"]),
        ("spark-application", "SparkApplication/spark-pi", ProxyForm::Native, Placement::Native, vec!["spark-kubernetes-driver"]),
    ] {
        let text = std::fs::read_to_string(format!("{}/../deploy/samples/{sample}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let wanted = (of.to_owned(), form, placement, main.into_iter().map(str::to_owned).collect());
        assert_eq!(read(&text, ProxyForm::Classic), [wanted], "{sample}");
    }
}

#[test]
fn the_injector_leaves_out_what_it_leaves_out_in_a_cluster() {
    let form = |metadata: Value, spec: Value| {
        let mut spec = spec;
        spec["containers"] = json!([{"name": "main"}]);
        let object = json!({"kind": "Pod", "metadata": metadata, "spec": spec});
        read(&object.to_string(), ProxyForm::Native).first().map(|(_, form, ..)| *form)
    };
    for (metadata, spec, wanted) in [
        (json!({}), json!({}), ProxyForm::Native),
        (json!({"annotations": {"sidecar.istio.io/nativeSidecar": "false"}}), json!({}), ProxyForm::Classic),
        (json!({"labels": {"sidecar.istio.io/inject": "false"}}), json!({}), ProxyForm::None),
        (json!({"annotations": {"sidecar.istio.io/inject": "false"}}), json!({}), ProxyForm::None),
        (json!({}), json!({"hostNetwork": true}), ProxyForm::None),
        (json!({}), json!({"initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}]}), ProxyForm::Native),
    ] {
        assert_eq!(form(metadata.clone(), spec.clone()), Some(wanted), "{metadata} {spec}");
    }
}

#[test]
fn other_objects_make_no_pods_and_nonsense_has_a_reason() {
    assert_eq!(read("kind: ConfigMap\n---\n---\nkind: List\nitems: [{kind: Service}]\n---\n7\n", ProxyForm::Native), []);
    assert!(documents("a: [").is_err());
    assert!(documents("{{ .Values.job }}: {{ if }}").is_err());
    let broken = json!({"kind": "Job", "metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": "none"}}}});
    assert!(templates(&broken).unwrap_err().starts_with("Job/x: its pod cannot be read: "));
}

#[test]
fn argo_merges_its_defaults_into_each_template() {
    let text = "\
kind: Workflow
metadata: {name: x}
spec:
  podMetadata: {annotations: {sidecar.istio.io/nativeSidecar: 'true'}}
  templateDefaults:
    initContainers: [{name: exeunt, restartPolicy: Always}, {name: shared, image: theirs}]
  templates:
  - name: a
    metadata: {labels: {team: x}}
    initContainers: [{name: shared, image: ours}]
    container: {image: busybox}
";
    let pod = templates(&documents(text).unwrap().remove(0)).unwrap().remove(0).pod;
    let init = pod.spec.unwrap().init_containers.unwrap();
    let names = init.iter().map(|container| (container.name.as_str(), container.image.as_deref())).collect::<Vec<_>>();
    assert_eq!(names, [("shared", Some("ours")), ("exeunt", None)]);
    assert_eq!((pod.metadata.labels.unwrap().len(), pod.metadata.annotations.unwrap().len()), (1, 1));
}
