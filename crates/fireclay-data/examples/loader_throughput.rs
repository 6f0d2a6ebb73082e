//! How many images a second the loader makes ready: a folder of JPEGs, RandomResizedCrop 224,
//! horizontal flip, normalisation, batches of 64.
//!
//! ```sh
//! cargo run --release -p fireclay-data --example loader_throughput -- FOLDER [THREADS...]
//! ```

use std::error::Error;
use std::time::Instant;

use fireclay_data::{
    AugmentConfig, ImageData, ImageDataConfig, ImageFormat, ImageSize, RandomResizedCropConfig,
    Statistic, StatisticWord, TargetKind, batches, epoch_order, prefetch,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: loader_throughput FOLDER [THREADS...]")?;
    let threads: Vec<usize> = arguments
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    let data = ImageData::load(
        ImageFormat::ImageFolder,
        &config(folder),
        1,
        TargetKind::Class,
    )?;
    println!("{} images", data.train.len());
    for &threads in if threads.is_empty() {
        &[0, 1, 2][..]
    } else {
        &threads[..]
    } {
        for epoch in 0..2 {
            let start = Instant::now();
            let images = run(&data, epoch, threads)?;
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "threads {threads}: {:.1} images/s ({images} in {seconds:.2} s)",
                images as f64 / seconds
            );
        }
    }
    Ok(())
}

fn config(folder: String) -> ImageDataConfig {
    let mut config = ImageDataConfig::new(folder);
    config.image_size = Some(ImageSize::Square(224));
    config.mean = Statistic::Word(StatisticWord::Imagenet);
    config.std = Statistic::Word(StatisticWord::Imagenet);
    (config.split.train, config.split.valid, config.split.test) = (0.98, 0.01, 0.01);
    config.augment = AugmentConfig {
        random_resized_crop: Some(RandomResizedCropConfig::default()),
        horizontal_flip: 0.5,
        ..AugmentConfig::default()
    };
    config
}

fn run(data: &ImageData, epoch: u64, threads: usize) -> Result<usize, Box<dyn Error>> {
    let split = data.train.clone();
    let order = epoch_order(1, epoch, 0..split.len() as u32);
    let ranges = batches(order.len(), 64, false);
    let mut images = 0;
    for batch in prefetch(ranges, threads, 2 * threads, move |range| {
        split.batch(epoch, &order.at(range))
    }) {
        images += batch?.dims[0];
    }
    Ok(images)
}
