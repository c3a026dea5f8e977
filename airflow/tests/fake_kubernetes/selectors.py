"""Label selectors, as far as Airflow uses them."""

from typing import Any


def matches(selector: str, candidate: Any) -> bool:
    """Whether the labels of an object match a selector such as `a=b,c!=d,!e,f`."""
    labels = candidate["metadata"].get("labels") or {}
    return all(_term_matches(term, labels) for term in filter(None, selector.split(",")))


def _term_matches(term: str, labels: dict[str, str]) -> bool:
    if term.startswith("!"):
        return term[1:] not in labels
    if "!=" in term:
        name, _, value = term.partition("!=")
        return labels.get(name) != value
    if "=" in term:
        name, _, value = term.partition("=")
        return labels.get(name) == value.removeprefix("=")
    return term in labels
