"""The results as a JUnit file."""

import xml.etree.ElementTree as ElementTree

from .report import FAILED, SKIPPED, Run


def junit(run: Run) -> str:
    """The text of e2e.xml."""
    counts = {
        "tests": len(run.results),
        "failures": run.count(FAILED),
        "errors": int(run.interrupted),
        "skipped": run.count(SKIPPED),
    }
    seconds = sum(result.seconds for result in run.results)
    attributes = {"name": "exeunt e2e", "timestamp": run.date, "time": f"{seconds:.1f}"}
    attributes |= {name: str(number) for name, number in counts.items()}
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (run.versions | ({"load": run.load} if run.load else {})).items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for result in run.results:
        case = ElementTree.SubElement(suite, "testcase", classname="e2e", name=result.sentence, time=f"{result.seconds:.1f}")
        why = "; ".join(result.why)
        if result.outcome == FAILED:
            text = "\n".join(f"=== {name}\n{value}" for name, value in result.evidence.items())
            ElementTree.SubElement(case, "failure", message=why).text = _printable(text)
        if result.outcome == SKIPPED:
            ElementTree.SubElement(case, "skipped", message=why)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """The text without the characters that XML forbids: a log may contain any."""
    return "".join(char for char in text if char in "\n\t" or ord(char) >= ord(" "))
