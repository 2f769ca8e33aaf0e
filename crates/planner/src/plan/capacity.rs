//! From people to requests, tokens, bandwidth and storage (card 2.1).
//!
//! Two figures of the usual back-of-an-envelope are put right here. Monthly users are not daily users: a share of them comes
//! on a day. And streams in flight follow from how long an answer takes, not from how soon it begins (Little's law), which is
//! ten times as much.

use mainstay_formula::{Expr, Input, Sheet, Unit};

use crate::requirements::{Audience, Planning, Slo, Traffic};

/// The rows that other parts of the plan go on from.
pub(crate) struct Capacity {
    pub(crate) requests_per_day: Expr,
    pub(crate) peak_rate: Expr,
    pub(crate) input_tokens: Expr,
    pub(crate) output_tokens: Expr,
    pub(crate) cached_input: Expr,
}

/// What people do by whom the product is for: who of a month's users comes on a day, how often, and how much is asked then.
/// Ranges of what consumer chat products, company tools and customers' portals report; the team's own figures beat them.
struct Habits {
    daily_share: (f64, f64, f64),
    sessions: (f64, f64, f64),
    requests: (f64, f64, f64),
    why: &'static str,
}

const fn habits(audience: Audience) -> Habits {
    match audience {
        Audience::Consumer => Habits {
            daily_share: (0.15, 0.08, 0.30),
            sessions: (1.5, 1.1, 3.0),
            requests: (3.0, 2.0, 6.0),
            why: "usual for the public",
        },
        Audience::Enterprise => Habits {
            daily_share: (0.35, 0.20, 0.50),
            sessions: (2.0, 1.2, 4.0),
            requests: (4.0, 2.0, 8.0),
            why: "usual for customers' staff on working days",
        },
        Audience::Internal => Habits {
            daily_share: (0.50, 0.30, 0.70),
            sessions: (3.0, 1.5, 8.0),
            requests: (4.0, 2.0, 10.0),
            why: "usual for a company's own tool",
        },
    }
}

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Enters what the product must serve. `peak` is the peak over the average that the shape of the load has; `prompt` says
/// whether prompts carry passages.
pub(crate) fn enter(
    sheet: &mut Sheet,
    traffic: &Traffic,
    audience: Audience,
    peak: &Peak,
    with_passages: bool,
) -> Option<Capacity> {
    let requests_per_day = match (traffic.requests_per_second, traffic.monthly_active_users) {
        (Some(rate), _) => {
            let input = Input::given(rate, "traffic.requests_per_second");
            let rate =
                sheet.input("traffic.requests_per_second", Unit::PerSecond, "requests for hours", input);
            let hours =
                Input::assumed(peak.busy_share, format!("hours of the busiest rate in a day, {}", peak.why))
                    .between((peak.busy_share * 0.7).max(0.05), (peak.busy_share * 1.3).min(1.0));
            let busy = sheet.input(
                "traffic.average_over_sustained",
                Unit::Share,
                "the day's average over the rate that is sustained",
                hours,
            );
            sheet.define("capacity.requests_per_day", Unit::PerDay, "requests", rate * &busy * DAY)
        }
        (None, Some(users)) => from_users(sheet, traffic, audience, users),
        (None, None) => return None,
    };
    let average_rate = sheet.define(
        "capacity.average_requests_per_second",
        Unit::PerSecond,
        "requests on average",
        &requests_per_day / DAY,
    );
    let factor = match (traffic.requests_per_second, traffic.burst_requests_per_second) {
        (Some(_), Some(burst)) => {
            let input = Input::given(burst, "traffic.burst_requests_per_second");
            let burst = sheet.input(
                "traffic.burst_requests_per_second",
                Unit::PerSecond,
                "requests for minutes",
                input,
            );
            sheet.define(
                "capacity.peak_factor",
                Unit::Times,
                "the peak over the average",
                burst / &average_rate,
            )
        }
        _ => {
            let input =
                Input::assumed(peak.factor, peak.why.clone()).between(peak.factor * 0.75, peak.factor * 1.6);
            sheet.input("capacity.peak_factor", Unit::Times, "the peak over the average", input)
        }
    };
    let peak_rate = sheet.define(
        "capacity.peak_requests_per_second",
        Unit::PerSecond,
        "requests at the peak",
        &average_rate * &factor,
    );
    let tokens = enter_tokens(sheet, traffic, with_passages, &requests_per_day);
    let growth = match traffic.growth_per_month {
        Some(growth) => Input::given(growth.as_f64(), "traffic.growth_per_month"),
        None => Input::assumed(0.05, "5 % a month, 1.8 times in a year").between(0.0, 0.15),
    };
    sheet.input("traffic.growth_per_month", Unit::Share, "growth from month to month", growth);
    let (input_tokens, output_tokens, cached_input) = tokens;
    Some(Capacity { requests_per_day, peak_rate, input_tokens, output_tokens, cached_input })
}

