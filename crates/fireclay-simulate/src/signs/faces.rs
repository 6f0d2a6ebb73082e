//! The faces of the signs, by the shapes, colours and symbols of the Convention on Road Signs and Signals (Vienna 1968),
//! annex 1. Each fits a disc of radius 1 around the origin.

use super::shape::{Layer, Point, Shape};

const RED: [f64; 3] = [0.75, 0.07, 0.1];
const BLUE: [f64; 3] = [0.0, 0.28, 0.65];
const YELLOW: [f64; 3] = [0.98, 0.78, 0.05];
const WHITE: [f64; 3] = [0.94, 0.94, 0.94];
const BLACK: [f64; 3] = [0.06, 0.06, 0.06];

/// A class: its name, and what draws it.
pub(super) type Class = (&'static str, fn() -> Vec<Layer>);

/// The classes, in the order of their numbers.
pub(super) const CLASSES: [Class; 12] = [
    ("ahead_only", || direction([0.0, 1.0])), // D,1
    ("give_way", give_way),                   // B,1
    ("no_entry", no_entry),                   // C,1a
    ("no_vehicles", || ring().to_vec()),      // C,2
    ("other_danger", other_danger),           // A,32
    ("priority_road", priority_road),         // B,3
    ("speed_limit_30", || speed_limit("30")), // C,14
    ("speed_limit_50", || speed_limit("50")), // C,14
    ("speed_limit_80", || speed_limit("80")), // C,14
    ("stop", stop),                           // B,2a
    ("turn_left", || direction([-1.0, 0.0])), // D,1
    ("turn_right", || direction([1.0, 0.0])), // D,1
];

fn stop() -> Vec<Layer> {
    let octagon = |radius| Shape::regular(8, radius, 1.0 / 16.0);
    let mut layers = vec![(octagon(1.0), WHITE), (octagon(0.93), RED)];
    layers.extend(word("STOP", 0.52, 0.05).map(|shape| (shape, WHITE)));
    layers
}

fn give_way() -> Vec<Layer> {
    let triangle = |radius| Shape::regular(3, radius, -0.25);
    vec![(triangle(1.0), RED), (triangle(0.6), WHITE)]
}

fn other_danger() -> Vec<Layer> {
    let triangle = |radius| Shape::regular(3, radius, 0.25);
    let (line, half_width) = (vec![[0.0, 0.25], [0.0, -0.06]], 0.085);
    let (centre, radius) = ([0.0, -0.27], 0.085);
    vec![
        (triangle(1.0), RED),
        (triangle(0.7), WHITE),
        (Shape::Stroke { line, half_width }, BLACK),
        (Shape::Disc { centre, radius }, BLACK),
    ]
}

fn priority_road() -> Vec<Layer> {
    let square = |radius| Shape::regular(4, radius, 0.0);
    vec![
        (square(1.0), BLACK),
        (square(0.95), WHITE),
        (square(0.66), YELLOW),
    ]
}

fn no_entry() -> Vec<Layer> {
    let bar = [[-0.72, -0.16], [0.72, -0.16], [0.72, 0.16], [-0.72, 0.16]];
    vec![
        (Shape::disc(1.0), WHITE),
        (Shape::disc(0.95), RED),
        (Shape::Polygon(bar.to_vec()), WHITE),
    ]
}

/// A white disc with a red border.
fn ring() -> [Layer; 2] {
    [(Shape::disc(1.0), RED), (Shape::disc(0.76), WHITE)]
}

fn speed_limit(number: &str) -> Vec<Layer> {
    let mut layers = ring().to_vec();
    layers.extend(word(number, 0.72, 0.075).map(|shape| (shape, BLACK)));
    layers
}

/// A white arrow on blue that points where the vector of length 1 does.
fn direction([x, y]: Point) -> Vec<Layer> {
    let place = |[along, aside]: Point| [along * x - aside * y, along * y + aside * x];
    let shaft = [[-0.65, -0.13], [0.1, -0.13], [0.1, 0.13], [-0.65, 0.13]];
    let head = [[0.7, 0.0], [0.05, 0.5], [0.05, -0.5]];
    let polygon = |corners: &[Point]| Shape::Polygon(corners.iter().copied().map(place).collect());
    vec![
        (Shape::disc(1.0), WHITE),
        (Shape::disc(0.95), BLUE),
        (polygon(&shaft), WHITE),
        (polygon(&head), WHITE),
    ]
}

/// The strokes of a word of this height around the origin.
fn word(word: &str, height: f64, half_width: f64) -> impl Iterator<Item = Shape> {
    // A glyph is 0.6 wide, and what separates it from the next is 0.25.
    let start = -0.5 * (0.85 * word.len() as f64 - 0.25);
    word.chars().enumerate().flat_map(move |(index, char)| {
        let left = start + 0.85 * index as f64;
        let place = move |&[x, y]: &Point| [height * (left + x), height * (y - 0.5)];
        glyph(char).iter().map(move |line| {
            let line = line.iter().map(place).collect();
            Shape::Stroke { line, half_width }
        })
    })
}

/// The lines of a glyph, 0.6 wide and 1 high from the origin. Only the characters that signs here have are known.
#[rustfmt::skip]
fn glyph(char: char) -> &'static [&'static [Point]] {
    match char {
        '0' | 'O' => &[&[
            [0.18, 0.0], [0.0, 0.2], [0.0, 0.8], [0.18, 1.0], [0.42, 1.0], [0.6, 0.8], [0.6, 0.2], [0.42, 0.0], [0.18, 0.0],
        ]],
        '3' => &[&[
            [0.0, 0.86], [0.16, 1.0], [0.44, 1.0], [0.6, 0.86], [0.6, 0.66], [0.46, 0.53], [0.22, 0.53], [0.46, 0.53],
            [0.6, 0.38], [0.6, 0.16], [0.44, 0.0], [0.16, 0.0], [0.0, 0.14],
        ]],
        '5' => &[&[
            [0.55, 1.0], [0.08, 1.0], [0.04, 0.52], [0.2, 0.6], [0.42, 0.6], [0.6, 0.44], [0.6, 0.17], [0.42, 0.0],
            [0.16, 0.0], [0.0, 0.14],
        ]],
        '8' => &[&[
            [0.16, 0.53], [0.03, 0.66], [0.03, 0.87], [0.16, 1.0], [0.44, 1.0], [0.57, 0.87], [0.57, 0.66], [0.44, 0.53],
            [0.16, 0.53], [0.0, 0.38], [0.0, 0.15], [0.16, 0.0], [0.44, 0.0], [0.6, 0.15], [0.6, 0.38], [0.44, 0.53],
        ]],
        'S' => &[&[
            [0.6, 0.84], [0.44, 1.0], [0.16, 1.0], [0.0, 0.84], [0.0, 0.66], [0.14, 0.54], [0.46, 0.46], [0.6, 0.34],
            [0.6, 0.16], [0.44, 0.0], [0.16, 0.0], [0.0, 0.16],
        ]],
        'T' => &[&[[0.0, 1.0], [0.6, 1.0]], &[[0.3, 1.0], [0.3, 0.0]]],
        'P' => &[&[[0.0, 0.0], [0.0, 1.0], [0.42, 1.0], [0.6, 0.87], [0.6, 0.62], [0.42, 0.48], [0.0, 0.48]]],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Colour, colour_at};
    use super::*;

    fn face(name: &str) -> Vec<Layer> {
        let (_, draw) = CLASSES.iter().find(|(own, _)| *own == name).unwrap();
        draw()
    }

    fn grid() -> impl Iterator<Item = Point> {
        let at = |step: i32| f64::from(step) / 40.0;
        (-44..=44).flat_map(move |row| (-44..=44).map(move |column| [at(column), at(row)]))
    }

    #[test]
    fn every_face_fits_its_disc_and_no_two_are_alike() {
        let faces = CLASSES.map(|(_, draw)| draw());
        for (index, face) in faces.iter().enumerate() {
            let outside = grid().filter(|[x, y]| x * x + y * y > 1.001);
            assert!(
                outside
                    .into_iter()
                    .all(|point| colour_at(face, point).is_none())
            );
            for (other, before) in CLASSES.iter().zip(&faces[..index]) {
                let differs = |point: &Point| colour_at(face, *point) != colour_at(before, *point);
                let part = grid().filter(differs).count() as f64 / grid().count() as f64;
                let names = (CLASSES[index].0, other.0);
                assert!(part > 0.012, "{names:?} differ in {part} of their points");
            }
        }
        assert!(CLASSES.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn the_colours_are_where_the_convention_has_them() {
        let cases: [(&str, Point, Option<Colour>); 14] = [
            ("stop", [0.0, 0.6], Some(RED)),
            ("stop", [0.0, 0.9], Some(WHITE)),
            ("give_way", [0.0, 0.0], Some(WHITE)),
            ("give_way", [0.0, -0.9], Some(RED)),
            ("give_way", [0.0, 0.9], None),
            ("other_danger", [0.0, 0.9], Some(RED)),
            ("other_danger", [0.0, 0.1], Some(BLACK)),
            ("priority_road", [0.0, 0.0], Some(YELLOW)),
            ("no_entry", [0.0, 0.0], Some(WHITE)),
            ("no_entry", [0.0, 0.5], Some(RED)),
            ("no_vehicles", [0.0, 0.0], Some(WHITE)),
            ("no_vehicles", [0.9, 0.0], Some(RED)),
            ("turn_left", [-0.6, 0.0], Some(WHITE)),
            ("turn_left", [0.6, 0.3], Some(BLUE)),
        ];
        for (name, point, colour) in cases {
            assert_eq!(colour_at(&face(name), point), colour, "{name} at {point:?}");
        }
    }

    #[test]
    fn left_is_right_in_a_mirror_and_no_other_sign() {
        let (left, right) = (face("turn_left"), face("turn_right"));
        // Points off the axes, where a mirrored point is on no edge.
        let points = grid().map(|[x, y]| [x + 0.003, y + 0.004]);
        let mirrored =
            points.filter(|&[x, y]| colour_at(&left, [x, y]) == colour_at(&right, [-x, y]));
        assert_eq!(mirrored.count(), grid().count());
    }

    #[test]
    fn all_characters_of_the_signs_are_known() {
        assert!("STOP0358".chars().all(|char| !glyph(char).is_empty()));
    }
}
