//! Resizing, the center crop of evaluation, and normalising.
//!
//! Resizing averages over what a pixel of the result covers (antialiasing), as PIL does; sizes are
//! rounded as torchvision rounds them.

use std::cell::RefCell;

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, ImageView, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::augment::Region;
use super::config::{Interpolation, Resize};
use super::pixels::Pixels;
use super::preprocess::ImagePreprocess;

thread_local! {
    /// Keeps the buffer between the two passes of a resize.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// The part of an image that evaluation looks at, at the size that the model sees: the image is
/// resized so that it covers `size / crop_ratio`, or is squashed to that, and the middle is cut out.
pub(crate) fn evaluation(pixels: Pixels, preprocess: &ImagePreprocess) -> Pixels {
    let (width, height) = (preprocess.width, preprocess.height);
    if (pixels.width, pixels.height) == (width, height) && preprocess.crop_ratio == 1.0 {
        return pixels;
    }
    let (wide, high) = covering(&pixels, preprocess);
    let offset = |whole: usize, part: usize| ((whole - part) as f64 / 2.0).round_ties_even();
    let (left, top) = (offset(wide, width), offset(high, height));
    // Only what is looked at gets computed; it is what the whole resized image would have there.
    let (x, y) = (
        pixels.width as f64 / wide as f64,
        pixels.height as f64 / high as f64,
    );
    let part = [left * x, top * y, width as f64 * x, height as f64 * y];
    let interpolation = preprocess.interpolation;
    resize(&pixels, Part::Seen(part), (width, height), interpolation)
}

/// The whole image, resized so that it just covers `size / crop_ratio`, or squashed to that.
///
/// # Errors
/// If so narrow an image would become larger than any image may be.
pub(crate) fn cover(pixels: Pixels, preprocess: &ImagePreprocess) -> Result<Pixels, String> {
    let (width, height) = covering(&pixels, preprocess);
    if (width, height) == (pixels.width, pixels.height) {
        return Ok(pixels);
    }
    if width as u64 * height as u64 > preprocess.max_pixels {
        return Err(format!(
            "resized to cover image_size, the image would have {width} by {height} pixels, more than max_pixels = {}",
            preprocess.max_pixels
        ));
    }
    let all = Part::Seen([0.0, 0.0, pixels.width as f64, pixels.height as f64]);
    let size = (width, height);
    Ok(resize(&pixels, all, size, preprocess.interpolation))
}

/// A part of an image at another size; the rest of the image has no influence.
pub(crate) fn resized_crop(
    pixels: &Pixels,
    region: Region,
    preprocess: &ImagePreprocess,
) -> Pixels {
    let size = (preprocess.width, preprocess.height);
    resize(pixels, Part::Cut(region), size, preprocess.interpolation)
}

/// Writes an image as normalised floats, `[channels, height, width]`.
pub(crate) fn normalise(pixels: &Pixels, preprocess: &ImagePreprocess, image: &mut [f32]) {
    // level / 255, minus mean, over std, in one step.
    let parts = preprocess.mean.iter().zip(&preprocess.std);
    let mut steps = parts.map(|(mean, std)| ((1.0 / (255.0 * std)) as f32, (-mean / std) as f32));
    let present = "there is a mean and a deviation for each channel";
    let mut step = || steps.next().expect(present);
    let area = pixels.width * pixels.height;
    if pixels.channels == 1 {
        let (scale, shift) = step();
        for (value, &level) in image.iter_mut().zip(&pixels.data) {
            *value = f32::from(level) * scale + shift;
        }
        return;
    }
    let [red, green, blue] = [step(), step(), step()];
    let (reds, rest) = image.split_at_mut(area);
    let (greens, blues) = rest.split_at_mut(area);
    let values = reds.iter_mut().zip(greens).zip(blues);
    for (((r, g), b), &pixel) in values.zip(pixels.data.as_chunks::<3>().0) {
        *r = f32::from(pixel[0]) * red.0 + red.1;
        *g = f32::from(pixel[1]) * green.0 + green.1;
        *b = f32::from(pixel[2]) * blue.0 + blue.1;
    }
}

/// Width and height of the image resized, keeping its shape, so that it just covers
/// `size / crop_ratio`, or squashed to that. For a square the first is torchvision's `Resize` of a number, the second
/// that of two.
fn covering(pixels: &Pixels, preprocess: &ImagePreprocess) -> (usize, usize) {
    let whole = |side: usize| (side as f64 / preprocess.crop_ratio) as usize;
    let (wide, high) = (whole(preprocess.width), whole(preprocess.height));
    if preprocess.resize == Resize::Squash {
        (wide, high)
    } else if wide * pixels.height >= high * pixels.width {
        (wide, wide * pixels.height / pixels.width)
    } else {
        (high * pixels.width / pixels.height, high)
    }
}

/// What is resized.
enum Part {
    /// Left, top, width and height of a part of the whole: pixels around it have their influence.
    Seen([f64; 4]),
    /// A part that is cut out first.
    Cut(Region),
}

fn resize(
    pixels: &Pixels,
    part: Part,
    size: (usize, usize),
    interpolation: Interpolation,
) -> Pixels {
    match pixels.channels {
        3 => resize_typed::<U8x3>(pixels, part, size, interpolation),
        _ => resize_typed::<U8>(pixels, part, size, interpolation),
    }
}

fn resize_typed<P: PixelTrait>(
    pixels: &Pixels,
    part: Part,
    (width, height): (usize, usize),
    interpolation: Interpolation,
) -> Pixels {
    let fits = "sides have at most 32 bits and the data is as long as they say";
    let side = |side: usize| u32::try_from(side).expect(fits);
    let mut result = Pixels::filled(width, height, pixels.channels, 0);
    let target = TypedImage::<P>::from_buffer(side(width), side(height), &mut result.data);
    let mut target = target.expect(fits);
    let (width, height) = (side(pixels.width), side(pixels.height));
    let source = TypedImageRef::<P>::from_buffer(width, height, &pixels.data).expect(fits);
    match part {
        Part::Seen(part) => run(&source, &mut target, part, interpolation),
        Part::Cut(region) => {
            let (left, top) = (side(region.left), side(region.top));
            let (width, height) = (side(region.width), side(region.height));
            let cut = TypedCroppedImage::from_ref(&source, left, top, width, height);
            let cut = cut.expect("the region lies inside");
            let all = [0.0, 0.0, f64::from(width), f64::from(height)];
            run(&cut, &mut target, all, interpolation);
        }
    }
    result
}

fn run<P: PixelTrait>(
    source: &impl ImageView<Pixel = P>,
    target: &mut TypedImage<P>,
    [left, top, wide, high]: [f64; 4],
    interpolation: Interpolation,
) {
    let (width, height) = (f64::from(source.width()), f64::from(source.height()));
    // Sums of rounded numbers may end a hair outside.
    let (wide, high) = (wide.min(width - left), high.min(height - top));
    let options = ResizeOptions::new()
        .resize_alg(algorithm(interpolation))
        .use_alpha(false);
    let resize = |resizer: &mut Resizer| match interpolation {
        Interpolation::Nearest => {
            resizer.resize_typed(source, target, &options.crop(left, top, wide, high))
        }
        // Each pass rounds, and bicubic ones overshoot and are cut off, so that the order of the passes shows.
        // The library would begin with the columns; Pillow begins with the rows.
        Interpolation::Bilinear | Interpolation::Bicubic | Interpolation::Lanczos => {
            let mut rows = TypedImage::<P>::new(target.width(), source.height());
            resizer.resize_typed(source, &mut rows, &options.crop(left, 0.0, wide, height))?;
            let all = f64::from(target.width());
            resizer.resize_typed(&rows, target, &options.crop(0.0, top, all, high))
        }
    };
    RESIZER
        .with_borrow_mut(resize)
        .expect("the part lies inside the image");
}

fn algorithm(interpolation: Interpolation) -> ResizeAlg {
    match interpolation {
        Interpolation::Nearest => ResizeAlg::Nearest,
        Interpolation::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Interpolation::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Interpolation::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::pixels::Channels;
    use crate::image::preprocess::ImageTarget;
    use crate::image::reference::{assert_close, image, reference};

    fn preprocess(height: usize, width: usize) -> ImagePreprocess {
        let target = ImageTarget::Number {
            mean: 0.0,
            std: 1.0,
        };
        ImagePreprocess::new((height, width), Channels::Rgb, target)
    }

    #[test]
    fn resizing_is_pillows() {
        let reference = reference();
        let source = image(&reference["image"]);
        for case in reference["resized"].as_array().unwrap() {
            let result = image(&case["result"]);
            let interpolation = serde_json::from_value(case["mode"].clone()).unwrap();
            let all = Part::Seen([0.0, 0.0, source.width as f64, source.height as f64]);
            let found = resize(&source, all, (result.width, result.height), interpolation);
            let what = format!("{} {}", case["mode"], case["size"]);
            assert_close(&found, &result, 1, &what);
        }
    }

    #[test]
    fn a_resized_crop_is_torchvisions() {
        let reference = reference();
        let source = image(&reference["image"]);
        for case in reference["crops"].as_array().unwrap() {
            let [left, top, width, height] =
                serde_json::from_value(case["region"].clone()).unwrap();
            let region = Region {
                left,
                top,
                width,
                height,
            };
            let found = resized_crop(&source, region, &preprocess(10, 10));
            let what = case["region"].to_string();
            assert_close(&found, &image(&case["result"]), 1, &what);
        }
    }

    #[test]
    fn evaluation_is_resize_and_center_crop_of_torchvision() {
        let mut preprocess = preprocess(8, 8);
        preprocess.crop_ratio = 0.8;
        for case in reference()["evaluated"].as_array().unwrap() {
            let source = image(&case["source"]);
            let found = evaluation(source.clone(), &preprocess);
            assert_close(&found, &image(&case["result"]), 1, "evaluated");
            // By way of the whole resized image it is the same.
            let covering = cover(source, &preprocess).unwrap();
            assert_close(&evaluation(covering, &preprocess), &found, 1, "covering");
        }
    }

    #[test]
    fn a_squashed_image_is_that_of_the_classes_of_transformers() {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/squashed.json")).unwrap();
        for case in reference["cases"].as_array().unwrap() {
            let number = |key: &str| case[key].as_u64().unwrap() as usize;
            let mut preprocess = preprocess(number("seen"), number("seen"));
            preprocess.crop_ratio = number("seen") as f64 / number("resized") as f64;
            preprocess.interpolation = serde_json::from_value(case["mode"].clone()).unwrap();
            preprocess.resize = serde_json::from_value(case["resize"].clone()).unwrap();
            let source = image(&reference["image"]);
            let found = evaluation(source.clone(), &preprocess);
            let what = case["class"].to_string();
            assert_close(&found, &image(&case["result"]), 1, &what);
            let covering = cover(source, &preprocess).unwrap();
            assert_close(&evaluation(covering, &preprocess), &found, 1, &what);
        }
    }

    #[test]
    fn any_shape_gives_the_size_asked_for() {
        for (width, height) in [(1, 1), (1, 3000), (3000, 1), (7, 9), (9, 7), (31, 33)] {
            for ratio in [1.0, 0.875, 0.33] {
                let mut preprocess = preprocess(9, 7);
                preprocess.crop_ratio = ratio;
                let found = evaluation(Pixels::filled(width, height, 3, 200), &preprocess);
                let expected = Pixels::filled(7, 9, 3, 200);
                assert_eq!(found, expected, "{width} by {height}, {ratio}");
            }
        }
    }

    #[test]
    fn a_strip_that_would_grow_too_large_is_refused() {
        let mut preprocess = preprocess(100, 100);
        preprocess.max_pixels = 100_000;
        assert!(cover(Pixels::filled(1, 10, 3, 0), &preprocess).is_ok());
        let refused = cover(Pixels::filled(1, 11, 3, 0), &preprocess);
        assert!(refused.unwrap_err().contains("max_pixels"));
    }

    #[test]
    fn normalising_is_torchvisions() {
        let reference = reference();
        let source = image(&reference["image"]);
        let mut preprocess = preprocess(17, 23);
        preprocess.mean = vec![0.485, 0.456, 0.406];
        preprocess.std = vec![0.229, 0.224, 0.225];
        let mut found = vec![0.0; source.data.len()];
        normalise(&source, &preprocess, &mut found);
        let expected: Vec<f32> = serde_json::from_value(reference["normalised"].clone()).unwrap();
        for (found, expected) in found.iter().step_by(7).zip(expected) {
            assert!((found - expected).abs() < 2e-6, "{found} is not {expected}");
        }
    }
}
