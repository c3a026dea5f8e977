"""The spec of a job's pod: its containers as users prepare them for exeunt and as Istio injects the proxy."""

import errno
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containers import images
from containers.spec import Container, Form, Mode, Mount, Placement, PodSpec, Policy, Restarts, Rule
from harness import paths
from harness.envoy import command as envoy_command
from harness.pod import AGENT_UID, PROXY_UID, TASK_UID
from harness.release import NEWEST, binary
from harness.sidecar import Sidecar

_STATE_DIR = "/run/exeunt"
_DEFAULT_GRACE_PERIOD_S = 30
# The exit code for which the rules ask for a restart.
AGAIN = 42
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
    policy: Restarts = "Never"
    main_containers: Sequence[str] = ("base",)
    grace_period_s: int = _DEFAULT_GRACE_PERIOD_S
    # The rules of the main containers, if the policy is "rules".
    rules: Sequence[Rule] = (Rule("Restart", (AGAIN,)),)
    # Whether the agent is told the policy and the rules, and the names of the main containers.
    tells_restarts: bool = True
    tells_names: bool = True
    # Whether the kernel tells the agent how the processes of others have ended, as Linux 6.15 and newer do, and the agent's user.
    kernel_tells: bool = True
    agent_user: int = AGENT_UID
    # The user of the main containers, and whether they have the runtime's usual capabilities.
    task_user: int = TASK_UID
    task_capabilities: bool = False
    # Whether the main containers have the runtime's seccomp profile. Kubernetes gives them none unless they ask for one.
    task_seccomp: bool = True
    # The most memory of the agent, in MiB.
    agent_memory: int | None = None
    # More options of the agent.
    options: Sequence[str] = ()
    # Whether the agent has its folder, and whether the downward API and Envoy tell it the proxy's form.
    state_dir: bool = True
    status: bool = True
    envoy_tells: bool = True
    # Whether the user adds only the agent's container: it has no options, environment and folder, and the pod shares no
    # processes. By default that is so where kubelet tells the agent the end of the task.
    bare: bool | None = None
    # Whether the agent is told a grace period that is not Kubernetes' default.
    tells_grace_period: bool = True
    # Whether the agent is listed before a native proxy, which is wrong.
    agent_first: bool = False
    # Whether a webhook has removed restartPolicy from the container of a native agent, which is a plain init container then.
    stripped: bool = False
    # Containers that are neither main containers nor exeunt's or Istio's.
    helpers: list[Container] = field(default_factory=list)
    # Plain init containers.
    inits: list[Container] = field(default_factory=list)
    # For the named containers: the event that makes the image available.
    pulled: dict[str, threading.Event] = field(default_factory=dict)

    @property
    def is_bare(self) -> bool:
        """Whether the user adds only the agent's container."""
        if self.bare is not None:
            return self.bare
        return self.mode == "watch" and (self.placement, self.form) == ("native", "native") and self.envoy_tells

    @property
    def kubelet_tells(self) -> bool:
        """Whether kubelet tells the agent the end of the task, by SIGTERM."""
        return self.is_bare and (self.mode, self.placement, self.form) == ("watch", "native", "native")

    @property
    def pod_policy(self) -> Policy:
        """The restart policy in the pod's spec."""
        return "OnFailure" if self.policy == "OnFailure" else "Never"

    def _restarts(self) -> list[str]:
        """What the agent is told of restarts."""
        if not self.tells_restarts:
            return []
        rules = json.dumps([rule.as_json() for rule in self.rules], separators=(",", ":"))
        own = [word for name in self.main_containers for word in ("--restart-rules", f"{name}={rules}")]
        return ["--restart-policy", self.pod_policy, *(own if self.policy == "rules" else [])]

    def tell(self, sidecar: Sidecar) -> None:
        """Lets Envoy tell the form of the proxy and the pod's regular containers, as pilot-agent does."""
        if not self.envoy_tells:
            sidecar.injected(None)
            return
        regular = [*self.main_containers, *(helper.name for helper in self.helpers)]
        if self.mode == "watch" and self.placement == "regular":
            regular.insert(0, "exeunt")
        sidecar.injected("native" if self.form == "native" else "classic", *regular)

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
        native_agent = agent if self.placement == "native" else []
        sidecars = [*native_proxy, *([] if self.stripped else native_agent)]
        if self.agent_first:
            sidecars.reverse()
        containers = [*first, *(agent if self.placement == "regular" else []), *main, *self.helpers, *last]
        inits = [*(native_agent if self.stripped else []), *self.inits]
        return PodSpec(sidecars, containers, self.pod_policy, self.grace_period_s, inits)

    def add_helper(self, name: str, *command: str, user: int = TASK_UID, capabilities: bool = False) -> None:
        """Adds a helper container."""
        root = images.root(self.folder)
        self.helpers.append(Container(name, command, user, root, images.files(), capabilities=capabilities))

    def add_init(self, name: str, *command: str) -> None:
        """Adds a plain init container behind the sidecars."""
        root, pulled = images.root(self.folder), self.pulled.get(name)
        self.inits.append(Container(name, command, TASK_UID, root, images.files(), pulled=pulled))

    def _main(self, name: str, command: Sequence[str]) -> Container:
        words = list(command)
        options = ["--container", name, *self.options]
        if self.mode == "exec":
            options += [*self._restarts(), "--grace-period", f"{self.grace_period_s}s", "--log", "info"]
            words = [images.AGENT, "exec", *options, "--", *words]
        elif self.mode == "complete":
            complete = f"{images.AGENT} complete {' '.join(options)} --exit-code $code"
            words = ["/bin/sh", "-c", f'{images.AGENT} wait; "$@"; code=$?; {complete}; exit $code', "task", *words]
        environment = {} if self.mode in ("watch", "none") else self._istio_status()
        reports = images.is_task(command)
        pulled = self.pulled.get(name)
        root = images.root(self.folder)
        own: dict[str, Any] = {"restart_policy": "Never", "rules": self.rules} if self.policy == "rules" else {}
        own["capabilities"] = self.task_capabilities
        own["seccomp"] = None if self.task_seccomp else self._no_seccomp()
        return Container(name, words, self.task_user, root, images.files(), environment, reports, pulled=pulled, **own)

    def _agent(self) -> Container:
        # An image from scratch: it holds only the binary.
        root = self.folder / "scratch"
        if not root.exists():
            root.mkdir()
            shutil.copy(paths.agent(), root / "exeunt-agent")
        # The image's entry point.
        words = [images.AGENT]
        environment = {}
        mounts = []
        if not self.is_bare:
            words.append("watch")
            for name in self.main_containers if self.tells_names else ():
                words += ["--container", name]
            words += ["--placement", self.placement, *self._restarts(), "--state-dir", _STATE_DIR]
            environment = self._istio_status()
            if self.state_dir:
                mounts.append(self._state_dir())
        words += self.options
        if self.tells_grace_period and self.grace_period_s != _DEFAULT_GRACE_PERIOD_S:
            words += ["--grace-period", f"{self.grace_period_s}s"]
        seccomp = None if self.kernel_tells else self._old_kernel()
        pulled = self.pulled.get("exeunt")
        return Container(
            "exeunt", words, self.agent_user, root, mounts, environment, pulled=pulled, seccomp=seccomp, memory=self.agent_memory
        )

    def _no_seccomp(self) -> Path:
        """A seccomp profile that allows everything."""
        profile = self.folder / "no-seccomp.json"
        profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
        return profile

    def _old_kernel(self) -> Path:
        """A seccomp profile with which the kernel does not know PIDFD_GET_INFO, whatever the size of its struct."""
        ioctl = {"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 0xFFFF, "valueTwo": 0xFF0B}
        refused = {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOTTY, "args": [ioctl]}
        profile = self.folder / "old-kernel.json"
        profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}))
        return profile

    def _state_dir(self) -> Mount:
        volume = self.folder / "emptydir"
        volume.mkdir()
        volume.chmod(0o777)
        return Mount(volume, _STATE_DIR, writable=True)

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
