"""Kyverno sees a pod after Istio's injector, and Istio's injector does not look again."""

import json
import re
from pathlib import Path

import pytest

from chart.programs import helm, run
from inject.releases import Release, chart_of
from kyverno.engine import HERE


def name_of_kyverno() -> str:
    """The name of the webhook configuration that Kyverno makes for the policies, in its source."""
    fetched = run("go", "mod", "download", "-C", HERE / "judge", "-json", "github.com/kyverno/kyverno")
    source = Path(json.loads(fetched.out)["Dir"]) / "pkg" / "config" / "config.go"
    found = re.search(r'\n\s+MutatingWebhookConfigurationName\s+= "(.+)"', source.read_text())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("revision", ["", "stable"])
def test_istio_comes_before_kyverno_and_never_again(revision: str) -> None:
    """The API server sorts webhook configurations by their names."""
    words = ("--set", f"revision={revision}") if revision else ()
    said = helm("template", "istiod", chart_of(min(Release.modules())), "--namespace", "istio-system", *words)
    webhooks = [one for one in said.documents if one["kind"] == "MutatingWebhookConfiguration"]
    assert webhooks
    for one in webhooks:
        assert one["metadata"]["name"] < name_of_kyverno()
        assert {webhook.get("reinvocationPolicy", "Never") for webhook in one["webhooks"]} == {"Never"}
