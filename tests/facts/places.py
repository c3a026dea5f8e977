"""Compares the places with facts.yaml. Every mistake names both: the place that differs, and the line of the fact."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FACTS = "facts.yaml"
# A name of ours as a label or annotation. A Go module's path, such as exeunt.dev/tests, is none. To kubectl a "-" behind
# the name of a label says that it shall be removed.
_NAME = re.compile(r"(?<![\w./-])exeunt\.dev/[a-z]+(?:-[a-z]+)*(?!/|\w)")


@dataclass(frozen=True)
class Found:
    """A value that a place has."""

    file: Path
    line: int
    value: str
    # Where in the text it begins and ends.
    span: tuple[int, int]
    # What it has to be, what it is, and the line of facts.yaml that says so.
    expected: str
    what: str
    fact: int

    def mistake(self, root: Path) -> str:
        """The sentence about it, if it is wrong."""
        here = f"{self.file.relative_to(root)}:{self.line}"
        return f"{here} has {self.value}, but {FACTS}:{self.fact} has {self.expected}: {self.what}"


def mistakes(root: Path) -> list[str]:
    """Everything in a checkout that is not as its facts.yaml says."""
    wrong = [found.mistake(root) for found in places(root) if found.value != found.expected]
    return [*_silent(root), *wrong, *_unknown_names(root)]


def places(root: Path) -> Iterator[Found]:
    """Every place that has a value of a fact."""
    for fact in _facts(root)["facts"]:
        for place in fact["places"]:
            for file in _files(root, place):
                yield from _found(file, fact, place)
    yield from _containers(root)


def _found(file: Path, fact: dict[str, Any], place: dict[str, Any]) -> Iterator[Found]:
    text = file.read_text()
    for match in re.finditer(place["says"], text):
        line = text.count("\n", 0, match.start(1)) + 1
        yield Found(file, line, match[1], match.span(1), place.get("as", fact["value"]), fact["name"], fact["line"])


def _silent(root: Path) -> Iterator[str]:
    """Places that have nothing any more."""
    for fact in _facts(root)["facts"]:
        for place in fact["places"]:
            files = _files(root, place)
            silent = [str(file.relative_to(root)) for file in files if not re.search(place["says"], file.read_text())]
            if len(silent) == len(files) or ("each" in place and silent):
                names = ", ".join((place.get("each") and silent) or place["in"])
                yield f"{names}: nothing there is {place['says']}, but {FACTS}:{fact['line']} expects it: {fact['name']}"


def _unknown_names(root: Path) -> Iterator[str]:
    """Names of labels and annotations that are not listed, in everything that people read or apply."""
    document = _facts(root)
    for pattern in ("*.md", "*.yaml", "deploy/**/*", "docs/*.md", "airflow/src/**/*.py", "airflow/*.md"):
        for file in sorted(root.glob(pattern)):
            # The module can lie in the chart, and is no text.
            if not file.is_file() or file.name == FACTS or file.suffix == ".wasm":
                continue
            text = file.read_text()
            for match in _NAME.finditer(text):
                if match[0] not in document["names"]:
                    line = text.count("\n", 0, match.start()) + 1
                    yield f"{file.relative_to(root)}:{line} has {match[0]}, which is none of {FACTS}:{document['names_line']}"


def _containers(root: Path) -> Iterator[Found]:
    """Each field of each container of the agent in the files."""
    facts = yaml.compose((root / FACTS).read_text(), Loader=yaml.CSafeLoader)
    agent = _value(facts, "agent_container")
    wanted = dict(_leaves(_value(agent, "fields")))
    for pattern in _value(agent, "in").value:
        for file in sorted(root.glob(pattern.value)):
            containers = [
                node for document in yaml.compose_all(file.read_text(), Loader=yaml.CSafeLoader) for node in _agents(document)
            ]
            assert containers, f"{file.relative_to(root)} has no container with the name exeunt"
            for container in containers:
                for field, node in wanted.items():
                    # Tekton's name for the same.
                    parts = field.split(".")
                    got = _at(container, parts) or _at(container, ["computeResources", *parts[1:]])
                    value, mark = (got.value, got.start_mark) if got else ("nothing", container.start_mark)
                    span = (mark.index, got.end_mark.index if got else mark.index)
                    line = node.start_mark.line + 1
                    yield Found(file, mark.line + 1, value, span, node.value, f"{field} of the agent's container", line)


def _agents(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        name = _value(node, "name")
        if name is not None and name.value == "exeunt" and _value(node, "securityContext") is not None:
            yield node
    children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    if not isinstance(node, yaml.ScalarNode):
        for child in children:
            yield from _agents(child)


def _leaves(node: yaml.Node, path: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    if isinstance(node, yaml.ScalarNode):
        yield path, node
        return
    for number, child in enumerate(node.value):
        key, value = child if isinstance(child, tuple) else (None, child)
        name = key.value if key is not None else str(number)
        yield from _leaves(value, f"{path}.{name}" if path else name)


def _at(node: yaml.Node, parts: list[str]) -> yaml.ScalarNode | None:
    for part in parts:
        found = _value(node, part) if isinstance(node, yaml.MappingNode) else node.value[int(part)] if node.value else None
        if found is None:
            return None
        node = found
    return node if isinstance(node, yaml.ScalarNode) else None


def _value(node: yaml.Node, name: str) -> Any:
    return next((value for key, value in node.value if key.value == name), None)


def _files(root: Path, place: dict[str, Any]) -> list[Path]:
    patterns = place.get("each", place.get("in"))
    found = {pattern: [path for path in root.glob(pattern) if path.is_file()] for pattern in patterns}
    missing = [pattern for pattern, paths in found.items() if not paths]
    assert not missing, f"{FACTS}: no file is {', '.join(missing)}"
    return sorted({path for paths in found.values() for path in paths})


def _facts(root: Path) -> dict[str, Any]:
    """The document, with the line of each fact's value."""
    text = (root / FACTS).read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    top = yaml.compose(text, Loader=yaml.CSafeLoader)
    for fact, node in zip(document["facts"], _value(top, "facts").value, strict=True):
        fact["line"] = _value(node, "value").start_mark.line + 1
    document["names_line"] = _value(top, "names").start_mark.line
    return document
