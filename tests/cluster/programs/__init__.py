"""What runs inside the cluster, in any image that has python3; it gets there by a ConfigMap."""
