//! The labels of samples, as their members hold them.

use serde_json::Value;

use super::super::{ClassNames, ImageLabels};
use crate::column::labels_in;
use crate::image::config::ImageDataConfig;
use crate::labels::TargetKind;

/// Reads the text of a `.cls` member or a field of a `.json` member.
pub(super) struct LabelReader<'a> {
    field: Option<&'a str>,
    separator: Option<&'a str>,
    pub(super) labels: ImageLabels,
}

impl<'a> LabelReader<'a> {
    pub(super) fn new(config: &'a ImageDataConfig, target: TargetKind) -> Self {
        let names = ClassNames::default();
        let labels = match target {
            TargetKind::Class => ImageLabels::Classes(names),
            TargetKind::Number => ImageLabels::Numbers(Vec::new()),
            TargetKind::Set => ImageLabels::Sets {
                names,
                sets: Vec::new(),
            },
        };
        let (field, separator) = (config.target.as_deref(), config.label_separator.as_deref());
        Self {
            field,
            separator,
            labels,
        }
    }

    pub(super) fn ending(&self) -> &'static str {
        if self.field.is_some() { "json" } else { "cls" }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), String> {
        let Some(field) = self.field else {
            let items = vec![text.trim().to_owned()];
            return self.push_items(items, false);
        };
        let json: Result<Value, _> = serde_json::from_str(text);
        let json = json.map_err(|error| format!("is no JSON: {error}"))?;
        let value = json.get(field);
        match value.ok_or_else(|| format!("has no field {field:?}"))? {
            Value::Array(items) => {
                let items = items.iter().map(scalar).collect::<Result<_, _>>()?;
                self.push_items(items, true)
            }
            value => self.push_items(vec![scalar(value)?], false),
        }
    }

    fn push_items(&mut self, items: Vec<String>, is_list: bool) -> Result<(), String> {
        let only = || match &items[..] {
            [only] if !is_list && !only.is_empty() => Ok(only),
            [_] if !is_list => Err("is empty".to_owned()),
            _ => Err("is a list, which is for a multi-label task".to_owned()),
        };
        match &mut self.labels {
            ImageLabels::Classes(names) => names.push(only()?),
            ImageLabels::Numbers(numbers) => {
                let text = only()?;
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                numbers.push(number.ok_or_else(|| format!("is {text:?}, which is no number"))?);
            }
            ImageLabels::Sets { names, sets } => {
                let mut set: Vec<u32> = match (is_list, self.separator) {
                    (true, None) => items.iter().map(|item| names.intern(item)).collect(),
                    (false, Some(separator)) => {
                        let labels = items.iter().flat_map(|item| labels_in(item, separator));
                        labels.map(|label| names.intern(label)).collect()
                    }
                    (true, Some(_)) => {
                        return Err("is a list already: take label_separator out".into());
                    }
                    (false, None) => return Err("is one text: set label_separator".into()),
                };
                set.sort_unstable();
                set.dedup();
                sets.push(set);
            }
        }
        Ok(())
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("is {other}, which is neither text nor a number")),
    }
}
