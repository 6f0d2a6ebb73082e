//! The findings, the first thing on the page.

use super::Cost;
use crate::folder::RunFolder;
use crate::html::{Html, el, tag};
use crate::section::{Block, Section};
use crate::verdict::{Finding, findings, in_short};

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let findings = findings(run);
    let items: Html = findings.iter().map(item).collect();
    let list = el("ul", &[("class", "findings")], items);
    let mut blocks = vec![Block::Words(in_short(run, &findings)), Block::Own(list)];
    blocks.extend(
        Cost::of(run)
            .and_then(|cost| cost.in_short(run))
            .map(Block::Words),
    );
    Section::of("verdict", "Verdict", blocks)
}

fn item(finding: &Finding) -> Html {
    let mut inside = el("span", &[("class", "tone")], finding.tone.word());
    inside.push(el("p", &[("class", "says")], finding.says.as_str()));
    inside.push(el("p", &[("class", "evidence")], finding.evidence.as_str()));
    if let Some(advice) = &finding.advice {
        let words: Html = [tag("strong", "Try: "), advice.as_str().into()]
            .into_iter()
            .collect();
        inside.push(el("p", &[("class", "advice")], words));
    }
    el("li", &[("class", finding.tone.word())], inside)
}
