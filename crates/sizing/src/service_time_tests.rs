use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;
use crate::deployment::{Engine, Parallelism, Precision};
use crate::estimates::{RowEstimate, estimate_csv, estimate_csv_with};
use crate::rows::read_rows;

fn deployment(model: &str, gpu: &str, engine: Engine, precision: Precision, tp: u32) -> Deployment<'static> {
    let catalogue = Catalogue::built_in();
    Deployment {
        model: catalogue.model(model).expect("known"),
        gpu: catalogue.gpu(gpu).expect("known"),
        engine,
        version: None,
        precision,
        serving: Serving::Aggregated(Parallelism::tensor(tp)),
    }
}

const LOAD: Load = Load { input_tokens: 1024, output_tokens: 1024, concurrency: 16 };

#[test]
fn a_measured_combination_is_estimated_within_a_fifth_of_its_measurement() {
    // vLLM, Llama 3.1 70B in 8 bits on two H200, 32 requests in flight: 20.3 ms per token were published.
    let two = deployment("Llama-3.1-70B", "h200", Engine::Vllm, Precision::Fp8, 2);
    let time = ServiceTimes::built_in().estimate(&two, &Load { concurrency: 32, ..LOAD }).expect("fits");
    assert_eq!(time.basis, Basis::Measured);
    assert!((16.0..25.0).contains(&time.tpot_ms.value), "{time:?}");
}

#[test]
fn an_unmeasured_combination_gets_a_wider_interval() {
    let times = ServiceTimes::built_in();
    let known = times
        .estimate(&deployment("Llama-3.1-70B", "h200", Engine::Vllm, Precision::Fp8, 4), &LOAD)
        .expect("fits");
    let other = times
        .estimate(&deployment("Qwen2.5-72B", "h100", Engine::Vllm, Precision::Fp8, 4), &LOAD)
        .expect("fits");
    assert_eq!(other.basis, Basis::Extrapolated);
    let width = |estimate: Estimate| estimate.high / estimate.low;
    assert!(width(other.tpot_ms) > width(known.tpot_ms) && width(other.ttft_ms) > width(known.ttft_ms));
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let small = deployment("Llama-3.1-70B", "l4", Engine::Vllm, Precision::Fp8, 1);
    let refused = ServiceTimes::built_in().estimate(&small, &LOAD).expect_err("70 GB on 24 GB");
    assert!(matches!(refused, Refusal::DoesNotFit(_)), "{refused}");
    assert!(refused.to_string().contains("GB"));
}

#[test]
fn a_gpu_of_a_vendor_without_measurements_is_refused_until_it_is_calibrated() {
    let times = ServiceTimes::built_in();
    let other = deployment("Llama-3.1-70B", "mi300x", Engine::Vllm, Precision::Fp8, 1);
    let refused = times.estimate(&other, &LOAD).expect_err("no such GPU was measured");
    assert!(refused.to_string().contains("MI300X"), "{refused}");
    let text = format!("{HEADER}\nm,vllm,Llama-3.1-70B,mi300x,fp8,agg,1024,1024,16,1,,,300,25\n");
    let rows: Vec<_> =
        read_rows(&text, Catalogue::built_in()).expect("reads").into_iter().flatten().collect();
    let own = times.with_calibration(Calibration::fit(times, &rows));
    assert!(own.estimate(&other, &LOAD).is_ok());
}

#[test]
fn far_more_requests_than_fit_are_refused_as_saturated() {
    let one = deployment("Llama-3.1-70B", "h200", Engine::Trtllm, Precision::Fp8, 1);
    let load = Load { input_tokens: 8192, output_tokens: 1024, concurrency: 512 };
    let refused = ServiceTimes::built_in().estimate(&one, &load).expect_err("the cache is full");
    assert!(refused.to_string().starts_with("saturated"), "{refused}");
}

const HEADER: &str = "id,backend,model_path,system,precision,mode,isl,osl,batch_size,tp_size,moe_tp_size,moe_ep_size,silicon_ttft_ms,silicon_tpot_ms";

#[test]
fn a_table_gets_one_result_per_row_in_order() {
    let text = format!(
        "{HEADER}\na,vllm,meta-llama/Llama-3.1-70B,h200_sxm,fp8,agg,1024,1024,32,2,2,1,,\nb,vllm,no such model,h200_sxm,fp8,agg,1024,1024,32,2,2,1,,\n"
    );
    let estimates = estimate_csv(&text).expect("has a header");
    assert!(matches!(&estimates[0], RowEstimate::Estimated { id, ttft_low, ttft_ms, ttft_high, .. }
        if id == "a" && ttft_low < ttft_ms && ttft_ms < ttft_high));
    assert!(
        matches!(&estimates[1], RowEstimate::Refused { id, refused } if id == "b" && refused.contains("line 3"))
    );
}

#[test]
fn a_teams_measurements_move_the_estimate_towards_them_and_more_rows_move_it_further() {
    let times = ServiceTimes::built_in();
    let question = format!("{HEADER}\nq,vllm,Qwen2.5-72B,h100_sxm,fp8,agg,1024,1024,16,4,,,,\n");
    let tpot = |times: &ServiceTimes| match &estimate_csv_with(&question, Catalogue::built_in(), times)
        .expect("reads")[0]
    {
        RowEstimate::Estimated { tpot_ms, tpot_low, tpot_high, .. } => (*tpot_ms, tpot_high / tpot_low),
        RowEstimate::Refused { refused, .. } => panic!("{refused}"),
    };
    let (before, width_before) = tpot(times);
    let measured = 2.0 * before;
    let calibrate = |rows: usize| {
        let row = format!("m,vllm,Qwen2.5-72B,h100_sxm,fp8,agg,1024,1024,16,4,,,500,{measured}\n");
        let text = format!("{HEADER}\n{}", row.repeat(rows));
        let rows: Vec<_> =
            read_rows(&text, Catalogue::built_in()).expect("reads").into_iter().flatten().collect();
        times.with_calibration(Calibration::fit(times, &rows))
    };
    let ((few, _), (many, width_many)) = (tpot(&calibrate(1)), tpot(&calibrate(40)));
    assert!(before < few && few < many && many < measured, "{before} {few} {many} {measured}");
    assert!((many / measured - 1.0).abs() < 0.05 && width_many < width_before);
}

proptest! {
    #[test]
    fn no_load_panics_and_intervals_contain_their_value(
        input in 0_u32..200_000, output in 0_u32..200_000, concurrency in 0_u32..100_000, tp in 0_u32..80, pick in 0_usize..1000,
    ) {
        let catalogue = Catalogue::built_in();
        let model = &catalogue.models()[pick % catalogue.models().len()];
        let gpu = &catalogue.gpus()[pick % catalogue.gpus().len()];
        let asked = Deployment {
            model, gpu, engine: Engine::ALL[pick % 3], version: None, precision: Precision::ALL[pick % 4],
            serving: Serving::Aggregated(Parallelism::tensor(tp)),
        };
        let load = Load { input_tokens: input, output_tokens: output, concurrency };
        if let Ok(time) = ServiceTimes::built_in().estimate(&asked, &load) {
            for estimate in [time.ttft_ms, time.tpot_ms] {
                prop_assert!(estimate.value.is_finite() && estimate.value > 0.0);
                prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(rows in "[a-z0-9,.\n\"_-]{0,200}") {
        let _ = estimate_csv(&format!("{HEADER}\n{rows}"));
        let _ = estimate_csv(&rows);
    }
}
