//! `docs/kubectl.md` shows what the command prints.
use std::path::Path;
use std::process::Command;

/// The commands that the page says have printed a block, each with that block.
fn printed_blocks(page: &str) -> Vec<(String, String)> {
    let after = page.split("<!-- printed by: kubectl exeunt ").skip(1);
    let block = |text: &str| {
        let (command, rest) = text.split_once("; the times").unwrap();
        let (_, rest) = rest.split_once("```text\n").unwrap();
        let (shown, _) = rest.split_once("```").unwrap();
        (command.to_owned(), shown.to_owned())
    };
    after.map(block).collect()
}

/// The text without its times, which depend on the day: `4d2h` becomes `T`.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| word.starts_with(|first: char| first.is_ascii_digit()) && word.ends_with(['s', 'm', 'h', 'd']);
    let masked = |word: &str| {
        let (time, sign) = word.split_at(word.trim_end_matches(['.', ',']).len());
        if is_time(time) { format!("T{sign}") } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(masked).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What the command prints in the folder `root`, 80 columns wide.
fn printed(root: &Path, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-exeunt"));
    let command = command.args(words).current_dir(root).env("LC_ALL", "C.UTF-8").env("COLUMNS", "80");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn the_page_shows_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/kubectl.md")).unwrap();
    let blocks = printed_blocks(&page);
    assert!(!blocks.is_empty());
    for (command, shown) in blocks {
        let words = command.split(' ');
        let done = printed(root, &words.collect::<Vec<_>>());
        assert_eq!(without_times(&done), without_times(&shown), "{command}");
    }
}

/// If it fails: `kubectl exeunt timeline -f cli/tests/pods/job-native-drained.json --svg docs/timeline.svg`.
#[test]
fn the_picture_is_what_the_command_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let picture = std::fs::read_to_string(root.join("docs/timeline.svg")).unwrap();
    assert_eq!(printed(root, &["timeline", "-f", "cli/tests/pods/job-native-drained.json", "--svg", "-"]), picture);
}
