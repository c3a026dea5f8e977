"""The logger of this package."""

import functools
import logging

log = logging.getLogger("exeunt_airflow")


@functools.cache
def warn_once(text: str) -> None:
    """Logs each text once in a process, however many pods it is about."""
    log.warning("%s", text)
