//! A robot arm: smooth random motions, and the torques that they take, by inverse dynamics.
//!
//! Two uniform links move in a vertical plane. The angle of the first is measured from the horizontal, that of the
//! second from the first. The torques of the joints follow from the motion by
//!
//! ```text
//! τ = B(q) q̈ + C(q, q̇) q̇ + F q̇ + g(q)
//! ```
//!
//! the equations of the two-link planar arm in Siciliano, Sciavicco, Villani & Oriolo, *Robotics: Modelling, Planning and
//! Control* (Springer 2009), section 7.3.2, with motors that weigh nothing. F holds the viscous friction of the joints.
//!
//! All of it is simulated: no robot was measured. Sensors add normal noise to what they read.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::SimulateError;
use crate::output::whole;
use crate::random::{Purpose, Random};

/// A number for each of the two joints.
pub type Joints = [f64; 2];

/// The acceleration of free fall, in m/s².
pub const GRAVITY: f64 = 9.81;

/// Readings of one motion.
pub const READINGS: u32 = 100;

/// Readings in a second.
const RATE: f64 = 20.0;

/// Sines whose sum is the motion of a joint.
const WAVES: usize = 3;

/// The standard deviations of the noise of the sensors.
const NOISE_OF_ANGLE: f64 = 0.002; // rad
const NOISE_OF_VELOCITY: f64 = 0.02; // rad/s
const NOISE_OF_ACCELERATION: f64 = 0.1; // rad/s²
const NOISE_OF_TORQUE: f64 = 0.1; // N·m

/// An arm of two uniform links.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// The lengths of the links, in m.
    pub length: Joints,
    /// The masses of the links, in kg.
    pub mass: Joints,
    /// The viscous friction of the joints, in N·m·s/rad.
    pub friction: Joints,
}

impl Default for Arm {
    fn default() -> Self {
        Self {
            length: [0.5, 0.4],
            mass: [2.0, 1.2],
            friction: [0.6, 0.3],
        }
    }
}

/// Where the joints are, and how they move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// q, in rad.
    pub angle: Joints,
    /// q̇, in rad/s.
    pub velocity: Joints,
    /// q̈, in rad/s².
    pub acceleration: Joints,
}

impl Arm {
    /// How far the centre of mass of each link is from its joint, and the moment of inertia around that centre.
    fn links(&self) -> (Joints, Joints) {
        let inertia = |link: usize| self.mass[link] * self.length[link] * self.length[link] / 12.0;
        (
            self.length.map(|length| length / 2.0),
            [inertia(0), inertia(1)],
        )
    }

    /// B(q), in kg·m².
    pub fn inertia(&self, angle: Joints) -> [Joints; 2] {
        let ([l1, l2], [i1, i2]) = self.links();
        let ([m1, m2], a1, c2) = (self.mass, self.length[0], libm::cos(angle[1]));
        let b11 = i1 + m1 * l1 * l1 + i2 + m2 * (a1 * a1 + l2 * l2 + 2.0 * a1 * l2 * c2);
        let b12 = i2 + m2 * (l2 * l2 + a1 * l2 * c2);
        let b22 = i2 + m2 * l2 * l2;
        [[b11, b12], [b12, b22]]
    }

    /// C(q, q̇) q̇: the centrifugal and the Coriolis torques, in N·m.
    pub fn coriolis(&self, angle: Joints, [v1, v2]: Joints) -> Joints {
        let ([_, l2], _) = self.links();
        let h = -self.mass[1] * self.length[0] * l2 * libm::sin(angle[1]);
        [h * (2.0 * v1 * v2 + v2 * v2), -h * v1 * v1]
    }

    /// g(q): what holds the arm against gravity, in N·m.
    pub fn gravity(&self, angle: Joints) -> Joints {
        let ([l1, l2], _) = self.links();
        let ([m1, m2], a1) = (self.mass, self.length[0]);
        let (c1, c12) = (libm::cos(angle[0]), libm::cos(angle[0] + angle[1]));
        let second = m2 * l2 * GRAVITY * c12;
        [(m1 * l1 + m2 * a1) * GRAVITY * c1 + second, second]
    }

    /// Inverse dynamics: τ, the torques in N·m that a motion takes.
    pub fn torques(&self, state: &State) -> Joints {
        let (velocity, acceleration) = (state.velocity, state.acceleration);
        let inertia = self.inertia(state.angle);
        let coriolis = self.coriolis(state.angle, velocity);
        let gravity = self.gravity(state.angle);
        [0, 1].map(|joint| {
            let [to_first, to_second] = inertia[joint];
            to_first * acceleration[0]
                + to_second * acceleration[1]
                + coriolis[joint]
                + self.friction[joint] * velocity[joint]
                + gravity[joint]
        })
    }
}

/// A sine: amplitude in rad, frequency in rad/s, phase in rad.
#[derive(Clone, Copy, Debug)]
struct Wave {
    amplitude: f64,
    frequency: f64,
    phase: f64,
}

/// A smooth motion: each joint swings around a centre by a sum of sines.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    centre: Joints,
    waves: [[Wave; WAVES]; 2],
}

