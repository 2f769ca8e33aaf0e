//! The monthly costs of the three ways, as rows of a sheet.

use mainstay_formula::{Expr, Input, Sheet, Unit, call};

/// What is asked for; rows that the planner has entered.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Requests in a day.
    pub requests_per_day: Expr,
    /// Tokens of a prompt.
    pub input_tokens: Expr,
    /// Tokens of an answer.
    pub output_tokens: Expr,
    /// The share of a prompt that the provider reads from its cache.
    pub cached_input: Expr,
}

/// What a provider charges for a million tokens, in US dollars.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiPrice {
    /// The model, `provider/model`.
    pub model: String,
    /// Of prompts.
    pub input: f64,
    /// Of prompts read from the provider's cache.
    pub cached_input: f64,
    /// Of answers.
    pub output: f64,
}

/// A fleet of GPUs; rows that the planner has entered.
#[derive(Clone, Debug)]
pub struct OwnFleet {
    /// GPUs at the peak.
    pub gpus: Expr,
    /// GPU hours over those of a fleet that always has as many as at the peak.
    pub hours_share: Expr,
    /// US dollars for an hour of a GPU.
    pub hourly: Expr,
}

/// Who looks after one's own fleet, where the team says so.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct People {
    /// Engineers.
    pub engineers: Option<f64>,
    /// What one costs in a year, all in all, in US dollars.
    pub salary: Option<f64>,
}

/// Days of a month, here and in every row.
const MONTH: f64 = 30.0;

/// Enters what the API, one's own fleet and both together cost, and which is the cheapest. Rows that need what is not given are
/// left out.
pub fn enter(
    sheet: &mut Sheet,
    demand: &Demand,
    price: Option<&ApiPrice>,
    fleet: Option<&OwnFleet>,
    people: People,
) {
    let api = price.map(|price| enter_api(sheet, demand, price));
    let own = fleet.map(|fleet| enter_own(sheet, demand, fleet, people));
    let mut ways: Vec<Expr> = api.iter().chain(own.iter().map(|own| &own.total)).cloned().collect();
    if let (Some(api), Some(own)) = (&api, &own) {
        ways.push(enter_hybrid(sheet, api, own));
        enter_break_even(sheet, demand, api, own);
    }
    let Some(first) = ways.first().cloned() else { return };
    let cheapest = ways[1..].iter().fold(first, |cheapest, way| cheapest.min(way));
    let cheapest =
        sheet.define("economics.cheapest_per_month", Unit::DollarsPerMonth, "the cheapest way", cheapest);
    sheet.define(
        "economics.cheapest_per_request",
        Unit::Dollars,
        "a request, the cheapest way",
        &cheapest / (&demand.requests_per_day * MONTH),
    );
    for (name, what, way) in [
        ("economics.api_is_cheapest", "whether providers are the cheapest", "economics.api_per_month"),
        (
            "economics.self_hosting_is_cheapest",
            "whether one's own fleet is the cheapest",
            "economics.self_hosted_per_month",
        ),
        (
            "economics.hybrid_is_cheapest",
            "whether both together are the cheapest",
            "economics.hybrid_per_month",
        ),
    ] {
        if let Some(way) = sheet.expr(way) {
            let equal =
                call("is", [way, cheapest.clone()], |v| f64::from(u8::from(v[0] <= v[1] * (1.0 + 1e-12))));
            sheet.define(name, Unit::YesNo, what, equal);
        }
    }
}

