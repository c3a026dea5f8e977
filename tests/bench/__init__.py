"""The logic of ./build.sh bench on a cluster, without a cluster."""
