"""The spec of a job's pod: its containers as users prepare them for exeunt and as Istio injects the proxy."""

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containers import images
from containers.spec import Container, Form, Mode, Mount, Placement, PodSpec, Policy
from harness import paths
from harness.envoy import command as envoy_command
from harness.pod import AGENT_UID, PROXY_UID, TASK_UID
from harness.release import NEWEST, binary
from harness.sidecar import Sidecar

_STATE_DIR = "/run/exeunt"
# What the injector writes to the annotation sidecar.istio.io/status; a pod without a sidecar has no annotation.
_STATUS: dict[Form, dict[str, Any]] = {
    "classic": {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": "default"},
    "hold": {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": "default"},
    "native": {"initContainers": ["istio-init", "istio-proxy"], "containers": None, "revision": "default"},
}


@dataclass
class Blueprint:
    """What a test says about its pod. The defaults are those of the README."""

    folder: Path
    mode: Mode = "watch"
    placement: Placement = "native"
    form: Form = "classic"
    policy: Policy = "Never"
    main_containers: Sequence[str] = ("base",)
    grace_period_s: int = 30
    # More options of the agent.
    options: Sequence[str] = ()
    # Whether the agent has its folder, and whether it is told the proxy's form.
    state_dir: bool = True
    status: bool = True
    # Containers that are neither main containers nor exeunt's or Istio's.
    helpers: list[Container] = field(default_factory=list)
    # For the named containers: the event that makes the image available.
    pulled: dict[str, threading.Event] = field(default_factory=dict)

    def spec(
        self, command: Sequence[str], sidecar: Sidecar, wasm: Path, ready: Callable[[], bool], pre_stop: Callable[[], None]
    ) -> PodSpec:
        """The pod's spec. Every main container runs `command`, in the modes `exec` and `complete` together with the agent.

        `ready` is the proxy's readiness probe, `pre_stop` the preStop hook of a native proxy.
        """
        main = [self._main(name, command) for name in self.main_containers]
        agent = [self._agent()] if self.mode == "watch" else []
        proxy = [] if self.form == "absent" else [self._proxy(sidecar, wasm, ready, pre_stop)]
        native_proxy = proxy if self.form == "native" else []
        first = proxy if self.form == "hold" else []
        last = proxy if self.form == "classic" else []
        # The injector puts a native proxy before all other sidecars, and a regular one last, or first if the others wait for it.
        sidecars = [*native_proxy, *(agent if self.placement == "native" else [])]
        containers = [*first, *(agent if self.placement == "regular" else []), *main, *self.helpers, *last]
        return PodSpec(sidecars, containers, self.policy, self.grace_period_s)

    def add_helper(self, name: str, *command: str) -> None:
        """Adds a helper container."""
        self.helpers.append(Container(name, command, TASK_UID, images.root(self.folder), images.files()))

    def _main(self, name: str, command: Sequence[str]) -> Container:
        words = list(command)
        options = ["--container", name, *self.options]
        if self.mode == "exec":
            options += ["--restart-policy", self.policy, "--grace-period", f"{self.grace_period_s}s", "--log", "info"]
            words = [images.AGENT, "exec", *options, "--", *words]
        elif self.mode == "complete":
            complete = f"{images.AGENT} complete {' '.join(options)} --exit-code $code"
            words = ["/bin/sh", "-c", f'{images.AGENT} wait; "$@"; code=$?; {complete}; exit $code', "task", *words]
        environment = {} if self.mode in ("watch", "none") else self._istio_status()
        reports = images.is_task(command)
        pulled = self.pulled.get(name)
        root = images.root(self.folder)
        return Container(name, words, TASK_UID, root, images.files(), environment, reports, pulled=pulled)

    def _agent(self) -> Container:
        # An image from scratch: it holds only the binary.
        root = self.folder / "scratch"
        if not root.exists():
            root.mkdir()
            shutil.copy(paths.agent(), root / "exeunt-agent")
        words = [images.AGENT, "watch"]
        for name in self.main_containers:
            words += ["--container", name]
        words += ["--placement", self.placement, "--restart-policy", self.policy, *self.options]
        words += ["--grace-period", f"{self.grace_period_s}s"]
        words += ["--state-dir", _STATE_DIR]
        mounts = []
        if self.state_dir:
            volume = self.folder / "emptydir"
            volume.mkdir()
            volume.chmod(0o777)
            mounts.append(Mount(volume, _STATE_DIR, writable=True))
        return Container("exeunt", words, AGENT_UID, root, mounts, self._istio_status(), pulled=self.pulled.get("exeunt"))

    def _istio_status(self) -> dict[str, str]:
        if not self.status:
            return {}
        # Without a sidecar there is no annotation, and the downward API gives an empty value.
        return {"EXEUNT_ISTIO_STATUS": json.dumps(_STATUS[self.form]) if self.form in _STATUS else ""}

    def _proxy(self, sidecar: Sidecar, wasm: Path, ready: Callable[[], bool], pre_stop: Callable[[], None]) -> Container:
        executable = binary(NEWEST)
        work = self.folder / "istio-proxy"
        work.mkdir()
        work.chmod(0o777)
        module, bootstrap = work / "plugin.wasm", work / "envoy.json"
        shutil.copy(wasm, module)
        sidecar.write(bootstrap, wasm=module, access_log=work / "access.log")
        envoy = envoy_command(Path(images.ENVOY) / executable.name, bootstrap)
        mounts = [*images.files(), Mount(executable.parent, images.ENVOY), Mount(work, str(work), writable=True)]
        return Container(
            "istio-proxy",
            images.program("pilot_agent", "--exit-on-zero", "--", *envoy),
            PROXY_UID,
            images.root(self.folder),
            mounts,
            reports=True,
            is_started=ready if self.form in ("native", "hold") else None,
            pre_stop=pre_stop if self.form == "native" else None,
            pulled=self.pulled.get("istio-proxy"),
        )