fn enter_api(sheet: &mut Sheet, demand: &Demand, price: &ApiPrice) -> Expr {
    let listed = |kind: &str| format!("the price of {} for {kind}", price.model);
    let mut rate = |name: &str, what: &str, dollars: f64| {
        sheet.input(name, Unit::DollarsPerMillionTokens, what, Input::given(dollars, listed(what)))
    };
    let input = rate("economics.price_input", "prompts", price.input);
    let cached =
        rate("economics.price_cached_input", "prompts from the provider's cache", price.cached_input);
    let output = rate("economics.price_output", "answers", price.output);
    let retries = Input::assumed(1.02, "two of a hundred calls are made again").between(1.0, 1.1);
    let retries = sheet.input("economics.retries", Unit::Times, "calls over requests", retries);
    let saved = Input::assumed(0.0, "no cache of answers is counted on").between(0.0, 0.25);
    let saved = sheet.input(
        "economics.cache_hit_share",
        Unit::Share,
        "of the requests, answered from a cache of one's own",
        saved,
    );
    let prompt = &demand.input_tokens
        * ((Expr::constant(1.0) - &demand.cached_input) * &input + &demand.cached_input * &cached);
    let request = sheet.define(
        "economics.api_per_request",
        Unit::Dollars,
        "a request at the provider",
        (prompt + &demand.output_tokens * &output) / 1e6 * &retries,
    );
    sheet.define(
        "economics.api_per_month",
        Unit::DollarsPerMonth,
        "what providers would charge",
        &demand.requests_per_day * MONTH * request * (Expr::constant(1.0) - &saved),
    )
}

/// What one's own fleet costs, in its parts.
struct Own {
    gpus: Expr,
    fixed: Expr,
    total: Expr,
}

fn enter_own(sheet: &mut Sheet, demand: &Demand, fleet: &OwnFleet, people: People) -> Own {
    let gpus = sheet.define(
        "economics.gpus_per_month",
        Unit::DollarsPerMonth,
        "GPUs",
        &fleet.gpus * &fleet.hours_share * &fleet.hourly * (24.0 * MONTH),
    );
    let staff = enter_people(sheet, people);
    let network = sheet.input(
        "economics.egress_price",
        Unit::Dollars,
        "a gigabyte that leaves the cloud",
        Input::assumed(0.09, "list price of the large clouds").between(0.02, 0.12),
    );
    let sent = sheet.input(
        "economics.bytes_per_answer_token",
        Unit::Bytes,
        "bytes on the wire of a token of an answer",
        Input::assumed(230.0, "a streamed event of the OpenAI format").between(4.0, 320.0),
    );
    let egress = sheet.define(
        "economics.egress_per_month",
        Unit::DollarsPerMonth,
        "answers that leave the cloud",
        &demand.requests_per_day * &demand.output_tokens * sent * MONTH / 1e9 * network,
    );
    let watching = sheet.input(
        "economics.monitoring_per_month",
        Unit::DollarsPerMonth,
        "metrics, logs and alerts of the fleet",
        Input::assumed(800.0, "hosted metrics and logs of a dozen machines").between(200.0, 3_000.0),
    );
    let storage = sheet.input(
        "economics.storage_per_month",
        Unit::DollarsPerMonth,
        "weights, images and snapshots",
        Input::assumed(150.0, "a few terabytes in the cloud").between(50.0, 600.0),
    );
    let fixed = sheet.define(
        "economics.fixed_per_month",
        Unit::DollarsPerMonth,
        "everything but GPUs and traffic",
        staff + watching + storage,
    );
    let total = sheet.define(
        "economics.self_hosted_per_month",
        Unit::DollarsPerMonth,
        "what self-hosting would cost, all in all",
        &gpus + &fixed + egress,
    );
    sheet.define(
        "economics.self_hosted_over_gpus",
        Unit::Times,
        "all in all over the GPUs alone",
        &total / &gpus,
    );
    let weeks = sheet.input(
        "economics.setup_weeks",
        Unit::Count,
        "weeks of an engineer until it serves",
        Input::assumed(8.0, "serving, load tests, alerts, evaluation").between(4.0, 16.0),
    );
    if let Some(salary) = sheet.expr("economics.engineer_salary") {
        sheet.define("economics.setup", Unit::Dollars, "once, until it serves", weeks * salary / 52.0);
    }
    Own { gpus, fixed, total }
}

