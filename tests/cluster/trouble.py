"""What keeps a run from going on, as whole lines for whoever started it."""


class Trouble(Exception):
    """The run cannot go on; every line stands for itself."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Refused(Exception):
    """The API server has said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Skip(Exception):
    """A scenario cannot be played on this cluster, and why."""


class Interrupted(Exception):
    """Somebody has asked the run to stop."""
