"""The version of this package, which is the version of the agent that it adds."""

VERSION = "0.1.0"
