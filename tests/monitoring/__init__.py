"""The dashboard and the alerts of deploy/monitoring, by the metrics that exist, by promtool and by a real Prometheus."""
