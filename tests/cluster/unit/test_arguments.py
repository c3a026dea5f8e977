"""Reading the command line."""

from pathlib import Path

import pytest

from cluster import usage
from cluster.arguments import Mistakes, read
from cluster.options import ALL

NAMES = ["slow", "short"]
NEEDED = ["--plugin-url", "oci://registry.example/exeunt@sha256:" + "0" * 64, "--agent-image", "registry.example/exeunt-agent:1"]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    file = tmp_path / "kubeconfig"
    file.write_text("{}")
    return str(file)


def mistakes(words: list[str], environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Mistakes) as raised:
        read(words, NAMES, environment or {})
    return raised.value.lines


def test_a_whole_command_line_is_read(kubeconfig: str, tmp_path: Path) -> None:
    words = [
        "--kubeconfig",
        kubeconfig,
        *NEEDED,
        "--only",
        "slow",
        "short",
        "--parallel=8",
        "--keep",
        "--report",
        str(tmp_path / "new"),
    ]
    options = read([*words, "--namespace", "own", "--revision", "1-29", "--task-image", "python:3"], NAMES, {})
    assert options.kubeconfig == Path(kubeconfig)
    assert (options.plugin_url, options.agent_image, options.task_image) == (NEEDED[1], NEEDED[3], "python:3")
    assert (options.only, options.parallel, options.keep, options.report) == (["slow", "short"], 8, True, tmp_path / "new")
    assert (options.namespace, options.revision, options.install) == ("own", "1-29", "manifests")


def test_a_pattern_stands_for_all_scenarios_that_match(kubeconfig: str) -> None:
    words = ["--kubeconfig", kubeconfig, *NEEDED]
    assert read([*words, "--only", "s*"], NAMES, {}).only == NAMES
    assert read([*words, "--only", "*rt"], NAMES, {}).only == ["short"]


def test_without_kubeconfig_the_environment_names_the_cluster(kubeconfig: str) -> None:
    assert read(NEEDED, NAMES, {"KUBECONFIG": kubeconfig}).kubeconfig == Path(kubeconfig)


def test_a_wrong_path_in_the_environment_is_named_as_such(kubeconfig: str) -> None:
    (line,) = mistakes(NEEDED, {"KUBECONFIG": f"{kubeconfig}:/nowhere"})
    assert line.startswith(f"$KUBECONFIG={kubeconfig}:/nowhere is not allowed: must be one file that exists")


