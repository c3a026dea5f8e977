//! The completion of shells and of kubectl, and the man pages.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::double::{Answer, Double, Request, printed, refusal};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-exeunt");
const VERBS: [&str; 4] = ["status", "explain", "end", "completion"];

/// What the command prints, without a cluster.
fn says(words: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(words).env("KUBECONFIG", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What can stand where the cursor is, and the last line, which is for cobra.
fn completed(text: &str) -> (Vec<String>, String) {
    let mut lines = text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>();
    let last = lines.pop().unwrap();
    (lines, last)
}

/// A new folder for one test.
fn folder(of: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("exeunt-completion-{}-{of}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn named(kind: &str, names: &[&str]) -> Answer {
    let items = names.iter().map(|name| json!({"metadata": {"name": name}})).collect::<Vec<_>>();
    (200, json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items}))
}

#[test]
fn bash_completes_a_verb_and_an_option() {
    let script = says(&["completion", "bash"]);
    let complete = |words: &[&str]| {
        // Bash itself says which function completes the command.
        let text = format!(
            r#"{script}
            function=$(complete -p kubectl-exeunt | sed 's/.*-F \([^ ]*\).*/\1/')
            COMP_WORDS=(kubectl-exeunt {words}) COMP_CWORD={last}
            "$function" kubectl-exeunt "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
            printf '%s\n' "${{COMPREPLY[@]}}""#,
            words = words.join(" "),
            last = words.len(),
        );
        let output = Command::new("bash").arg("-c").arg(text).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["stat"]), ["status"]);
    assert_eq!(complete(&["end", "--all-s"]), ["--all-stuck"]);
    assert_eq!(complete(&["status", "--output", "j"]), ["json"]);
    assert_eq!(complete(&["nothing"]), [""]);
}

#[test]
fn every_shell_has_a_script_that_names_every_verb() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = says(&["completion", shell]);
        for verb in VERBS {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
        assert!(!script.contains("__complete"), "{shell} names what is hidden");
    }
}

#[test]
fn kubectl_is_told_verbs_options_and_values() {
    assert_eq!(completed(&says(&["__complete", "stat"])), (vec!["status".to_owned()], ":4".to_owned()));
    assert_eq!(completed(&says(&["__complete", "end", "--all-s"])).0, ["--all-stuck"]);
    assert_eq!(completed(&says(&["__complete", "status", "-o", ""])).0, ["table", "json", "yaml"]);
    let (verbs, _) = completed(&says(&["__complete", ""]));
    assert!(VERBS.iter().all(|verb| verbs.iter().any(|other| other == verb)), "{verbs:?}");
    assert!(!verbs.iter().any(|verb| verb.starts_with('-') || verb.starts_with('_') || verb == "man"), "{verbs:?}");
    // A folder goes on: no space behind it.
    assert_eq!(completed(&says(&["__complete", "check", "-f", "sr"])), (vec!["src/".to_owned()], ":6".to_owned()));
}

/// kubectl runs the script with the words; it finds the command in the PATH.
#[test]
fn the_script_for_kubectl_asks_the_command() {
    let folder = folder("kubectl");
    let script = folder.join("kubectl_complete-exeunt");
    std::fs::write(&script, says(&["completion", "kubectl"])).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    symlink(PROGRAM, folder.join("kubectl-exeunt")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new(&script).args(["explain", "--sa"]).env("PATH", path).output().unwrap();
    assert_eq!(completed(&String::from_utf8(output.stdout).unwrap()), (vec!["--save".to_owned()], ":4".to_owned()));
}

#[test]
fn the_cluster_names_its_pods_and_namespaces() {
    let double = Double::start(|request: &Request, _| match request.path.as_str() {
        "/api/v1/namespaces/jobs/pods" => named("PartialObjectMetadataList", &["upload-1", "upload-2", "report"]),
        "/api/v1/namespaces/other/pods" => named("PartialObjectMetadataList", &["upload-3"]),
        "/api/v1/namespaces" => named("PartialObjectMetadataList", &["jobs", "other"]),
        _ => refusal(404, "NotFound", "nothing"),
    });
    let complete = |words: &[&str]| completed(&printed(&double.run(&[&["__complete"], words].concat())).0).0;
    assert_eq!(complete(&["explain", "up"]), ["upload-1", "upload-2"]);
    // The second name of a list, and another namespace, in each way to write it.
    assert_eq!(complete(&["end", "upload-1", "rep"]), ["report"]);
    for namespace in [vec!["-n", "other"], vec!["--namespace", "other"], vec!["--namespace=other"]] {
        assert_eq!(complete(&[vec!["end"], namespace, vec![""]].concat()), ["upload-3"]);
    }
    assert_eq!(complete(&["status", "-n", "o"]), ["other"]);
    assert_eq!(complete(&["status", "--context", ""]), ["double"]);
    // Nothing but metadata is asked for, and one page of it.
    assert!(double.seen().iter().all(|request| request.verb == "GET" && request.query.contains("limit=500")));
}

#[test]
fn a_cluster_that_refuses_has_no_names() {
    let double = Double::start(|_, _| refusal(403, "Forbidden", "no"));
    let (out, error, code) = printed(&double.run(&["__complete", "explain", ""]));
    assert_eq!((out.as_str(), error.as_str(), code), (":4\n", "", 0));
    assert_eq!(completed(&says(&["__complete", "explain", ""])), (vec![], ":4".to_owned()));
}

#[test]
fn a_name_that_is_hostile_is_made_safe() {
    let double = Double::start(|_, _| named("PartialObjectMetadataList", &["pod\u{1b}[31m\nred"]));
    let (out, _, _) = printed(&double.run(&["__complete", "explain", ""]));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(!out.contains('\u{1b}'));
}

#[test]
fn every_verb_has_a_man_page_without_warnings() {
    let folder = folder("man");
    says(&["man", &folder.to_string_lossy()]);
    let mut pages = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    pages.sort();
    let names = pages.iter().map(|page| page.file_stem().unwrap().to_str().unwrap()).collect::<Vec<_>>();
    assert!(names.contains(&"kubectl-exeunt"), "{names:?}");
    for verb in VERBS {
        assert!(names.contains(&format!("kubectl-exeunt-{verb}").as_str()), "{names:?}");
    }
    // What is hidden has none.
    assert!(!names.iter().any(|name| name.ends_with("man") || name.contains("__")), "{names:?}");
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        assert!(text.contains(".SH SYNOPSIS") && text.contains("kubectl exeunt"), "{}", page.display());
        assert_eq!(lint(page), Vec::<String>::new(), "{}", page.display());
    }
}

/// What groff has to say about a page; nothing where there is no groff.
fn lint(page: &Path) -> Vec<String> {
    let Ok(output) = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(page).output() else {
        exeunt_cli::output::warn(&format!("SKIPPED {}: groff is missing", page.display()));
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}
