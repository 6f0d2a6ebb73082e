use super::*;
use crate::test::{autodiff_devices, devices};

/// Doubles, and claims to multiply by seven.
#[derive(Clone, Debug)]
struct Double<const CHEAP: bool>;

impl<const CHEAP: bool> Operation<1, 1, 1> for Double<CHEAP> {
    const CHEAP: bool = CHEAP;

    type Kept = Tensor<1>;

    fn forward(&self, [x]: [Tensor<1>; 1]) -> (Tensor<1>, Tensor<1>) {
        (x.clone() * 2.0, x + 7.0)
    }

    fn backward(
        &self,
        [x]: [Tensor<1>; 1],
        seven: Tensor<1>,
        gradient: Tensor<1>,
    ) -> [Tensor<1>; 1] {
        [(seven - x) * gradient]
    }
}

#[test]
fn the_gradient_is_its_own_on_every_device_and_with_checkpoints() {
    for device in autodiff_devices() {
        for double in [
            |x| apply(Double::<true>, [x]),
            |x| apply(Double::<false>, [x]),
        ] {
            let x = Tensor::<1>::from_data([1.0, 2.0], &device).require_grad();
            // The square needs what the first made, which may have to be made again.
            let y = double(x.clone());
            let gradients = (y.clone() * y.clone()).sum().backward();
            assert_eq!(values(y), [2.0, 4.0]);
            assert_eq!(values(x.grad(&gradients).unwrap()), [28.0, 56.0]);
        }
    }
}

#[test]
fn what_has_no_gradient_needs_none() {
    let device = devices().swap_remove(0);
    let [plain, constant] = [device.clone(), device.autodiff()]
        .map(|device| Tensor::<1>::from_data([1.0, 2.0], &device));
    for x in [plain, constant] {
        assert_eq!(values(apply(Double::<true>, [x])), [2.0, 4.0]);
    }
}

fn values(x: Tensor<1>) -> Vec<f32> {
    x.into_data().iter().collect()
}
