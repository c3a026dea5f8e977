"""Runs a real Envoy beside a real task, for the tests, the demo and the benchmark.

Rules of this package: it uses the standard library only, it decides nothing, and the code that starts a process also ends it. All
times are `time.monotonic()`, which is the same clock in every process of a machine.
"""
