//! Flat shapes, each of which knows which points it covers.

use std::f64::consts::TAU;

/// A point: x to the right, y upwards.
pub(super) type Point = [f64; 2];

/// A colour: red, green and blue as a screen takes them, from 0 to 1.
pub(super) type Colour = [f64; 3];

/// A shape of one colour.
pub(super) type Layer = (Shape, Colour);

/// A flat shape.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// All points at most so far from a centre.
    Disc { centre: Point, radius: f64 },
    /// What lies inside a closed line of straight pieces.
    Polygon(Vec<Point>),
    /// All points at most so far from a line of straight pieces: what a round pen draws.
    Stroke { line: Vec<Point>, half_width: f64 },
}

impl Shape {
    /// A disc around the origin.
    pub(super) fn disc(radius: f64) -> Self {
        let centre = [0.0, 0.0];
        Self::Disc { centre, radius }
    }

    /// A polygon with equal sides around the origin; its first corner is `turn` of a full turn from the right.
    pub(super) fn regular(corners: u32, radius: f64, turn: f64) -> Self {
        let corner = |corner: u32| {
            let angle = TAU * (turn + f64::from(corner) / f64::from(corners));
            [radius * libm::cos(angle), radius * libm::sin(angle)]
        };
        Self::Polygon((0..corners).map(corner).collect())
    }

    /// Whether the point is in the shape.
    pub(super) fn covers(&self, point: Point) -> bool {
        match self {
            Self::Disc { centre, radius } => squared_distance(point, *centre) <= radius * radius,
            Self::Polygon(corners) => is_inside(point, corners),
            Self::Stroke { line, half_width } => line.windows(2).any(|piece| {
                let nearest = nearest(point, piece[0], piece[1]);
                squared_distance(point, nearest) <= half_width * half_width
            }),
        }
    }
}

/// The colour of the uppermost layer at a point. Later layers lie on earlier ones.
pub(super) fn colour_at(layers: &[Layer], point: Point) -> Option<Colour> {
    let mut from_above = layers.iter().rev();
    let hit = from_above.find(|(shape, _)| shape.covers(point));
    hit.map(|(_, colour)| *colour)
}

fn squared_distance([ax, ay]: Point, [bx, by]: Point) -> f64 {
    (ax - bx) * (ax - bx) + (ay - by) * (ay - by)
}

/// The point of a straight piece that is nearest to `point`.
fn nearest([x, y]: Point, [ax, ay]: Point, [bx, by]: Point) -> Point {
    let (dx, dy) = (bx - ax, by - ay);
    let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(f64::MIN_POSITIVE);
    let along = along.clamp(0.0, 1.0);
    [ax + along * dx, ay + along * dy]
}

/// The even-odd rule: a ray to the right crosses the line around a point inside an odd number of times.
fn is_inside([x, y]: Point, corners: &[Point]) -> bool {
    let next = corners.iter().cycle().skip(1);
    let crosses = |&(&[ax, ay], &[bx, by]): &(&Point, &Point)| {
        (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
    };
    corners.iter().zip(next).filter(crosses).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The area of a shape inside the square from -2 to 2, by counting points of a grid.
    fn area(shape: &Shape) -> f64 {
        let at = |step: i32| (f64::from(step) + 0.5) / 200.0;
        let points =
            (-400..400).flat_map(|row| (-400..400).map(move |column| [at(column), at(row)]));
        points.filter(|point| shape.covers(*point)).count() as f64 / 40_000.0
    }

    #[test]
    fn areas_are_those_of_geometry() {
        let pi = TAU / 2.0;
        let line = vec![[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]];
        // Two bars 2 long and 0.2 wide that share a quarter of a square and of a disc, and two round ends.
        let bars = 2.0 * 2.0 * 0.2 + pi * 0.01 - 0.01 + 0.01 * pi / 4.0;
        let star = [
            [0.0, 1.5],
            [0.3, 0.3],
            [1.5, 0.0],
            [0.3, -0.3],
            [0.0, -1.5],
            [-0.3, 0.0],
        ];
        let twice = |corners: &[Point]| {
            let next = corners.iter().cycle().skip(1);
            let terms = corners
                .iter()
                .zip(next)
                .map(|([ax, ay], [bx, by])| ax * by - bx * ay);
            terms.sum::<f64>().abs()
        };
        let cases = [
            (Shape::disc(1.2), pi * 1.44),
            (Shape::regular(4, 1.0, 0.0), 2.0),
            (Shape::regular(8, 1.0, 1.0 / 16.0), 2.0 * 2f64.sqrt()),
            (Shape::regular(3, 1.0, 0.25), 3.0 * 3f64.sqrt() / 4.0),
            (Shape::Polygon(star.to_vec()), twice(&star) / 2.0),
            (
                Shape::Stroke {
                    line,
                    half_width: 0.1,
                },
                bars,
            ),
        ];
        for (shape, exact) in cases {
            let found = area(&shape);
            assert!(
                (found - exact).abs() < 0.01,
                "{shape:?}: {found} instead of {exact}"
            );
        }
    }

    #[test]
    fn the_uppermost_layer_is_seen() {
        let (red, white) = ([1.0, 0.0, 0.0], [1.0; 3]);
        let layers = [(Shape::disc(1.0), red), (Shape::disc(0.5), white)];
        assert_eq!(colour_at(&layers, [0.0, 0.2]), Some(white));
        assert_eq!(colour_at(&layers, [0.0, 0.8]), Some(red));
        assert_eq!(colour_at(&layers, [0.9, 0.9]), None);
    }
}
