//! Window by window; where each greatest number was is all that is kept for the gradient.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::ops::MaxPoolOptions;
use pulp::NullaryFnOnce;

use crate::flex::extension::*;
use crate::flex::{PIECE, contiguous, run, tensor};

/// The parts of a map's two axes that windows cover.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// Images and channels.
    maps: [usize; 2],
    /// Height and width of a map.
    input: [usize; 2],
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
    /// Whether they have two rows and two columns and lie side by side.
    are_squares: bool,
}

impl Windows {
    /// None where the loops do not do what is asked for, or nothing is to be done.
    pub(super) fn of(x: [usize; 4], options: &MaxPoolOptions<2>) -> Option<Self> {
        let [images, channels, height, width] = x;
        let plain = options.dilation == [1; 2] && !options.ceil_mode && !x.contains(&0);
        let axis = |axis: usize, size: usize| {
            let (before, after) = options.padding[axis];
            let (length, stride) = (options.kernel_size[axis], options.stride[axis]);
            let last = (size + before + after).checked_sub(length)?;
            let ends_inside = |position: usize| {
                position.saturating_sub(before)..(position + length - before).min(size)
            };
            // Every window has to have a number in it.
            (before < length && after < length).then(|| {
                (0..=last)
                    .step_by(stride)
                    .map(ends_inside)
                    .collect::<Vec<_>>()
            })
        };
        let (rows, columns) = (axis(0, height)?, axis(1, width)?);
        plain.then_some(Self {
            maps: [images, channels],
            input: [height, width],
            rows,
            columns,
            are_squares: *options == MaxPoolOptions::new([2; 2]),
        })
    }

    /// Numbers in a map.
    fn map(&self) -> usize {
        self.input.iter().product()
    }

    /// Numbers in its result.
    fn result(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Maps in one piece of work.
    fn maps_in_piece(&self) -> usize {
        (PIECE / self.map()).max(1)
    }
}

pub(super) fn max_pool2d(x: Tensor<4>, windows: Windows) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::max_pool(x.into_dispatch(), windows))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait MaxPoolOps: Backend {
    fn max_pool(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self>;
}

impl MaxPoolOps for Flex {
    fn max_pool(x: FlexTensor, windows: Windows) -> FlexTensor {
        forward(x, &windows).0
    }
}

impl<C: CheckpointStrategy> MaxPoolOps for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self> {
        match MaxPoolBackward
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let (y, positions) = forward(x.into_primitive(), &windows);
                prepared.finish(State { windows, positions }, y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(forward(x.into_primitive(), &windows).0)
            }
        }
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

#[derive(Clone, Debug)]
struct State {
    windows: Windows,
    /// The position in its map that each number of the result comes from.
    positions: Vec<u32>,
}

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { windows, positions } = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            backward(gradient, &windows, &positions)
        });
    }
}

fn forward(x: FlexTensor, windows: &Windows) -> (FlexTensor, Vec<u32>) {
    let x = contiguous(x);
    let [images, channels] = windows.maps;
    let count = images * channels * windows.result();
    let (mut y, mut positions) = (vec![0.0; count], vec![0; count]);
    let maps = windows.maps_in_piece();
    let results = maps * windows.result();
    let numbers: &[f32] = x.storage();
    let pieces = numbers.chunks(maps * windows.map());
    let pieces = pieces
        .zip(y.chunks_mut(results))
        .zip(positions.chunks_mut(results));
    let pieces = pieces.map(|((x, y), positions)| Greatest {
        x,
        y,
        positions,
        windows,
    });
    match windows.are_squares {
        true => drop(run(pieces.map(Squares))),
        false => drop(run(pieces)),
    }
    let shape = [images, channels, windows.rows.len(), windows.columns.len()];
    (tensor(y, shape), positions)
}

