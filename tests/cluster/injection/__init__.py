"""Ordinary Jobs, which get the agent from the cluster: `./build.sh e2e --inject istio|policy` runs these scenarios.

No pod of theirs has a line of exeunt's. What adds the agent works in the namespaces of the run alone, and is removed at its end.
"""
