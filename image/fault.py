"""What can go wrong, each as one line that says what to do."""


class Fault(Exception):
    """Something outside of us went wrong; the text is one line and says what to do."""


class Mistakes(Exception):
    """What is wrong with a command line: all of it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines
