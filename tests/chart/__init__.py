"""What people install: the chart, the manifests and the samples."""
