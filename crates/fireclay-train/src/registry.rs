//! What makes an enum of one line for each `type` of a table.

/// The enum of a table whose `type` names the variant.
///
/// ```text
/// registry! {
///     /// The optimizer of a run: the table `[optimizer]`, whose `type` names the variant.
///     OptimizerConfig of UpdateRule {
///         sgd::Sgd(SgdConfig) = "sgd", "gradient descent, plain or with momentum";
///     }
/// }
/// ```
///
/// A line is a `type`: its file, variant and struct, its name in configurations, and what it is in a
/// few words. The struct implements the trait that is named first.
macro_rules! registry {
    ($(#[$about:meta])* $Enum:ident of $Trait:ident {
        $($file:ident::$Variant:ident($Config:ident) = $name:tt, $summary:tt;)*
    }) => {
        $(pub use $file::$Config;)*

        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type")]
        pub enum $Enum {
            $(#[doc = $summary]
            #[serde(rename = $name)]
            $Variant($Config),)*
        }

        impl $Enum {
            /// Every `type` and what it is, in the order in which they are listed to the user.
            pub const TYPES: &[(&str, &str)] = &[$(($name, $summary)),*];

            /// How each `type` is read.
            pub fn variants() -> Vec<fireclay_config::Variant<Self>> {
                vec![$(fireclay_config::variant($name, Self::$Variant)),*]
            }

            /// The `type` in a configuration file.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Variant(_) => $name,)* }
            }

            /// The table, whatever its `type`.
            fn table(&self) -> &dyn $Trait {
                match self { $(Self::$Variant(config) => config,)* }
            }
        }
    };
}

pub(crate) use registry;
