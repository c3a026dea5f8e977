"""`kubectl exeunt end` by port-forward, with a real Envoy."""