impl Motion {
    /// Motion number `index` of a seed.
    pub fn random(seed: u64, index: u32) -> Self {
        Self::drawn(&mut Random::new(seed, Purpose::Arm, u64::from(index)))
    }

    fn drawn(random: &mut Random) -> Self {
        let centre = [random.between(-1.5, 1.5), random.between(-1.2, 1.2)];
        let mut wave = |_| Wave {
            amplitude: random.between(0.05, 0.5),
            frequency: TAU * random.between(0.1, 0.8),
            phase: random.between(0.0, TAU),
        };
        let waves = [[0; WAVES]; 2].map(|joint| joint.map(&mut wave));
        Self { centre, waves }
    }

    /// The state of the joints after `time` seconds.
    pub fn at(&self, time: f64) -> State {
        let sum = |joint: usize, term: fn(&Wave, f64) -> f64| {
            let terms = self.waves[joint].iter();
            terms
                .map(|wave| term(wave, wave.frequency * time + wave.phase))
                .sum::<f64>()
        };
        State {
            angle: [0, 1].map(|joint| {
                self.centre[joint] + sum(joint, |wave, at| wave.amplitude * libm::sin(at))
            }),
            velocity: [0, 1].map(|joint| {
                sum(joint, |wave, at| {
                    wave.amplitude * wave.frequency * libm::cos(at)
                })
            }),
            acceleration: [0, 1].map(|joint| {
                sum(joint, |wave, at| {
                    -wave.amplitude * wave.frequency * wave.frequency * libm::sin(at)
                })
            }),
        }
    }
}

/// What the sensors say at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Seconds since the motion began.
    pub time: f64,
    /// The motion of the joints, with noise.
    pub state: State,
    /// The torques of the joints in N·m, with noise.
    pub torque: Joints,
}

/// The readings of motion number `index` of a seed.
pub fn readings(arm: &Arm, seed: u64, index: u32) -> Vec<Reading> {
    let mut random = Random::new(seed, Purpose::Arm, u64::from(index));
    let motion = Motion::drawn(&mut random);
    let moments = (0..READINGS).map(|step| f64::from(step) / RATE);
    let read = |time| {
        let truth = motion.at(time);
        let mut noisy = |exact: Joints, noise| exact.map(|value| value + noise * random.normal());
        Reading {
            time,
            state: State {
                angle: noisy(truth.angle, NOISE_OF_ANGLE),
                velocity: noisy(truth.velocity, NOISE_OF_VELOCITY),
                acceleration: noisy(truth.acceleration, NOISE_OF_ACCELERATION),
            },
            torque: noisy(arm.torques(&truth), NOISE_OF_TORQUE),
        }
    };
    moments.map(read).collect()
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// The rows of the table.
    pub rows: u64,
    /// The standard deviation of the torque of the first joint over all rows, in N·m.
    pub spread: f64,
    /// The root mean square error of the equations themselves for that torque, given the readings with their noise,
    /// in N·m: what a perfect model of the arm would reach.
    pub limit: f64,
}

/// Writes `count` motions as CSV: a row for each reading, with the motion that it is from.
///
/// # Errors
/// [`SimulateError`]: `path` does not end in `.csv`, is there already, or cannot be written.
pub fn write(path: &Path, seed: u64, count: u32) -> Result<Written, SimulateError> {
    match path.extension() {
        Some(end) if end.eq_ignore_ascii_case("csv") => {}
        _ => return Err(SimulateError::NotCsv(path.to_path_buf())),
    }
    whole(path, |path| {
        let mut file = BufWriter::new(File::create(path)?);
        let written = write_to(&mut file, &Arm::default(), seed, count)?;
        file.into_inner()?.sync_all()?;
        Ok(written)
    })
}

fn write_to(out: &mut impl Write, arm: &Arm, seed: u64, count: u32) -> io::Result<Written> {
    writeln!(
        out,
        "trajectory,time,angle_1,angle_2,velocity_1,velocity_2,acceleration_1,acceleration_2,torque_1,torque_2"
    )?;
    let (mut rows, mut sum, mut squares, mut errors) = (0u64, 0.0, 0.0, 0.0);
    for index in 0..count {
        for reading in readings(arm, seed, index) {
            write_row(out, index, &reading)?;
            let torque = reading.torque[0];
            let error = torque - arm.torques(&reading.state)[0];
            rows += 1;
            sum += torque;
            squares += torque * torque;
            errors += error * error;
        }
    }
    let n = rows as f64;
    Ok(Written {
        rows,
        spread: (squares / n - (sum / n) * (sum / n)).max(0.0).sqrt(),
        limit: (errors / n).sqrt(),
    })
}

/// A name for the motion, and numbers to the millionth, far below the noise.
fn write_row(out: &mut impl Write, index: u32, reading: &Reading) -> io::Result<()> {
    write!(out, "motion-{:04},{:.2}", index + 1, reading.time)?;
    let State {
        angle,
        velocity,
        acceleration,
    } = reading.state;
    for value in [angle, velocity, acceleration, reading.torque].as_flattened() {
        write!(out, ",{value:.6}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests;
