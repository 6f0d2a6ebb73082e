//! What is taken for what.

use crate::chart::{Chart, Words, heat};
use crate::table::{Cell, Table};
use crate::text::count;

/// So many classes at most have their whole matrix as a table.
const WHOLE: usize = 30;

/// The confusion matrix.
pub(super) fn chart(classes: &[String], matrix: &[Vec<u64>]) -> Chart {
    let right: u64 = (0..classes.len()).map(|class| matrix[class][class]).sum();
    let all: u64 = matrix.iter().flatten().sum();
    heat(
        classes,
        matrix,
        Words {
            id: "confusion",
            title: "Confusion matrix",
            description: format!(
                "{} of {} samples are on the diagonal. A row is a true class; a cell is as dark as its share of the row.",
                count(right),
                count(all)
            ),
            series: &[],
            table: match classes.len() <= WHOLE {
                true => whole(classes, matrix),
                false => most_confused(classes, matrix),
            },
        },
    )
}

/// The matrix as a table.
fn whole(classes: &[String], matrix: &[Vec<u64>]) -> Table {
    let mut head = vec!["true \\ predicted"];
    head.extend(classes.iter().map(String::as_str));
    let row = |(class, counts): (&String, &Vec<u64>)| {
        let counts = counts.iter().map(|count| Cell::count(*count));
        std::iter::once(Cell::Text(class.clone()))
            .chain(counts)
            .collect()
    };
    let table = Table::new("Confusion matrix, a row for each true class", &head);
    table.with(classes.iter().zip(matrix).map(row))
}

/// What is taken for what most often, where the matrix would be too large to read.
fn most_confused(classes: &[String], matrix: &[Vec<u64>]) -> Table {
    let cells = matrix.iter().enumerate().flat_map(|(truth, row)| {
        let cells = row.iter().enumerate();
        cells.map(move |(predicted, count)| (*count, truth, predicted))
    });
    let wrong = cells.filter(|(count, truth, predicted)| *count > 0 && truth != predicted);
    let mut wrong: Vec<(u64, usize, usize)> = wrong.collect();
    wrong.sort_by_key(|(count, truth, predicted)| (std::cmp::Reverse(*count), *truth, *predicted));
    wrong.truncate(200);
    let row = |(count, truth, predicted): (u64, usize, usize)| {
        let names = [truth, predicted].map(|class| Cell::Text(classes[class].clone()));
        names.into_iter().chain([Cell::count(count)]).collect()
    };
    let table = Table::new(
        "What is taken for what most often",
        &["true", "predicted", "samples"],
    );
    table.with(wrong.into_iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_the_most_frequent_confusions_are_told() {
        let classes: Vec<String> = (0..100).map(|class| format!("class {class}")).collect();
        let mut matrix = vec![vec![0; 100]; 100];
        (0..100).for_each(|class| matrix[class][class] = 9);
        (matrix[7][3], matrix[98][99]) = (2, 4);
        let table = most_confused(&classes, &matrix);
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::plain).collect())
            .collect();
        assert_eq!(
            rows,
            [["class 98", "class 99", "4"], ["class 7", "class 3", "2"]]
        );
        let drawn = chart(&classes, &matrix).html();
        assert_eq!(drawn.as_str().matches("<rect ").count(), 102);
    }
}
