//! What the plan knows of models and GPUs: the catalogue, estimates for rows, and fitting to a team's own measurements.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mainstay_sizing::{
    Calibration, Catalogue, MeasuredRow, RowEstimate, ServiceTimes, estimate_csv_with, read_rows,
};
use serde_json::{Value, json};

use super::vllm::VllmArgs;
use crate::terminal::{self, BadInput};

/// Lists the models and GPUs that are known.
#[derive(Args)]
#[command(after_help = "Example: mainstay plan catalogue")]
pub(crate) struct CatalogueArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Predicts the time to first token and the time per output token of deployments, a row each.
#[derive(Args)]
#[command(after_help = "Example: mainstay plan estimate --csv rows.csv --json\n\n\
    Columns: id, backend (vllm, sglang, trtllm), model_path, system, precision, isl, osl, batch_size, tp_size, and others of\n\
    https://github.com/ai-dynamo/aiconfigurator. A row that cannot be told is refused, with its reason.")]
pub(crate) struct EstimateArgs {
    /// The rows.
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// A team's own measurements, in the same columns with silicon_ttft_ms and silicon_tpot_ms: estimates are fitted to them.
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
    /// Prints JSON: an entry per row, in order.
    #[arg(long)]
    json: bool,
}

/// Fits the service-time model to a team's own measurements and says by how much they differ from what was predicted.
#[derive(Args)]
#[command(
    after_help = "Example: mainstay plan calibrate measured.csv --vllm http://gpu-1:8000 --gpu h200_sxm --gpus 2\n\n\
    bench/gpu/rows.py measures a GPU without a model's weights."
)]
pub(crate) struct CalibrateArgs {
    /// Rows with silicon_ttft_ms and silicon_tpot_ms.
    #[arg(value_name = "FILE")]
    csv: PathBuf,
    #[command(flatten)]
    vllm: VllmArgs,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn catalogue(args: &CatalogueArgs) -> anyhow::Result<()> {
    let catalogue = Catalogue::built_in();
    if args.json {
        let found = json!({ "models": catalogue.models(), "gpus": catalogue.gpus() });
        return Ok(terminal::say(format_args!("{found:#}"))?);
    }
    let mut models = terminal::table(&["model", "parameters", "active", "layers", "context"]);
    for model in catalogue.models() {
        models.add_row([
            model.name.clone(),
            billions(model.parameters_total as f64),
            billions(model.parameters_active as f64),
            model.layers.to_string(),
            terminal::grouped(u64::from(model.max_context)),
        ]);
    }
    let mut gpus = terminal::table(&["GPU", "memory", "bandwidth", "bf16", "fp8", "an hour", "as of"]);
    for gpu in catalogue.gpus() {
        gpus.add_row([
            gpu.name.clone(),
            format!("{} GB", gpu.memory_gb),
            format!("{} TB/s", gpu.bandwidth_tb_s),
            format!("{} TFLOPS", gpu.bf16_tflops),
            gpu.fp8_tflops.map_or_else(|| "–".to_owned(), |rate| format!("{rate} TFLOPS")),
            format!("${:.2}", gpu.usd_per_hour),
            gpu.price_as_of.clone(),
        ]);
    }
    terminal::say(format_args!("{models}\n\n{gpus}"))?;
    Ok(())
}

fn billions(parameters: f64) -> String {
    format!("{:.1} B", parameters / 1e9)
}

pub(super) fn estimate(args: &EstimateArgs) -> anyhow::Result<()> {
    let times = match &args.calibrate {
        Some(path) => fitted(path)?.0,
        None => ServiceTimes::built_in().clone(),
    };
    let text = read(&args.csv)?;
    let estimates = estimate_csv_with(&text, Catalogue::built_in(), &times)
        .map_err(|error| BadInput(format!("{}: {error}", args.csv.display())))?;
    if args.json {
        return Ok(terminal::say(serde_json::to_string_pretty(&estimates)?)?);
    }
    let mut table = terminal::table(&["row", "first token", "each further", "or why not"]);
    for estimate in &estimates {
        table.add_row(match estimate {
            RowEstimate::Estimated { id, ttft_ms, ttft_low, ttft_high, tpot_ms, tpot_low, tpot_high } => [
                id.clone(),
                format!("{ttft_ms:.0} ms ({ttft_low:.0} to {ttft_high:.0})"),
                format!("{tpot_ms:.1} ms ({tpot_low:.1} to {tpot_high:.1})"),
                String::new(),
            ],
            RowEstimate::Refused { id, refused } => {
                [id.clone(), String::new(), String::new(), refused.clone()]
            }
        });
    }
    terminal::say(table)?;
    Ok(())
}

pub(super) fn calibrate(args: &CalibrateArgs) -> anyhow::Result<()> {
    if args.vllm.is_asked() {
        args.vllm.add_row(&args.csv)?;
    }
    let (_, calibration) = fitted(&args.csv)?;
    if args.json {
        let groups: Vec<Value> = calibration
            .groups()
            .iter()
            .map(|(group, own)| json!({ "group": group, "factors": own }))
            .collect();
        let found = json!({ "groups": groups, "rows_used": calibration.rows_used, "rows_refused": calibration.rows_refused });
        return Ok(terminal::say(format_args!("{found:#}"))?);
    }
    let mut table =
        terminal::table(&["measured", "rows", "first token over predicted", "each token over predicted"]);
    for (group, own) in calibration.groups() {
        let shown = |factor: mainstay_sizing::OwnFactor| {
            format!("{:.2}× (± {:.0} %)", factor.log_factor.exp(), factor.standard_error * 164.5)
        };
        table.add_row([group.clone(), own.decode.rows.to_string(), shown(own.prefill), shown(own.decode)]);
    }
    terminal::say(format_args!("{table}\n\n{} rows were used.", calibration.rows_used))?;
    for (reason, rows) in &calibration.rows_refused {
        terminal::say(format_args!("{rows} rows were not: {reason}"))?;
    }
    terminal::say(format_args!(
        "mainstay plan estimate --csv FILE --calibrate {} uses them.",
        args.csv.display()
    ))?;
    Ok(())
}

/// The service-time model, fitted to a team's own rows.
fn fitted(path: &Path) -> anyhow::Result<(ServiceTimes, Calibration)> {
    let text = read(path)?;
    let bad = |problem: String| BadInput(format!("{}: {problem}", path.display()));
    let rows = read_rows(&text, Catalogue::built_in()).map_err(|error| bad(error.to_string()))?;
    let total = rows.len();
    let unread = rows.iter().find_map(|row| row.as_ref().err().cloned());
    let rows: Vec<MeasuredRow<'_>> = rows.into_iter().flatten().collect();
    let built_in = ServiceTimes::built_in();
    let calibration = Calibration::fit(built_in, &rows);
    if calibration.rows_used == 0 {
        let first = unread.map_or_else(
            || "rows need silicon_ttft_ms and silicon_tpot_ms".to_owned(),
            |(id, problem)| format!("{id}: {problem}"),
        );
        return Err(bad(format!("none of {total} rows can be used: {first}")).into());
    }
    Ok((built_in.with_calibration(calibration.clone()), calibration))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
