//! What no decoder can be.

use serde_json::json;

use super::config::DecoderConfig;
use super::families::DecoderFamily;
use super::scaling::RopeScaling;
use crate::limits::{check, check_heads, check_layers, check_least_one, check_positive};

impl DecoderConfig {
    /// Every impossible value, as (key, message).
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let counts = [
            ("layers", self.layers),
            ("heads", self.heads),
            ("width", self.width),
            ("kv_heads", self.kv_heads()),
            ("head_width", self.head_width.unwrap_or(1)),
            ("mlp_width", self.mlp_width),
            ("context_length", self.context_length),
            ("window", self.window.unwrap_or(1)),
            ("experts", self.experts()),
            ("chosen_experts", self.chosen_experts()),
        ];
        let mut problems = check_least_one(&counts);
        problems.extend(check_layers(self.layers));
        problems.extend(self.numbers());
        problems.extend(self.unread());
        problems.extend(self.unknown_scaling());
        match problems.is_empty() {
            true => self.misfits(),
            false => problems,
        }
    }

    /// Numbers that must be above zero, and are not.
    fn numbers(&self) -> Vec<(String, String)> {
        let numbers = [
            ("norm_eps", Some(self.norm_eps)),
            ("rope_theta", Some(self.rope_theta)),
            ("local_rope_theta", self.local_rope_theta),
            ("rotary_share", self.rotary_share),
            ("query_scalar", self.query_scalar),
            ("attention_cap", self.attention_cap),
            ("logit_cap", self.logit_cap),
        ];
        let wrong = |(key, number): (&str, Option<f64>)| check_positive(key, number?);
        numbers.into_iter().filter_map(wrong).collect()
    }

    /// Keys that are given and that the family does not read.
    fn unread(&self) -> Vec<(String, String)> {
        let given = [
            ("kv_heads", self.kv_heads.is_some_and(|n| n != self.heads)),
            ("head_width", self.head_width.is_some()),
            ("rotary_share", self.rotary_share.is_some()),
            ("local_rope_theta", self.local_rope_theta.is_some()),
            ("unturned_layers", self.unturned_layers.is_some()),
            ("window", self.window.is_some()),
            ("global_layers", self.global_layers.is_some()),
            ("query_scalar", self.query_scalar.is_some()),
            ("attention_cap", self.attention_cap.is_some()),
            ("logit_cap", self.logit_cap.is_some()),
            ("parallel", self.parallel.is_some()),
            ("experts", self.experts.is_some()),
            ("chosen_experts", self.chosen_experts.is_some()),
            ("shares_sum_to_one", self.shares_sum_to_one.is_some()),
        ];
        let read = self.family.kin().reads;
        let unread = given
            .into_iter()
            .filter(|(key, given)| *given && !read.contains(key));
        let message = |key: &str| {
            let text = format!("is not read where family = {}", json!(self.family));
            (key.to_owned(), text)
        };
        unread.map(|(key, _)| message(key)).collect()
    }

    /// A way to stretch rotations that the family does not know.
    fn unknown_scaling(&self) -> Option<(String, String)> {
        let known = match (self.family, &self.rope_scaling) {
            (DecoderFamily::Phi3, Some(scaling)) => matches!(scaling, RopeScaling::Longrope { .. }),
            _ => true,
        };
        let text = "must be longrope where family = \"phi3\", which has no other".to_owned();
        check(known, "rope_scaling", text)
    }

    /// Numbers that do not go together.
    fn misfits(&self) -> Vec<(String, String)> {
        let (heads, kv_heads, rotated) = (self.heads, self.kv_heads(), self.rotary_width());
        let own_width = self.head_width.is_some();
        let heads_fit = check_heads(heads, self.width, "heads").filter(|_| !own_width);
        let mut problems = Vec::from_iter(heads_fit);
        let text = format!("{kv_heads} key heads do not divide the {heads} heads");
        problems.extend(check(heads.is_multiple_of(kv_heads), "kv_heads", text));
        let key = match self.rotary_share {
            Some(_) => "rotary_share",
            None if own_width => "head_width",
            None => "heads",
        };
        let whole = self.head_width();
        let fits = (2..=whole).contains(&rotated) && rotated.is_multiple_of(2);
        let text =
            format!("{rotated} of the {whole} values of a head are rotated, which must be pairs");
        problems.extend(check(fits, key, text));
        for (key, layers) in [
            ("global_layers", &self.global_layers),
            ("unturned_layers", &self.unturned_layers),
        ] {
            let most = layers.iter().flatten().max().copied().unwrap_or(0);
            let text = format!("names block {most}, but the last is {}", self.layers - 1);
            problems.extend(check(most < self.layers, key, text));
        }
        let (all, chosen) = (self.experts(), self.chosen_experts());
        let text = format!("{chosen} of {all} experts cannot be chosen");
        problems.extend(check(chosen <= all, "chosen_experts", text));
        let text = format!("must be at most 4096, but is {all}");
        problems.extend(check(all <= 4096, "experts", text));
        let scaling = self.rope_scaling.iter();
        let (theta, context) = (self.rope_theta, self.context_length);
        problems.extend(scaling.flat_map(|own| own.problems(theta, rotated / 2, context)));
        problems
    }
}
