"""A Kubernetes cluster for Airflow to talk to: an API server over HTTP, and a kubelet that runs the pods.

Airflow itself is never replaced: everything that it knows about a pod, its own code has requested from this API server.
"""
