"""What ./build.sh e2e thinks, tested without a cluster."""
