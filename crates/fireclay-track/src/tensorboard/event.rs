//! The messages of TensorFlow's `event.proto` and `summary.proto`, as far as they are written here.

use std::time::SystemTime;

/// What a file holds one after the other.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Some values of one step.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// A number, a text or a picture.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// Channels: 3 for red, green and blue.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<PluginData>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PluginData {
    #[prost(string, tag = "1")]
    plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    string_val: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

/// `SessionStatus.START`.
const START: i32 = 1;
/// `DataType.DT_FLOAT`.
const FLOAT: i32 = 1;
/// `DataType.DT_STRING`.
const STRING: i32 = 7;

impl Event {
    /// What a file opens with.
    pub fn version(time: SystemTime) -> Self {
        Self {
            wall_time: seconds(time),
            file_version: Some("brain.Event:2".into()),
            ..Self::default()
        }
    }

    /// The run goes on after `step`: what was written of later steps no longer counts.
    pub fn session_start(time: SystemTime, step: u64) -> Self {
        Self {
            wall_time: seconds(time),
            step: step as i64 + 1,
            session_log: Some(SessionLog { status: START }),
            ..Self::default()
        }
    }

    pub fn summary(time: SystemTime, step: u64, summary: Summary) -> Self {
        Self {
            wall_time: seconds(time),
            step: step as i64,
            summary: Some(summary),
            ..Self::default()
        }
    }
}

impl FromIterator<Value> for Summary {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let value = values.into_iter().collect();
        Self { value }
    }
}

impl From<Value> for Summary {
    fn from(value: Value) -> Self {
        Self { value: vec![value] }
    }
}

impl Value {
    pub fn scalar(tag: &str, value: f64) -> Self {
        Self {
            tag: tag.into(),
            simple_value: Some(value as f32),
            ..Self::default()
        }
    }

    /// A text in Markdown.
    pub fn text(tag: &str, text: &str) -> Self {
        let tensor = Tensor {
            dtype: STRING,
            shape: Some(Shape::default()),
            string_val: vec![text.into()],
        };
        Self::of_plugin(tag, "text", Vec::new(), tensor)
    }

    /// A picture by the bytes of its PNG; `None` if they are none.
    pub fn image(tag: &str, png: Vec<u8>) -> Option<Self> {
        // Signature, length and name of the first chunk; then width and height, big-endian.
        let header = png.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
        let size = |at: usize| Some(i32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let image = Image {
            width: size(8)?,
            height: size(12)?,
            colorspace: 3,
            encoded_image_string: png,
        };
        Some(Self {
            tag: tag.into(),
            image: Some(image),
            ..Self::default()
        })
    }

    /// A message to one of TensorBoard's plugins, beside an empty tensor.
    pub fn plugin(tag: &str, plugin: &str, content: Vec<u8>) -> Self {
        let dim = vec![Dim { size: 0 }];
        let tensor = Tensor {
            dtype: FLOAT,
            shape: Some(Shape { dim }),
            string_val: Vec::new(),
        };
        Self::of_plugin(tag, plugin, content, tensor)
    }

    fn of_plugin(tag: &str, plugin: &str, content: Vec<u8>, tensor: Tensor) -> Self {
        let plugin_data = PluginData {
            plugin_name: plugin.into(),
            content,
        };
        Self {
            tag: tag.into(),
            tensor: Some(tensor),
            metadata: Some(Metadata {
                plugin_data: Some(plugin_data),
            }),
            ..Self::default()
        }
    }
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_knows_its_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x02\0\0\0\x03rest";
        let image = Value::image("plots/roc", png.to_vec()).and_then(|value| value.image);
        let image = image.expect("a picture");
        assert_eq!((image.width, image.height), (258, 3));
        assert!(Value::image("plots/roc", b"\x89PNG".to_vec()).is_none());
    }
}
