//! Who tells the end of the task.

use crate::options::{Form, Options};

/// Who tells the end of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Kubelet: it sends SIGTERM to a native sidecar once all regular containers have ended for good, and ends the native sidecars that are
    /// listed before it only when it has left (KEP-753, "Sidecar Containers").
    Kubelet,
    /// The processes of the main containers, which the agent sees in a shared PID namespace.
    Processes,
}

// === impl Source ===

impl Source {
    /// The best source that the pod of `options` has. Beside a classic proxy, kubelet waits for the proxy, so it tells nothing. A regular
    /// container gets SIGTERM only when its pod is deleted.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        let kubelet_ends_the_proxy = matches!(options.form.form, Form::Native | Form::Ambient);
        // Kubelet waits for the helpers, too.
        let is_told = options.pid.is_none() && !options.helpers.are_to_end();
        if options.is_native() && kubelet_ends_the_proxy && is_told { Self::Kubelet } else { Self::Processes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    #[test]
    fn kubelet_tells_the_end_to_a_native_agent_beside_a_native_proxy() {
        let source = |line: &str| Source::of(&options(line));
        assert_eq!(source("watch --proxy native --placement native"), Source::Kubelet);
        assert_eq!(source("watch --proxy native --placement native --also-wait shipper"), Source::Kubelet, "it waits for all");
        for line in [
            "watch",
            "watch --proxy native",
            "watch --placement native",
            "watch --proxy classic --placement native",
            "watch --proxy native --placement native --quit-signal cache=TERM",
        ] {
            assert_eq!(source(line), Source::Processes, "{line}");
        }
    }
}
