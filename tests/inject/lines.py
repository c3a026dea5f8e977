"""Programs with the own code of Istio or Kubernetes, one for each line of releases. `build_lines` of build/go.sh builds them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from chart.programs import Said, run
from harness.paths import ROOT, Missing


@dataclass(frozen=True)
class Line:
    """One line, such as 1.24, and its program. A subclass says of whose releases."""

    # The tier that builds the programs of tests/TIER/judge, and the variable that names a folder with others.
    TIER: ClassVar[str]
    VARIABLE: ClassVar[str]
    # The line that judge/go.mod pins. Every other one has a module file of its own.
    NEWEST: ClassVar[str]

    line: str

    @classmethod
    def modules(cls) -> dict[str, Path]:
        """Each line, with the module file that pins its code."""
        judge = ROOT / "tests" / cls.TIER / "judge"
        return {path.stem: path for path in sorted((judge / "lines").glob("*.mod"))} | {cls.NEWEST: judge / "go.mod"}

    @classmethod
    def built(cls) -> list[str]:
        """The lines whose programs are there, the oldest first."""
        return [line for line in cls.modules() if cls(line).program.is_file()]

    @property
    def version(self) -> tuple[int, ...]:
        """The line as numbers."""
        return tuple(map(int, self.line.split(".")))

    @property
    def program(self) -> Path:
        """Its program, which may be missing."""
        return Path(os.environ.get(self.VARIABLE) or ROOT / ".cache" / "tools" / self.TIER) / self.line

    def run(self, *words: str | Path, text: str, **variables: str) -> Said:
        """Runs the program."""
        if not self.program.is_file():
            raise Missing(f"{self.program} does not exist: run ./build.sh test {self.TIER}, which needs Go")
        return run(self.program, *words, text=text, **variables)