fn enter_people(sheet: &mut Sheet, people: People) -> Expr {
    let engineers = match people.engineers {
        Some(engineers) => Input::given(engineers, "planning.engineers"),
        None => Input::assumed(1.0, "one engineer of machine learning infrastructure").between(0.5, 2.0),
    };
    let engineers = sheet.input("economics.engineers", Unit::Count, "engineers who look after it", engineers);
    let salary = match people.salary {
        Some(salary) => Input::given(salary, "planning.engineer_salary"),
        None => Input::assumed(250_000.0, "a senior engineer, all in all").between(120_000.0, 350_000.0),
    };
    let salary =
        sheet.input("economics.engineer_salary", Unit::DollarsPerYear, "an engineer, all in all", salary);
    let upgrades = sheet.input(
        "economics.upgrades_per_year",
        Unit::Count,
        "new models that are taken up in a year",
        Input::assumed(3.0, "a new generation every four months").between(1.0, 4.0),
    );
    let weeks = sheet.input(
        "economics.weeks_per_upgrade",
        Unit::Count,
        "weeks of an engineer to take up a new model",
        Input::assumed(3.0, "evaluation, prompts, load tests").between(2.0, 6.0),
    );
    let on_call = sheet.input(
        "economics.on_call_per_month",
        Unit::DollarsPerMonth,
        "being called at night",
        Input::assumed(1_500.0, "an allowance and the day after").between(500.0, 5_000.0),
    );
    // Whoever looks after it takes up new models, too: what exceeds their time is paid on top.
    sheet.define(
        "economics.people_per_month",
        Unit::DollarsPerMonth,
        "engineers, upgrades and being on call",
        &salary / 12.0 * (&engineers + upgrades * weeks / 52.0) + on_call,
    )
}

/// Easy requests go to a fleet of one's own, the others to a provider.
fn enter_hybrid(sheet: &mut Sheet, api: &Expr, own: &Own) -> Expr {
    let share = sheet.input(
        "economics.easy_share",
        Unit::Share,
        "of the requests, easy enough for a small model",
        Input::assumed(0.6, "what routers of published cascades keep").between(0.3, 0.8),
    );
    let small = sheet.input(
        "economics.small_model_share",
        Unit::Share,
        "GPUs of the small model over those of the large one for the same requests",
        Input::assumed(0.25, "a model of an eighth of the size").between(0.1, 0.5),
    );
    let router = sheet.input(
        "economics.router",
        Unit::Times,
        "requests that both have to answer, over all",
        Input::assumed(1.08, "eight of a hundred easy ones are asked again").between(1.02, 1.2),
    );
    sheet.define(
        "economics.hybrid_per_month",
        Unit::DollarsPerMonth,
        "a small model of one's own for easy requests, a provider for the others",
        api * (Expr::constant(1.0) - &share) * router + &own.gpus * &share * small + &own.fixed,
    )
}

