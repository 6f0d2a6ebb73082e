//! Lengths and shapes in the graph, where they depend on those of the inputs.

use crate::dims::Dim;
use crate::proto::Attribute;
use crate::translate::Translator;

impl Translator<'_> {
    /// A length as a list of one number.
    pub(super) fn length(&mut self, dim: &Dim) -> String {
        if let Some(number) = dim.number() {
            return self.graph.indices(&[number]);
        }
        if let Some(name) = self.lengths.get(dim) {
            return name.clone();
        }
        let mut factors = Vec::new();
        if dim.factor != 1 {
            factors.push(self.graph.indices(&[dim.factor as i64]));
        }
        for (symbol, power) in dim.powers.iter().enumerate() {
            for _ in 0..*power {
                factors.push(self.symbol(symbol));
            }
        }
        let mut factors = factors.into_iter();
        let first = factors.next().expect("a length that varies has a symbol");
        let name = factors.fold(first, |product, factor| {
            self.graph.node("Mul", &[&product, &factor], Vec::new())
        });
        self.lengths.insert(dim.clone(), name.clone());
        name
    }

    /// The length of a symbol, read from an input.
    fn symbol(&mut self, symbol: usize) -> String {
        let mut powers = vec![0; self.symbols.len()];
        powers[symbol] = 1;
        let dim = Dim { factor: 1, powers };
        if let Some(name) = self.lengths.get(&dim) {
            return name.clone();
        }
        let (input, axis) = self.symbols[symbol].clone();
        let range = [("start", axis), ("end", axis + 1)];
        let range = range.map(|(name, at)| Attribute::int(name, at));
        let name = self.graph.node("Shape", &[&input], range.to_vec());
        self.lengths.insert(dim, name.clone());
        name
    }

    /// Lengths as a list of numbers.
    pub(super) fn shape(&mut self, dims: &[Dim]) -> String {
        let numbers: Option<Vec<i64>> = dims.iter().map(Dim::number).collect();
        match numbers {
            Some(numbers) => self.graph.indices(&numbers),
            None => {
                let lengths: Vec<String> = dims.iter().map(|dim| self.length(dim)).collect();
                self.joined(&lengths)
            }
        }
    }

    /// The shape that `Reshape` is asked for: 0 stands for the length that is there, -1 for what is left.
    pub(super) fn new_shape(&mut self, from: &[Dim], to: &[Dim]) -> String {
        let kept = |(axis, dim): (usize, &Dim)| match (dim.number(), from.get(axis) == Some(dim)) {
            (Some(number), _) => Some(number),
            (None, true) => Some(0),
            (None, false) => None,
        };
        let numbers: Vec<Option<i64>> = to.iter().enumerate().map(kept).collect();
        match numbers.iter().filter(|number| number.is_none()).count() {
            0 | 1 => {
                let numbers = numbers.iter().map(|number| number.unwrap_or(-1));
                let numbers: Vec<i64> = numbers.collect();
                self.graph.indices(&numbers)
            }
            _ => self.shape(to),
        }
    }

    /// Lists of one number as one list.
    pub(super) fn joined(&mut self, lists: &[String]) -> String {
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        self.graph
            .node("Concat", &lists, vec![Attribute::int("axis", 0)])
    }
}
