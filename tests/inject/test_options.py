"""Who gets the agent, and what the options of the template change."""

from itertools import pairwise

import pytest

from chart.programs import Resource
from inject import pods
from inject.answers import agent, has_agent, injected, reason
from inject.pods import AGENT, changed, job, labelled, plain
from inject.releases import Release
from inject.template import with_options

NAMESPACE = "airflow"


def always(pod: Resource) -> Resource:
    """The pod with a restart policy with which it never ends."""
    pod["spec"]["restartPolicy"] = "Always"
    return pod


def of_cron_job() -> Resource:
    """The pod of a CronJob, whose Job has the minute in its name."""
    pod = plain()
    pod["metadata"]["name"] = "report-29400000"
    return pods.of_job(pod)


WHO = {
    "a Job's pod": (job, True, False),
    "a CronJob's pod": (of_cron_job, True, False),
    "a Job's pod with off": (lambda: labelled("off", job()), False, False),
    "a Job's pod with on": (lambda: labelled("on", job()), True, True),
    "a pod of nobody": (plain, False, False),
    "a pod of nobody with on": (lambda: labelled("on", plain()), True, True),
    "a Deployment's pod": (lambda: always(pods.of_job(plain(), "apps/v1", "ReplicaSet")), False, False),
    "a Job of another kind": (lambda: pods.of_job(plain(), "batch.volcano.sh/v1alpha1", "Job"), False, False),
}


@pytest.mark.parametrize("who", WHO)
def test_the_pods_of_jobs_and_labelled_pods_get_the_agent(who: str, release: Release, native: bool) -> None:
    make, of_jobs, only_labelled = WHO[who]
    (by_default,) = release.inject(with_options(), native, [make()])
    (by_label,) = release.inject(with_options(select='"labelled"'), native, [make()])
    assert (has_agent(by_default), has_agent(by_label)) == (of_jobs, only_labelled)


@pytest.mark.parametrize(
    ("said", "select", "label", "expected"),
    [
        ("off", "jobs", None, False),
        ("on", "labelled", None, True),
        # The label of the pod comes before the word of its namespace.
        ("off", "jobs", "on", True),
        ("on", "labelled", "off", False),
    ],
)
def test_a_namespace_says_on_or_off_for_its_jobs_by_a_proxy_config(
    said: str, select: str, label: str | None, expected: bool, release: Release, native: bool
) -> None:
    pod = labelled(label, job()) if label else job()
    values = with_options(select=f'"{select}"')
    (answer,) = release.inject(values, native, [pod], {NAMESPACE: {"EXEUNT_DRAIN": said}})
    (elsewhere,) = release.inject(values, native, [pod], {"other": {"EXEUNT_DRAIN": said}})
    assert has_agent(answer) is expected
    assert has_agent(elsewhere) is ((label or {"jobs": "on", "labelled": "off"}[select]) == "on")


def test_a_pod_that_asks_for_another_form_of_proxy_gets_the_agent_for_it(release: Release, native: bool) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {"sidecar.istio.io/nativeSidecar": "false" if native else "true"}
    having = injected(release, native, pod)
    assert ("istio-proxy" in pods.names(having, "initContainers")) is not native
    assert having["spec"].get("shareProcessNamespace", False) is native


def argo() -> Resource:
    """A pod of an Argo workflow, which asks for the agent."""
    pod = labelled("on", plain())
    pod["metadata"]["labels"]["workflows.argoproj.io/workflow"] = "report"
    return pod


REASONS = {
    "restartPolicy is Always": (lambda: changed(restartPolicy="Always"), True),
    'exeunt.dev/drain is "yes"': (lambda: labelled("yes", job()), True),
    'exeunt.dev/drain is ""': (lambda: labelled("", job()), True),
    'exeunt.dev/drain is "": must be on or off': (lambda: labelled("", plain()), True),
    "shareProcessNamespace is false": (lambda: changed(shareProcessNamespace=False), False),
    "the process namespace of its node": (lambda: changed(hostPID=True), False),
    "a volume named exeunt": (lambda: changed(volumes=[{"name": AGENT, "emptyDir": {}}]), False),
    "Argo": (argo, False),
}


@pytest.mark.parametrize("why", REASONS)
def test_a_pod_that_cannot_have_the_agent_says_why(why: str, release: Release, native: bool) -> None:
    make, in_both_forms = REASONS[why]
    (answer,) = release.inject(with_options(), native, [make()])
    if native and not in_both_forms:
        assert (has_agent(answer), reason(answer)) == (True, "")
    else:
        assert not has_agent(answer)
        assert why in reason(answer)


