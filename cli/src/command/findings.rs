//! The rules that apply, for a person: what is wrong, what shows it, and what mends it.

use std::fmt::Write as _;

use crate::output::safe;
use crate::pod::Facts;
use crate::rules::Finding;

/// Writes them behind what is in `text`.
pub(super) fn write_findings(text: &mut String, facts: &Facts<'_>, findings: &[Finding]) {
    for finding in findings {
        let _ = writeln!(text, "\n{}: {}", finding.rule.id, finding.rule.sentence);
        let _ = writeln!(text, "  seen    {}", safe(&finding.evidence));
        let _ = writeln!(text, "  do      {}", safe(&finding.rule.remedy_for(facts)));
        let _ = writeln!(text, "  read    {}", finding.rule.link);
    }
}
