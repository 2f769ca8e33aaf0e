//! Rows of serving measurements as CSV: the same columns whether a row was measured or is only asked about.
//!
//! Columns may stand in any order and extra ones are ignored. A row that cannot be read becomes a refusal that names
//! its line and field; it never stops the rest.

use std::collections::BTreeMap;

use csv::StringRecord;

use crate::catalogue::Catalogue;
use crate::deployment::{Deployment, Engine, Load, Parallelism, Pool, Precision, Serving};

/// Columns without which no row can be read.
const NEEDED: [&str; 6] = ["backend", "model_path", "system", "mode", "isl", "osl"];

/// A text that is not a table of serving rows at all.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The header could not be read.
    #[error("the header is not CSV: save the table as comma-separated UTF-8 text")]
    Header(#[source] csv::Error),
    /// The header lacks a column.
    #[error(
        "the header has no column `{column}`: add it, the columns are those of the published measurements"
    )]
    MissingColumn {
        /// The column that is missing.
        column: &'static str,
    },
}

/// A row that could be read: what was deployed, the load, and what was measured, if it was.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredRow<'a> {
    /// Name of the row, or its line if it has none.
    pub id: String,
    /// What was deployed.
    pub deployment: Deployment<'a>,
    /// The load on it.
    pub load: Load,
    /// Measured time to first token, milliseconds.
    pub ttft_ms: Option<f64>,
    /// Measured time per output token, milliseconds.
    pub tpot_ms: Option<f64>,
}

/// A row, or its name and why it could not be read.
pub type ReadRow<'a> = Result<MeasuredRow<'a>, (String, String)>;

/// Reads all rows in order.
///
/// # Errors
/// The text has no readable header, or the header lacks a needed column. A row's own fault is in its [`ReadRow`].
pub fn read_rows<'a>(text: &str, catalogue: &'a Catalogue) -> Result<Vec<ReadRow<'a>>, CsvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(CsvError::Header)?.clone();
    let columns: BTreeMap<String, usize> =
        header.iter().enumerate().map(|(place, name)| (name.to_lowercase(), place)).collect();
    if let Some(column) = NEEDED.into_iter().find(|column| !columns.contains_key(*column)) {
        return Err(CsvError::MissingColumn { column });
    }
    let mut rows = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let row = match record {
            Ok(record) => {
                let line = record.position().map_or(number as u64 + 2, csv::Position::line);
                Fields { columns: &columns, record: &record, line }.row(catalogue)
            }
            Err(error) => {
                Err((format!("row {}", number + 1), format!("row {}: not CSV: {error}", number + 1)))
            }
        };
        rows.push(row);
    }
    Ok(rows)
}

struct Fields<'r> {
    columns: &'r BTreeMap<String, usize>,
    record: &'r StringRecord,
    line: u64,
}