/// How the load moves over a day.
pub(crate) struct Peak {
    /// The peak over the average.
    pub(crate) factor: f64,
    /// The average over the rate of the busy hours.
    pub(crate) busy_share: f64,
    /// Where that comes from.
    pub(crate) why: String,
}

fn from_users(sheet: &mut Sheet, traffic: &Traffic, audience: Audience, users: u64) -> Expr {
    let Habits { daily_share, sessions, requests, why } = habits(audience);
    let input = Input::given(users as f64, "traffic.monthly_active_users");
    let users = sheet.input("traffic.monthly_active_users", Unit::Count, "people in a month", input);
    let mut entered =
        |name: &str, unit: Unit, what: &str, given: Option<f64>, (value, low, high): (f64, f64, f64)| {
            let input = match given {
                Some(given) => Input::given(given, name),
                None => Input::assumed(value, why).between(low, high),
            };
            sheet.input(name, unit, what, input)
        };
    let share = traffic.daily_active_share.map(mainstay_domain::config::Ratio::as_f64);
    let share = entered(
        "traffic.daily_active_share",
        Unit::Share,
        "of a month's people, on a day",
        share,
        daily_share,
    );
    let sessions = entered(
        "traffic.sessions_per_day",
        Unit::Count,
        "sessions of a person in a day",
        traffic.sessions_per_day,
        sessions,
    );
    let requests = entered(
        "traffic.requests_per_session",
        Unit::Count,
        "requests of a session",
        traffic.requests_per_session,
        requests,
    );
    let people = sheet.define("capacity.daily_active_users", Unit::Count, "people in a day", &users * &share);
    sheet.define("capacity.requests_per_day", Unit::PerDay, "requests", &people * &sessions * &requests)
}

fn enter_tokens(
    sheet: &mut Sheet,
    traffic: &Traffic,
    with_passages: bool,
    requests: &Expr,
) -> (Expr, Expr, Expr) {
    let prompt = match traffic.input_tokens {
        Some(tokens) => Input::given(tokens as f64, "traffic.input_tokens"),
        None if with_passages => {
            Input::assumed(1_800.0, "instructions, five passages and the question").between(900.0, 4_000.0)
        }
        None => Input::assumed(600.0, "instructions, history and the question").between(200.0, 2_000.0),
    };
    let prompt = sheet.input("traffic.input_tokens", Unit::Tokens, "tokens of a prompt", prompt);
    let answer = match traffic.output_tokens {
        Some(tokens) => Input::given(tokens as f64, "traffic.output_tokens"),
        None => Input::assumed(300.0, "an answer of two paragraphs").between(120.0, 700.0),
    };
    let answer = sheet.input("traffic.output_tokens", Unit::Tokens, "tokens of an answer", answer);
    let cached = match traffic.cached_input {
        Some(share) => Input::given(share.as_f64(), "traffic.cached_input"),
        None => Input::assumed(0.0, "nothing is known of the provider's cache").between(0.0, 0.3),
    };
    let cached = sheet.input(
        "traffic.cached_input",
        Unit::Share,
        "of a prompt, read from the provider's cache",
        cached,
    );
    let day = |sheet: &mut Sheet, name: &str, what: &str, tokens: &Expr| {
        sheet.define(name, Unit::TokensPerDay, what, requests * tokens)
    };
    let input = day(sheet, "capacity.input_tokens_per_day", "tokens of prompts", &prompt);
    let output = day(sheet, "capacity.output_tokens_per_day", "tokens of answers", &answer);
    sheet.define("capacity.tokens_per_day", Unit::TokensPerDay, "tokens of all requests", input + output);
    (prompt, answer, cached)
}

