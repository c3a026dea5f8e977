"""The programs that run in the cluster beside those of the package `cluster`; a ConfigMap brings them there."""
