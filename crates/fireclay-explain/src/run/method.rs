//! The methods, by name, and which of them fit which data.

use fireclay_run::Parts;
use serde::{Deserialize, Serialize};

/// The methods: a line each, with the name in files and on the command line.
macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A method.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Method {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Method {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Its name in files and on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it says, in a line for the user.
            pub fn summary(self) -> &'static str {
                let summary = match self {
                    $(Self::$variant => concat!($($doc),+),)+
                };
                summary.trim().trim_end_matches('.')
            }

            /// The method of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|method| method.name() == name)
            }
        }
    };
}

methods! {
    /// How much worse a model of tables gets when a column is shuffled (Breiman 2001, Fisher et al. 2019).
    Permutation = "permutation",
    /// What each column of a table adds to an answer (Lundberg & Lee 2017, Štrumbelj & Kononenko 2014).
    Shapley = "shapley",
    /// The mean gradient on the way from a baseline (Sundararajan et al. 2017).
    IntegratedGradients = "integrated_gradients",
    /// How an answer changes with a column of a table (Friedman 2001).
    PartialDependence = "partial_dependence",
    /// Where the last feature maps of a convolutional model speak for a class (Selvaraju et al. 2017).
    GradCam = "grad_cam",
    /// From which tokens the answer of a transformer comes by way of attention (Abnar & Zuidema 2020).
    Rollout = "rollout",
    /// What is lost when a part is covered (Zeiler & Fergus 2014).
    Occlusion = "occlusion",
    /// The size of the gradient (Simonyan et al. 2013).
    Saliency = "saliency",
    /// The mean gradient around the sample (Smilkov et al. 2017).
    SmoothGrad = "smooth_grad",
}

impl Method {
    /// Whether it explains sample by sample.
    pub(crate) fn is_local(self) -> bool {
        !matches!(self, Self::Permutation | Self::PartialDependence)
    }

    /// Whether it explains an output before it becomes a probability.
    pub(crate) fn is_of_logits(self) -> bool {
        use Method::{GradCam, IntegratedGradients, Saliency, SmoothGrad};
        matches!(self, IntegratedGradients | GradCam | Saliency | SmoothGrad)
    }

    /// Whether attributions have a sign: what speaks for the target, and what against it.
    pub(crate) fn is_signed(self) -> bool {
        !matches!(self, Self::GradCam | Self::Rollout | Self::Saliency)
    }
}

/// What there is to explain with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fits {
    /// Whether the samples have targets.
    pub truth: bool,
    /// Rows and columns of the model's feature maps, if it has some.
    pub maps: Option<[usize; 2]>,
    /// Whether it attends.
    pub attention: bool,
}

/// What keeps a method from such samples, if something does.
pub(crate) fn refusal(method: Method, parts: &Parts, fits: Fits) -> Option<&'static str> {
    use Method::{GradCam, PartialDependence, Permutation, Rollout, Shapley};
    let is_table = matches!(parts, Parts::Columns { .. });
    match method {
        Permutation | PartialDependence | Shapley if !is_table => {
            Some("is for the columns of a table")
        }
        Permutation if !fits.truth => {
            Some("needs targets, which the samples of a split have: name no INPUT")
        }
        GradCam if fits.maps.is_none() => {
            Some("is for models of images that are made of convolutions")
        }
        GradCam if fits.maps == Some([1, 1]) => {
            Some("sees no place: the last feature maps of the model have a single position")
        }
        Rollout if !fits.attention => Some("is for transformers: this model has no attention"),
        _ => None,
    }
}

/// The methods that people expect for such samples.
pub(crate) fn usual(parts: &Parts, fits: Fits) -> Vec<Method> {
    use Method::{
        GradCam, IntegratedGradients, Occlusion, PartialDependence, Permutation, Rollout, Shapley,
    };
    let methods: &[Method] = match parts {
        Parts::Columns { .. } if fits.truth => {
            &[Permutation, Shapley, IntegratedGradients, PartialDependence]
        }
        Parts::Columns { .. } => &[Shapley, IntegratedGradients],
        Parts::Pixels { .. } => &[GradCam, Rollout, IntegratedGradients, Occlusion],
        Parts::Tokens(_) => &[IntegratedGradients, Occlusion, Rollout],
    };
    let fitting = methods.iter().copied();
    fitting
        .filter(|method| refusal(*method, parts, fits).is_none())
        .collect()
}
