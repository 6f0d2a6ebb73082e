//! A picture of a sign: where it stands, what is behind and before it, the light, and the camera.

use std::f64::consts::TAU;

use super::SIDE;
use super::shape::{Colour, Layer, Point, Shape, colour_at};
use crate::random::Random;

/// Rays for each pixel, along one side: their mean is its colour.
const RAYS: u32 = 4;

/// The focal length of the camera, in half widths of the picture.
const FOCAL: f64 = 2.0;

/// The pixels of a picture, row by row from the top.
pub(super) type Pixels = Vec<Colour>;

/// All that is random about a picture.
#[derive(Debug)]
pub(super) struct Scene {
    pose: Pose,
    ground: [Colour; 2],
    behind: Vec<Layer>,
    before: Option<Layer>,
    light: Light,
    /// The standard deviation of the blur, in pixels.
    blur: f64,
    /// The standard deviation of the noise of the sensor.
    noise: f64,
}

impl Scene {
    /// A scene in which most of the sign is seen.
    pub(super) fn random(random: &mut Random) -> Self {
        // Half the height of the sign on the picture, and where its centre is: at most a tenth is cut off.
        let size = random.between(0.5, 0.95);
        let room = 1.1 - size;
        let [x, y] = [(); 2].map(|()| random.between(-room, room));
        let pose = Pose::random(random, [x, y], size);
        let mut behind: Vec<Layer> = (0..6).map(|_| patch(random)).collect();
        let pole = Shape::Stroke {
            line: vec![[x, y], [x, -2.0]],
            half_width: 0.08 * size,
        };
        let gray = random.between(0.25, 0.6);
        behind.push((pole, [gray; 3]));
        Self {
            pose,
            ground: [colour(random), colour(random)],
            behind,
            before: random.happens(0.35).then(|| obstacle(random, [x, y], size)),
            light: Light::random(random),
            blur: random.between(0.0, 1.2),
            noise: random.between(0.0, 0.03),
        }
    }

    /// Takes the picture of a face.
    pub(super) fn picture(&self, face: &[Layer], random: &mut Random) -> Pixels {
        let pixels = (0..SIDE * SIDE).map(|pixel| self.pixel(face, pixel % SIDE, pixel / SIDE));
        let mut pixels = blurred(pixels.collect(), self.blur);
        for channel in pixels.as_flattened_mut() {
            *channel += self.noise * random.normal();
        }
        pixels
    }

    /// The mean of what the rays through a pixel see, and how the light changes it.
    fn pixel(&self, face: &[Layer], column: u32, row: u32) -> Colour {
        let at = |pixel: u32, ray: u32| {
            let inside = (f64::from(ray) + 0.5) / f64::from(RAYS);
            (f64::from(pixel) + inside) / f64::from(SIDE) * 2.0 - 1.0
        };
        let mut sum = [0.0; 3];
        for ray in 0..RAYS * RAYS {
            let point = [at(column, ray % RAYS), -at(row, ray / RAYS)];
            let seen = self.seen(face, point);
            sum = [0, 1, 2].map(|channel| sum[channel] + linear(seen[channel]));
        }
        let mean = sum.map(|sum| sum / f64::from(RAYS * RAYS));
        self.light
            .on(mean, [at(column, RAYS / 2), -at(row, RAYS / 2)])
    }

    /// What one ray sees: the obstacle, the sign, or what is behind it.
    fn seen(&self, face: &[Layer], point: Point) -> Colour {
        let before = self.before.as_slice();
        colour_at(before, point)
            .or_else(|| {
                self.pose
                    .on_sign(point)
                    .and_then(|on_sign| colour_at(face, on_sign))
            })
            .or_else(|| colour_at(&self.behind, point))
            .unwrap_or_else(|| {
                let upper = (point[1] + 1.0) / 2.0;
                [0, 1, 2].map(|channel| {
                    self.ground[0][channel] * (1.0 - upper) + self.ground[1][channel] * upper
                })
            })
    }
}

/// Where the sign is, as a camera at the origin sees it that looks along z.
#[derive(Debug)]
struct Pose {
    centre: [f64; 3],
    right: [f64; 3],
    up: [f64; 3],
    normal: [f64; 3],
}

impl Pose {
    fn random(random: &mut Random, at: Point, size: f64) -> Self {
        let yaw = random.between(-0.75, 0.75);
        let pitch = random.between(-0.35, 0.35);
        let roll = random.between(-0.2, 0.2);
        Self::new(at, size, [yaw, pitch, roll])
    }

