"""What the package says goes to one logger, and is said once where it would be the same every time."""

import functools
import logging

log = logging.getLogger("exeunt_airflow")


@functools.cache
def warn_once(text: str) -> None:
    """The same text is a warning once in a process."""
    log.warning("%s", text)
