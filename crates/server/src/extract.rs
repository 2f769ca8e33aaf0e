//! What the address of a request says, with errors in the shape of the API.

use std::fmt::Display;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use http::Uri;
use mainstay_domain::CorpusName;
use serde::de::DeserializeOwned;

use crate::error::HttpError;

/// The last part of a path, as the router found it: handlers ask for it after they know who calls.
pub(crate) type FoundPath = Result<Path<String>, PathRejection>;

/// The text of the last part of a path.
pub(crate) fn path_text(found: FoundPath) -> Result<String, HttpError> {
    match found {
        Ok(Path(text)) => Ok(text),
        Err(_) => Err(HttpError::Invalid {
            message: "the path is no UTF-8 text: write what is no letter as the %XX of its UTF-8 bytes"
                .to_owned(),
            param: None,
        }),
    }
}

/// What the query of an address says.
pub(crate) fn query_of<T: DeserializeOwned>(address: &Uri) -> Result<T, HttpError> {
    let Query(query) = Query::try_from_uri(address).map_err(|error| {
        let reason = error.body_text();
        let reason = reason.strip_prefix("Failed to deserialize query string: ").unwrap_or(&reason);
        HttpError::Invalid { message: format!("the query of the address is wrong: {reason}"), param: None }
    })?;
    Ok(query)
}

/// The corpus of that name, or the one that is meant where none is named.
pub(crate) fn corpus_named(name: Option<String>) -> Result<CorpusName, HttpError> {
    let Some(name) = name else { return Ok(CorpusName::unnamed()) };
    let corpus = CorpusName::from(name);
    corpus.check().map_err(|fault| HttpError::Invalid {
        message: format!("the name of the corpus {fault}"),
        param: Some("corpus".to_owned()),
    })?;
    Ok(corpus)
}

/// A number of results that a caller asked for, from 1 to `most`.
pub(crate) fn limit_of(wanted: Option<usize>, default: usize, most: usize) -> Result<usize, HttpError> {
    number_of("limit", wanted, default, most)
}

/// The number that a parameter of a request says, from 1 to `most`, or what is meant where it is not there.
pub(crate) fn number_of<N: Copy + PartialOrd + Display + From<u8>>(
    param: &str,
    wanted: Option<N>,
    default: N,
    most: N,
) -> Result<N, HttpError> {
    let number = wanted.unwrap_or(default);
    if number < N::from(1) || number > most {
        let message = format!("{param} is {number}; it must be from 1 to {most}");
        return Err(HttpError::Invalid { message, param: Some(param.to_owned()) });
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<usize>,
    }

    fn page(address: &str) -> Result<Page, String> {
        query_of(&address.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_query_is_read_strictly() {
        assert_eq!(page("/d?limit=3").unwrap().limit, Some(3));
        let unknown = page("/d?limt=3").unwrap_err();
        assert!(unknown.starts_with("the query of the address is wrong: ") && unknown.contains("limt"));
        assert!(page("/d?limit=three").is_err());
    }

    #[test]
    fn a_corpus_that_is_named_has_a_good_name() {
        assert_eq!(corpus_named(None).unwrap(), CorpusName::unnamed());
        let error = corpus_named(Some(String::new())).unwrap_err();
        assert_eq!(error.to_string(), "the name of the corpus is empty");
    }

    #[test]
    fn a_limit_is_within_its_bounds_or_an_error() {
        assert_eq!(limit_of(None, 10, 1_000).unwrap(), 10);
        assert!(limit_of(Some(0), 10, 1_000).is_err() && limit_of(Some(1_001), 10, 1_000).is_err());
    }
}
