"""The scenes of the end-to-end tier: a pod on this machine's network."""

from e2e.conftest import folder, make_scene, pytest_runtest_makereport, scene

__all__ = ["folder", "make_scene", "pytest_runtest_makereport", "scene"]
