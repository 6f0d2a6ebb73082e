//! What goes into the models of each family and what comes out, by name: a forward pass in evaluation.

use burn::module::Module;
use burn::tensor::{FloatDType, Tensor};
use fireclay_models::{
    EncoderModel, EncoderNetwork, EncoderShape, ImageModel, ImageNetwork, ImageShape,
    LanguageModel, LanguageNetwork, LanguageShape, Tabular, TabularNetwork, TabularShape,
    TranslationModel, TranslationNetwork, TranslationShape,
};

use crate::tape::{Axis, Symbol, Tape};

/// A model whose forward pass becomes a graph.
pub(crate) trait Graphed: Module {
    /// What the data determines of it.
    type Shape;

    /// The lengths that inputs choose, for a model that looks at `context` tokens.
    fn symbols(context: usize) -> Vec<Symbol>;

    /// Takes its inputs from `tape`, and gives it its outputs.
    fn run(&self, shape: &Self::Shape, tape: &mut Tape<'_>);
}

const ROWS: Symbol = Symbol {
    name: "batch",
    most: None,
};
const BATCH: Axis = Axis::Symbol(0);
const TIME: Axis = Axis::Symbol(1);

impl Graphed for Tabular {
    type Shape = TabularShape;

    fn symbols(_context: usize) -> Vec<Symbol> {
        vec![ROWS]
    }

    /// Inputs that a table has none of are left out.
    fn run(&self, shape: &TabularShape, tape: &mut Tape<'_>) {
        let (numeric, columns) = (shape.numeric, shape.categories.len());
        let features = match numeric {
            0 => tape.nothing(),
            _ => tape.numbers("features", [BATCH, Axis::Fixed(numeric)]),
        };
        let categories = match columns {
            0 => tape.nothing_whole(),
            _ => tape.indices("categories", [BATCH, Axis::Fixed(columns)]),
        };
        let logits = TabularNetwork::forward(self, features, categories);
        tape.output("logits", &single(logits));
    }
}

impl Graphed for ImageModel {
    type Shape = ImageShape;

    fn symbols(_context: usize) -> Vec<Symbol> {
        vec![ROWS]
    }

    fn run(&self, shape: &ImageShape, tape: &mut Tape<'_>) {
        let sides = [shape.channels, shape.height, shape.width].map(Axis::Fixed);
        let [channels, height, width] = sides;
        let pixels = tape.numbers("pixel_values", [BATCH, channels, height, width]);
        tape.output("logits", &single(ImageNetwork::forward(self, pixels)));
    }
}

impl Graphed for EncoderModel {
    type Shape = EncoderShape;

    fn symbols(context: usize) -> Vec<Symbol> {
        texts(&["time"], context)
    }

    fn run(&self, _shape: &EncoderShape, tape: &mut Tape<'_>) {
        let tokens = tape.indices("input_ids", [BATCH, TIME]);
        let mask = tape.mask("attention_mask", [BATCH, TIME]);
        match self.classifies() {
            true => tape.output("logits", &single(self.forward_pooled(tokens, None, mask))),
            false => tape.output("logits", &single(self.forward_tokens(tokens, None, mask))),
        }
    }
}

impl Graphed for LanguageModel {
    type Shape = LanguageShape;

    fn symbols(context: usize) -> Vec<Symbol> {
        texts(&["time"], context)
    }

    fn run(&self, _shape: &LanguageShape, tape: &mut Tape<'_>) {
        let tokens = tape.indices("input_ids", [BATCH, TIME]);
        tape.output("logits", &single(LanguageNetwork::forward(self, tokens)));
    }
}

impl Graphed for TranslationModel {
    type Shape = TranslationShape;

    fn symbols(context: usize) -> Vec<Symbol> {
        texts(&["source_time", "target_time"], context)
    }

    fn run(&self, _shape: &TranslationShape, tape: &mut Tape<'_>) {
        let later = Axis::Symbol(2);
        let source = tape.indices("input_ids", [BATCH, TIME]);
        let mask = tape.mask("attention_mask", [BATCH, TIME]);
        let target = tape.indices("decoder_input_ids", [BATCH, later]);
        let target_mask = tape.mask("decoder_attention_mask", [BATCH, later]);
        let memory = self.encode(source, mask.clone());
        let logits = self.decode(&memory, mask, target, target_mask);
        tape.output("logits", &single(logits));
    }
}

/// Rows of texts whose lengths have these names. An LSTM has no context, and reads any number of tokens.
fn texts(names: &[&'static str], context: usize) -> Vec<Symbol> {
    let most = Some(context).filter(|context| *context > 0);
    let times = names.iter().map(|name| Symbol { name, most });
    std::iter::once(ROWS).chain(times).collect()
}

/// Outputs have 32 bits, whatever the model computes in.
fn single<const D: usize>(logits: Tensor<D>) -> Tensor<D> {
    logits.cast(FloatDType::F32)
}