fn backward(gradient: FlexTensor, windows: &Windows, positions: &[u32]) -> FlexTensor {
    let gradient = contiguous(gradient);
    let ([images, channels], [height, width]) = (windows.maps, windows.input);
    let mut x = vec![0.0; images * channels * windows.map()];
    let maps = windows.maps_in_piece();
    let results = maps * windows.result();
    let numbers: &[f32] = gradient.storage();
    let pieces = numbers.chunks(results).zip(positions.chunks(results));
    let pieces = pieces.zip(x.chunks_mut(maps * windows.map()));
    run(pieces.map(|((gradient, positions), x)| Back {
        gradient,
        positions,
        x,
        windows,
    }));
    tensor(x, [images, channels, height, width])
}

/// The results of some maps.
struct Greatest<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    positions: &'a mut [u32],
    windows: &'a Windows,
}

impl NullaryFnOnce for Greatest<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Windows { rows, columns, .. } = self.windows;
        let [_, width] = self.windows.input;
        let mut results = self.y.iter_mut().zip(self.positions);
        for map in self.x.chunks_exact(self.windows.map()) {
            for rows in rows {
                for (columns, (y, position)) in columns.iter().zip(&mut results) {
                    let mut greatest = rows.start * width + columns.start;
                    for row in rows.clone() {
                        for at in row * width + columns.start..row * width + columns.end {
                            if beats(map[at], map[greatest]) {
                                greatest = at;
                            }
                        }
                    }
                    (*y, *position) = (map[greatest], greatest as u32);
                }
            }
        }
    }
}

/// The results of some maps whose windows are squares of two numbers that fill them, without a
/// branch.
struct Squares<'a>(Greatest<'a>);

impl NullaryFnOnce for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Greatest {
            x,
            y,
            positions,
            windows,
        } = self.0;
        let [height, width] = windows.input;
        let columns = windows.columns.len();
        let results = y
            .chunks_exact_mut(columns)
            .zip(positions.chunks_exact_mut(columns));
        // A last odd row or column belongs to no window.
        let maps = x.chunks_exact(windows.map());
        let strips = maps.flat_map(|map| map[..height / 2 * 2 * width].chunks_exact(2 * width));
        for (index, (strip, (y, positions))) in strips.zip(results).enumerate() {
            let start = (index % windows.rows.len() * 2 * width) as u32;
            let (upper, lower) = strip.split_at(width);
            let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
            let squares = upper.iter().zip(lower).zip(y.iter_mut().zip(positions));
            for (column, (([a, b], [c, d]), (y, position))) in squares.enumerate() {
                let (above, below) = (larger(*a, *b), larger(*c, *d));
                let of_column = [u32::from(b > a), u32::from(d > c)];
                let is_below = u32::from(below > above);
                let at = of_column[0] + is_below * (width as u32 + of_column[1] - of_column[0]);
                // All bits of the exponent and one more make what is no number.
                let is_none = u32::from(a.is_nan() | b.is_nan() | c.is_nan() | d.is_nan());
                let bits = larger(above, below).to_bits() | (is_none * f32::NAN.to_bits());
                *y = f32::from_bits(bits);
                *position = start + 2 * column as u32 + at;
            }
        }
    }
}

/// One instruction, unlike `f32::max`, which passes over what is no number.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// What is no number wins, or nobody would see it.
#[inline(always)]
fn beats(x: f32, greatest: f32) -> bool {
    (x > greatest) | x.is_nan()
}

/// The gradients of some maps.
struct Back<'a> {
    gradient: &'a [f32],
    positions: &'a [u32],
    x: &'a mut [f32],
    windows: &'a Windows,
}

impl NullaryFnOnce for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let result = self.windows.result();
        let results = self
            .gradient
            .chunks_exact(result)
            .zip(self.positions.chunks_exact(result));
        for ((gradient, positions), x) in results.zip(self.x.chunks_exact_mut(self.windows.map())) {
            for (gradient, position) in gradient.iter().zip(positions) {
                x[*position as usize] += gradient;
            }
        }
    }
}
