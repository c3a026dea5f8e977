# shellcheck shell=bash
# The verb e2e: the scenarios of tests/cluster on a cluster with Istio.

verb_e2e() {
    use_cluster_venv || exit 1
    cd "$CALLER"
    PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -P -m cluster "$@"
}

# A Python environment of its own, because the Kubernetes client brings two dozen packages that no other test needs. It is made again
# whenever tests/cluster/requirements.txt has changed.
use_cluster_venv() {
    use_venv
    local own=$CACHE/venv-cluster
    if ! cmp --silent tests/cluster/requirements.txt "$own/requirements.txt"; then
        step venv-cluster "making a Python environment in .cache/venv-cluster" "$PYTHON" -m venv --clear "$own" &&
            step pip-cluster "installing tests/cluster/requirements.txt" "$own/bin/python" -m pip install --disable-pip-version-check \
                --no-input --requirement tests/cluster/requirements.txt || return
        cp tests/cluster/requirements.txt "$own/requirements.txt"
    fi
    PYTHON=$own/bin/python
}
