"""./build.sh e2e: runs exeunt's scenarios on a real cluster with Istio.

Nothing in this package depends on a certain cluster: it asks the API what it needs to know, and skips with a reason what the
cluster cannot do. Only `kube` imports the Kubernetes client and uses the network; everything else is plain data and is tested
without a cluster.
"""
