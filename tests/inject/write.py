"""Writes the files that contain the injection template, in deploy/istio and in the chart: python3 tests/inject/write.py."""

import textwrap
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "istio"
TEMPLATE = FOLDER / "template.tpl"
COPY = FOLDER.parent / "chart" / "injection-template.tpl"

_HEAD = {
    "values.yaml": """\
# Values for istiod's chart: the injection template of exeunt. README.md beside this file says how to apply it.
#
#   helm upgrade istiod istio/istiod --version ISTIO-VERSION -n istio-system --reuse-values --values deploy/istio/values.yaml
#
# The text of the template is that of template.tpl: tests/inject/write.py copies it. Its options are the first lines.
""",
    "istio-operator.yaml": """\
# An overlay for istioctl: the injection template of exeunt. README.md beside this file says how to apply it.
#
#   istioctl install --filename YOUR-FILE.yaml --filename deploy/istio/istio-operator.yaml
#
# The text of the template is that of template.tpl: tests/inject/write.py copies it. Its options are the first lines.
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  values:
""",
    "sail.yaml": """\
# A patch for the Sail operator's resource Istio: exeunt's injection template. README.md beside this file says how to apply it.
#
#   kubectl patch istio default --type merge --patch-file deploy/istio/sail.yaml
#
# The text of the template is that of template.tpl: tests/inject/write.py copies it. Its options are the first lines.
spec:
  values:
""",
}
FILES = tuple(_HEAD)


def text_of(name: str) -> str:
    """The text of one file."""
    values = "sidecarInjectorWebhook:\n  defaultTemplates: [sidecar, exeunt]\n  templates:\n    exeunt: |\n"
    values += textwrap.indent(TEMPLATE.read_text(), " " * 6)
    return _HEAD[name] + textwrap.indent(values, " " * (0 if name == "values.yaml" else 4))


def main() -> None:
    """Writes all of them. Helm reads no file outside of the chart, so the chart has a copy."""
    for name in FILES:
        (FOLDER / name).write_text(text_of(name))
    COPY.write_text(TEMPLATE.read_text())
    # The chart has a copy, because Helm reads no file outside of it.
    (FOLDER.parent / "chart" / "injection-template.tpl").write_text(TEMPLATE.read_text())


if __name__ == "__main__":
    main()
