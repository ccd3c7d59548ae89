//! Aligned text tables, no wider than their content.

use super::printable::printable;

/// Rows of cells under a head. Columns are separated by two spaces; numbers are aligned to the right. No cell breaks its line.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let in_line = |cell: &String| printable(cell).replace('\n', "\\u000a");
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(in_line).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let numeric: Vec<_> = (0..head.len()).map(|column| is_numeric(&rows, column)).collect();
    let head: Vec<_> = head.iter().map(|&title| title.to_owned()).collect();
    std::iter::once(&head).chain(&rows).map(|row| line(row, &widths, &numeric)).collect()
}

fn line(row: &[String], widths: &[usize], numeric: &[bool]) -> String {
    let cells: Vec<_> = row
        .iter()
        .zip(widths.iter().zip(numeric))
        .map(
            |(cell, (&width, &right))| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            },
        )
        .collect();
    cells.join("  ").trim_end().to_owned() + "\n"
}

fn is_numeric(rows: &[Vec<String>], column: usize) -> bool {
    let mut cells = rows.iter().filter_map(|row| row.get(column));
    !rows.is_empty() && cells.all(|cell| cell.parse::<f64>().is_ok())
}

/// A time span in its two largest units.
pub(super) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_are_on_the_right() {
        let rows = [
            vec!["app".to_owned(), "7".to_owned(), "-".to_owned()],
            vec!["länger".into(), "1200".into(), "x".into()],
        ];
        let expected = "GROUP   REQUESTS  NOTE\napp            7  -\nlänger      1200  x\n";
        assert_eq!(table(&["GROUP", "REQUESTS", "NOTE"], &rows), expected);
    }

    #[test]
    fn a_cell_moves_no_cursor_and_breaks_no_line() {
        let rows = [vec!["a\nb".to_owned(), "\x1b[2J".to_owned()]];
        assert_eq!(table(&["A", "B"], &rows), "A         B\na\\u000ab  \\u001b[2J\n");
    }

    #[test]
    fn an_empty_table_is_its_head() {
        assert_eq!(table(&["A", "B"], &[]), "A  B\n");
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3_600, "1h 0m"),
            (90_061, "1d 1h"),
            (8_640_000, "100d 0h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
