"""The errors that stop a run or a scenario; each holds whole lines for the user."""


class RunError(Exception):
    """The run, or the scenario, cannot continue; every line is a sentence of its own."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Refused(Exception):
    """The API server has refused a request, or has not answered it (status 0); `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Skip(Exception):
    """The cluster cannot run the scenario; the text is the reason."""


class Interrupted(Exception):
    """The user has interrupted the run."""
