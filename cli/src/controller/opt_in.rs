//! Whether a pod may be ended at all. Pure.

/// Whether a pod may be ended: `own` is the value of its label, `is_namespace_on` whether its Namespace has that label with `on`, and
/// `is_named` whether the command line names the pod's namespace or its labels. The pod's own word decides.
#[must_use]
pub fn is_opted_in(own: Option<&str>, is_namespace_on: bool, is_named: bool) -> bool {
    match own {
        Some("on") => true,
        // Anything else is no agreement: it may be a mistyped `off`.
        Some(_) => false,
        None => is_namespace_on || is_named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_has_the_last_word() {
        let others = [(false, false), (true, false), (false, true), (true, true)];
        assert!(others.iter().all(|(namespace, named)| is_opted_in(Some("on"), *namespace, *named)));
        assert!(others.iter().all(|(namespace, named)| !is_opted_in(Some("off"), *namespace, *named)));
        assert!(others.iter().all(|(namespace, named)| !is_opted_in(Some("Off"), *namespace, *named)));
        assert_eq!(others.map(|(namespace, named)| is_opted_in(None, namespace, named)), [false, true, true, true]);
    }
}
