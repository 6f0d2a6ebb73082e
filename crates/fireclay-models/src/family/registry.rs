//! What makes a family of one line for each architecture.

/// A family: the enum of configurations, the enum of modules, and methods of both that each
/// architecture has too.
///
/// ```text
/// registry! {
///     /// A model for images.
///     pretrainable ImageConfig builds ImageModel for ImageShape {
///         lenet::Lenet(LenetConfig => LeNet) = "lenet", "LeNet-5 (LeCun et al. 1998)";
///     }
///
///     impl ImageNetwork for ImageModel {
///         fn features(&self, images: Tensor<4>) -> Tensor<2>;
///     }
/// }
/// ```
///
/// A line is an architecture: the file and the variant, the configuration (an
/// [`Architecture`](crate::Architecture)) and the module that it builds, its name in
/// configurations, and what it is in a few words. What is public in the file is re-exported. The
/// variant is part of the names in checkpoints, so it stays when the name changes. With
/// `pretrainable`, each is a [`Layered`](super::Layered) too.
macro_rules! registry {
    ($(#[$about:meta])* pretrainable $Config:ident builds $(#[$attr:meta])* $Model:ident for $Shape:ident
     $lines:tt $($methods:tt)*) => {
        $crate::family::registry! {
            $(#[$about])* $Config builds $(#[$attr])* $Model for $Shape $lines $($methods)*
        }
        $crate::family::pretrainable! { $Config $lines }
    };
    ($(#[$about:meta])* $Config:ident builds $(#[$attr:meta])* $Model:ident for $Shape:ident
     $lines:tt
     $(impl $Type:ident $(for $For:ident)? {
        $($(#[$doc:meta])* $vis:vis fn $method:ident(&self $(, $arg:ident: $Arg:ty)* $(,)?) -> $Result:ty;)*
     })*) => {
        $crate::family::enums! { [$(#[$about])*] [$(#[$attr])*] $Config $Model $Shape $lines }
        $(impl $Type $(for $For)? {
            $($(#[$doc])*
            $vis fn $method(&self $(, $arg: $Arg)*) -> $Result {
                $crate::family::delegate!(self, $method($($arg),*), $lines)
            })*
        })*
    };
}

/// Calls a method of whichever architecture or module the variant holds.
macro_rules! delegate {
    ($this:expr, $method:ident $args:tt, {
        $($file:ident::$Variant:ident $types:tt = $name:tt, $summary:tt;)*
    }) => {
        match $this { $(Self::$Variant(inner) => inner.$method $args,)* }
    };
}

/// The two enums of a family, and what makes it one.
macro_rules! enums {
    ([$(#[$about:meta])*] [$(#[$attr:meta])*] $Config:ident $Model:ident $Shape:ident {
        $($file:ident::$Variant:ident($Arch:ident => $Module:ident) = $name:tt, $summary:tt;)*
    }) => {
        $(pub use $file::*;)*

        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type")]
        pub enum $Config {
            $(#[doc = $summary]
            #[serde(rename = $name)]
            $Variant($Arch),)*
        }

        #[doc = concat!("The architecture that a [`", stringify!($Config), "`] builds.")]
        #[derive(burn::module::Module, Debug)]
        $(#[$attr])*
        pub enum $Model {
            $(#[doc = $summary]
            $Variant($Module),)*
        }

        impl $crate::family::Family for $Config {
            const TYPES: &[(&str, &str)] = &[$(($name, $summary)),*];

            type Shape = $Shape;
            type Model = $Model;

            fn visit(visitor: &mut impl $crate::family::Visitor<Self>) {
                $(visitor.architecture($name, $summary, Self::$Variant);)*
            }

            fn name(&self) -> &'static str {
                match self { $(Self::$Variant(_) => $name,)* }
            }

            fn validate(&self) -> Vec<(String, String)> {
                match self { $(Self::$Variant(config) => config.validate(),)* }
            }

            fn validate_for(&self, shape: &$Shape) -> Vec<(String, String)> {
                match self {
                    $(Self::$Variant(config) => $crate::family::impossible(config, shape),)*
                }
            }

            fn least_weights(&self, shape: &$Shape) -> usize {
                match self { $(Self::$Variant(config) => config.least_weights(shape),)* }
            }

            fn has_batch_norm(&self) -> bool {
                match self { $(Self::$Variant(config) => config.has_batch_norm(),)* }
            }

            fn size_key(&self) -> &'static str {
                match self { $(Self::$Variant(config) => config.size_key(),)* }
            }

            fn context_length(&self) -> usize {
                match self { $(Self::$Variant(config) => config.context_length(),)* }
            }

            fn usual_vocabulary(&self) -> usize {
                match self { $(Self::$Variant(config) => config.usual_vocabulary(),)* }
            }

            fn init(&self, shape: &$Shape, seed: u64, device: &burn::tensor::Device) -> $Model {
                match self {
                    $(Self::$Variant(config) => $Model::$Variant(config.init(shape, seed, device)),)*
                }
            }

            fn weights(model: &mut $Model) -> Vec<&mut $crate::layers::weight::Weight> {
                match model {
                    $($Model::$Variant(model) => <$Arch as $crate::family::Architecture>::weights(model),)*
                }
            }

            fn torch_name(&self, path: String) -> String {
                match self { $(Self::$Variant(config) => config.torch_name(path),)* }
            }

            fn hugging_face(&self, shape: &$Shape) -> Option<serde_json::Value> {
                match self {
                    $(Self::$Variant(config) => ($Arch::hugging_face_class()?.document)(config, shape),)*
                }
            }
        }
    };
}

/// What makes a family of [`Layered`](super::Layered) architectures pretrainable.
macro_rules! pretrainable {
    ($Config:ident {
        $($file:ident::$Variant:ident($Arch:ident => $Module:ident) = $name:tt, $summary:tt;)*
    }) => {
        impl $crate::family::Pretrainable for $Config {
            fn layers(&self) -> usize {
                match self { $(Self::$Variant(config) => config.layers(),)* }
            }

            fn layer_of(&self, name: &str) -> usize {
                let last = self.layers() - 1;
                let layer = match self { $(Self::$Variant(config) => config.layer_of(name),)* };
                layer.map_or(last, |layer| layer.min(last))
            }

            fn head(&self) -> &'static str {
                match self { $(Self::$Variant(config) => config.head(),)* }
            }

            fn canonical_name(&self, name: &str) -> Option<String> {
                match self { $(Self::$Variant(config) => config.canonical_name(name),)* }
            }

            fn leaves_out(&self, shape: &Self::Shape, name: &str) -> bool {
                match self { $(Self::$Variant(config) => config.leaves_out(shape, name),)* }
            }

            fn check_hugging_face(
                &self,
                shape: &Self::Shape,
                json: &[u8],
            ) -> Result<(), $crate::hugging_face::HuggingFaceError> {
                match self {
                    $(Self::$Variant(config) => {
                        $crate::family::check_hugging_face(config, shape, json)
                    })*
                }
            }

            fn positions(&self, shape: &Self::Shape, name: &str) -> Option<[usize; 2]> {
                match self { $(Self::$Variant(config) => config.positions(shape, name),)* }
            }

            fn copy_of(&self, name: &str) -> Option<&'static str> {
                match self { $(Self::$Variant(config) => config.copy_of(name),)* }
            }

            fn rows_of(&self, name: &str) -> Option<$crate::family::Rows> {
                match self { $(Self::$Variant(config) => config.rows_of(name),)* }
            }

            fn hidden_values(&self) -> Vec<(&'static str, serde_json::Value)> {
                match self { $(Self::$Variant(config) => config.hidden_values(),)* }
            }

            fn may_be(&self, name: &str) -> bool {
                match self { $(Self::$Variant(config) => config.may_be(name),)* }
            }
        }
    };
}

pub(crate) use {delegate, enums, pretrainable, registry};