/// What the network and the disks must take.
pub(crate) fn enter_storage(sheet: &mut Sheet, capacity: &Capacity, planning: &Planning, dimensions: u32) {
    let given = |value: f64, why: &str| Input::assumed(value, why);
    // English text: a token is about four characters. A streamed chunk of the OpenAI format wraps each token in JSON.
    let per_token = sheet.input(
        "network.bytes_per_token",
        Unit::Bytes,
        "bytes of a token of text",
        given(4.0, "English text").between(3.0, 5.0),
    );
    let chunk = sheet.input(
        "network.bytes_per_streamed_token",
        Unit::Bytes,
        "bytes of a token as a streamed event",
        given(230.0, "an event of the OpenAI format with one token in it").between(160.0, 320.0),
    );
    sheet.define(
        "network.peak_in",
        Unit::BytesPerSecond,
        "from callers at the peak",
        &capacity.peak_rate * &capacity.input_tokens * &per_token,
    );
    sheet.define(
        "network.peak_out",
        Unit::BytesPerSecond,
        "to callers at the peak, streamed",
        &capacity.peak_rate * &capacity.output_tokens * &chunk,
    );
    let record = sheet.input(
        "storage.bytes_per_request",
        Unit::Bytes,
        "ledger and audit records of a request",
        given(1_300.0, "measured: 700 bytes of ledger, 600 of audit; content is not logged")
            .between(900.0, 2_500.0),
    );
    // Replicas, indexes, and the write-ahead log: three times the raw bytes (card 2.1).
    let copies = sheet.input(
        "storage.copies",
        Unit::Times,
        "stored bytes over raw bytes",
        given(3.0, "replica, indexes and write-ahead log").between(2.0, 4.0),
    );
    let daily = sheet.define(
        "storage.records_per_day",
        Unit::BytesPerDay,
        "records",
        &capacity.requests_per_day * &record * &copies,
    );
    let records = sheet.define("storage.records_per_year", Unit::Bytes, "records of a year", daily * 365.0);
    let empty = sheet.input(
        "storage.empty_folder",
        Unit::Bytes,
        "files of a data folder that holds nothing yet",
        given(50e6, "measured: 2 MB in files of 180 MB, which fill up").between(2e6, 200e6),
    );
    let corpus = enter_index(sheet, planning, &per_token, &copies, dimensions);
    sheet.define(
        "storage.data_folder",
        Unit::Bytes,
        "the data folder after a year",
        corpus.map_or_else(|| &empty + &records, |corpus| &empty + &records + corpus),
    );
}

/// The corpus: documents, passages, vectors. Answers its bytes on disk, where the file says how many documents there are.
fn enter_index(
    sheet: &mut Sheet,
    planning: &Planning,
    per_token: &Expr,
    copies: &Expr,
    dimensions: u32,
) -> Option<Expr> {
    let documents = planning.documents?;
    let documents = sheet.input(
        "index.documents",
        Unit::Count,
        "documents",
        Input::given(documents as f64, "planning.documents"),
    );
    let length = match planning.document_tokens {
        Some(tokens) => Input::given(tokens as f64, "planning.document_tokens"),
        None => Input::assumed(1_200.0, "two pages").between(300.0, 6_000.0),
    };
    let length = sheet.input("index.tokens_per_document", Unit::Tokens, "tokens of a document", length);
    let passage = sheet.input(
        "index.tokens_per_passage",
        Unit::Tokens,
        "new tokens of a passage",
        Input::assumed(130.0, "corpora.*.chunking.chunk_words = 100").between(90.0, 400.0),
    );
    let passages =
        sheet.define("index.passages", Unit::Count, "passages", (&documents * &length / &passage).ceil());
    let size = Input::given(f64::from(dimensions), "the corpus's embedder");
    let dimensions = sheet.input("index.dimensions", Unit::Count, "dimensions of a vector", size);
    // Four bytes a dimension, half as much again for the graph; words and payload measured at 2 KB a passage.
    let graph = sheet.input(
        "index.graph",
        Unit::Times,
        "vectors with their graph over vectors",
        Input::assumed(1.5, "HNSW with 16 links").between(1.2, 2.0),
    );
    let payload = sheet.input(
        "index.payload",
        Unit::Bytes,
        "words and payload of a passage",
        Input::assumed(2_000.0, "measured at 100,000 passages").between(1_000.0, 4_000.0),
    );
    let index = sheet.define(
        "index.memory",
        Unit::Bytes,
        "memory of the index",
        &passages * (&dimensions * 4.0 * &graph + &payload),
    );
    let texts = sheet.define(
        "storage.documents",
        Unit::Bytes,
        "documents and their text on disk",
        &documents * &length * per_token * copies,
    );
    Some(index + texts)
}

/// Streams in flight at the peak, by Little's law.
pub(crate) fn enter_streams(sheet: &mut Sheet, capacity: &Capacity, slo: &Slo) {
    use crate::requirements::Percentile::P95;
    let seconds = |target: Option<std::time::Duration>| target.map(|target| target.as_secs_f64());
    let first = match seconds(slo.ttft.at(P95)) {
        Some(target) => Input::given(target, "slo.ttft.p95").between(target * 0.3, target),
        None => Input::assumed(0.5, "half a second, usual for chat").between(0.2, 2.0),
    };
    let first = sheet.input("streams.time_to_first_token", Unit::Seconds, "until the first token", first);
    let each = match seconds(slo.time_per_output_token.at(P95)) {
        Some(target) => Input::given(target, "slo.time_per_output_token.p95").between(target * 0.3, target),
        None => Input::assumed(0.025, "forty tokens a second").between(0.010, 0.050),
    };
    let each = sheet.input("streams.time_per_output_token", Unit::Seconds, "for each further token", each);
    let answer = sheet.define(
        "streams.answer_time",
        Unit::Seconds,
        "from the request to the last token",
        first + &capacity.output_tokens * each,
    );
    sheet.define(
        "streams.at_peak",
        Unit::Count,
        "answers in flight at the peak",
        &capacity.peak_rate * answer,
    );
}
