//! Counts the words of a posted text. Plain Rust, no crates: the meta-variables are the environment, the body is
//! standard input, the answer is standard output.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufWriter, Read, Write};

const MOST: usize = 20;

fn count(text: &str) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    let mut sorted: Vec<(String, usize)> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted.truncate(MOST);
    sorted
}

fn main() -> io::Result<()> {
    let method = env::var("REQUEST_METHOD").unwrap_or_default();
    let mut out = BufWriter::new(io::stdout());
    if method != "POST" {
        write!(out, "Content-Type: text/plain; charset=utf-8\r\n\r\nPOST a text to have its words counted.\n")?;
        return out.flush();
    }
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    write!(out, "Content-Type: text/plain; charset=utf-8\r\n\r\n")?;
    for (word, times) in count(&String::from_utf8_lossy(&body)) {
        writeln!(out, "{:4} {}", times, word)?;
    }
    out.flush()
}
