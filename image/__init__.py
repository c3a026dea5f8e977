"""Makes, pushes and checks the two OCI images of exeunt, without a Docker daemon.

The law of this package: an image is a value. It depends on the files that go into it, the version, the revision and one date, and
on nothing of the machine that makes it; so two machines with the same files make the same digest.
"""