def test_without_the_plugin_the_proxy_gets_no_listener(release: Release, native: bool) -> None:
    pod = injected(release, native, signalPort='""')
    assert pods.agent_of(pod)
    told = pods.variables(pods.proxy_of(pod))
    assert "ISTIO_META_HTTP_PROXY_PORT" not in told
    assert ("EXIT_ON_ZERO_ACTIVE_CONNECTIONS" in told) is not native


def test_another_port_is_told_to_both(release: Release, native: bool) -> None:
    pod = injected(release, native, signalPort='"16000"')
    assert pods.variables(pods.proxy_of(pod))["ISTIO_META_HTTP_PROXY_PORT"] == "16000"
    assert pods.agent_of(pod)[1]["args"][-2:] == ["--signal-port", "16000"]


def test_an_annotation_names_the_main_containers(release: Release) -> None:
    pod = job()
    pod["spec"]["containers"].append({"name": "log-shipper", "image": "shipper"})
    pod["metadata"]["annotations"] = {"exeunt.dev/container": "base"}
    told = agent(release, False, pod)["args"]
    assert told[:4] == ["watch", "--container", "base", "--placement"]


@pytest.mark.parametrize(("said", "expected"), [("", ["base", "log-shipper"]), (" log-shipper ,", ["log-shipper"])])
def test_empty_names_are_no_containers(said: str, expected: list[str], release: Release) -> None:
    pod = job()
    pod["spec"]["containers"].append({"name": "log-shipper", "image": "shipper"})
    pod["metadata"]["annotations"] = {"exeunt.dev/container": said}
    told = agent(release, False, pod)["args"]
    assert [after for before, after in pairwise(told) if before == "--container"] == expected


def test_a_name_that_no_container_has_is_a_mistake_where_it_counts(release: Release, native: bool) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {"exeunt.dev/container": "base,bass,istio"}
    (answer,) = release.inject(with_options(), native, [pod])
    assert has_agent(answer) is native
    assert reason(answer) == ("" if native else 'exeunt.dev/container names "bass": the pod has no such container')


def test_another_helper_is_no_main_container(release: Release) -> None:
    pod = job()
    pod["spec"]["containers"].append({"name": "log-shipper", "image": "shipper"})
    told = agent(release, False, pod, helpers='list "log-shipper"')["args"]
    assert told[:4] == ["watch", "--container", "base", "--placement"]


@pytest.mark.parametrize(("own", "expected"), [(None, 300), (60, 300), (600, 600)])
def test_a_grace_period_is_raised_beside_a_native_proxy(own: int | None, expected: int, release: Release, native: bool) -> None:
    pod = job() if own is None else changed(terminationGracePeriodSeconds=own)
    having = injected(release, native, pod, gracePeriod='"300"')
    wanted = expected if native else own
    assert having["spec"].get("terminationGracePeriodSeconds") == wanted
    told = pods.agent_of(having)[1]["args"]
    assert (f"{wanted}s" in told) is (wanted is not None)


def test_pods_of_root_share_nothing_if_the_option_says_so(release: Release, native: bool) -> None:
    form = "native" if native else "classic"
    names = [name for name in pods.NAMES if pods.expected(name, form)]
    asked = [pods.vector(name) for name in names]
    answers = release.inject(with_options(shareProcesses='"unless-root"'), native, asked)
    stays = [name for name, answer in zip(names, answers, strict=True) if not has_agent(answer)]
    # Beside a native proxy only a pod that ends helpers shares its processes.
    assert stays == (["helpers"] if native else pods.load("unless-root.yaml"))
    # Istio before 1.28 does not show the restart rules of two of them, and that is the reason there.
    reasons = [reason(one) for name, one in zip(names, answers, strict=True) if name in stays]
    assert all("may run as root" in one or "does not show the restartPolicyRules" in one for one in reasons)


def test_no_pod_shares_its_processes_if_the_option_says_so(release: Release, native: bool) -> None:
    (answer,) = release.inject(with_options(shareProcesses='"never"'), native, [job()])
    assert has_agent(answer) is native
    assert native or "shareProcesses is never" in reason(answer)


def test_a_pod_can_choose_the_template_where_it_is_no_default(release: Release, native: bool) -> None:
    pod = job()
    (without,) = release.inject(with_options(), native, [pod], defaults=["sidecar"])
    assert not has_agent(without)
    pod["metadata"]["annotations"] = {"inject.istio.io/templates": "sidecar,exeunt"}
    (having,) = release.inject(with_options(), native, [pod], defaults=["sidecar"])
    assert has_agent(having)


def test_istio_refuses_every_pod_if_a_default_template_is_missing(release: Release, native: bool) -> None:
    """So the page says: remove both in one command."""
    (answer,) = release.inject(with_options(), native, [pods.plain()], defaults=["sidecar", "exeunt", "gone"])
    assert 'requested template "gone" not found' in answer.refused
