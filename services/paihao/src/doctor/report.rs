//! Report of findings: text in two languages for people, JSON for programs.

use super::findings::{FindingKind, Level};
use serde_json::json;
use std::fmt::Write;

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Subject: the account's name, or `wechat`, `ledger`, `cache`.
    pub subject: String,
    /// Entry in the table of findings.
    pub kind: &'static FindingKind,
    /// Details such as an address or an error; empty if there are none. Holds no secret and no
    /// token.
    pub detail: String,
}

impl Finding {
    /// Builds a finding without details.
    pub fn new(subject: &str, kind: &'static FindingKind) -> Self {
        Finding { subject: subject.to_owned(), kind, detail: String::new() }
    }

    /// Adds the details.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Finding { detail: detail.into(), ..self }
    }
}

/// All findings of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Findings in the order of output.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Report { findings }
    }

    /// Number of findings of level [`Level::Bad`].
    pub fn bad_count(&self) -> usize {
        self.count(Level::Bad)
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.kind.level == level).count()
    }

    /// Renders the findings for people, each with its advice below it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut subject = "";
        for finding in &self.findings {
            let FindingKind { code, level, zh, en, advice_zh, advice_en } = finding.kind;
            if finding.subject != subject {
                subject = &finding.subject;
                let _ = writeln!(text, "{}[{subject}]", if text.is_empty() { "" } else { "\n" });
            }
            let sign = match level {
                Level::Ok => "好 ok  ",
                Level::Warning => "注意 ! ",
                Level::Bad => "不行 X ",
            };
            let _ = writeln!(text, "{sign} {zh}    {en} ({code})");
            if !finding.detail.is_empty() {
                let _ = writeln!(text, "        {}", finding.detail);
            }
            if !advice_zh.is_empty() {
                let _ = writeln!(text, "     → {advice_zh}\n       {advice_en}");
            }
        }
        let faulty = self.bad_count();
        let warnings = self.count(Level::Warning);
        let _ = writeln!(
            text,
            "\n{faulty} 项不行，{warnings} 项注意。 {faulty} bad, {warnings} warnings."
        );
        text
    }

    /// Renders the findings as a JSON object, with the numbers of bad ones and warnings.
    pub fn json(&self) -> String {
        let findings = self.findings.iter().map(|finding| {
            let FindingKind { code, level, zh, en, advice_zh, advice_en } = finding.kind;
            json!({
                "about": finding.subject,
                "finding": code,
                "level": level,
                "zh": zh,
                "en": en,
                "detail": finding.detail,
                "advice_zh": advice_zh,
                "advice_en": advice_en,
            })
        });
        let all = json!({
            "findings": findings.collect::<Vec<_>>(),
            "bad": self.bad_count(),
            "warnings": self.count(Level::Warning),
        });
        format!("{all:#}")
    }
}
