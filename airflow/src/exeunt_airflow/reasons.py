"""Why a pod goes out as it came."""


class Untouched(Exception):
    """The pod stays as it is; the text says why."""


class NotConcerned(Untouched):
    """It is none of ours, and nobody has to know."""


class InDoubt(Untouched):
    """It may be one of ours, and something about it is not understood: somebody should look."""
