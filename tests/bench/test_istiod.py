"""./build.sh bench istiod: what is made of the numbers that the proxies have counted."""

from typing import Any

import pytest

import istiod
from fleet import Group, Sent
from istiod import ELSEWHERE, LABELLED, UNLABELLED, Event

Json = dict[str, Any]

PLUGIN = "TypedExtensionConfig"


def counts(pushes: int, size: int, resources: int = 1) -> dict[str, int]:
    return {"pushes": pushes, "bytes": size, "resources": resources}


def test_what_istiod_has_sent_since_is_the_difference() -> None:
    earlier = Sent({LABELLED: {"Listener": counts(4, 400, 40)}})
    later = Sent({LABELLED: {"Listener": counts(6, 500, 50), PLUGIN: counts(2, 20, 2)}, UNLABELLED: {"Listener": counts(1, 7)}})
    since = later - earlier
    assert since.counts == {
        LABELLED: {"Listener": counts(2, 100, 10), PLUGIN: counts(2, 20, 2)},
        UNLABELLED: {"Listener": counts(1, 7)},
    }


def test_each_proxy_has_its_share() -> None:
    group = Group(LABELLED, "jobs", 2, "listener")
    each = Sent({LABELLED: {"Listener": counts(2, 100, 10), PLUGIN: counts(0, 0, 0)}}).each(group)
    assert each == {"pushes": 1, "bytes": 50, "types": {"Listener": {"pushes": 1, "bytes": 50, "resources": 5}}}
    assert Sent({}).each(group) == {"pushes": 0, "bytes": 0, "types": {}}


def sent(**types: int) -> Json:
    return {"pushes": len(types), "bytes": 1, "types": {kind: {"resources": resources} for kind, resources in types.items()}}


@pytest.mark.parametrize(
    ("event", "labelled", "elsewhere", "wrong"),
    [
        (Event("created", (LABELLED,), brings_plugin=True), sent(Listener=1, TypedExtensionConfig=1), sent(), []),
        # An answer without the plugin: istiod has it no more, or not yet.
        (
            Event("created", (LABELLED,), brings_plugin=True),
            sent(Listener=1, TypedExtensionConfig=0),
            sent(),
            ["created: the proxies with the label were not sent the plugin"],
        ),
        (
            Event("created", (LABELLED,)),
            sent(Listener=1),
            sent(Listener=1),
            ["created: the proxies elsewhere were sent something: has somebody else changed the mesh?"],
        ),
        (Event("nothing", ()), sent(), sent(), []),
    ],
)
def test_figures_that_cannot_be_believed_are_named(event: Event, labelled: Json, elsewhere: Json, wrong: list[str]) -> None:
    assert istiod.why_wrong(event, {LABELLED: labelled, ELSEWHERE: elsewhere}) == wrong
