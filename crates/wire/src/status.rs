//! What an HTTP status of a provider means where its body says nothing more precise.

use mainstay_domain::ModelErrorKind;

/// The kind of failure that a status stands for.
pub(crate) fn model_error_kind(status: u16) -> ModelErrorKind {
    match status {
        401 | 403 => ModelErrorKind::Authentication,
        402 => ModelErrorKind::QuotaExhausted,
        404 => ModelErrorKind::ModelNotFound,
        429 => ModelErrorKind::RateLimited,
        503 | 529 => ModelErrorKind::Overloaded,
        // A timeout and a conflict on the provider's side: not the request's fault.
        408 | 409 => ModelErrorKind::Provider,
        400..500 => ModelErrorKind::InvalidRequest,
        _ => ModelErrorKind::Provider,
    }
}

/// The provider's words, bounded; its status where it has none.
pub(crate) fn bounded_message(message: Option<&str>, status: Option<u16>) -> String {
    const MOST: usize = 2_000;
    match (message.map(str::trim).filter(|message| !message.is_empty()), status) {
        (Some(message), _) if message.len() > MOST => {
            format!("{}…", &message[..message.floor_char_boundary(MOST)])
        }
        (Some(message), _) => message.to_owned(),
        (None, Some(status)) => format!("the provider answered with status {status}"),
        (None, None) => "the provider reported an error without saying which".to_owned(),
    }
}
