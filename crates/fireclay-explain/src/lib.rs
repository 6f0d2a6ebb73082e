//! Why a model answers what it answers.
//!
//! The methods are functions of plain numbers, one file each, for anything that is a [`Function`] of points, or a
//! [`Smooth`] one; [`Differentiated`] makes one of operations on tensors, on any backend. [`explain`] applies them
//! to a finished run: to the columns of its table, the pixels of its images or the tokens of its texts, sample by
//! sample and over a whole split.
//!
//! ```
//! use fireclay_explain::{Function, exact_shapley};
//!
//! /// 2 x + 3 y
//! struct Plane;
//!
//! impl Function for Plane {
//!     fn width(&self) -> usize {
//!         2
//!     }
//!
//!     fn values(&self, points: &[f32]) -> Vec<f64> {
//!         let rows = points.chunks(2);
//!         rows.map(|row| f64::from(2.0 * row[0] + 3.0 * row[1])).collect()
//!     }
//! }
//!
//! let (point, background) = ([1.0, 1.0], [0.0, 0.0]);
//! let found = exact_shapley(&Plane, &point, &background, &[vec![0], vec![1]]);
//! assert_eq!((found.base, found.values), (0.0, vec![2.0, 3.0]));
//! ```
#![forbid(unsafe_code)]

mod agreement;
mod dependence;
mod function;
mod grad_cam;
mod gradient;
mod integrated;
mod occlusion;
mod permutation;
mod random;
mod rollout;
mod run;
mod shapley;
mod smooth_grad;
mod tensors;
#[cfg(test)]
mod tests;

pub use agreement::rank_correlation;
pub use dependence::{Dependence, partial_dependence};
pub use function::{Function, Smooth, sum_over};
pub use grad_cam::grad_cam;
pub use gradient::{gradient, input_x_gradient, saliency};
pub use integrated::{Completeness, Integrated, integrated_gradients};
pub use occlusion::{occlusion, patches, spread};
pub use permutation::{Loss, permutation_importance};
pub use rollout::attention_rollout;
pub use run::{
    Baseline, Column, ExplainError, Explained, Explanation, Method, Request, Sample, Step, Sums,
    explain,
};
pub use shapley::{EXACT, Shapley, exact_shapley, sampled_shapley};
pub use smooth_grad::{Noise, smooth_grad};
pub use tensors::{Differentiated, Place, Valued};
