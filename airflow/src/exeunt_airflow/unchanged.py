"""Why the hook leaves a pod unchanged."""


class Unchanged(Exception):
    """The pod stays as it is; the text gives the reason."""


class NotApplicable(Unchanged):
    """The pod does not need an agent. The hook logs this at debug level only."""


class NeedsAttention(Unchanged):
    """The pod may need an agent, but the hook cannot add one safely. The hook logs a warning with the reason."""