impl Fields<'_> {
    fn row<'a>(&self, catalogue: &'a Catalogue) -> ReadRow<'a> {
        let id = match self.text("id") {
            "" => format!("line {}", self.line),
            id => id.to_owned(),
        };
        self.read(&id, catalogue).map_err(|reason| (id.clone(), format!("line {}: {reason}", self.line)))
    }

    fn read<'a>(&self, id: &str, catalogue: &'a Catalogue) -> Result<MeasuredRow<'a>, String> {
        let version = self.text("backend_version");
        let deployment = Deployment {
            model: catalogue.model(self.text("model_path")).map_err(|unknown| unknown.to_string())?,
            gpu: catalogue.gpu(self.text("system")).map_err(|unknown| unknown.to_string())?,
            engine: self.text("backend").parse::<Engine>()?,
            version: (!version.is_empty()).then(|| version.to_owned()),
            precision: self.precision()?,
            serving: self.serving()?,
        };
        let load = Load {
            input_tokens: self.count("isl")?.ok_or("field isl is empty")?,
            output_tokens: self.count("osl")?.ok_or("field osl is empty")?,
            concurrency: self.concurrency(id, &deployment.serving)?,
        };
        for (field, tokens) in [("isl", load.input_tokens), ("osl", load.output_tokens)] {
            if tokens == 0 {
                return Err(format!("field {field} is 0, a request has at least one token"));
            }
        }
        let serving = match deployment.serving {
            Serving::Aggregated(parallelism) => Serving::Aggregated(parallelism.corrected()),
            Serving::Disaggregated { prefill, decode } => Serving::Disaggregated {
                prefill: Pool { parallelism: prefill.parallelism.corrected(), ..prefill },
                decode: Pool { parallelism: decode.parallelism.corrected(), ..decode },
            },
        };
        let deployment = Deployment { serving, ..deployment };
        let (ttft_ms, tpot_ms) = (self.measured("silicon_ttft_ms")?, self.measured("silicon_tpot_ms")?);
        Ok(MeasuredRow { id: id.to_owned(), deployment, load, ttft_ms, tpot_ms })
    }

    fn precision(&self) -> Result<Precision, String> {
        let fields = ["precision", "gemm_quant_mode"].map(|field| self.text(field));
        fields.into_iter().find(|text| !text.is_empty()).unwrap_or_default().parse()
    }

    fn serving(&self) -> Result<Serving, String> {
        match self.text("mode").to_lowercase().as_str() {
            "agg" | "aggregated" => Ok(Serving::Aggregated(self.parallelism("")?)),
            "disagg" | "disaggregated" => Ok(Serving::Disaggregated {
                prefill: Pool {
                    parallelism: self.parallelism("prefill_")?,
                    workers: self.count("prefill_num_workers")?.filter(|workers| *workers > 0),
                },
                decode: Pool {
                    parallelism: self.parallelism("decode_")?,
                    workers: self.count("decode_num_workers")?.filter(|workers| *workers > 0),
                },
            }),
            other => Err(format!("field mode is `{other}`, expected agg or disagg")),
        }
    }

    fn parallelism(&self, prefix: &str) -> Result<Parallelism, String> {
        let degree = |name: &str| {
            let field = format!("{prefix}{name}");
            let value = self.count(&field)?.filter(|value| *value > 0);
            match value {
                Some(value) if value > 4096 => {
                    Err(format!("field {field} is {value}, at most 4096 GPUs are considered"))
                }
                value => Ok(value),
            }
        };
        let tp = degree("tp_size")?.ok_or(format!("field {prefix}tp_size is empty"))?;
        let attention_dp = degree("attention_dp_size")?.unwrap_or(1);
        Ok(Parallelism {
            tp,
            pp: degree("pp_size")?.unwrap_or(1),
            attention_dp,
            moe_tp: degree("moe_tp_size")?.unwrap_or(1),
            moe_ep: degree("moe_ep_size")?.unwrap_or(1),
        })
    }

    /// Requests in flight: the batch of every attention copy, or of every decoding worker. Rows of split deployments
    /// often leave the batch out; published ids then carry it as `_c<number>_`.
    fn concurrency(&self, id: &str, serving: &Serving) -> Result<u32, String> {
        let given = match serving {
            Serving::Aggregated(parallelism) => {
                self.count("batch_size")?.map(|batch| batch.saturating_mul(parallelism.attention_dp))
            }
            Serving::Disaggregated { decode, .. } => self.count("decode_batch_size")?.map(|batch| {
                batch
                    .saturating_mul(decode.workers.unwrap_or(1))
                    .saturating_mul(decode.parallelism.attention_dp)
            }),
        };
        let concurrency = match given {
            Some(concurrency) => Some(concurrency),
            None => self.count("batch_size")?.or_else(|| concurrency_of(id)),
        };
        match concurrency {
            Some(concurrency) if concurrency > 0 => Ok(concurrency),
            _ => {
                Err("the batch size is empty and the id does not carry the concurrency as _c<number>_"
                    .to_owned())
            }
        }
    }

    fn measured(&self, field: &str) -> Result<Option<f64>, String> {
        let text = self.text(field);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 => Ok(Some(value)),
            _ => Err(format!("field {field} is `{text}`, expected milliseconds above 0")),
        }
    }

    fn count(&self, field: &str) -> Result<Option<u32>, String> {
        let text = self.text(field);
        if text.is_empty() || text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if value >= 0.0 && value.fract() == 0.0 && value <= f64::from(u32::MAX) => {
                Ok(Some(value as u32))
            }
            _ => Err(format!("field {field} is `{text}`, expected a whole number")),
        }
    }

    fn text(&self, field: &str) -> &str {
        self.columns.get(field).and_then(|place| self.record.get(*place)).unwrap_or_default()
    }
}

