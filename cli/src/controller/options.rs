//! The command line of `reap` and `controller`, and what it means.

use clap::{ArgAction, Args};
use governor::Quota;
use jiff::SignedDuration;

use super::pace;
use crate::cluster::Scope;
use crate::output::Failure;
use crate::pod::SETTLING;
use crate::rescue::AGENT_IMAGE;

/// More rescues than that at once would be a load of its own: each reads its pod twice a second.
const MOST_AT_ONCE: usize = 50;
/// A day. More would only be a mistyped number.
const LONGEST_S: u64 = 86_400;

/// Which stuck pods are ended, and how fast.
#[derive(Clone, Debug, Args)]
pub struct ReapOptions {
    /// Several namespaces, for example a,b,c
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["namespace", "all_namespaces"])]
    pub namespaces: Vec<String>,
    /// Say what would be ended, and end nothing. To end it, say --dry-run=false
    #[arg(
        long, value_name = "true|false", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set
    )]
    pub dry_run: bool,
    /// How long ago the last main container must have ended, by the clock of the API server
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub stuck_for: u64,
    /// How many rescues begin in a second (10/s), a minute (10/m) or an hour (10/h), evenly spread
    #[arg(long, value_name = "NUMBER/UNIT", default_value = "10/m")]
    pub rate: String,
    /// How many rescues may be under way
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub at_once: usize,
    /// How long to wait after a rescue that has failed; twice as long after each further one, and no more after the fifth
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub again_after: u64,
    /// How long to wait for the end of one proxy
    #[arg(long, value_name = "SECONDS", default_value_t = 330)]
    pub timeout: u64,
    /// The agent's image
    #[arg(long, value_name = "IMAGE", default_value = AGENT_IMAGE)]
    pub image: String,
}

/// What the command line means.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to look.
    pub scopes: Vec<Scope>,
    /// Whether the command line names namespaces or labels. Else only what has the label is ended.
    pub is_named: bool,
    /// Whether the label of the Namespaces counts.
    pub reads_namespaces: bool,
    /// Whether nothing is ended.
    pub is_dry_run: bool,
    /// How long ago the task must have ended.
    pub stuck_for: SignedDuration,
    /// How many rescues begin.
    pub rate: Quota,
    /// How many are under way.
    pub at_once: usize,
    /// How long to wait after one that has failed.
    pub again_after: SignedDuration,
    /// How long to wait for one.
    pub timeout: core::time::Duration,
    /// The agent's image.
    pub image: String,
}

// === impl ReapOptions ===

impl ReapOptions {
    /// What they mean. The error has one line for each mistake.
    pub fn settings(&self, scope: &Scope) -> Result<Settings, Failure> {
        let mut wrong = Vec::new();
        let mut check = |is_right: bool, flag: &str, value: &dyn core::fmt::Display, allowed: &str| {
            if !is_right {
                wrong.push(format!("--{flag} {value}: allowed is {allowed}"));
            }
        };
        let settling = SETTLING.as_secs();
        let more = format!("a number of seconds from {settling} to {LONGEST_S}: a pod may need {settling} to end by itself");
        check((settling..=LONGEST_S).contains(&self.stuck_for), "stuck-for", &self.stuck_for, &more);
        let rate = pace::quota(&self.rate);
        check(rate.is_some(), "rate", &self.rate, "a number above 0 with /s, /m or /h, for example 10/m");
        let most = format!("a number from 1 to {MOST_AT_ONCE}");
        check((1..=MOST_AT_ONCE).contains(&self.at_once), "at-once", &self.at_once, &most);
        let seconds = format!("a number of seconds from 1 to {LONGEST_S}");
        check((1..=LONGEST_S).contains(&self.again_after), "again-after", &self.again_after, &seconds);
        check((1..=LONGEST_S).contains(&self.timeout), "timeout", &self.timeout, &seconds);
        check(!self.image.trim().is_empty(), "image", &self.image, "the name of an image");
        check(
            self.namespaces.iter().all(|name| !name.is_empty()),
            "namespaces",
            &self.namespaces.join(","),
            "names, for example a,b",
        );
        let (Some(rate), true) = (rate, wrong.is_empty()) else {
            return Err(Failure::usage(wrong.join("; ")));
        };
        let is_named = scope.namespace.is_some() || !self.namespaces.is_empty() || scope.selector.is_some();
        let span = |seconds: u64| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Ok(Settings {
            scopes: self.scopes(scope),
            is_named,
            reads_namespaces: scope.all_namespaces && !is_named,
            is_dry_run: self.dry_run,
            stuck_for: span(self.stuck_for),
            rate,
            at_once: self.at_once,
            again_after: span(self.again_after),
            timeout: core::time::Duration::from_secs(self.timeout),
            image: self.image.clone(),
        })
    }

    fn scopes(&self, scope: &Scope) -> Vec<Scope> {
        if self.namespaces.is_empty() {
            return vec![scope.clone()];
        }
        let mut names = self.namespaces.clone();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| Scope { namespace: Some(name), ..scope.clone() }).collect()
    }
}
