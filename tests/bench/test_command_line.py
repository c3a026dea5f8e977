"""A wrong command line of ./build.sh bench."""

import sys

import pytest

import istiod
import jobs

KNOWN = ["--kubeconfig", "/nonexistent", "--agent-image", "a"]


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        (jobs, [], "the following arguments are required: --kubeconfig, --agent-image, --plugin-url"),
        (jobs, [*KNOWN, "--plugin-url", "https://a"], "--plugin-url must begin with oci://"),
        (
            istiod,
            ["--kubeconfig", "a", "--labelled", "0"],
            "argument --labelled: 0 is not allowed: must be a whole number",
        ),
    ],
)
def test_it_is_refused_in_words_and_by_the_exit_code_of_all_verbs(
    program: object, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    with pytest.raises(SystemExit) as ended:
        program.arguments()  # type: ignore[attr-defined]
    assert ended.value.code == 64
    first, last = capsys.readouterr().err.splitlines()
    assert said in first
    assert last.endswith(" --help explains every option")