    /// A sign of radius 1 that is seen at a point of the picture in this size, turned around the axes y, x and z.
    fn new([x, y]: Point, size: f64, [yaw, pitch, roll]: [f64; 3]) -> Self {
        let distance = FOCAL / size;
        let turn = |vector| about_y(about_x(about_z(vector, roll), pitch), yaw);
        Self {
            centre: [x / size, y / size, distance],
            right: turn([1.0, 0.0, 0.0]),
            up: turn([0.0, 1.0, 0.0]),
            normal: turn([0.0, 0.0, 1.0]),
        }
    }

    /// Where the ray through a point of the picture meets the plane of the sign, in the sign's own coordinates.
    fn on_sign(&self, [x, y]: Point) -> Option<Point> {
        let ray = [x / FOCAL, y / FOCAL, 1.0];
        let along = dot(self.normal, self.centre) / dot(self.normal, ray);
        let from_centre = [0, 1, 2].map(|axis| along * ray[axis] - self.centre[axis]);
        (along > 0.0).then(|| [dot(from_centre, self.right), dot(from_centre, self.up)])
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn about_x([x, y, z]: [f64; 3], angle: f64) -> [f64; 3] {
    let (sin, cos) = libm::sincos(angle);
    [x, cos * y - sin * z, sin * y + cos * z]
}

fn about_y([x, y, z]: [f64; 3], angle: f64) -> [f64; 3] {
    let (sin, cos) = libm::sincos(angle);
    [cos * x + sin * z, y, cos * z - sin * x]
}

fn about_z([x, y, z]: [f64; 3], angle: f64) -> [f64; 3] {
    let (sin, cos) = libm::sincos(angle);
    [cos * x - sin * y, sin * x + cos * y, z]
}

/// The light on the scene, and the haze before it.
#[derive(Debug)]
struct Light {
    strength: f64,
    tint: Colour,
    /// How much stronger it is at the right and at the upper border.
    slope: Point,
    haze: f64,
}

impl Light {
    fn random(random: &mut Random) -> Self {
        Self {
            strength: random.between(0.25, 1.2),
            tint: [(); 3].map(|()| random.between(0.85, 1.15)),
            slope: [(); 2].map(|()| random.between(-0.4, 0.4)),
            haze: random.between(0.0, 0.3),
        }
    }

    /// Colours as light adds them, lit, and as a screen takes them again.
    fn on(&self, colour: Colour, [x, y]: Point) -> Colour {
        let strength = self.strength * (1.0 + self.slope[0] * x + self.slope[1] * y);
        [0, 1, 2].map(|channel| {
            let lit = strength * self.tint[channel] * colour[channel];
            screen((1.0 - self.haze) * lit + self.haze * 0.4 * self.strength)
        })
    }
}

/// The light of a colour of the screen. A gamma of 2 is close to that of sRGB, and its root is exact on every machine.
fn linear(channel: f64) -> f64 {
    channel * channel
}

fn screen(light: f64) -> f64 {
    light.clamp(0.0, 1.0).sqrt()
}

fn colour(random: &mut Random) -> Colour {
    [(); 3].map(|()| random.between(0.05, 0.95))
}

/// Something behind the sign. Half of all are round, so neither shapes nor colours of signs are rare there.
fn patch(random: &mut Random) -> Layer {
    let [x, y] = [(); 2].map(|()| random.between(-1.1, 1.1));
    let radius = random.between(0.1, 0.7);
    let shape = match random.happens(0.5) {
        true => Shape::Disc {
            centre: [x, y],
            radius,
        },
        false => {
            let corner = |corner: u32| {
                let angle = TAU * (f64::from(corner) + random.between(0.0, 1.0)) / 4.0;
                [x + radius * libm::cos(angle), y + radius * libm::sin(angle)]
            };
            Shape::Polygon((0..4).map(corner).collect())
        }
    };
    (shape, colour(random))
}

/// A leaf or a twig that hides a part of the sign, but not its middle.
fn obstacle(random: &mut Random, [x, y]: Point, size: f64) -> Layer {
    let angle = random.between(0.0, TAU);
    let away = size * random.between(0.6, 1.0);
    let [x, y] = [x + away * libm::cos(angle), y + away * libm::sin(angle)];
    let shape = match random.happens(0.5) {
        true => Shape::Disc {
            centre: [x, y],
            radius: size * random.between(0.2, 0.4),
        },
        false => {
            // It passes by the middle: at right angles to the way there.
            let (dx, dy) = (-2.0 * libm::sin(angle), 2.0 * libm::cos(angle));
            let line = vec![[x - dx, y - dy], [x + dx, y + dy]];
            Shape::Stroke {
                line,
                half_width: size * random.between(0.05, 0.2),
            }
        }
    };
    let green = random.between(0.2, 0.5);
    (
        shape,
        [random.between(0.1, 0.4), green, random.between(0.0, 0.2)],
    )
}

/// The picture with each pixel spread by a normal distribution, along rows and then along columns.
fn blurred(pixels: Pixels, deviation: f64) -> Pixels {
    if deviation < 0.1 {
        return pixels;
    }
    let weight = |step: i32| libm::exp(-f64::from(step * step) / (2.0 * deviation * deviation));
    let weights: Vec<f64> = (-4..=4).map(weight).collect();
    let along = |pixels: &[Colour], at: fn(i32, i32, i32) -> (i32, i32)| -> Pixels {
        let last = SIDE as i32 - 1;
        let spread = |pixel: i32| {
            let (column, row) = (pixel % SIDE as i32, pixel / SIDE as i32);
            let mut sum = [0.0; 3];
            for (step, weight) in (-4..).zip(&weights) {
                let (column, row) = at(column, row, step);
                let index = row.clamp(0, last) * SIDE as i32 + column.clamp(0, last);
                let other = pixels[index as usize];
                sum = [0, 1, 2].map(|channel| sum[channel] + weight * other[channel]);
            }
            let total: f64 = weights.iter().sum();
            sum.map(|sum| sum / total)
        };
        (0..pixels.len() as i32).map(spread).collect()
    };
    let rows = along(&pixels, |column, row, step| (column + step, row));
    along(&rows, |column, row, step| (column, row + step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn a_point_of_the_sign_is_found_where_the_camera_sees_it() {
        let mut random = Random::new(1, Purpose::Sign, 0);
        for _ in 0..50 {
            let pose = Pose::random(&mut random, [0.2, -0.1], 0.7);
            let [a, b] = [(); 2].map(|()| random.between(-1.0, 1.0));
            let [x, y, z] =
                [0, 1, 2].map(|axis| pose.centre[axis] + a * pose.right[axis] + b * pose.up[axis]);
            let [found_a, found_b] = pose.on_sign([FOCAL * x / z, FOCAL * y / z]).unwrap();
            assert!((found_a - a).abs() < 1e-12 && (found_b - b).abs() < 1e-12);
        }
        let facing = Pose::new([0.2, -0.1], 0.7, [0.0; 3]);
        let [x, y] = facing.on_sign([0.2 + 0.7, -0.1]).unwrap();
        assert!((x - 1.0).abs() < 1e-12 && y.abs() < 1e-12);
    }

    #[test]
    fn most_of_every_sign_is_seen() {
        for index in 0..300 {
            let scene = Scene::random(&mut Random::new(5, Purpose::Sign, index));
            let at = |step: i32| f64::from(step) / 50.0;
            let points =
                (-150..150).flat_map(|row| (-150..150).map(move |column| [at(column), at(row)]));
            let on_sign = points.filter(|point| {
                let on_sign = scene.pose.on_sign(*point);
                on_sign.is_some_and(|[x, y]| x * x + y * y <= 1.0)
            });
            let is_seen = |point: &Point| {
                let is_hidden = scene.before.iter().any(|(shape, _)| shape.covers(*point));
                point.iter().all(|axis| axis.abs() <= 1.0) && !is_hidden
            };
            let (seen, hidden): (Vec<_>, Vec<_>) = on_sign.partition(is_seen);
            let part = seen.len() as f64 / (seen.len() + hidden.len()) as f64;
            assert!(part > 0.55, "scene {index}: {part}");
            let middle = scene
                .pose
                .centre
                .map(|axis| FOCAL * axis / scene.pose.centre[2]);
            assert!(is_seen(&[middle[0], middle[1]]), "scene {index}");
        }
    }

    #[test]
    fn blur_keeps_the_light_and_spreads_it_by_its_deviation() {
        let mut pixels = vec![[0.0; 3]; (SIDE * SIDE) as usize];
        let middle = SIDE / 2;
        pixels[(middle * SIDE + middle) as usize] = [1.0, 0.5, 0.0];
        let spread = blurred(pixels, 1.1);
        let total: f64 = spread.iter().map(|pixel| pixel[0]).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        let variance: f64 = spread
            .iter()
            .zip(0..)
            .map(|(pixel, index)| {
                let column = f64::from(index % SIDE) - f64::from(middle);
                pixel[0] * column * column
            })
            .sum();
        assert!((variance.sqrt() - 1.1).abs() < 0.02, "{variance}");
    }
}
