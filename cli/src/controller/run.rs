//! The controller: it waits for the Lease, works as long as it has it, and gives it back when it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::candidate::Candidate;
use super::pace::Pace;
use super::reaper::Reaper;
use super::state::{State, say};
use super::work::Work;
use crate::cluster::LeaseName;
use crate::observe::{Observer, listen, serve};
use crate::output::{Exit, Failure, warn};

/// How the controller is run.
#[derive(Debug)]
pub struct Service {
    /// Where the metrics are served.
    pub address: SocketAddr,
    /// The Lease.
    pub lease: LeaseName,
    /// The name of this replica.
    pub name: String,
}

/// Runs until it gets SIGTERM or SIGINT.
pub async fn run(reaper: &Reaper, observer: Arc<Observer>, service: Service) -> Result<(), Failure> {
    let stop = stop()?;
    let state = Arc::new(State::default());
    let health = state.clone();
    let is_ready = move || health.is_ready();
    let clock = reaper.cluster.clone();
    let now = move || clock.now().unwrap_or_else(Timestamp::now);
    let listener = listen(service.address).await?;
    // With port 0 the system has chosen one.
    let address = listener.local_addr().unwrap_or(service.address);
    say(&format!("serves /metrics, /healthz and /readyz at {address}{}", dry(reaper)));
    let server = serve(listener, observer.clone(), is_ready, now);
    let mut candidate = Candidate::new(service.lease, &service.name);
    tokio::select! {
        never = server => match never {},
        () = stop => {}
        () = hold(reaper, &observer, &state, &mut candidate) => {}
    }
    say("told to stop");
    observer.leads(false);
    if let Err(error) = candidate.give_back(&reaper.cluster).await {
        warn(&format!("the Lease is not given back, and runs out by itself: {error}"));
    }
    Ok(())
}

/// Waits for the Lease, and works as long as it lasts. It never returns.
async fn hold(reaper: &Reaper, observer: &Observer, state: &State, candidate: &mut Candidate) {
    // It is the same over all Leases: who loses one often is not faster.
    let pace = Pace::new(reaper.settings.rate);
    let (mut other, mut trouble) = (String::new(), String::new());
    loop {
        match candidate.look(&reaper.cluster).await {
            Ok(Some(reign)) => {
                say(&format!("has the Lease, as {}", candidate.holder()));
                if let Some(before) = reign.before.or_else(|| reaper.cluster.now()) {
                    observer.counted_until(before);
                }
                observer.leads(true);
                let work = Work::new(reaper, observer, state, &pace);
                let why = tokio::select! {
                    why = candidate.keep(&reaper.cluster, reign) => why,
                    () = work.run() => String::new(),
                };
                observer.leads(false);
                warn(&format!("the Lease is lost, and nothing more is done: {why}"));
                (other, trouble) = (String::new(), String::new());
            }
            // One that waits is ready: it need not do anything yet.
            Ok(None) => {
                state.set_ready();
                if other != candidate.other() {
                    candidate.other().clone_into(&mut other);
                    say(&format!("waits for the Lease, which {other} has"));
                }
            }
            Err(error) if error.line != trouble => {
                warn(&error.line);
                trouble = error.line;
            }
            Err(_) => {}
        }
        Candidate::pause().await;
    }
}

/// Ends when the process is told to stop.
fn stop() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error: std::io::Error| Failure { line: format!("no signal can be received: {error}"), exit: Exit::Unavailable };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn dry(reaper: &Reaper) -> &'static str {
    if reaper.settings.is_dry_run { ", and ends nothing: --dry-run" } else { "" }
}
