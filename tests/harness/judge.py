"""Istio's own opinion of an image: the program of tests/images/judge, which build.sh compiles."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .paths import CACHE, Missing


class Judge:
    """Asks the code of pilot-agent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = CACHE / "tools" / "bin" / "istio-judge"
        self._asked = 0
        if not self._program.is_file():
            raise Missing(f"{self._program} is not there: run ./build.sh test image, which needs Go")

    def ask(self, url: str, docker_config: Path | None = None) -> dict[str, Any]:
        """What it says to the url of a WasmPlugin: `error`, or `file`, where it put the module."""
        self._asked += 1
        place = self._folder / str(self._asked)
        # Nobody's own credentials.
        environment = os.environ | {"DOCKER_CONFIG": str(docker_config or place)}
        argv = [str(self._program), str(place), url]
        run = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=60)
        answer: dict[str, Any] = json.loads(run.stdout)
        return answer
