"""The scenarios of workflow engines: `./build.sh e2e --engines argo tekton` runs them with the engines' own controllers.

Each scenario starts a sample of deploy/samples with a task of its own, and lets the engine make the pod. The engine must be
in the cluster already. Everything else is as in the package `cluster`, whose programs, pods and reports these scenarios use.
"""
