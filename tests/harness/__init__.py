"""What a test, the demo and the benchmark need to run a real Envoy beside a real task.

The law of this package: standard library only, nothing is decided here, and whatever was started is ended by the one that
started it. Every time is `time.monotonic()`, which all processes of a machine share.
"""
