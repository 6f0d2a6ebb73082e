//! The messages of TensorBoard's hparams plugin (`plugin_data.proto`).

use std::collections::HashMap;
use std::time::SystemTime;

use prost::Message;

use super::event::{Value, seconds};
use crate::run::Run;
use crate::tracker::Ending;

const PLUGIN: &str = "hparams";

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(int32, tag = "1")]
    version: i32,
    #[prost(message, optional, tag = "3")]
    start: Option<SessionStart>,
    #[prost(message, optional, tag = "4")]
    end: Option<SessionEnd>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(map = "string, message", tag = "1")]
    hparams: HashMap<String, Parameter>,
    #[prost(string, tag = "4")]
    group_name: String,
    #[prost(double, tag = "5")]
    start_time_secs: f64,
}

#[derive(Clone, PartialEq, Message)]
struct SessionEnd {
    #[prost(int32, tag = "1")]
    status: i32,
    #[prost(double, tag = "2")]
    end_time_secs: f64,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct Parameter {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

impl From<&str> for Parameter {
    fn from(text: &str) -> Self {
        let kind = match (text.parse(), text.parse()) {
            (Ok(is_true), _) => Kind::Bool(is_true),
            (_, Ok(number)) => Kind::Number(number),
            _ => Kind::Text(text.into()),
        };
        Self { kind: Some(kind) }
    }
}

/// Every key of the configuration.
pub(super) fn session_start(run: &Run, time: SystemTime) -> Value {
    let hparams = run.parameters.iter();
    let hparams = hparams.map(|(key, value)| (key.clone(), value.as_str().into()));
    let start = SessionStart {
        hparams: hparams.collect(),
        group_name: run.name.clone(),
        start_time_secs: seconds(time),
    };
    let data = PluginData {
        start: Some(start),
        ..PluginData::default()
    };
    Value::plugin("_hparams_/session_start_info", PLUGIN, data.encode_to_vec())
}

pub(super) fn session_end(ending: Ending, time: SystemTime) -> Value {
    let end = SessionEnd {
        // `Status`: unknown, success, failure.
        status: match ending {
            Ending::Interrupted => 0,
            Ending::Finished => 1,
            Ending::Failed => 2,
        },
        end_time_secs: seconds(time),
    };
    let data = PluginData {
        end: Some(end),
        ..PluginData::default()
    };
    Value::plugin("_hparams_/session_end_info", PLUGIN, data.encode_to_vec())
}
