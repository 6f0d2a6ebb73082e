//! Marks around the plain operations that a loop does in one pass over memory.
//!
//! A plan records a training on Burn's capture device, whose tensors have no numbers. All bodies
//! there are plain operations. What lies between two marks is a single operation on flex: it reads
//! what its plain operations read and makes the result, and nothing in between takes memory.

use burn::tensor::Tensor;

/// The `id` of the custom operation that is recorded before the plain operations of a pass. Its inputs
/// are tensors that the plain operations read and the pass does not.
pub const PASS_BEGINS: &str = "fireclay.pass.begins";

/// The `id` of the custom operation that is recorded after them. Its inputs are the results of the
/// pass.
pub const PASS_ENDS: &str = "fireclay.pass.ends";

/// The `id` of the custom operation that is recorded before the steps of a recurrence. Its inputs are the
/// gates and the weights.
pub const RECURRENCE_BEGINS: &str = "fireclay.lstm.begins";

/// The `id` of the custom operation that is recorded after them. Its input is the result.
pub const RECURRENCE_ENDS: &str = "fireclay.lstm.ends";

/// Does `steps`, which take as many operations as there is time: those of an LSTM from zero states, with
/// the gates of input, forgetting, the cell and output beside each other. On the capture device they are
/// recorded between marks, so that a graph for any time can be made of them.
///
/// # Shapes
///
/// - `gates`: without the part of the states, `[time, directions, batch, 4 * hidden]`
/// - `weights`: of the states, `[directions, hidden, 4 * hidden]`
/// - result: `[time, directions, batch, hidden]`
pub fn recurrence(
    gates: Tensor<4>,
    weights: Tensor<3>,
    steps: impl FnOnce(Tensor<4>, Tensor<3>) -> Tensor<4>,
) -> Tensor<4> {
    #[cfg(feature = "capture")]
    if let Some(client) = capture::client(&gates) {
        let read = [gates.recorded(), weights.recorded()].concat();
        capture::mark(&client, RECURRENCE_BEGINS, &read);
        let states = steps(gates, weights);
        capture::mark(&client, RECURRENCE_ENDS, &states.recorded());
        return states;
    }
    steps(gates, weights)
}

/// Does the plain operations of `body`, for which flex has a loop if `x` is in `f32`. On the capture
/// device they are recorded between marks.
pub(crate) fn one_pass<const D: usize, R: Results>(
    x: Tensor<D>,
    body: impl FnOnce(Tensor<D>) -> R,
) -> R {
    one_pass_without(None, x, body)
}

/// [`one_pass`] whose loop does not need `unread`, which the plain operations read.
pub(crate) fn one_pass_without<const D: usize, R: Results>(
    unread: Option<Tensor<D>>,
    x: Tensor<D>,
    body: impl FnOnce(Tensor<D>) -> R,
) -> R {
    #[cfg(feature = "capture")]
    if let Some(client) = capture::client(&x) {
        let unread = unread.map(|x| x.recorded()).unwrap_or_default();
        capture::mark(&client, PASS_BEGINS, &unread);
        let results = body(x);
        capture::mark(&client, PASS_ENDS, &results.recorded());
        return results;
    }
    drop(unread);
    body(x)
}

#[cfg(feature = "capture")]
pub(crate) use capture::Results;

#[cfg(not(feature = "capture"))]
pub(crate) trait Results {}

#[cfg(not(feature = "capture"))]
impl<T> Results for T {}

#[cfg(feature = "capture")]
mod capture {
    use burn::backend::{Capture, TensorMetadata};
    use burn::tensor::{DType, Tensor};
    use burn_ir::{CustomOpIr, OperationIr, TensorIr};
    use burn_router::RouterClient;

    /// What records the operations on `x`; none where no loop stands for them.
    pub(super) fn client<const D: usize>(x: &Tensor<D>) -> Option<impl RouterClient + use<D>> {
        let x = x.clone().try_into_primitive::<Capture>().ok()?;
        (x.dtype() == DType::F32).then(|| x.client.clone())
    }

    pub(super) fn mark(client: &impl RouterClient, id: &'static str, tensors: &[TensorIr]) {
        client.register_op(OperationIr::Custom(CustomOpIr::new(id, tensors, &[])));
    }

    /// The tensors that a pass makes.
    pub(crate) trait Results {
        /// What stands for them in the recorded graph.
        fn recorded(&self) -> Vec<TensorIr>;
    }

    impl<const D: usize> Results for Tensor<D> {
        fn recorded(&self) -> Vec<TensorIr> {
            let x = self.clone().try_into_primitive::<Capture>();
            x.into_iter().map(|x| x.into_ir()).collect()
        }
    }

    impl<const D: usize, const N: usize> Results for [Tensor<D>; N] {
        fn recorded(&self) -> Vec<TensorIr> {
            self.iter().flat_map(Results::recorded).collect()
        }
    }

    /// What is kept beside the result of the plain operations is nothing that a loop keeps.
    impl<const D: usize, K> Results for (Tensor<D>, K) {
        fn recorded(&self) -> Vec<TensorIr> {
            self.0.recorded()
        }
    }
}
