//! What is made of the outputs of a model, in the graph: probabilities, or numbers in the target's unit.

use fireclay_run::Run;
use fireclay_run::config::TaskConfig;
use serde_json::Value;

use crate::graph::Graph;
use crate::proto::{Attribute, FLOAT, GraphProto, ValueInfo};

/// Adds the answers to `graph`, as `predict` gives them, where the run answers for samples with labels.
pub(crate) fn add(graph: &mut GraphProto, run: &dyn Run, postprocess: Option<&str>) {
    let mut part = Graph::part("answer_");
    let name = match &run.base().config().task {
        TaskConfig::Classification(_) => {
            let logits = tempered(&mut part, temperature(postprocess));
            let axis = Attribute::int("axis", -1);
            let shares = part.node("Softmax", &[&logits], vec![axis]);
            part.output(&shares, "probabilities");
            "probabilities"
        }
        TaskConfig::Multilabel(_) => {
            let shares = part.node("Sigmoid", &["logits"], Vec::new());
            part.output(&shares, "probabilities");
            "probabilities"
        }
        TaskConfig::Regression(_) => {
            let (factor, summand) = run.meaning().map_or((1.0, 0.0), |meaning| meaning.unit());
            let [factor, summand] = [factor, summand].map(|number| part.scalar(FLOAT, number));
            let scaled = part.node("Mul", &["logits", &factor], Vec::new());
            let numbers = part.node("Add", &[&scaled, &summand], Vec::new());
            part.output(&numbers, "predictions");
            "predictions"
        }
        _ => return,
    };
    let part = part.finish();
    graph.node.extend(part.node);
    graph.initializer.extend(part.initializer);
    // They have the shape of the logits.
    let shape = graph.output.first().and_then(|logits| logits.kind.clone());
    graph.output.push(ValueInfo {
        name: name.to_owned(),
        kind: shape,
    });
}

fn tempered(part: &mut Graph, temperature: f64) -> String {
    if temperature == 1.0 {
        return "logits".to_owned();
    }
    let divisor = part.scalar(FLOAT, temperature);
    part.node("Div", &["logits", &divisor], Vec::new())
}

/// What logits are divided by, where the task has it fitted.
fn temperature(postprocess: Option<&str>) -> f64 {
    let known = postprocess.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let found = known.and_then(|known| known["temperature"].as_f64());
    found.unwrap_or(1.0)
}
