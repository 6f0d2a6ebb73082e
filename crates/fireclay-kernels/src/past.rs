//! Attention of texts that are read side by side, each of a length of its own.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

/// The keys and values of the tokens of one text that were read, as one layer of attention sees them.
///
/// On the CPU a token is added in place, so that what was read before is not copied.
#[derive(Clone, Debug)]
pub struct Past(Kept);

#[derive(Clone, Debug)]
enum Kept {
    #[cfg(feature = "flex")]
    Loops(flex::Past),
    /// `[1, key heads, time, width]`.
    Tensors([Tensor<4>; 2]),
}

impl Past {
    /// That of a text of which these are the keys and values, `[1, key heads, time, width]`.
    pub fn new(keys: Tensor<4>, values: Tensor<4>) -> Self {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&keys) && !keys.is_autodiff() {
            return Self(Kept::Loops(flex::Past::new(keys, values)));
        }
        Self(Kept::Tensors([keys, values]))
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        match &self.0 {
            #[cfg(feature = "flex")]
            Kept::Loops(past) => past.len(),
            Kept::Tensors([keys, _]) => keys.dims()[2],
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a token sees of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sight {
    /// Only so many tokens, itself among them.
    pub window: Option<usize>,
    /// Scores are held between minus this and this by the hyperbolic tangent.
    pub cap: Option<f64>,
}

/// [`attention`](fn@crate::attention) of the next token of each text to itself and to those before it in its own text,
/// which takes it up. The bits of a text do not depend on the others. Rows after those of the texts are padding and
/// find zeros. What has no loop is done by `alone`, for one text at a time: it is given a query and the keys and
/// values that are in its window, and minds the cap itself.
///
/// # Shapes
///
/// - `query`: `[rows, heads, 1, width]`, as many rows as texts or more
/// - `keys`, `values`: of the next tokens, `[rows, key heads, 1, width]`
/// - result: `[rows, heads, 1, width]`
///
/// # Panics
///
/// If there are fewer rows than texts.
pub fn attend_each(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    pasts: &mut [Past],
    sight: Sight,
    alone: impl Fn(Tensor<4>, [Tensor<4>; 2]) -> Tensor<4>,
) -> Tensor<4> {
    assert!(pasts.len() <= query.dims()[0], "a row for each text");
    #[cfg(feature = "flex")]
    if let Some(pasts) = loops(pasts) {
        return flex::attend_each(query, [keys, values], pasts, sight);
    }
    plain(query, [keys, values], pasts, |query, pair| {
        let time = pair[0].dims()[2];
        let seen = sight.window.map_or(time, |window| window.min(time));
        let pair = pair.map(|all| all.narrow(2, time - seen, seen));
        alone(query, pair)
    })
}

/// What the loops keep of the texts, if they keep something of each.
#[cfg(feature = "flex")]
fn loops(pasts: &mut [Past]) -> Option<Vec<&mut flex::Past>> {
    let each = pasts.iter_mut().map(|past| match &mut past.0 {
        Kept::Loops(past) => Some(past),
        Kept::Tensors(_) => None,
    });
    each.collect()
}

/// Text by text, so that each has the shapes that it has alone.
fn plain(
    query: Tensor<4>,
    pairs: [Tensor<4>; 2],
    pasts: &mut [Past],
    alone: impl Fn(Tensor<4>, [Tensor<4>; 2]) -> Tensor<4>,
) -> Tensor<4> {
    let mut found = Vec::new();
    for (row, past) in pasts.iter_mut().enumerate() {
        let [keys, values] = pairs.each_ref().map(|pair| pair.clone().narrow(0, row, 1));
        let pair = match &past.0 {
            Kept::Tensors([old_keys, old_values]) => [
                Tensor::cat(vec![old_keys.clone(), keys], 2),
                Tensor::cat(vec![old_values.clone(), values], 2),
            ],
            #[cfg(feature = "flex")]
            Kept::Loops(_) => unreachable!("a model keeps all its texts alike"),
        };
        past.0 = Kept::Tensors(pair.clone());
        found.push(alone(query.clone().narrow(0, row, 1), pair));
    }
    let rows = query.dims()[0];
    if pasts.len() < rows {
        let padding = query.narrow(0, pasts.len(), rows - pasts.len());
        found.push(padding.zeros_like());
    }
    Tensor::cat(found, 0)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::attention::attention;
    use crate::test::{close, same_on_any_threads, wave};

    const WIDTH: usize = 24;

    fn part(heads: usize, time: usize, seed: usize) -> Tensor<4> {
        Tensor::from_data(wave([1, heads, time, WIDTH], 2.0, seed), &Device::flex())
    }

    /// What the tokens of a text find one after the other, after a past of so many of them.
    fn alone(read: usize, new: usize, seed: usize) -> Vec<Tensor<4>> {
        let mut pasts = [past(read, seed)];
        let next = |token| each(query(token, seed), pair(token, seed), &mut pasts);
        (read..read + new).map(next).collect()
    }

    fn each(query: Tensor<4>, pairs: [Tensor<4>; 2], pasts: &mut [Past]) -> Tensor<4> {
        attend_each(query, pairs, pasts, Sight::default(), all)
    }

    fn all(query: Tensor<4>, pair: [Tensor<4>; 2]) -> Tensor<4> {
        attention(query, pair, None, None)
    }

    fn past(read: usize, seed: usize) -> Past {
        let [keys, values] = [7, 8].map(|which| part(2, 70, which + 10 * seed).narrow(2, 0, read));
        Past::new(keys, values)
    }

    fn query(token: usize, seed: usize) -> Tensor<4> {
        part(6, 70, 9 + 10 * seed).narrow(2, token, 1)
    }

    fn pair(token: usize, seed: usize) -> [Tensor<4>; 2] {
        [7, 8].map(|which| part(2, 70, which + 10 * seed).narrow(2, token, 1))
    }

    #[test]
    fn the_loops_find_what_attention_finds() {
        for (read, new) in [(1, 3), (15, 3), (16, 20), (63, 2)] {
            for (index, found) in alone(read, new, 1).into_iter().enumerate() {
                let token = read + index;
                let [keys, values] =
                    [7, 8].map(|which| part(2, 70, which + 10).narrow(2, 0, token + 1));
                let expected = attention(query(token, 1), [keys, values], None, None);
                close(found.into_data(), &expected.into_data(), 1e-5);
            }
        }
    }

    #[test]
    fn a_text_finds_the_same_bits_alone_and_in_company_on_any_threads() {
        let lengths = [1usize, 5, 16, 31, 48];
        let together = || {
            let mut pasts: Vec<Past> = (0..5).map(|text| past(lengths[text], text)).collect();
            let next = |step: usize| {
                let of = |make: &dyn Fn(usize, usize) -> Tensor<4>| {
                    let rows = (0..5).map(|text| make(lengths[text] + step, text));
                    // A row more than there are texts.
                    Tensor::cat(rows.chain([make(0, 0)]).collect(), 0)
                };
                let pairs = [0, 1].map(|which| of(&|token, text| pair(token, text)[which].clone()));
                each(of(&query), pairs, &mut pasts).into_data()
            };
            (0..20).map(next).collect::<Vec<_>>()
        };
        same_on_any_threads(together);
        let together = together();
        for (text, length) in lengths.into_iter().enumerate() {
            let alone = alone(length, 20, text).into_iter().map(Tensor::into_data);
            for (step, alone) in alone.enumerate() {
                let row = Tensor::<4>::from_data(together[step].clone(), &Device::flex());
                assert_eq!(row.narrow(0, text, 1).into_data(), alone, "{text} {step}");
            }
        }
        let padding = Tensor::<4>::from_data(together[0].clone(), &Device::flex()).narrow(0, 5, 1);
        assert!(padding.into_data().iter::<f32>().all(|x| x == 0.0));
    }

    #[test]
    fn what_has_no_loop_finds_the_same() {
        let [keys, values] = [7, 8].map(|which| part(2, 70, which + 10).narrow(2, 0, 20));
        let mut pasts = [Past(Kept::Tensors([keys, values]))];
        let twice = |x: Tensor<4>| Tensor::cat(vec![x.clone(), x], 0);
        let found = plain(twice(query(20, 1)), pair(20, 1).map(twice), &mut pasts, all);
        assert_eq!(pasts[0].len(), 21);
        let [first, second] = [0, 1].map(|row| found.clone().narrow(0, row, 1));
        let expected = alone(20, 1, 1).remove(0);
        close(first.into_data(), &expected.into_data(), 1e-5);
        assert!(second.into_data().iter::<f32>().all(|x| x == 0.0));
    }

    #[test]
    fn a_window_hides_what_is_before_it_and_a_cap_holds_scores() {
        for (window, cap) in [(Some(5), None), (None, Some(0.7)), (Some(18), Some(2.0))] {
            let sight = Sight { window, cap };
            let capped = |query: Tensor<4>, [keys, values]: [Tensor<4>; 2]| {
                let Some(cap) = cap else {
                    return all(query, [keys, values]);
                };
                // As many queries to each of the two keys, one below the other.
                let query = (query * (WIDTH as f64).powf(-0.5)).reshape([1, 2, 3, WIDTH]);
                let scores = (query.matmul(keys.transpose()) / cap).tanh() * cap;
                let shares = burn::tensor::activation::softmax(scores, 3);
                shares.matmul(values).reshape([1, 6, 1, WIDTH])
            };
            let mut loops = [past(30, 1)];
            let [keys, values] = [7, 8].map(|which| part(2, 70, which + 10).narrow(2, 0, 30));
            let mut tensors = [Past(Kept::Tensors([keys, values]))];
            for token in 30..34 {
                let [found, expected] = [&mut loops, &mut tensors].map(|pasts| {
                    attend_each(query(token, 1), pair(token, 1), pasts, sight, capped).into_data()
                });
                close(found, &expected, 1e-5);
            }
        }
    }
}
