//! `timeline`: the life of one pod as a picture.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::Common;
use super::saved::Saved;
use crate::output::{Exit, Failure, Format, print, print_object, progress, screen};
use crate::pod::{Facts, Surroundings};
use crate::timeline::{self, Timeline, terminal};

/// The life of one pod as a picture: its containers, the drain, and what has kept it
#[derive(Debug, Args)]
pub(super) struct TimelineOf {
    /// Name of the pod
    #[arg(required_unless_present = "file", value_name = "POD")]
    pod: Option<String>,
    /// Read the pod from a file instead: what kubectl get pod -o json or explain --save has written; - is stdin
    #[arg(short, long, conflicts_with = "pod", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Also write the picture as SVG into a file; - is stdout, and then nothing else is printed
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The same as a page with the picture and its tables
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Draw with ASCII characters only, as without a UTF-8 locale
    #[arg(long)]
    ascii: bool,
}

// === impl TimelineOf ===

impl TimelineOf {
    pub(super) async fn run(self, common: &Common) -> Result<Exit, Failure> {
        let is_stdout = |file: &Option<PathBuf>| file.as_deref() == Some(Path::new("-"));
        if is_stdout(&self.svg) && is_stdout(&self.html) {
            return Err(Failure::usage("--svg - and --html -: only one of them can be stdout"));
        }
        let saved = match (&self.file, &self.pod) {
            (Some(file), _) => Saved::read(file)?,
            (None, Some(name)) => {
                let cluster = common.cluster().await?;
                let pod = cluster.pod(cluster.namespace_of(&common.scope), name).await?;
                let history = Some(cluster.history(&pod).await);
                Saved { pod, surroundings: Surroundings { history, ..Surroundings::default() }, at: None }
            }
            (None, None) => return Err(Failure::usage("give the name of a pod, or -f FILE")),
        };
        let facts = Facts::of(&saved.pod);
        let now = saved.at.unwrap_or_else(Timestamp::now);
        let timeline = Timeline::of(&facts, &saved.surroundings, now);
        for (option, file, text) in
            [("--svg", &self.svg, timeline::svg::text as fn(&Timeline) -> String), ("--html", &self.html, timeline::html::page)]
        {
            if let Some(file) = file {
                write(option, file, &text(&timeline))?;
            }
        }
        if !is_stdout(&self.svg) && !is_stdout(&self.html) {
            if common.output == Format::Table {
                let signs = if self.ascii || !screen::has_unicode() { terminal::ASCII } else { terminal::UNICODE };
                print(&terminal::text(&timeline, screen::width(), signs));
            } else {
                print_object(common.output, &timeline)?;
            }
        }
        Ok(if timeline.is_stuck { Exit::Stuck } else { Exit::Fine })
    }
}

fn write(option: &str, file: &Path, text: &str) -> Result<(), Failure> {
    if file == Path::new("-") {
        print(text);
        return Ok(());
    }
    std::fs::write(file, text).map_err(|error| Failure::usage(format!("{option} {}: {error}", file.display())))?;
    progress(&format!("{} is written", file.display()));
    Ok(())
}
