"""One run of the proxy's container."""

from containers.instance import Instance
from harness.ending import Ending
from harness.envoy import only_child


class Proxy:
    """The stand-in for pilot-agent and its Envoy. `ending` observes Envoy's end."""

    def __init__(self, instance: Instance) -> None:
        """Waits until Envoy runs."""
        self.instance = instance
        instance.report("started")
        self.ending = Ending(only_child(instance.pid), instance.describe)

    @property
    def running(self) -> bool:
        """Whether Envoy has not ended."""
        return self.ending.at is None

    def gone(self, within: float) -> float:
        """Waits for the end of Envoy and returns its time."""
        return self.ending.wait(within)
