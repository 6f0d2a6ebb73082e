//! Mirror images.

use crate::image::pixels::Pixels;

/// Exchanges left and right.
pub(crate) fn horizontal(pixels: &mut Pixels) {
    let channels = pixels.channels;
    for row in pixels.rows_mut() {
        match channels {
            3 => row.as_chunks_mut::<3>().0.reverse(),
            _ => row.reverse(),
        }
    }
}

/// Exchanges top and bottom.
pub(crate) fn vertical(pixels: &mut Pixels) {
    let mut rows = pixels.rows_mut();
    while let (Some(above), Some(below)) = (rows.next(), rows.next_back()) {
        above.swap_with_slice(below);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn twice_is_nothing_and_once_is_a_mirror(width in 1usize..9, height in 1usize..9, gray: bool) {
            let channels = if gray { 1 } else { 3 };
            let data = (0..width * height * channels).map(|value| (value % 251) as u8).collect();
            let pixels = Pixels { width, height, channels, data };
            let mut flipped = pixels.clone();
            horizontal(&mut flipped);
            let first = |pixels: &Pixels| pixels.row(0)[..channels].to_vec();
            prop_assert_eq!(first(&flipped), pixels.row(0)[(width - 1) * channels..].to_vec());
            horizontal(&mut flipped);
            prop_assert_eq!(&flipped, &pixels);
            vertical(&mut flipped);
            prop_assert_eq!(flipped.row(0), pixels.row(height - 1));
            vertical(&mut flipped);
            prop_assert_eq!(&flipped, &pixels);
        }
    }
}
