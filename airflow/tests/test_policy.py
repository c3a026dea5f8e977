"""The package as Airflow loads it: new processes of the real Airflow, with settings in the environment or in airflow.cfg."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import vectors

# What a scheduler does with each pod, here a number of times.
_PROGRAM = """
import json, sys
from airflow import settings
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient
pods = [PodGenerator.deserialize_model_file(path) for path in sys.argv[2:]]
for pod in pods * int(sys.argv[1]):
    settings.pod_mutation_hook(pod)
sys.stdout.write("\\n" + json.dumps([ApiClient().sanitize_for_serialization(pod) for pod in pods]))
"""

# What every process of Airflow does when it starts. Most of them never make a pod.
_START = """
import sys
import airflow.configuration, airflow.policies
before = set(sys.modules)
import exeunt_airflow.policy
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - {"exeunt_airflow"}))
"""

_LOCAL_SETTINGS = """from exeunt_airflow import pod_mutation_hook

__all__ = ["pod_mutation_hook"]
"""


class Run:
    """One process of Airflow, and what it did with the pods of these vectors."""

    def __init__(self, home: Path, *names: str, times: int = 1, **environment: str) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__EXEUNT")}
        env |= {"AIRFLOW_HOME": str(home), "AIRFLOW_CONFIG": str(home / "airflow.cfg"), "PYTHONPATH": str(home / "config")}
        env |= {f"AIRFLOW__EXEUNT__{key.upper()}": value for key, value in environment.items()}
        files = [str(vectors.FOLDER / f"{name}.in.yaml") for name in names or ("kpo-plain",)]
        argv = [sys.executable, "-c", _PROGRAM, str(times), *files]
        run = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == 0, run.stderr
        *lines, answer = run.stdout.splitlines()
        self.output = run.stderr + "\n".join(lines)
        self.pods: list[Any] = json.loads(answer)
        self.pod = self.pods[0]

    @property
    def agents(self) -> int:
        """The number of agents in the first pod."""
        containers = [*self.pod["spec"]["containers"], *(self.pod["spec"].get("initContainers") or [])]
        return [one["name"] for one in containers].count("exeunt")


def test_it_is_enough_to_install_the_package(tmp_path: Path) -> None:
    run = Run(tmp_path, proxy="keep", placement="regular")
    expected = vectors.load("kpo-plain.regular.out.yaml")
    run.pod["spec"]["containers"][0]["image"] = vectors.SETTINGS.image
    assert vectors.comparable(run.pod) == vectors.comparable(expected)


def test_local_settings_and_the_package_together_add_one_agent(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS)
    assert Run(tmp_path, proxy="keep", placement="regular").agents == 1


def test_settings_are_read_from_airflow_cfg_too(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[exeunt]\nproxy = native\nimage = mirror/agent:1\n")
    run = Run(tmp_path)
    assert run.pod["spec"]["initContainers"][0]["image"] == "mirror/agent:1"


def test_each_mistake_is_logged_at_the_start_and_with_the_first_pod_and_what_can_be_kept_is_kept(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[exeunt]\nplacment = native\nproxy = native\n")
    run = Run(tmp_path, signal_port="0", times=3)
    unknown, port = (
        "[exeunt] placment is not known: did you mean placement?",
        "[exeunt] signal_port is '0': must be a port, 1 to 65535",
    )
    assert run.output.count(unknown) == run.output.count(port) == 2
    assert run.output.count("exeunt is on: ") == 1
    # One line for the log of the task, however many pods its process makes.
    assert run.output.count(f"exeunt uses its defaults in place of settings with mistakes: {unknown}; {port}") == 1
    assert run.agents == 1


def test_pods_stay_unchanged_after_a_mistake_that_cannot_be_ignored(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[exeunt]\nimage_cmd = cat /etc/image\n")
    run = Run(tmp_path, memory_limit="1Mi", times=3)
    assert run.output.count("[exeunt] image_cmd has no effect") == 2
    assert run.output.count("[exeunt] memory_limit is '1Mi': must be ") == 2
    assert run.output.count("exeunt is off until") == 1
    assert run.output.count("exeunt leaves every pod unchanged, because of its settings: [exeunt] image_cmd ") == 1
    assert run.pod == vectors.plain(vectors.pod("kpo-plain"))


def test_a_command_in_the_environment_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path, image_cmd="cat /etc/image")
    assert "[exeunt] image_cmd has no effect" in run.output
    assert run.agents == 0


def test_pods_that_need_no_agent_cause_no_message(tmp_path: Path) -> None:
    names = ("host-network", "opted-out", "no-injection-label")
    run = Run(tmp_path, *names, proxy="keep", placement="regular")
    assert run.pods == [vectors.plain(vectors.pod(name)) for name in names]
    assert "exeunt" not in run.output


def test_it_imports_no_other_package_when_airflow_starts() -> None:
    run = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
