"""Before any test imports Airflow: a home of its own, and a configuration that says nothing of exeunt."""

import os
import sys
import tempfile
from pathlib import Path

# The harness of the end-to-end tests; pytest is told of it in pyproject.toml, the programs beside the tests are not.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

_HOME = tempfile.mkdtemp(prefix="exeunt-airflow-home-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:////{_HOME}/airflow.db",
    # The operator wants the connection to exist; there is nothing in it.
    "AIRFLOW_CONN_KUBERNETES_DEFAULT": "kubernetes://",
}
