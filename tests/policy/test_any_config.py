"""Whatever a pod's own proxy configuration is: the policy keeps its meaning and adds what is missing, or leaves it alone."""

import json
import random
from typing import Any

import yaml

from inject.test_options import job
from policy.server import Server
from policy.test_config import ADDED, CONFIG, KEPT, MERGED
from policy.test_options import KEEP, has_agent

SEED, TEXTS = 20261127, 400
WORDS = ("a", "true", "1", "12:30", "25s", "", "a: b", "# no comment", "{", "proxyMetadata", "it's", '"', "größer", "a\nb", "- a")
WORDS += ("proxyMetadata: {", 'a, "proxyMetadata": {', "a\nproxyMetadata:\n  a", "don't, proxyMetadata: {")
KEYS = ("concurrency", "tracing", "holdApplicationUntilProxyStarts", "extraStatTags", "discoveryAddress", "proxyMetadata")


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any value of YAML."""
    kind = chance.randrange(7 if depth < 2 else 4)
    if kind < 3:
        return chance.choice(WORDS)
    if kind == 3:
        return chance.choice([True, 0, 1.5, None])
    if kind == 4:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(WORDS) or "b": value(chance, depth + 1) for _ in range(chance.randrange(3))}


def config(chance: random.Random) -> Any:
    """Any configuration, which often has variables of its own."""
    found = {key: value(chance) for key in chance.sample(KEYS, chance.randrange(5))}
    if chance.random() < 0.6:
        names = chance.sample(["A", "B", *ADDED], chance.randrange(4))
        own = {name: ADDED.get(name, chance.choice(WORDS)) for name in names}
        found = dict(chance.sample([*found.items(), ("proxyMetadata", own)], len(found) + 1))
    return found


def text(chance: random.Random) -> str:
    """A configuration as somebody writes it, and sometimes as nobody should."""
    if chance.random() < 0.1:
        return chance.choice([*MERGED, *KEPT])
    how, found = chance.randrange(3), config(chance)
    if how == 0:
        said = json.dumps(found, indent=chance.choice([None, 1, 4]), ensure_ascii=False)
    else:
        said = yaml.safe_dump(
            found,
            sort_keys=False,
            indent=chance.choice([2, 4]),
            width=chance.choice([20, 200]),
            default_flow_style=chance.choice([None, False, True]),
            explicit_start=chance.random() < 0.1,
            allow_unicode=True,
        )
    lines = said.splitlines(keepends=True)
    for _ in range(chance.choice([0, 0, 1, 2])):
        where = chance.randrange(len(lines) + 1)
        match chance.randrange(5):
            case 0:
                lines.insert(where, chance.choice(["# proxyMetadata: {}\n", "  # why\n", "\n", "   \n"]))
            case 1:
                lines[where : where + 1] = []
            case 2:
                lines[where : where + 1] = ["  " + line for line in lines[where : where + 1]]
            case 3:
                lines = [line.rstrip("\n") + " # why\n" for line in lines]
            case 4:
                lines = [line.replace("\n", "\r\n") for line in lines]
    return "".join(lines)


def meaning(said: str) -> Any:
    """What a text says, or `None` if it is no configuration that Istio reads."""
    try:
        found = yaml.safe_load(said)
    except (yaml.YAMLError, ValueError):
        return None
    found = {} if found is None else found
    if not isinstance(found, dict) or not isinstance(found.get("proxyMetadata") or {}, dict):
        return None
    return None if any("proxyMetadata" in keys(one) for one in found.values()) else found


def keys(part: Any) -> set[Any]:
    """Every key in a part of a configuration. Istio has one field with that name, and refuses a field that it does not know."""
    if isinstance(part, dict):
        return set(part).union(*map(keys, part.values()))
    return set().union(*map(keys, part)) if isinstance(part, list) else set()


def test_any_configuration_keeps_its_meaning(server: Server) -> None:
    chance = random.Random(SEED)
    texts = [text(chance) for _ in range(TEXTS)]
    asked = []
    for said in texts:
        pod = job()
        pod["metadata"]["annotations"] = {CONFIG: said}
        asked.append(pod)
    changed = kept = 0
    for said, created in zip(texts, server.create(server.policies(**KEEP), asked), strict=True):
        before = meaning(said)
        if before is None or not has_agent(created):
            continue
        after = created.stored["metadata"]["annotations"][CONFIG]
        if after == said:
            kept += 1
            continue
        changed += 1
        assert meaning(after) == before | {"proxyMetadata": ADDED | (before.get("proxyMetadata") or {})}, (said, after)
    # Most of the readable ones are changed, and some are left alone.
    assert changed > TEXTS // 3
    assert kept > 0
