"""The version of this package. It is also the version of the agent that the package adds to pods."""

VERSION = "0.1.0"
