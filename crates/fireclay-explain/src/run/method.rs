//! The methods, by name, and which of them fit which data.

use fireclay_run::Parts;
use serde::{Deserialize, Serialize};

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// How much worse the model gets when a column is shuffled (Breiman 2001, Fisher et al. 2019).
    Permutation,
    /// What each column adds to an answer (Lundberg & Lee 2017, Štrumbelj & Kononenko 2014).
    Shapley,
    /// The mean gradient on the way from a baseline (Sundararajan et al. 2017).
    IntegratedGradients,
    /// How an answer changes with a column (Friedman 2001).
    PartialDependence,
    /// Where the last feature maps speak for a class (Selvaraju et al. 2017).
    GradCam,
    /// From which tokens the answer comes by way of attention (Abnar & Zuidema 2020).
    Rollout,
    /// What is lost when a part is covered (Zeiler & Fergus 2014).
    Occlusion,
    /// The size of the gradient (Simonyan et al. 2013).
    Saliency,
    /// The mean gradient around the sample (Smilkov et al. 2017).
    SmoothGrad,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Permutation,
        Self::Shapley,
        Self::IntegratedGradients,
        Self::PartialDependence,
        Self::GradCam,
        Self::Rollout,
        Self::Occlusion,
        Self::Saliency,
        Self::SmoothGrad,
    ];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Permutation => "permutation",
            Self::Shapley => "shapley",
            Self::IntegratedGradients => "integrated_gradients",
            Self::PartialDependence => "partial_dependence",
            Self::GradCam => "grad_cam",
            Self::Rollout => "rollout",
            Self::Occlusion => "occlusion",
            Self::Saliency => "saliency",
            Self::SmoothGrad => "smooth_grad",
        }
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
