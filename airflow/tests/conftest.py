"""Runs before any test imports Airflow: gives it an empty home folder, and a configuration without exeunt's section."""

import os
import sys
import tempfile
from pathlib import Path

# For the harness of the end-to-end tests. pytest has this path from pyproject.toml; matrix.py, which is also a program, has not.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

_HOME = tempfile.mkdtemp(prefix="exeunt-airflow-home-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:////{_HOME}/airflow.db",
    # The operators need a connection of this name; it may be empty.
    "AIRFLOW_CONN_KUBERNETES_DEFAULT": "kubernetes://",
}
