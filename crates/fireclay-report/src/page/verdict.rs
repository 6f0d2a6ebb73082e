//! The findings, the first thing on the page.

use crate::folder::RunFolder;
use crate::html::{Html, el, tag};
use crate::section::{Block, Section};
use crate::verdict::{Finding, findings};

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let items: Html = findings(run).iter().map(item).collect();
    let list = el("ul", &[("class", "findings")], items);
    Section::of("verdict", "Verdict", vec![Block::Own(list)])
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
