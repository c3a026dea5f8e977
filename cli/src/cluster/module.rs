//! Whether the plugin's module runs, by three questions to Envoy's admin interface over a port-forward. They change nothing.

use core::time::Duration;

use tokio::time::{Instant, timeout};

use super::connect::Cluster;
use super::forward::{Ask, Problem, Target};
use crate::pod::{Facts, Module, names};

/// How long all questions may take together.
const LONGEST: Duration = Duration::from_secs(8);
/// How much of the answers is read together.
const MOST: usize = 64 << 20;
/// The metrics of the filter.
const STATS: &str = "/stats?filter=^wasmcustom.exeunt_";
/// The filters that Envoy gets by themselves: so Istio sends plugins.
const FILTERS: &str = "/config_dump?resource=ecds_filters";

/// What may still be asked.
struct Budget {
    until: Instant,
    bytes: usize,
}

// === impl Cluster ===

impl Cluster {
    /// What Envoy says of the module. The error is one line that says what could not be asked; `plugins` are the plugins as NAMESPACE.NAME.
    pub(super) async fn module(&self, facts: &Facts<'_>, plugins: &[String]) -> Result<Module, String> {
        let mut budget = Budget { until: Instant::now() + LONGEST, bytes: MOST };
        let late = || format!("cannot ask istio-proxy of {}: no answer within {} s", facts.name, LONGEST.as_secs());
        timeout(LONGEST, self.module_within(facts, plugins, &mut budget)).await.map_err(|_| late())?
    }

    async fn module_within(&self, facts: &Facts<'_>, plugins: &[String], budget: &mut Budget) -> Result<Module, String> {
        if Module::runs(&self.admin(facts, STATS, budget).await?) {
            return Ok(Module::Runs);
        }
        let port = facts.listener().and_then(|port| port.parse().ok()).unwrap_or(names::SIGNAL_PORT);
        let path = format!("/config_dump?resource=dynamic_listeners&name_regex=.*_{port}");
        let dump = self.admin(facts, &path, budget).await?;
        let other = || format!("cannot ask istio-proxy of {}: its list of listeners cannot be read", facts.name);
        let (module, filter) = Module::of_listener(&dump, port, plugins).ok_or_else(other)?;
        let Some(filter) = filter else { return Ok(module) };
        Ok(module.behind(&filter, &self.admin(facts, FILTERS, budget).await?))
    }

    async fn admin(&self, facts: &Facts<'_>, path: &str, budget: &mut Budget) -> Result<String, String> {
        let left = budget.until.saturating_duration_since(Instant::now());
        let ask = Ask { port: names::ADMIN_PORT, method: "GET", path, timeout: left, longest: budget.bytes };
        let mut body = Vec::new();
        let asked = self.ask_pod(&Target::of(facts.pod), &ask, |_| Ok(()), |piece| body.extend_from_slice(piece)).await;
        let status = asked.map_err(|problem| match problem {
            Problem::Cluster(error) => error.line,
            other => format!("cannot ask istio-proxy of {}: {}", facts.name, other.line()),
        })?;
        if status != 200 {
            return Err(format!("cannot ask istio-proxy of {}: it answers {status} to GET {path}", facts.name));
        }
        budget.bytes = budget.bytes.saturating_sub(body.len());
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
