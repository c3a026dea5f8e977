"""The programs of bench/ are scripts, which find each other in their own folder."""

import sys

from harness.paths import ROOT

sys.path.append(str(ROOT / "bench"))
