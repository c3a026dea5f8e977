"""The package as Airflow loads it: fresh processes of the real one, with settings in the environment or in airflow.cfg."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vectors

# What a scheduler does with a pod, and what the process has imported before it.
_PROGRAM = """
import json, sys
import airflow
from airflow import settings
early = [name for name in ("kubernetes.client", "kubernetes_asyncio") if "exeunt_airflow" in sys.modules and name in sys.modules]
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient
pod = PodGenerator.deserialize_model_file(sys.argv[1])
for _ in range(int(sys.argv[2])):
    settings.pod_mutation_hook(pod)
sys.stdout.write("\\n" + json.dumps({"pod": ApiClient().sanitize_for_serialization(pod), "early": early}))
"""

_LOCAL_SETTINGS = """from exeunt_airflow import pod_mutation_hook

__all__ = ["pod_mutation_hook"]
"""


class Run:
    """One process's outcome."""

    def __init__(self, home: Path, name: str = "kpo-plain", *, pods: int = 1, **environment: str) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__EXEUNT")}
        env |= {"AIRFLOW_HOME": str(home), "AIRFLOW_CONFIG": str(home / "airflow.cfg"), "PYTHONPATH": str(home / "config")}
        env |= {f"AIRFLOW__EXEUNT__{key.upper()}": value for key, value in environment.items()}
        argv = [sys.executable, "-c", _PROGRAM, str(vectors.FOLDER / f"{name}.in.yaml"), str(pods)]
        run = subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == 0, run.stderr
        self.said = run.stderr + run.stdout
        answer = json.loads(run.stdout.splitlines()[-1])
        self.pod: Any = answer["pod"]
        self.early: list[str] = answer["early"]

    @property
    def agents(self) -> int:
        """How many agents the pod has."""
        containers = [*self.pod["spec"]["containers"], *(self.pod["spec"].get("initContainers") or [])]
        return [one["name"] for one in containers].count("exeunt")


def test_the_installed_package_is_all_it_takes(tmp_path: Path) -> None:
    run = Run(tmp_path, placement="regular")
    golden = vectors.load("kpo-plain.regular.out.yaml")
    run.pod["spec"]["containers"][0]["image"] = vectors.SETTINGS.image
    assert vectors.comparable(run.pod) == vectors.comparable(golden)


def test_local_settings_and_the_package_together_add_one_agent(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS)
    assert Run(tmp_path, placement="regular").agents == 1


def test_settings_are_read_from_airflow_cfg_too(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[exeunt]\nplacement = native\nimage = mirror/agent:1\n")
    run = Run(tmp_path)
    assert run.pod["spec"]["initContainers"][0]["image"] == "mirror/agent:1"


def test_mistakes_are_told_once_by_name_and_pods_go_out_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text("[exeunt]\nplacment = native\n")
    run = Run(tmp_path, signal_port="0", pods=3)
    assert run.said.count("[exeunt] placment is not known: must be one of enabled,") == 1
    assert run.said.count("[exeunt] signal_port is '0': must be a port, 1 to 65535") == 1
    assert run.said.count("exeunt is off until") == 1
    assert run.pod == vectors.plain(vectors.pod("kpo-plain"))


def test_an_airflow_that_makes_no_pods_does_not_load_the_kubernetes_client_for_us(tmp_path: Path) -> None:
    run = Run(tmp_path, placement="regular")
    without = subprocess.run(
        [sys.executable, "-c", "import sys, exeunt_airflow.policy; print('kubernetes' in sys.modules)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    # Airflow 2.8 loads it by itself, and so that counts only where it did not.
    alone = subprocess.run(
        [sys.executable, "-c", "import sys, airflow.policies, airflow.configuration; print('kubernetes' in sys.modules)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert without.stdout.split()[-1] == alone.stdout.split()[-1], run.early


@pytest.mark.parametrize("name", ["host-network", "opted-out"])
def test_pods_of_others_pass_in_silence(name: str, tmp_path: Path) -> None:
    run = Run(tmp_path, name, placement="regular")
    assert run.agents == 0
    assert "exeunt" not in run.said.replace(json.dumps(run.pod), "").replace("exeunt.dev/drain", "")