/// The number in `_c<number>_` of an id.
fn concurrency_of(id: &str) -> Option<u32> {
    id.split('_').find_map(|part| part.strip_prefix('c').and_then(|digits| digits.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,backend,model_path,system,precision,mode,isl,osl,batch_size,tp_size,attention_dp_size,moe_tp_size,moe_ep_size,decode_tp_size,prefill_tp_size,decode_moe_ep_size";

    fn read(rows: &str) -> Vec<ReadRow<'static>> {
        read_rows(&format!("{HEADER}\n{rows}"), Catalogue::built_in()).expect("the header is complete")
    }

    #[test]
    fn a_batch_of_every_attention_copy_adds_up_to_the_concurrency() {
        let rows = read("a,vllm,Qwen/Qwen3-32B,h100_sxm,fp8,agg,1024,128,16,2.0,4,1,8,,,");
        let row = rows[0].as_ref().expect("is complete");
        assert_eq!(row.load.concurrency, 64);
        assert_eq!(row.deployment.serving.decode().gpus(), 8);
        assert_eq!(row.tpot_ms, None);
    }

    #[test]
    fn a_split_deployment_takes_its_concurrency_from_the_id() {
        let rows = read(
            "dsr1_gb200_c2048_x,trtllm,deepseek-ai/DeepSeek-R1,gb200,fp4,disagg,1024,1024,,,,,,16,4,\nnone,trtllm,deepseek-ai/DeepSeek-R1,gb200,fp4,disagg,1024,1024,,,,,,16,4,",
        );
        assert_eq!(rows[0].as_ref().expect("is complete").load.concurrency, 2048);
        let (id, reason) = rows[1].as_ref().expect_err("nothing says how many requests there are");
        assert_eq!(id, "none");
        assert!(reason.contains("line 3") && reason.contains("batch size"), "{reason}");
    }

    #[test]
    fn a_broken_row_names_its_line_and_field_and_spares_its_neighbours() {
        let rows = read(
            "a,vllm,Qwen3-32B,h100,fp8,agg,many,128,16,2,,,,,,\nb,vllm,Qwen3-32B,h100,fp8,agg,1024,128,16,2,,,,,,\nc,vllm,Qwen3-99B,h100,fp8,agg,1024,128,16,2,,,,,,\nd,vllm",
        );
        assert!(rows[0].as_ref().expect_err("isl is no number").1.contains("line 2: field isl is `many`"));
        assert!(rows[1].is_ok());
        assert!(rows[2].as_ref().expect_err("unknown model").1.contains("Qwen3-32B"));
        assert!(rows[3].is_err());
    }

    #[test]
    fn a_degree_that_was_multiplied_twice_is_put_right() {
        let rows = read("a,sglang,DeepSeek-R1,h200,fp8,agg,1024,128,16,64,1,8,8,,,");
        assert_eq!(rows[0].as_ref().expect("is complete").deployment.serving.decode().gpus(), 8);
    }

    #[test]
    fn a_table_without_a_needed_column_is_refused_as_a_whole() {
        let refused =
            read_rows("id,backend\na,vllm", Catalogue::built_in()).expect_err("columns are missing");
        assert!(refused.to_string().contains("model_path"));
    }
}