def test_without_options_every_missing_one_is_named_with_how_to_get_the_images() -> None:
    lines = mistakes([])
    assert [line.split()[0] for line in lines] == ["--kubeconfig", "--plugin-url", "--agent-image"]
    assert all("./build.sh image --push" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--foo"], "--foo is not a known option: must be one of --kubeconfig, "),
        (["bar"], "bar is not a known option"),
        (["--parallel", "0"], "--parallel 0 is not allowed: must be a whole number from 1 to 32"),
        (["--parallel", "many"], "--parallel many is not allowed"),
        (["--load", "0"], "--load 0 is not allowed: must be a whole number from 1 to 1000"),
        (["--load", "1.5"], "--load 1.5 is not allowed"),
        (["--namespace", "Own"], "--namespace Own is not allowed: must be at most 50 small letters, digits and dashes"),
        (["--namespace", "a" * 51], f"--namespace {'a' * 51} is not allowed"),
        (["--revision", "1 29"], "--revision 1 29 is not allowed"),
        (["--install", "operator"], "--install operator is not allowed: must be manifests or chart"),
        (
            ["--plugin-url", "registry.example/exeunt:1"],
            "--plugin-url registry.example/exeunt:1 is not allowed: must be an address",
        ),
        (["--agent-image", "docker://x"], "--agent-image docker://x is not allowed: must be an image"),
        (["--task-image", "two words"], "--task-image two words is not allowed"),
        (["--only", "fast"], "--only fast is not allowed: must be one of slow, short"),
        (["--only", "f*"], "--only f* is not allowed: must be one of slow, short"),
        (["--only"], "--only needs a value"),
        (["--report", "/nowhere/at/all"], "--report /nowhere/at/all is not allowed: must be a folder"),
        (["--render", "/nowhere.json"], "--render /nowhere.json is not allowed: must be the e2e.json file"),
        (["--kubeconfig", "/nowhere"], "--kubeconfig /nowhere is not allowed: must be a file that exists"),
        (["--keep=yes"], "--keep=yes is not allowed: it takes no value"),
        (["--parallel", "1", "--parallel", "2"], "--parallel is given twice"),
        (
            ["--install", "chart", "--plugin-url", "http://example/exeunt.wasm"],
            "--plugin-url http://example/exeunt.wasm is not allowed with --install chart",
        ),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_is_allowed(words: list[str], line: str) -> None:
    assert [one for one in mistakes(words) if one.startswith(line)], mistakes(words)


def test_all_mistakes_are_named_at_once() -> None:
    assert len(mistakes(["--foo", "--parallel", "0", "--only", "fast", "--agent-image", "docker://x"])) == 6


def test_with_a_load_everything_may_take_longer(kubeconfig: str) -> None:
    words = ["--kubeconfig", kubeconfig, *NEEDED]
    assert (read(words, NAMES, {}).load, read(words, NAMES, {}).slack) == (0, 1)
    assert (read([*words, "--load", "20"], NAMES, {}).load, read([*words, "--load", "20"], NAMES, {}).slack) == (20, 3)


def test_list_help_and_render_need_no_cluster() -> None:
    assert read(["--list"], NAMES, {}).listing
    assert read(["-h"], NAMES, {}).help
    assert read(["--render", __file__], NAMES, {}).render == [__file__]


def test_the_help_explains_every_option_with_its_value() -> None:
    lines = usage.text().splitlines()
    for option in ALL:
        assert [line for line in lines if line.startswith(f"  {option.flag} {option.value}".rstrip())], option.flag
    assert max(len(line) for line in lines) <= 100


def source(kubeconfig: str, *words: str) -> list[str]:
    return ["--kubeconfig", kubeconfig, "--agent-image", NEEDED[3], *words]


def test_a_filter_without_a_registry_comes_from_a_file_of_the_proxy(kubeconfig: str, tmp_path: Path) -> None:
    file = tmp_path / "exeunt.wasm"
    file.write_bytes(b"\0asm")
    options = read(source(kubeconfig, "--inject", "istio", "--source", "configMap", "--module", str(file)), NAMES, {})
    assert (options.inject, options.source, options.module) == ("istio", "configMap", file)
    assert options.plugin_url == "file:///etc/exeunt/plugin.wasm"
    options = read(source(kubeconfig, "--inject", "policy", "--source", "imageVolume"), NAMES, {})
    assert (options.inject, options.module, options.plugin_url) == ("policy", None, "file:///etc/exeunt/plugin.wasm")
    options = read([*source(kubeconfig, "--inject", "istio"), *NEEDED[:2]], NAMES, {})
    assert (options.source, options.plugin_url) == ("oci", NEEDED[1])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--inject", "istio", "--source", "configMap"], "--module is missing: the filter's file, such as target/exeunt.wasm"),
        (
            ["--source", "imageVolume"],
            "--source imageVolume is not allowed without --inject: only injected Jobs get the filter's file",
        ),
        (
            ["--inject", "istio", "--source", "imageVolume", "--install", "chart"],
            "--source imageVolume is not allowed with --install chart: must be oci",
        ),
        (
            ["--inject", "istio", "--source", "imageVolume", *NEEDED[:2]],
            "--plugin-url is not allowed with --source imageVolume: proxies load the filter from a file",
        ),
        (
            ["--inject", "istio", "--source", "imageVolume", "--module", __file__],
            "--module is not allowed with --source imageVolume: only a ConfigMap is made of it",
        ),
        (
            ["--inject", "istio", *NEEDED[:2], "--module", __file__],
            "--module is not allowed with --source oci: only a ConfigMap is made of it",
        ),
        (["--inject", "webhook", *NEEDED[:2]], "--inject webhook is not allowed: must be istio, policy or kyverno"),
        (
            ["--inject", "istio", *NEEDED[:2], "--engines", "argo"],
            "--inject and --engines are not allowed together: each has scenarios of its own",
        ),
    ],
)
def test_a_wrong_source_is_named(kubeconfig: str, words: list[str], line: str) -> None:
    assert mistakes(source(kubeconfig, *words)) == [line]


def test_ordinary_jobs_have_scenarios_of_their_own(kubeconfig: str) -> None:
    words, names = ["--kubeconfig", kubeconfig, *NEEDED], [*NAMES, "inject-plain", "inject-slow"]
    assert read([*words, "--inject", "istio", "--only", "*"], names, {}).only == ["inject-plain", "inject-slow"]
    assert read([*words, "--only", "*slow"], names, {}).only == ["slow"]
    with pytest.raises(Mistakes, match="--only inject-plain is not allowed: must be one of slow, short"):
        read([*words, "--only", "inject-plain"], names, {})
