"""What a measurement has seen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One moment of a case."""

    # Since the scheduler saw its first slot in use.
    at_s: float
    slots: int
    pods: int
    # Those whose task has ended while the pod still runs: the proxy drains, or never ends.
    stuck: int
    # Tasks that have succeeded.
    succeeded: int


@dataclass(frozen=True)
class Case:
    """A run of the scheduler."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def last(self) -> Sample:
        """The last moment."""
        return self.samples[-1]


@dataclass(frozen=True)
class Result:
    """Both runs."""

    tasks: int
    slots: int
    airflow: str
    kubernetes: str
    cases: tuple[Case, ...]


def read(document: dict[str, object]) -> Result:
    """A result from its JSON."""
    fields = dict(document)
    cases = fields.pop("cases")
    assert isinstance(cases, list)
    return Result(
        cases=tuple(Case(case["name"], tuple(Sample(**sample) for sample in case["samples"])) for case in cases),
        **fields,  # type: ignore[arg-type]
    )
