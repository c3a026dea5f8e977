"""./build.sh e2e: the truth test, on any cluster that has Istio.

Nothing here knows where it runs: whatever it needs of a cluster it asks the API for, and what the cluster cannot do is skipped
with the reason. `kube` alone imports the Kubernetes client, and alone talks to the network; everything else is plain data, and
tested without a cluster.
"""
