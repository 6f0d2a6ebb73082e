//! What a checkpoint is made of reads files that were damaged or forged; see `fireclay-fuzz`.

use std::path::Path;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, Device, Tensor};
use fireclay_fuzz::{fuzz, fuzz_with};
use fireclay_train::checkpoint::{Fingerprints, Store};
use fireclay_train::optim::{
    OptimizerConfig, OptimizerRecordError, check_shapes, from_bytes, stable_ids, to_bytes,
};
use fireclay_train::weights::{self, Kept};
use serde_json::json;

#[derive(Module, Debug)]
struct Small {
    first: Linear,
    second: Linear,
}

fn small() -> Small {
    let device = Device::flex().autodiff();
    stable_ids(Small {
        first: LinearConfig::new(3, 4).init(&device),
        second: LinearConfig::new(4, 2).init(&device),
    })
}

fn gradients(model: &Small) -> GradientsParams {
    let device = Device::flex().autodiff();
    let input = Tensor::<2>::ones([5, 3], &device);
    let output = model.second.forward(model.first.forward(input));
    GradientsParams::from_grads(output.sum().backward(), model)
}

/// A forged manifest is never taken for a checkpoint with other members than were written.
#[test]
fn manifests() {
    let members = [("weights", vec![7; 40]), ("state.json", b"{}".to_vec())];
    let save = |folder: &Path| {
        let store = Store::new(folder.join("checkpoints"));
        store.save(3, &Fingerprints::new(), &members).unwrap();
        store
    };
    let whole = tempfile::tempdir().unwrap();
    let manifest = save(whole.path()).path(3).join("manifest.json");
    let seeds = [std::fs::read(manifest).unwrap()];
    let prepare = |folder: &Path| drop(save(folder));
    fuzz_with("manifest.json", &seeds, prepare, |path| {
        let store = Store::new(path.with_file_name("checkpoints"));
        std::fs::copy(path, store.path(3).join("manifest.json")).unwrap();
        if let Ok((checkpoint, _)) = store.newest() {
            for name in checkpoint.manifest.members.keys() {
                let found = checkpoint.member(name).unwrap();
                assert!(
                    members
                        .iter()
                        .any(|(own, kept)| own == name && kept == found)
                );
            }
        }
    });
}

/// Weights of which the manifest says what the forger wants.
#[test]
fn forged_weights() {
    let seeds = [weights::encode(&small(), &Kept::All).unwrap()];
    fuzz("model.bpk", &seeds, |path| {
        let bytes = std::fs::read(path).unwrap();
        let _ = weights::decode(small(), &bytes, &Kept::All);
        let _ = weights::paths(&bytes);
    });
}

/// The same of an optimizer: what is taken must not panic in the next step.
#[test]
fn forged_optimizers() {
    let tables = [
        json!({"type": "adamw"}),
        json!({"type": "muon"}),
        json!({"type": "adafactor"}),
    ];
    for table in tables {
        let config: OptimizerConfig = serde_json::from_value(table).unwrap();
        let mut optimizer = config.init(&small());
        let model = optimizer.step(0.1, small(), gradients(&small()));
        let seeds = [to_bytes(&optimizer).unwrap().to_vec()];
        fuzz("optimizer.bpk", &seeds, |path| {
            let bytes = Bytes::from_bytes_vec(std::fs::read(path).unwrap());
            let fresh = config.init(&model);
            let read = check_shapes(&model, &bytes).and_then(|()| from_bytes(fresh, bytes));
            if let Ok(mut optimizer) = read {
                optimizer.step(0.1, model.clone(), gradients(&model));
            }
        });
    }
}

/// Turned on its side, a moment has as many numbers, and would meet its parameter in the next step.
#[test]
fn a_state_of_another_shape_is_refused() {
    let config: OptimizerConfig = serde_json::from_value(json!({"type": "adamw"})).unwrap();
    let mut optimizer = config.init(&small());
    let model = optimizer.step(0.1, small(), gradients(&small()));
    let bytes = to_bytes(&optimizer).unwrap();
    check_shapes(&model, &bytes).unwrap();
    let tensors = burn_pack::Reader::from_bytes(bytes).unwrap();
    let turned = tensors.into_tensors().unwrap().into_iter().map(|tensor| {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().unwrap();
        let turned: Vec<usize> = shape.as_slice().iter().rev().copied().collect();
        burn_pack::Tensor::new(name, dtype, turned, id, bytes)
    });
    let forged = burn_pack::Writer::new(turned.collect())
        .into_bytes()
        .unwrap();
    let refused = check_shapes(&model, &forged).unwrap_err();
    assert!(
        matches!(refused, OptimizerRecordError::Mismatch),
        "{refused}"
    );
}

/// Burn reads how many axes a parameter has from a number of its own, beside the tensors.
#[test]
fn a_state_with_another_number_of_axes_is_refused() {
    let config: OptimizerConfig = serde_json::from_value(json!({"type": "adamw"})).unwrap();
    let mut optimizer = config.init(&small());
    let model = optimizer.step(0.1, small(), gradients(&small()));
    let bytes = to_bytes(&optimizer).unwrap();
    let reader = burn_pack::Reader::from_bytes(bytes).unwrap();
    let (mut scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
    let rank = scalars.keys().find(|name| name.ends_with(".__rank"));
    let rank = rank.unwrap().clone();
    scalars.insert(rank, burn_pack::Scalar::from(3_usize));
    let mut writer = burn_pack::Writer::new(reader.into_tensors().unwrap());
    for (name, value) in &scalars {
        writer = writer.with_scalar(name, *value);
    }
    for (name, value) in &metadata {
        writer = writer.with_metadata(name, value);
    }
    let forged = writer.into_bytes().unwrap();
    let refused = check_shapes(&model, &forged).unwrap_err();
    assert!(
        matches!(refused, OptimizerRecordError::Mismatch),
        "{refused}"
    );
}
