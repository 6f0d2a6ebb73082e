//! The messages of ONNX's `onnx.proto`, as far as they are written here, with the numbers of its fields
//! (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>, IR version 8).

/// A model: the graph, what it needs of its reader, and what else is known.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    /// The version of the messages.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The operations that are meant.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetId>,
    /// The program that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// What the model computes.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// What else is known of it, by key.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Entry>,
}

/// A set of operations and its version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSetId {
    /// Empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Operations in an order in which they can be computed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    /// The operations.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Its name, which says nothing to readers.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The weights and other constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What is given.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// What is found.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// An operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    /// The names of what it reads; empty for what is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// The names of what it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// What it does.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// How.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// A property of an operation; `kind` says which of the others is set.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// `AttributeProto.AttributeType`.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// A name, and what is there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfo {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The kind of numbers, and the shape.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<TypeProto>,
}

/// A type, which is a tensor's here.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    /// The tensor's.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// The type of a tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorType {
    /// `TensorProto.DataType`.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// The shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<ShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShapeProto {
    /// Its axes.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimProto>,
}

/// An axis: its length, or the name of a length that inputs choose.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DimProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

/// A constant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Its shape.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// `TensorProto.DataType`.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Its numbers, little end first.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
    /// Where its numbers are, if they are in another file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<Entry>,
    /// [`EXTERNAL`] for numbers in another file.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
}

/// `TensorProto.DataLocation.EXTERNAL`.
pub const EXTERNAL: i32 = 1;

/// `TensorProto.DataType`.
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType`.
pub const INT64: i32 = 7;
/// `TensorProto.DataType`.
pub const BOOL: i32 = 9;
/// `TensorProto.DataType`.
pub const DOUBLE: i32 = 11;

impl Attribute {
    /// A whole number.
    pub fn int(name: &str, value: i64) -> Self {
        Self {
            i: Some(value),
            ..Self::of(name, 2)
        }
    }

    /// Whole numbers.
    pub fn ints(name: &str, values: impl IntoIterator<Item = i64>) -> Self {
        Self {
            ints: values.into_iter().collect(),
            ..Self::of(name, 7)
        }
    }

    /// A number.
    pub fn float(name: &str, value: f64) -> Self {
        Self {
            f: Some(value as f32),
            ..Self::of(name, 1)
        }
    }

    /// A constant.
    pub fn tensor(name: &str, value: TensorProto) -> Self {
        Self {
            t: Some(value),
            ..Self::of(name, 4)
        }
    }

    /// A graph that is computed again and again.
    pub fn graph(name: &str, value: GraphProto) -> Self {
        Self {
            g: Some(value),
            ..Self::of(name, 5)
        }
    }

    fn of(name: &str, kind: i32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            ..Self::default()
        }
    }
}

impl ValueInfo {
    /// A tensor of this kind of numbers and shape.
    pub fn tensor(name: &str, elem_type: i32, dim: Vec<DimProto>) -> Self {
        let shape = Some(ShapeProto { dim });
        let tensor = Some(TensorType { elem_type, shape });
        Self {
            name: name.to_owned(),
            kind: Some(TypeProto { tensor }),
        }
    }
}
