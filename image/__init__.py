"""Makes, pushes and checks the two OCI images of exeunt, without a Docker daemon.

The rule of this package: an image is a value. It depends on its files, the version, the revision and one date, and on nothing
else of the machine, so two machines with the same files make the same digest.
"""
