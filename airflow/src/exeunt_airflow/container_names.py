"""The names of containers in a pod, as their makers have chosen them."""

from importlib import resources

# Also the name of the agent's volume.
AGENT = "exeunt"
PROXY = "istio-proxy"
XCOM_HELPER = "airflow-xcom-sidecar"

_LINES = resources.files(__package__).joinpath("endless_helpers.txt").read_text().splitlines()
# Containers that never end by themselves, and that never are the task. Behind a name is the request that ends it, for the agent.
ENDLESS_HELPERS = tuple(line.split()[0] for line in _LINES if line and not line.startswith("#"))
