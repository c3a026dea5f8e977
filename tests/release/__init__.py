"""How a release is made, and where everything comes from that the project downloads."""
