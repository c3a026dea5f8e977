# shellcheck shell=bash
# The verb e2e: the scenarios of tests/cluster on a cluster with Istio.

verb_e2e() {
    use_cluster_venv || exit 1
    [[ " $* " != *" --airflow "* ]] || use_airflow_for_cluster
    cd "$CALLER"
    PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -P -m cluster "$@"
}

# A Python environment of its own, because the Kubernetes client brings two dozen packages that no other test needs.
use_cluster_venv() {
    use_environment "$CACHE/venv-cluster" tests/cluster/requirements.txt || return
    PYTHON=$CACHE/venv-cluster/bin/python
}

# The Python with Airflow whose operators run here; empty, which the program reports, if it cannot be installed.
use_airflow_for_cluster() {
    local version=${AIRFLOWS[0]}
    EXEUNT_AIRFLOW_PYTHON=
    ! use_airflow "$version" || EXEUNT_AIRFLOW_PYTHON=$CACHE/airflow-venv-$version/bin/python
    export EXEUNT_AIRFLOW_PYTHON
}
