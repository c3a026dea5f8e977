"""Whether Istio accepts an image: runs the program of tests/images/judge, which build.sh compiles."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .paths import CACHE, Missing


class Judge:
    """Runs pilot-agent's own code that fetches a plugin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = CACHE / "tools" / "bin" / "istio-judge"
        self._calls = 0
        if not self._program.is_file():
            raise Missing(f"{self._program} does not exist: run ./build.sh test image, which needs Go")

    def ask(self, url: str, docker_config: Path | None = None) -> dict[str, Any]:
        """Fetches the `url` of a WasmPlugin. The result has `error`, or `file`: the path of the module."""
        self._calls += 1
        folder = self._folder / str(self._calls)
        # Without a `docker_config` the program must not use the credentials of the user who runs the test.
        environment = os.environ | {"DOCKER_CONFIG": str(docker_config or folder)}
        argv = [str(self._program), str(folder), url]
        run = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=60)
        answer: dict[str, Any] = json.loads(run.stdout)
        return answer
