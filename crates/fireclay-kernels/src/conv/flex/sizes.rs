//! How large everything is, and where it lies.
//!
//! Maps are read from copies with their padding around them. Where the stride is s, a row of such a
//! copy has its columns 0, s, 2s and so on first, then 1, s + 1 and so on: what one weight meets at
//! neighbouring positions of the result then lies side by side, whatever the stride.

use std::borrow::Cow;

use burn::tensor::ops::ConvOptions;

/// The sizes of a convolution of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Sizes {
    pub(super) images: usize,
    pub(super) channels: usize,
    pub(super) outputs: usize,
    /// Height and width of the input, as the next three.
    pub(super) input: [usize; 2],
    pub(super) kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

/// Positions of the result side by side in a row, `length` of them from each of these offsets on: of
/// what their first weight meets in the padded maps, and of themselves in the result.
pub(super) struct Runs {
    pub(super) length: usize,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

impl Sizes {
    /// None where the loops do not do what is asked for, or nothing is to be done.
    pub(in super::super) fn of(
        x: [usize; 4],
        weight: [usize; 4],
        options: &ConvOptions<2>,
    ) -> Option<Self> {
        let [images, channels, height, width] = x;
        let [outputs, depth, rows, columns] = weight;
        let padding = options.padding_begin();
        let plain = options.groups == 1 && options.dilation == [1; 2] && !options.is_asymmetric();
        let fits = rows <= height + 2 * padding[0] && columns <= width + 2 * padding[1];
        let empty = x.contains(&0) || weight.contains(&0);
        (plain && fits && !empty && depth == channels).then_some(Self {
            images,
            channels,
            outputs,
            input: [height, width],
            kernel: [rows, columns],
            stride: options.stride,
            padding,
        })
    }

    /// Height and width of the result.
    pub(super) fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            (self.input[axis] + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// Numbers in one map of the result.
    pub(super) fn positions(&self) -> usize {
        self.output().iter().product()
    }

    /// Numbers that one result is a sum of.
    pub(super) fn depth(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Numbers in an image, in its padded copy, in its result.
    pub(super) fn image(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    pub(super) fn padded_image(&self) -> usize {
        self.channels * self.plane()
    }

    pub(super) fn result(&self) -> usize {
        self.outputs * self.positions()
    }

    /// Images in one piece of work: enough positions for the weights to be read from memory once for
    /// many, few enough that there is work for every thread.
    pub(super) fn images_in_piece(&self) -> usize {
        const POSITIONS: usize = 256;
        POSITIONS.div_ceil(self.positions())
    }

    /// The numbers of some images with their padding.
    pub(super) fn pad<'a>(&self, images: &'a [f32]) -> Cow<'a, [f32]> {
        if self.padding == [0; 2] && self.stride[1] == 1 {
            return Cow::Borrowed(images);
        }
        let mut padded = vec![0.0; images.len() / self.image() * self.padded_image()];
        let columns = self.columns();
        self.each_row(&mut padded, images.chunks_exact(self.input[1]), |row, x| {
            for (x, column) in x.iter().zip(&columns) {
                row[*column] = *x;
            }
        });
        Cow::Owned(padded)
    }

    /// Reads images from copies with padding, which is left behind.
    pub(super) fn crop(&self, padded: &mut [f32], images: &mut [f32]) {
        let columns = self.columns();
        let rows = images.chunks_exact_mut(self.input[1]);
        self.each_row(padded, rows, |row, x| {
            for (x, column) in x.iter_mut().zip(&columns) {
                *x = row[*column];
            }
        });
    }

    /// Each row of some images with its row in their padded copies.
    fn each_row<T>(
        &self,
        padded: &mut [f32],
        mut rows: impl Iterator<Item = T>,
        mut visit: impl FnMut(&mut [f32], T),
    ) {
        for plane in padded.chunks_exact_mut(self.plane()) {
            let inside = plane.chunks_exact_mut(self.row()).skip(self.padding[0]);
            for (padded, row) in inside.take(self.input[0]).zip(&mut rows) {
                visit(padded, row);
            }
        }
    }

    /// The offset in a padded image of the number that each weight of an output meets first.
    pub(super) fn taps(&self) -> Vec<usize> {
        let [rows, columns] = self.kernel;
        let mut taps = Vec::with_capacity(self.depth());
        for channel in 0..self.channels {
            for row in 0..rows {
                let row = channel * self.plane() + row * self.row();
                taps.extend((0..columns).map(|column| row + self.column(column)));
            }
        }
        taps
    }

    /// All positions of some images, in runs of a power of two that is no longer than `longest`.
    pub(super) fn runs(&self, images: usize, longest: usize) -> Runs {
        let [rows, columns] = self.output();
        let length = [8, 4, 2, 1]
            .into_iter()
            .find(|length| columns % length == 0 && *length <= longest)
            .unwrap_or(1);
        let mut runs = Runs {
            length,
            inputs: Vec::with_capacity(images * rows * columns / length),
            outputs: Vec::with_capacity(images * rows * columns / length),
        };
        for image in 0..images {
            for row in 0..rows {
                let input = image * self.padded_image() + row * self.stride[0] * self.row();
                let output = image * self.result() + row * columns;
                for column in (0..columns).step_by(length) {
                    runs.inputs.push(input + column);
                    runs.outputs.push(output + column);
                }
            }
        }
        runs
    }

    /// The offsets in a padded row of an image's columns.
    fn columns(&self) -> Vec<usize> {
        let positions = self.padding[1]..self.padding[1] + self.input[1];
        positions.map(|column| self.column(column)).collect()
    }

    fn column(&self, column: usize) -> usize {
        column % self.stride[1] * self.phase() + column / self.stride[1]
    }

    /// Columns of a padded row that lie side by side.
    fn phase(&self) -> usize {
        (self.input[1] + 2 * self.padding[1]).div_ceil(self.stride[1])
    }

    fn row(&self) -> usize {
        self.phase() * self.stride[1]
    }

    fn plane(&self) -> usize {
        (self.input[0] + 2 * self.padding[0]) * self.row()
    }
}
