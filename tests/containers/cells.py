"""The pytest markers that say which cells of the matrix a test covers; see matrix.py."""

import pytest

# For example `@cell(event="success", mode="watch", policy="Never")`. An axis that is not named is a parameter of the test.
cell = pytest.mark.cell
each_placement = pytest.mark.parametrize("placement", ["native", "regular"])
each_form = pytest.mark.parametrize("form", ["classic", "hold", "native"])
# For tests in which the start order of the containers makes no difference.
both_forms = pytest.mark.parametrize("form", ["classic", "native"])
# The two modes without a container for the agent.
each_inner_mode = pytest.mark.parametrize("mode", ["exec", "complete"])
