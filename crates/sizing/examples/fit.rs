//! Fits the model of service times to a file of measurements and prints the document to ship as `service_time.json`.
//!
//! `cargo run --release -p mainstay-sizing --example fit -- measurements.csv > crates/sizing/assets/service_time.json`

#![expect(clippy::print_stdout, reason = "a program that prints a document")]

use mainstay_sizing::{Catalogue, MeasuredRow, ServiceTimes, read_rows};

#[expect(clippy::disallowed_methods, reason = "an example takes its file as an argument")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of the measurements")?;
    let text = std::fs::read_to_string(path)?;
    let rows: Vec<MeasuredRow<'_>> = read_rows(&text, Catalogue::built_in())?.into_iter().flatten().collect();
    println!("{}", serde_json::to_string(&ServiceTimes::fit(&rows))?);
    Ok(())
}
