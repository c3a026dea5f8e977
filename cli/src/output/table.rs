//! A table as kubectl prints it: columns with spaces between them, one object a line.

use anstyle::{AnsiColor, Color, Style};
use comfy_table::{ContentArrangement, Table as Grid, presets::NOTHING};

use super::{print, safe};

/// The colour of a row, where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// Nothing special.
    Plain,
    /// Something is wrong.
    Bad,
    /// Of little interest.
    Dim,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its cells. They are made safe here.
    pub cells: Vec<String>,
    /// Its colour.
    pub tint: Tint,
}

/// Rows below a header.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Row>,
}

// === impl Tint ===

impl Tint {
    /// As an escape sequence, which is dropped where there is no terminal.
    #[must_use]
    pub fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Bad => Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red))),
            Self::Dim => Style::new().dimmed(),
        }
    }
}

// === impl Table ===

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(header: Vec<&'static str>) -> Self {
        Self { header, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, tint: Tint, cells: Vec<String>) {
        self.rows.push(Row { cells, tint });
    }

    /// Prints it.
    pub fn print(&self) {
        print(&self.text());
    }

    /// Its text, with colours.
    #[must_use]
    pub fn text(&self) -> String {
        let mut grid = Grid::new();
        grid.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(self.header.clone());
        for row in &self.rows {
            grid.add_row(row.cells.iter().map(|cell| safe(cell)));
        }
        for column in grid.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let tints = core::iter::once(Tint::Plain).chain(self.rows.iter().map(|row| row.tint));
        let grid = grid.to_string();
        let lines = grid.lines().zip(tints).map(|(line, tint)| {
            let (line, style) = (line.trim_end(), tint.style());
            if tint == Tint::Plain { format!("{line}\n") } else { format!("{style}{line}{style:#}\n") }
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_one_line_and_colours_do_not_move_a_column() {
        let mut table = Table::new(vec!["NAME", "STATE"]);
        table.push(Tint::Bad, vec!["a\nb\u{1b}[31m".to_owned(), "x".to_owned()]);
        table.push(Tint::Plain, vec!["上海".to_owned(), "y".to_owned()]);
        let text = anstream::adapter::strip_str(&table.text()).to_string();
        assert_eq!(text, "NAME           STATE\na b\\u{1b}[31m  x\n上海           y\n");
    }
}
