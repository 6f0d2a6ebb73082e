//! Products without the cleared and copied buffers that Burn writes them to.

use burn::tensor::{Shape, Tensor};
use pulp::NullaryFnOnce;

use crate::flex::extension::*;
use crate::flex::{Matrix, add_product, contiguous, product, run, tensor, width};

pub(super) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let [inputs, outputs] = weight.dims();
    assert_eq!(x.dims()[D - 1], inputs, "a row of the weight an input");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => {
            assert_eq!(bias.dims(), [outputs], "a bias an output");
            Dispatch::affine(x, weight, bias.into_dispatch())
        }
        None => Dispatch::linear(x, weight),
    })
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait LinearOps: Backend {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl LinearOps for Flex {
    fn linear(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        forward(x, weight, None)
    }

    fn affine(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        forward(x, weight, Some(bias))
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<Flex, C> {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        record::<C, 2>([x, weight], |[x, weight]| forward(x, weight, None))
    }

    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<C, 3>([x, weight, bias], |[x, weight, bias]| {
            forward(x, weight, Some(bias))
        })
    }
}

/// What `forward` makes of the inputs, of which the first two are kept.
fn record<C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    forward: impl FnOnce([FlexTensor; N]) -> FlexTensor,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = LinearBackward.prepare::<C>(inputs.each_ref().map(|input| input.node()));
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(mut prepared) => {
            let kept = Kept::of([&inputs[0], &inputs[1]], |input| prepared.checkpoint(input));
            prepared.finish(kept, forward(inputs.map(|input| input.into_primitive())))
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(forward(inputs.map(|input| input.into_primitive())))
        }
    }
}

fn forward(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
    let (x, weight) = (contiguous(x), Matrix::readable(weight));
    let (rows, columns) = (Matrix::of_rows(&x), Matrix::new(&weight));
    let numbers = match bias.map(contiguous) {
        Some(bias) => {
            let mut sums = bias.storage::<f32>().repeat(rows.rows());
            add_product(&mut sums, rows, columns);
            sums
        }
        None => product(rows, columns),
    };
    tensor(numbers, with_width(&x, columns.columns()))
}

/// With a bias there are three parents, without one two.
#[derive(Debug)]
struct LinearBackward;

impl<const N: usize> Backward<Flex, N> for LinearBackward {
    type State = Kept;

    fn backward(
        self,
        ops: Ops<Kept, N>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let mut read = |input| checkpointer.retrieve_node_output::<FlexTensor>(input);
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let parent = |index| ops.parents.get(index).and_then(Option::as_ref);
        if let (Some(parent), Some(weight)) = (parent(0), ops.state.weight) {
            gradients.register::<Flex>(parent.id, of_x(&gradient, read(weight)));
        }
        if let (Some(parent), Some(x)) = (parent(1), ops.state.x) {
            let found = of_weight(&gradient, read(x), ops.state.is_transposed);
            gradients.register::<Flex>(parent.id, found);
        }
        if let Some(parent) = parent(2) {
            gradients.register::<Flex>(parent.id, of_bias(&gradient));
        }
    }
}

/// The nodes of what is multiplied with the gradient: none for one that nobody asks for.
#[derive(Clone, Debug)]
struct Kept {
    x: Option<NodeId>,
    weight: Option<NodeId>,
    /// Whether the weight lies column by column.
    is_transposed: bool,
}

impl Kept {
    fn of(
        [x, weight]: [&FloatTensor<Autodiff<Flex>>; 2],
        mut keep: impl FnMut(&FloatTensor<Autodiff<Flex>>) -> NodeId,
    ) -> Self {
        let strides = weight.primitive().layout().strides();
        Self {
            is_transposed: strides[0] < strides[1],
            x: weight.is_tracked().then(|| keep(x)),
            weight: x.is_tracked().then(|| keep(weight)),
        }
    }
}

fn of_x(gradient: &FlexTensor, weight: FlexTensor) -> FlexTensor {
    let weight = Matrix::readable(weight);
    let columns = Matrix::new(&weight).transposed();
    let numbers = product(Matrix::of_rows(gradient), columns);
    tensor(numbers, with_width(gradient, columns.columns()))
}

/// In the weight's own layout, so that its optimizer need not turn it.
fn of_weight(gradient: &FlexTensor, x: FlexTensor, is_transposed: bool) -> FlexTensor {
    let x = contiguous(x);
    let (rows, gradients) = (Matrix::of_rows(&x), Matrix::of_rows(gradient));
    let [inputs, outputs] = [rows.columns(), gradients.columns()];
    match is_transposed {
        true => tensor(product(gradients.transposed(), rows), [outputs, inputs]).transpose(0, 1),
        false => tensor(product(rows.transposed(), gradients), [inputs, outputs]),
    }
}

fn of_bias(gradient: &FlexTensor) -> FlexTensor {
    /// Columns in one piece of work.
    const COLUMNS: usize = 256;
    let (numbers, columns) = (gradient.storage::<f32>(), width(gradient));
    let mut sums = vec![0.0; columns];
    if !numbers.is_empty() {
        run(sums
            .chunks_mut(COLUMNS)
            .enumerate()
            .map(|(index, sums)| Sums {
                numbers: &numbers[index * COLUMNS..],
                columns,
                sums,
            }));
    }
    tensor(sums, [columns])
}

/// The shape of `tensor` with rows of another width.
fn with_width(tensor: &FlexTensor, width: usize) -> Shape {
    let mut shape = tensor.layout().shape().clone();
    let last = shape.num_dims() - 1;
    shape[last] = width;
    shape
}

/// The sums of some columns side by side.
struct Sums<'a> {
    /// Starts at the first of these columns.
    numbers: &'a [f32],
    columns: usize,
    sums: &'a mut [f32],
}

impl NullaryFnOnce for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for row in self.numbers.chunks(self.columns) {
            for (sum, x) in self.sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}
