"""What the command lines of the benchmarks share."""

import argparse
import os
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Ends with the exit code of a wrong command line, as every verb of build.sh."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and where the options are explained."""
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n{self.prog} --help explains every option\n")


class between:  # noqa: N801 (argparse shows the name)
    """Reads a whole number in a range."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        """The number, or the error that argparse prints."""
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not self.least <= number <= self.most:
            raise argparse.ArgumentTypeError(f"{text} is not allowed: must be a whole number from {self.least} to {self.most}")
        return number
