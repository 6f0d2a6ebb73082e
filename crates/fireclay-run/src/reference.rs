//! `reference.safetensors`: what the model of a run said of each sample before its training.

use std::collections::HashMap;
use std::path::Path;

use fireclay_guard::{LARGEST, read};
use fireclay_train::run_folder::{RunFolder, io, write_whole};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::artifacts::{FinishedError, REFERENCE};
use crate::lock::hex;
use crate::run::{RunError, SPLITS};

/// The numbers of each split, in the order of its samples, and the hash of all of them.
pub(crate) struct Numbers {
    pub splits: [Vec<f32>; 3],
    pub sha256: String,
}

const SHA256: &str = "sha256";

/// The bytes of the file with these numbers.
pub(crate) fn encode(splits: &[Vec<f32>; 3]) -> Vec<u8> {
    let bytes = splits.each_ref().map(|split| le(split));
    let views = SPLITS.into_iter().zip(&bytes).map(|(name, bytes)| {
        let shape = vec![bytes.len() / 4];
        let view = TensorView::new(Dtype::F32, shape, bytes);
        (name, view.expect("four bytes for each number"))
    });
    let metadata = HashMap::from([(SHA256.to_owned(), hash(splits))]);
    safetensors::serialize(views, Some(metadata)).expect("three lists of numbers can be written")
}

/// The numbers in the bytes of a file.
///
/// # Errors
///
/// What is wrong with them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Numbers, String> {
    let text = |error: safetensors::SafeTensorError| error.to_string();
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let mut splits: [Vec<f32>; 3] = Default::default();
    for (split, name) in splits.iter_mut().zip(SPLITS) {
        let tensor = file.tensor(name).map_err(text)?;
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("{name} does not hold numbers in single precision"));
        }
        let (fours, _) = tensor.data().as_chunks();
        *split = fours.iter().map(|four| f32::from_le_bytes(*four)).collect();
    }
    let known = metadata.metadata().as_ref();
    let known = known.and_then(|known| known.get(SHA256));
    let sha256 = hash(&splits);
    match known == Some(&sha256) {
        true => Ok(Numbers { splits, sha256 }),
        false => Err("its numbers are not those that were written".into()),
    }
}

/// Writes the file of a run.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write(folder: &RunFolder, bytes: &[u8]) -> Result<(), RunError> {
    Ok(write_whole(&folder.file(REFERENCE), bytes)?)
}

/// The bytes of the file of a run, which holds what it should.
///
/// # Errors
///
/// If it is not there, or damaged.
pub(crate) fn kept(run: &Path) -> Result<Vec<u8>, RunError> {
    let path = run.join(REFERENCE);
    let damaged = |reason| FinishedError::Damaged(path.display().to_string(), reason);
    if !path.exists() {
        let reason = "it is not there, and has what the model said before its training, which the loss goes by; put it \
                      back, or train anew";
        return Err(damaged(reason.into()).into());
    }
    let bytes = read(&path, LARGEST).map_err(|source| io("read", &path, source))?;
    decode(&bytes).map_err(damaged)?;
    Ok(bytes)
}

fn le(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|one| one.to_le_bytes()).collect()
}

fn hash(splits: &[Vec<f32>; 3]) -> String {
    let mut hash = Sha256::new();
    for split in splits {
        hash.update((split.len() as u64).to_le_bytes());
        hash.update(le(split));
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_to_the_bit_and_damage_is_seen() {
        let splits = [
            vec![-1.5e-39, -3.25, f32::MIN_POSITIVE],
            Vec::new(),
            vec![0.1],
        ];
        let bytes = encode(&splits);
        let found = decode(&bytes).unwrap();
        let bits = |splits: &[Vec<f32>; 3]| {
            splits
                .each_ref()
                .map(|split| split.iter().map(|one| one.to_bits()).collect::<Vec<_>>())
        };
        assert_eq!(bits(&found.splits), bits(&splits));
        for at in [0, 12, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(decode(&other).is_err(), "byte {at}");
        }
        assert!(decode(&bytes[..bytes.len() - 4]).is_err());
    }
}
