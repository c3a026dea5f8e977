"""The scenarios of all engines, in the order of the report."""

from . import argo_scenarios, tekton_scenarios

ALL = (*argo_scenarios.SCENARIOS, *tekton_scenarios.SCENARIOS)
