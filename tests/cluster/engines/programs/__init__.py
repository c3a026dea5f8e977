"""The programs that run in the cluster beside those of all runs; a ConfigMap brings them there."""
