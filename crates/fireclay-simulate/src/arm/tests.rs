use sha2::{Digest, Sha256};

use super::*;

const ARM: Arm = Arm {
    length: [0.7, 0.45],
    mass: [3.0, 1.7],
    friction: [0.8, 0.35],
};

fn at_rest(angle: Joints) -> State {
    State {
        angle,
        velocity: [0.0; 2],
        acceleration: [0.0; 2],
    }
}

/// Simpson's rule, which is exact for cubics.
fn integral(from: f64, to: f64, steps: u32, of: impl Fn(f64) -> f64) -> f64 {
    let width = (to - from) / f64::from(steps);
    let part = |step| {
        let left = from + width * f64::from(step);
        of(left) + 4.0 * of(left + width / 2.0) + of(left + width)
    };
    (0..steps).map(part).sum::<f64>() * width / 6.0
}

/// The energy of the arm as the sum over its pieces: each has a speed and a height by plain geometry. No inertia matrix
/// and no formula of the dynamics goes into it.
fn energy(state: &State) -> f64 {
    let ([q1, q2], [v1, v2]) = (state.angle, state.velocity);
    let elbow = ARM.length[0];
    let piece = |link: usize, s: f64| {
        let (at_first, at_second) = if link == 0 { (s, 0.0) } else { (elbow, s) };
        let height = at_first * q1.sin() + at_second * (q1 + q2).sin();
        let along = -at_first * v1 * q1.sin() - at_second * (v1 + v2) * (q1 + q2).sin();
        let up = at_first * v1 * q1.cos() + at_second * (v1 + v2) * (q1 + q2).cos();
        let density = ARM.mass[link] / ARM.length[link];
        density * ((along * along + up * up) / 2.0 + GRAVITY * height)
    };
    let link = |link| integral(0.0, ARM.length[link], 1, |s| piece(link, s));
    link(0) + link(1)
}

#[test]
fn the_work_of_the_torques_becomes_energy_and_heat() {
    for index in 0..20 {
        let motion = Motion::random(3, index);
        let work = integral(0.0, 5.0, 2000, |time| {
            let state = motion.at(time);
            let torque = ARM.torques(&state);
            torque[0] * state.velocity[0] + torque[1] * state.velocity[1]
        });
        let heat = integral(0.0, 5.0, 2000, |time| {
            let [v1, v2] = motion.at(time).velocity;
            ARM.friction[0] * v1 * v1 + ARM.friction[1] * v2 * v2
        });
        let gained = energy(&motion.at(5.0)) - energy(&motion.at(0.0));
        assert!(heat > 0.1, "motion {index} does not move: {heat}");
        let error = work - gained - heat;
        assert!(error.abs() < 1e-7, "motion {index}: {work} {gained} {heat}");
    }
}

#[test]
fn at_rest_the_torques_hold_the_weight() {
    let [m1, m2] = ARM.mass;
    let [a1, a2] = ARM.length;
    let quarter = TAU / 4.0;
    // Stretched out level: each weight times its distance from the joint.
    let level = ARM.torques(&at_rest([0.0, 0.0]));
    let second = GRAVITY * m2 * a2 / 2.0;
    let first = GRAVITY * (m1 * a1 / 2.0 + m2 * (a1 + a2 / 2.0));
    assert!((level[0] - first).abs() < 1e-12 && (level[1] - second).abs() < 1e-12);
    // Hanging, and standing: nothing to hold.
    for up in [-quarter, quarter] {
        let torque = ARM.torques(&at_rest([up, 0.0]));
        assert!(
            torque.iter().all(|torque| torque.abs() < 1e-12),
            "{torque:?}"
        );
    }
    // The first link level, the second hanging from the elbow: it pulls there with its whole weight.
    let bent = ARM.torques(&at_rest([0.0, -quarter]));
    let pull = GRAVITY * (m1 * a1 / 2.0 + m2 * a1);
    assert!(
        (bent[0] - pull).abs() < 1e-12 && bent[1].abs() < 1e-12,
        "{bent:?}"
    );
}

#[test]
fn velocity_and_acceleration_are_the_derivatives_of_the_motion() {
    let motion = Motion::random(5, 2);
    let step = 1e-5;
    for time in [0.0, 0.7, 3.3] {
        let [before, now, after] = [time - step, time, time + step].map(|time| motion.at(time));
        for joint in 0..2 {
            let velocity = (after.angle[joint] - before.angle[joint]) / (2.0 * step);
            let acceleration = (after.velocity[joint] - before.velocity[joint]) / (2.0 * step);
            assert!((velocity - now.velocity[joint]).abs() < 1e-7);
            assert!((acceleration - now.acceleration[joint]).abs() < 1e-6);
        }
    }
}

#[test]
fn the_noise_is_as_large_as_it_says() {
    let arm = Arm::default();
    let mut sums = [0.0; 4];
    let count = 50;
    for index in 0..count {
        let motion = Motion::random(1, index);
        for reading in readings(&arm, 1, index) {
            let truth = motion.at(reading.time);
            let pairs = [
                (reading.state.angle, truth.angle),
                (reading.state.velocity, truth.velocity),
                (reading.state.acceleration, truth.acceleration),
                (reading.torque, arm.torques(&truth)),
            ];
            for (sum, (read, exact)) in sums.iter_mut().zip(pairs) {
                *sum += (0..2)
                    .map(|joint| (read[joint] - exact[joint]).powi(2))
                    .sum::<f64>();
            }
        }
    }
    let n = f64::from(count * READINGS * 2);
    let told = [
        NOISE_OF_ANGLE,
        NOISE_OF_VELOCITY,
        NOISE_OF_ACCELERATION,
        NOISE_OF_TORQUE,
    ];
    for (sum, told) in sums.into_iter().zip(told) {
        let found = (sum / n).sqrt();
        assert!((found / told - 1.0).abs() < 0.04, "{found} is not {told}");
    }
}

fn csv(seed: u64, count: u32) -> (String, Written) {
    let mut bytes = Vec::new();
    let written = write_to(&mut bytes, &Arm::default(), seed, count).unwrap();
    (String::from_utf8(bytes).unwrap(), written)
}

#[test]
fn more_motions_only_add_rows_and_another_seed_changes_all() {
    let (few, _) = csv(42, 2);
    let (many, written) = csv(42, 5);
    let (other, _) = csv(43, 2);
    assert!(many.starts_with(&few));
    assert_eq!(many.lines().count() as u64, written.rows + 1);
    assert!(
        few.lines()
            .zip(other.lines())
            .skip(1)
            .all(|(one, two)| one != two)
    );
    let columns = many.lines().map(|line| line.split(',').count());
    assert!(columns.into_iter().all(|columns| columns == 10));
    // The limit is the noise of the torque and what that of the inputs adds to it.
    assert!(written.limit > NOISE_OF_TORQUE && written.limit < 0.05 * written.spread);
}

/// Fails where sines, logarithms or their order differ from what they were on another machine.
#[test]
fn the_bytes_are_the_same_on_every_machine() {
    let hash: String = Sha256::digest(csv(42, 3).0)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hash,
        "c7aef9623aae142e2b0f245c0dd91c1e5433769c45060cfad83c668393830c3c"
    );
}
