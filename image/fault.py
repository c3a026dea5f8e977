"""Errors. Each is one line that says what to do."""


class Fault(Exception):
    """Something outside this program went wrong; the text is one line and says what to do."""


class Mistakes(Exception):
    """All mistakes in a command line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines
