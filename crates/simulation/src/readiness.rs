//! Whether the pod's connections are captured: they are.

pub(crate) const fn is_captured() -> bool {
    true
}
