"""What people install: the chart, the manifests, the samples, and what the documents say of them."""
