"""Which cells of the matrix a test covers, in the words of pytest; see matrix.py."""

import pytest

# What a test says of itself: `@cell(event="success", mode="watch", policy="Never")`. What it leaves out is one of its parameters.
cell = pytest.mark.cell
each_placement = pytest.mark.parametrize("placement", ["native", "regular"])
each_form = pytest.mark.parametrize("form", ["classic", "hold", "native"])
# Where the order in which the containers are started has no part in it.
both_forms = pytest.mark.parametrize("form", ["classic", "native"])
# The two ways to use the agent without a container of its own.
each_inner_mode = pytest.mark.parametrize("mode", ["exec", "complete"])
