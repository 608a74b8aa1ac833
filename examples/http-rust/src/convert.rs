//! CSV in pieces to lines of JSON.

use csv_core::{ReadFieldResult, Reader};

/// Holds what lies between two pieces: the names of the first row, and the row and the field that are not whole yet.
pub struct Converter {
    reader: Reader,
    names: Option<Vec<String>>,
    row: Vec<String>,
    field: Vec<u8>,
}

impl Converter {
    pub fn new() -> Self {
        // `Reader::default()` is one without its tables.
        Self { reader: Reader::new(), names: None, row: Vec::new(), field: Vec::new() }
    }

    /// Takes a piece of the table and appends the lines that it completes.
    pub fn feed(&mut self, mut piece: &[u8], lines: &mut Vec<u8>) {
        // The reader takes an empty piece for the end.
        while !piece.is_empty() {
            piece = &piece[self.read(piece, lines).1..];
        }
    }

    /// The table has ended, perhaps in the middle of a row.
    pub fn finish(&mut self, lines: &mut Vec<u8>) {
        while !matches!(self.read(&[], lines).0, ReadFieldResult::End) {}
    }

    fn read(&mut self, piece: &[u8], lines: &mut Vec<u8>) -> (ReadFieldResult, usize) {
        let mut buffer = [0; 4096];
        let (result, taken, given) = self.reader.read_field(piece, &mut buffer);
        self.field.extend_from_slice(&buffer[..given]);
        if let ReadFieldResult::Field { record_end } = result {
            self.row.push(String::from_utf8_lossy(&self.field).into_owned());
            self.field.clear();
            if record_end {
                self.end_row(lines);
            }
        }
        (result, taken)
    }

    fn end_row(&mut self, lines: &mut Vec<u8>) {
        let row = std::mem::take(&mut self.row);
        let Some(names) = &self.names else {
            self.names = Some(row);
            return;
        };
        let mut before = '{';
        for (index, value) in row.iter().enumerate() {
            let number = (index + 1).to_string(); // stands for a name where a row is longer than the first
            lines.extend(before.to_string().bytes());
            quote(names.get(index).unwrap_or(&number), lines);
            lines.push(b':');
            quote(value, lines);
            before = ',';
        }
        lines.extend(b"}\n");
    }
}

fn quote(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            0..0x20 => line.extend(format!("\\u{byte:04x}").bytes()),
            _ => line.push(byte),
        }
    }
    line.push(b'"');
}
