"""The programs that run in the cluster, in any image with python3; a ConfigMap brings them there."""
