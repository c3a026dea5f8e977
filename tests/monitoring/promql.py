"""The names of metrics and labels in an expression of PromQL. That the expression is right is for Prometheus to say."""

import re

# What Prometheus adds to each series that it scrapes.
_OF_TARGET = frozenset({"instance", "job"})
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def metrics(expression: str) -> set[str]:
    """The metrics, as they are called in the expression."""
    return set(re.findall(r"\bexeunt_\w+", _STRING.sub('""', expression)))


def labels(expression: str) -> set[str]:
    """The labels that it asks for: in matchers, and in the lists of aggregations and of vector matching."""
    plain = _STRING.sub('""', expression)
    matchers = [one for braces in re.findall(r"\{([^}]*)\}", plain) for one in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces)]
    keyword = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
    lists = [name.strip() for names in re.findall(keyword, plain) for name in names.split(",")]
    return {name for name in [*matchers, *lists] if name}


def scraped(text: str) -> dict[str, set[str]]:
    """The labels of each metric in a text of OpenMetrics', by the name that it has in PromQL."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, rest = line.rpartition(" ")[0].partition("{")
            found.setdefault(name, set(_OF_TARGET)).update(re.findall(r'(\w+)="', rest))
    return found


def mistakes(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What the expression asks for, and no metric has."""
    asked = metrics(expression)
    wrong = [f"there is no metric {name}" for name in sorted(asked - set(known))]
    if not asked:
        wrong.append("it asks for no metric of exeunt")
    having = set().union(*(known.get(name, set()) for name in asked))
    return wrong + [f"none of {', '.join(sorted(asked))} has a label {name}" for name in sorted(labels(expression) - having)]