/// Where what providers charge meets what one's own fleet costs: fixed / (API per token − GPUs per token).
fn enter_break_even(sheet: &mut Sheet, demand: &Demand, api: &Expr, own: &Own) {
    let tokens = &demand.requests_per_day * (&demand.input_tokens + &demand.output_tokens);
    let api = sheet.define(
        "economics.api_per_million_tokens",
        Unit::DollarsPerMillionTokens,
        "what providers charge, blended",
        api / (&tokens * MONTH) * 1e6,
    );
    let gpus = sheet.define(
        "economics.gpus_per_million_tokens",
        Unit::DollarsPerMillionTokens,
        "GPUs alone",
        &own.gpus / (&tokens * MONTH) * 1e6,
    );
    let meets = call("fixed / (API − GPUs), where API > GPUs", [own.fixed.clone(), api, gpus], |v| {
        let (fixed, api, gpus) = (v[0], v[1], v[2]);
        if api > gpus { fixed / MONTH / (api - gpus) * 1e6 } else { f64::INFINITY }
    });
    sheet.define(
        "economics.break_even_tokens_per_day",
        Unit::TokensPerDay,
        "the traffic at which self-hosting costs what providers charge",
        meets,
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Case {
        requests: f64,
        input: f64,
        output: f64,
        gpus: f64,
        hourly: f64,
        price: ApiPrice,
    }

    fn gpt_4o() -> ApiPrice {
        ApiPrice { model: "openai/gpt-4o".to_owned(), input: 2.5, cached_input: 1.25, output: 10.0 }
    }

    fn sheet(case: &Case) -> Sheet {
        let mut sheet = Sheet::new();
        let mut given =
            |name: &str, value: f64| sheet.input(name, Unit::Count, name, Input::given(value, "test"));
        let demand = Demand {
            requests_per_day: given("requests", case.requests),
            input_tokens: given("input", case.input),
            output_tokens: given("output", case.output),
            cached_input: given("cached", 0.0),
        };
        let fleet = OwnFleet {
            gpus: given("gpus", case.gpus),
            hours_share: given("hours", 1.0),
            hourly: given("hourly", case.hourly),
        };
        let people = People { engineers: Some(1.0), salary: Some(250_000.0) };
        enter(&mut sheet, &demand, Some(&case.price), Some(&fleet), people);
        sheet
    }

    /// Card 2.3: 30 M tokens in and 20 M out at $2.50 and $10 are $275 a day, against two GPUs at $3.50, $168 a day, and a salary of
    /// $685 a day: the API is cheaper, as the card says.
    #[test]
    fn fifty_million_tokens_a_day_do_not_pay_an_engineer() {
        let case =
            Case { requests: 50_000.0, input: 600.0, output: 400.0, gpus: 2.0, hourly: 3.5, price: gpt_4o() };
        let sheet = sheet(&case);
        let value = |name: &str| sheet.value(name).expect(name);
        assert!((value("economics.api_per_month") / 30.0 - 275.0 * 1.02).abs() < 1e-6);
        assert!((value("economics.gpus_per_month") / 30.0 - 168.0).abs() < 1e-9);
        assert!(value("economics.people_per_month") / 30.0 > 685.0);
        assert_eq!(value("economics.api_is_cheapest"), 1.0);
        // Fixed costs of $840 a day and more over ($5.61 − $3.36) a million: not before 370 M tokens a day, where the card's table says 50 to 100.
        assert!(value("economics.break_even_tokens_per_day") > 370e6);
    }

    /// 50 M tokens a day at 4 bytes are 200 MB, $.02 at $.09 a gigabyte; the card says 200 GB and $18.
    #[test]
    fn bytes_of_tokens_are_megabytes() {
        let case =
            Case { requests: 50_000.0, input: 0.0, output: 1_000.0, gpus: 2.0, hourly: 3.5, price: gpt_4o() };
        let sheet = sheet(&case);
        let per_byte = sheet.value("economics.egress_per_month").expect("a row") / 30.0 / 230.0 * 4.0;
        assert!((per_byte - 0.2 * 0.09).abs() < 1e-9, "{per_byte}");
    }

    #[test]
    fn a_dear_gpu_never_breaks_even() {
        let case =
            Case { requests: 50_000.0, input: 600.0, output: 400.0, gpus: 8.0, hourly: 3.5, price: gpt_4o() };
        assert_eq!(sheet(&case).value("economics.break_even_tokens_per_day"), Some(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(
            requests in 1.0..1e6_f64, input in 1.0..1e4_f64, output in 1.0..1e4_f64, more in 1.0..10.0_f64,
        ) {
            let case = |factor: f64| Case { requests, input: input * factor, output: output * factor, gpus: 2.0, hourly: 3.0, price: gpt_4o() };
            for row in ["economics.api_per_month", "economics.self_hosted_per_month", "economics.hybrid_per_month", "economics.cheapest_per_month"] {
                let at = |factor: f64| sheet(&case(factor)).value(row).expect(row);
                prop_assert!(at(more) >= at(1.0) * (1.0 - 1e-12), "{row}");
            }
        }

        #[test]
        fn at_the_break_even_both_cost_the_same(
            input in 100.0..4000.0_f64, output in 50.0..2000.0_f64, requests in 1e4..1e6_f64, gpus in 1.0..4.0_f64,
        ) {
            let case = Case { requests, input, output, gpus, hourly: 2.0, price: gpt_4o() };
            let sheet = sheet(&case);
            let value = |name: &str| sheet.value(name).expect(name);
            let tokens = value("economics.break_even_tokens_per_day");
            prop_assume!(tokens.is_finite());
            let scale = tokens / (requests * (input + output));
            let api = value("economics.api_per_month") * scale;
            let own = value("economics.gpus_per_month") * scale + value("economics.fixed_per_month");
            prop_assert!((api / own - 1.0).abs() < 1e-9, "{api} {own}");
        }
    }
}
