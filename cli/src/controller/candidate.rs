//! Who may act: the one that holds the Lease. No two clocks are compared. A candidate takes the Lease of another one only after it has seen
//! no change of it for its whole duration, by its own clock; and the holder stops sooner than that, counted from before its last change was
//! sent. So the old one has stopped when the new one begins.

use core::hash::{BuildHasher as _, Hasher as _};
use core::time::Duration;
use std::hash::RandomState;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::cluster::{Cluster, Error, ErrorKind, Held, LeaseName};

/// For how long a Lease is valid after its last change.
const SECONDS: i32 = 15;
/// How long after its last change the holder stops, if it could not write another one.
const STOP: Duration = Duration::from_secs(10);
/// How often the holder writes it, and another one reads it.
const PAUSE: Duration = Duration::from_secs(5);
/// How long one answer may take. A hanging connection must not use up the time of the next try.
const ANSWER: Duration = Duration::from_secs(4);

/// One that wants the Lease, or has it.
#[derive(Debug)]
pub struct Candidate {
    lease: LeaseName,
    /// Its name in the Lease. No other process ever has the same, so an own Lease of before a restart is that of another.
    holder: String,
    /// What the Lease said last, and since when.
    seen: Option<(Held, Instant)>,
}

/// It holds the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reign {
    /// When the holder before it was alive for the last time. `None`: there was none.
    pub before: Option<Timestamp>,
    /// It stops at that time, unless the Lease is renewed.
    until: Instant,
}

// === impl Candidate ===

impl Candidate {
    /// A candidate of that name.
    #[must_use]
    pub fn new(lease: LeaseName, name: &str) -> Self {
        // Its keys are random.
        let random = RandomState::new().build_hasher().finish();
        Self { lease, holder: format!("{name}_{random:016x}"), seen: None }
    }

    /// Its name in the Lease.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Who has the Lease, as far as is known.
    #[must_use]
    pub fn other(&self) -> &str {
        self.seen.as_ref().map_or("", |(held, _)| &held.holder)
    }

    /// Looks at the Lease once, and takes it if it is free. If not, the answer is `None`.
    pub async fn look(&mut self, cluster: &Cluster) -> Result<Option<Reign>, Error> {
        let (now, answer) = (Instant::now(), self.read(cluster).await?);
        if !self.is_free(&answer, now) {
            return Ok(None);
        }
        let before = answer.renewed;
        let changes = answer.changes.saturating_add(i32::from(answer.version.is_some()));
        let mine = Held {
            holder: self.holder.clone(),
            seconds: SECONDS,
            taken: Some(time(cluster)),
            renewed: Some(time(cluster)),
            changes,
            ..answer
        };
        let sent = Instant::now();
        match limited(sent + ANSWER, &self.lease, cluster.write_lease(&self.lease, mine)).await {
            Ok(held) => {
                self.seen = Some((held, sent));
                Ok(Some(Reign { before, until: sent + STOP }))
            }
            // Another one was faster.
            Err(error) if error.kind == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until the next look is due.
    pub async fn pause() {
        sleep(PAUSE).await;
    }

    /// Renews the Lease as long as it can. It returns when the Lease is lost, with the reason: from then on nothing may be done.
    pub async fn keep(&mut self, cluster: &Cluster, mut reign: Reign) -> String {
        let mut next = Instant::now() + PAUSE;
        let mut trouble = String::new();
        loop {
            if next >= reign.until {
                sleep_until(reign.until).await;
                return format!("it could not be renewed: {trouble}");
            }
            sleep_until(next).await;
            let sent = Instant::now();
            match timeout_at(reign.until, self.renew(cluster, sent)).await {
                Ok(Ok(true)) => (reign.until, next) = (sent + STOP, sent + PAUSE),
                Ok(Ok(false)) => return format!("{} has it now", self.other()),
                Ok(Err(error)) => (trouble, next) = (error.line, Instant::now() + Duration::from_secs(1)),
                Err(_) => return "it could not be renewed: no answer in time".to_owned(),
            }
        }
    }

    /// Gives it back, so that another one need not wait.
    pub async fn give_back(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let held = match &self.seen {
            Some((held, _)) if held.holder == self.holder => held.clone(),
            _ => return Ok(()),
        };
        let free = Held { holder: String::new(), renewed: Some(time(cluster)), seconds: 1, ..held };
        limited(Instant::now() + ANSWER, &self.lease, cluster.write_lease(&self.lease, free)).await.map(drop)
    }

    /// Whether the Lease is its own still.
    async fn renew(&mut self, cluster: &Cluster, sent: Instant) -> Result<bool, Error> {
        let Some((held, _)) = self.seen.clone() else { return Ok(false) };
        let mine = Held { renewed: Some(time(cluster)), ..held };
        match limited(sent + ANSWER, &self.lease, cluster.write_lease(&self.lease, mine)).await {
            Ok(held) => {
                self.seen = Some((held, sent));
                Ok(true)
            }
            // Somebody has written it: perhaps only an annotation.
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => {
                let held = self.read(cluster).await?;
                let is_own = held.holder == self.holder;
                self.seen = Some((held, sent));
                if is_own { Err(error) } else { Ok(false) }
            }
            Err(error) => Err(error),
        }
    }

    async fn read(&self, cluster: &Cluster) -> Result<Held, Error> {
        limited(Instant::now() + ANSWER, &self.lease, cluster.read_lease(&self.lease)).await
    }

    /// Whether the Lease may be taken. Remembers since when it says what it says.
    fn is_free(&mut self, held: &Held, now: Instant) -> bool {
        if held.version.is_none() || held.holder.is_empty() {
            return true;
        }
        let valid = Duration::from_secs(u64::try_from(held.seconds).unwrap_or_default());
        match &self.seen {
            Some((seen, since)) if seen.version == held.version => now.duration_since(*since) >= valid,
            _ => {
                self.seen = Some((held.clone(), now));
                false
            }
        }
    }
}

/// The API server's time, so that two holders write the same clock.
fn time(cluster: &Cluster) -> Timestamp {
    cluster.now().unwrap_or_else(Timestamp::now)
}

async fn limited<T>(until: Instant, lease: &LeaseName, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout_at(until, answer).await.unwrap_or_else(|_| {
        let line = format!("no answer about the lease {} in namespace {} in {ANSWER:?}", lease.name, lease.namespace);
        Err(Error { kind: ErrorKind::Unreachable, line })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(version: &str, holder: &str) -> Held {
        Held { version: Some(version.to_owned()), holder: holder.to_owned(), seconds: SECONDS, ..Held::default() }
    }

    #[test]
    fn a_lease_is_free_after_its_whole_duration_without_a_change() {
        let lease = LeaseName { namespace: "a".to_owned(), name: "b".to_owned() };
        let (mut one, start) = (Candidate::new(lease.clone(), "one"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(one.is_free(&Held::default(), start) && one.is_free(&held("1", ""), start));
        assert!(!one.is_free(&held("2", "two"), at(0)));
        assert!(!one.is_free(&held("2", "two"), at(14)));
        // A change: from the start again.
        assert!(!one.is_free(&held("3", "two"), at(15)));
        assert!(!one.is_free(&held("3", "two"), at(29)));
        assert!(one.is_free(&held("3", "two"), at(30)));
        // The same name after a restart is another holder.
        assert_ne!(one.holder(), Candidate::new(lease, "one").holder());
    }

    #[test]
    fn the_holder_stops_before_another_may_begin() {
        assert!(STOP < Duration::from_secs(u64::try_from(SECONDS).unwrap()) && PAUSE + ANSWER < STOP);
    }
}
