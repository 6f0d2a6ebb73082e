use super::*;
use crate::encoder::EncoderConfig;
use crate::language::LanguageConfig;
use crate::seq2seq::TranslationConfig;
use crate::tabular::TabularConfig;
use crate::vision::ImageConfig;

/// Every architecture of a family as it is by default.
pub fn defaults<F: Family>() -> Vec<F> {
    struct Defaults<F>(Vec<F>);
    impl<F: Family> Visitor<F> for Defaults<F> {
        fn architecture<C: Architecture<Shape = F::Shape>>(
            &mut self,
            name: &'static str,
            _summary: &'static str,
            wrap: fn(C) -> F,
        ) {
            let config = serde_json::from_str("{}").expect("every key has a default");
            let slip = serde_json::from_str::<C>(r#"{"no_such_key": 3}"#);
            assert!(slip.is_err(), "{name} takes any key");
            self.0.push(wrap(config));
        }
    }
    let mut all = Defaults(Vec::new());
    F::visit(&mut all);
    all.0
}

/// Names are those in the listing and the tags in files, and a file gives the configuration back.
fn assert_names<F: Family>(types: &[(&str, &str)]) {
    let configs = defaults::<F>();
    let names: Vec<_> = configs.iter().map(F::name).collect();
    assert_eq!(
        names,
        types.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    for config in configs {
        let json = serde_json::to_value(&config).unwrap();
        assert_eq!(json["type"], config.name());
        assert_eq!(serde_json::from_value::<F>(json).unwrap(), config);
    }
}

#[test]
fn names_are_the_tags_of_the_variants() {
    assert_names::<TabularConfig>(TabularConfig::TYPES);
    assert_names::<ImageConfig>(ImageConfig::TYPES);
    assert_names::<LanguageConfig>(LanguageConfig::TYPES);
    assert_names::<EncoderConfig>(EncoderConfig::TYPES);
    assert_names::<TranslationConfig>(TranslationConfig::TYPES);
}
