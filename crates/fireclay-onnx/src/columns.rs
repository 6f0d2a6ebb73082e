//! How the columns of a table become features, in the graph: where all of them are numbers.

use fireclay_data::NumericScaling;
use serde::Deserialize;

use crate::graph::Graph;
use crate::proto::{Attribute, BOOL, DOUBLE, DimProto, FLOAT, GraphProto, ValueInfo};

/// `preprocess.json`, as far as it is read here.
#[derive(Deserialize)]
struct Preprocess {
    features: Vec<Feature>,
}

/// A column of another kind, or whose cells are not read as they are, is none of these, nor is one of which something is
/// said that is not known here.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Feature {
    Numeric {
        name: String,
        scaling: NumericScaling,
        shift: f64,
        scale: f64,
        fill: f64,
        indicator: bool,
        /// Of what predictions are warned about.
        #[serde(default, rename = "range")]
        _range: Option<[f64; 2]>,
        reading: Option<serde_json::Value>,
    },
    Boolean {
        name: String,
        fill: f64,
        indicator: bool,
        reading: Option<serde_json::Value>,
    },
}

/// A column of numbers.
struct Column {
    name: String,
    is_log: bool,
    shift: f64,
    scale: f64,
    /// What stands for a missing value, before shift and scale.
    fill: f64,
    indicator: bool,
}

/// Makes `features` of the graph out of `columns`, as the table has them, and gives the names of those. A graph
/// for another kind of table stays as it is.
pub(crate) fn add(graph: &mut GraphProto, preprocess: &str) -> Option<Vec<String>> {
    let Ok(Preprocess { features }) = serde_json::from_str(preprocess) else {
        return None;
    };
    let columns: Vec<Column> = features
        .into_iter()
        .map(Feature::column)
        .collect::<Option<_>>()?;
    let input = graph
        .input
        .iter_mut()
        .find(|input| input.name == "features")?;
    let batch = DimProto {
        dim_param: Some("batch".into()),
        ..DimProto::default()
    };
    let count = DimProto {
        dim_value: Some(columns.len() as i64),
        ..DimProto::default()
    };
    *input = ValueInfo::tensor("columns", DOUBLE, vec![batch, count]);
    let mut part = Graph::part("column_");
    let features = encoded(&mut part, &columns);
    part.output(&features, "features");
    let part = part.finish();
    graph.node.splice(0..0, part.node);
    graph.initializer.extend(part.initializer);
    Some(columns.into_iter().map(|column| column.name).collect())
}

impl Feature {
    fn column(self) -> Option<Column> {
        match self {
            Self::Numeric {
                name,
                scaling,
                shift,
                scale,
                fill,
                indicator,
                reading: None,
                ..
            } => Some(Column {
                name,
                is_log: scaling == NumericScaling::Log,
                shift,
                scale,
                fill,
                indicator,
            }),
            Self::Boolean {
                name,
                fill,
                indicator,
                reading: None,
            } => Some(Column {
                name,
                is_log: false,
                shift: 0.0,
                scale: 1.0,
                fill,
                indicator,
            }),
            Self::Numeric { .. } | Self::Boolean { .. } => None,
        }
    }
}

/// The features of all columns: each value, and after it, where training rows lacked some, whether it is
/// missing. In 64 bits, as the program does it.
fn encoded(part: &mut Graph, columns: &[Column]) -> String {
    let each = |of: fn(&Column) -> f64| columns.iter().map(of).collect::<Vec<f64>>();
    let missing = part.node("IsNaN", &["columns"], Vec::new());
    let zero = part.scalar(DOUBLE, 0.0);
    let known = part.node("Where", &[&missing, &zero, "columns"], Vec::new());
    let known = logarithms(part, columns, known);
    let [shift, scale] = [
        part.doubles(&each(|c| c.shift)),
        part.doubles(&each(|c| c.scale)),
    ];
    let centred = part.node("Sub", &[&known, &shift], Vec::new());
    let scaled = part.node("Div", &[&centred, &scale], Vec::new());
    let fill = part.doubles(&each(|c| (c.fill - c.shift) / c.scale));
    let filled = part.node("Where", &[&missing, &fill, &scaled], Vec::new());
    let [values, flags] = [filled, missing].map(|name| {
        let to = Attribute::int("to", i64::from(FLOAT));
        part.node("Cast", &[&name], vec![to])
    });
    if !columns.iter().any(|column| column.indicator) {
        return values;
    }
    let axis = || vec![Attribute::int("axis", 1)];
    let all = part.node("Concat", &[&values, &flags], axis());
    let places = columns.iter().enumerate().flat_map(|(at, column)| {
        let flag = column.indicator.then_some(at + columns.len());
        std::iter::once(at).chain(flag)
    });
    let places: Vec<i64> = places.map(|place| place as i64).collect();
    let places = part.indices(&places);
    part.node("Gather", &[&all, &places], axis())
}

/// sign(x) ln(1 + |x|) in the columns that have it.
fn logarithms(part: &mut Graph, columns: &[Column], known: String) -> String {
    if !columns.iter().any(|column| column.is_log) {
        return known;
    }
    let one = part.scalar(DOUBLE, 1.0);
    let size = part.node("Abs", &[&known], Vec::new());
    let more = part.node("Add", &[&size, &one], Vec::new());
    let log = part.node("Log", &[&more], Vec::new());
    let sign = part.node("Sign", &[&known], Vec::new());
    let signed = part.node("Mul", &[&sign, &log], Vec::new());
    let which: Vec<u8> = columns
        .iter()
        .map(|column| u8::from(column.is_log))
        .collect();
    let which = part.constant(BOOL, vec![which.len() as i64], which);
    part.node("Where", &[&which, &signed, &known], Vec::new())
}
