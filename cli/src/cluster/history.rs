//! What has happened to a pod: its Events, and the logs of its agent and its proxy. A right that is missing makes one of them unknown, and
//! nothing else.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::connect::Cluster;
use super::error::Error;
use crate::pod::{Container, Facts, History, Kind, LogLine, Part, Placement, PodEvent, names};

/// How many lines of a log are read, at most: the agent writes some ten, the proxy one for each request.
const LINES: i64 = 2000;
/// How many lines of one log are kept, at most.
const KEPT: usize = 100;
/// How many Events are read, at most.
const EVENTS: u32 = 500;

// === impl Cluster ===

impl Cluster {
    /// The history of a pod, as far as it may be read.
    pub async fn history(&self, pod: &Pod) -> History {
        let facts = Facts::of(pod);
        let mut history = History::default();
        match self.pod_events(&facts).await {
            Ok(events) => history.events = Some(events),
            Err(error) => history.unknown.push(error.line),
        }
        for (container, part) in facts.containers.iter().filter(|(container, part)| speaks(&facts, container, *part)) {
            match self.lines(&facts, container.name).await {
                Ok(lines) => {
                    let kept = lines.into_iter().filter(|line| *part != Part::Proxy || line.is_about_the_proxy());
                    let kept = kept.collect::<Vec<_>>();
                    let first = kept.len().saturating_sub(KEPT);
                    history.log.get_or_insert_default().extend(kept.into_iter().skip(first));
                }
                Err(error) if history.unknown.contains(&error.line) => {}
                Err(error) => history.unknown.push(error.line),
            }
        }
        history
    }

    async fn pod_events(&self, facts: &Facts<'_>) -> Result<Vec<PodEvent>, Error> {
        let api: Api<Event> = Api::namespaced(self.client(), facts.namespace);
        let fields = format!("involvedObject.uid={}", facts.uid);
        let list = api.list(&ListParams::default().fields(&fields).limit(EVENTS)).await;
        let list = list.map_err(|error| Error::of("list", &format!("events in namespace {}", facts.namespace), &error))?;
        Ok(list.items.into_iter().filter_map(event).collect())
    }

    async fn lines(&self, facts: &Facts<'_>, container: &str) -> Result<Vec<LogLine>, Error> {
        let api: Api<Pod> = Api::namespaced(self.client(), facts.namespace);
        let parameters = LogParams {
            container: Some(container.to_owned()),
            tail_lines: Some(LINES),
            timestamps: true,
            ..LogParams::default()
        };
        let resource = format!("pods/log of {} in namespace {}", facts.name, facts.namespace);
        let log = api.logs(facts.name, &parameters).await.map_err(|error| Error::of("get", &resource, &error))?;
        Ok(log.lines().filter_map(|line| LogLine::read(container, line)).collect())
    }
}

/// Whether a container is the proxy or an agent, and has run: one that has never run has no log.
fn speaks(facts: &Facts<'_>, container: &Container<'_>, part: Part) -> bool {
    let has_run = container.is_running() || container.end().is_some() || container.last.is_some();
    let is_agent = match part {
        // Around the command of a task, the log is the task's.
        Part::Agent => facts.agent.placement != Placement::Exec,
        Part::Other => container.kind == Kind::Ephemeral && container.name.starts_with(names::RESCUE),
        Part::Main | Part::Helper | Part::Proxy => false,
    };
    has_run && (is_agent || part == Part::Proxy)
}

/// An Event has its time in one of four fields, by the age of who has written it.
fn event(event: Event) -> Option<PodEvent> {
    let seconds = |time: Option<Timestamp>| time.map(|time| (time, false));
    let exact = |time: Option<Timestamp>| time.map(|time| (time, true));
    let series = event.series.as_ref();
    let (at, is_exact) = exact(series.and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0))
        .or_else(|| seconds(event.last_timestamp.as_ref().map(|time| time.0)))
        .or_else(|| exact(event.event_time.as_ref().map(|time| time.0)))
        .or_else(|| seconds(event.first_timestamp.as_ref().map(|time| time.0)))
        .or_else(|| seconds(event.metadata.creation_timestamp.as_ref().map(|time| time.0)))?;
    // `spec.containers{main}`
    let field = event.involved_object.field_path.unwrap_or_default();
    let container = field.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}')).map(str::to_owned);
    Some(PodEvent {
        container,
        at,
        is_exact,
        count: series.and_then(|series| series.count).or(event.count).unwrap_or(1),
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        is_warning: event.type_.as_deref() == Some("Warning"),
    })
}
