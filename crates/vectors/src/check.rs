//! What fits a namespace's settings: the same rules for every implementation.

use std::ops::Bound;

use mainstay_domain::port::MultiVector;

use crate::error::IndexError;
use crate::filter::{FieldValues, Fields, Filter};
use crate::port::{IndexSettings, Point, Query, Search, SparseChannel};
use crate::sparse::SparseVector;

impl IndexSettings {
    /// Whether an index can have these settings.
    pub(crate) fn check(&self) -> Result<(), IndexError> {
        let twice =
            |(position, channel): (usize, &SparseChannel)| self.channels[..position].contains(channel);
        if self.channels.iter().enumerate().any(twice) {
            return Err(IndexError::InvalidSettings("one kind of sparse vector twice".to_owned()));
        }
        let dimensions = std::iter::once(self.dimension).chain(self.multi_dimension);
        match dimensions.into_iter().find(|dimension| !(1..=65_536).contains(dimension)) {
            None => Ok(()),
            Some(other) => {
                Err(IndexError::InvalidSettings(format!("vectors of {other} numbers, only of 1 to 65536")))
            }
        }
    }

    /// Whether a point fits.
    pub(crate) fn check_point(&self, point: &Point) -> Result<(), IndexError> {
        let fits = self.check_dense(&point.dense).and_then(|()| {
            point.sparse.iter().enumerate().try_for_each(|(position, (channel, vector))| {
                if point.sparse[..position].iter().any(|(earlier, _)| earlier == channel) {
                    return Err(format!("it has two vectors of channel {}", channel.as_str()));
                }
                self.check_sparse(*channel, vector)
            })
        });
        let fits =
            fits.and_then(|()| self.check_multi(&point.multi)).and_then(|()| check_fields(&point.fields));
        fits.map_err(|reason| IndexError::InvalidPoint { chunk: point.chunk, reason })
    }

    /// Whether a search fits.
    pub(crate) fn check_search(&self, search: &Search) -> Result<(), IndexError> {
        let fits = match &search.query {
            Query::Dense { vector, .. } => self.check_dense(vector),
            Query::Towards { share, .. } if !share.is_finite() => {
                Err("its share is no finite number".to_owned())
            }
            Query::Towards { vector, .. } => self.check_dense(vector),
            Query::Sparse { channel, vector } => self.check_sparse(*channel, vector),
            Query::Multi { vector, .. } => self.check_multi(vector),
        };
        fits.and_then(|()| search.filter.as_deref().map_or(Ok(()), check_filter))
            .map_err(|reason| IndexError::InvalidQuery(format!("the query does not fit: {reason}")))
    }

    fn check_dense(&self, vector: &[f32]) -> Result<(), String> {
        if vector.len() != self.dimension {
            return Err(format!("its vector has {} numbers, not {}", vector.len(), self.dimension));
        }
        if !vector.iter().all(|number| number.is_finite()) {
            return Err("its vector holds a number that is not finite".to_owned());
        }
        Ok(())
    }

    fn check_multi(&self, multi: &MultiVector) -> Result<(), String> {
        if multi.is_empty() {
            return Ok(());
        }
        let Some(dimension) = self.multi_dimension else {
            return Err("the index has no multi-vectors".to_owned());
        };
        if multi.dimension != dimension || !multi.values.len().is_multiple_of(dimension) {
            return Err(format!(
                "its multi-vector has vectors of {} numbers, not {dimension}",
                multi.dimension
            ));
        }
        if !multi.values.iter().all(|number| number.is_finite()) {
            return Err("its multi-vector holds a number that is not finite".to_owned());
        }
        Ok(())
    }

    fn check_sparse(&self, channel: SparseChannel, vector: &SparseVector) -> Result<(), String> {
        if !self.channels.contains(&channel) {
            return Err(format!("the index has no channel {}", channel.as_str()));
        }
        if !vector.weights().iter().all(|weight| weight.is_finite()) {
            return Err(format!("a weight of channel {} is not a finite number", channel.as_str()));
        }
        Ok(())
    }
}

/// Names that any engine takes, and numbers that can be ordered.
fn check_fields(fields: &Fields) -> Result<(), String> {
    fields.iter().try_for_each(|(name, values)| {
        check_name(name)?;
        match values {
            FieldValues::Numbers(numbers) if !numbers.iter().all(|number| number.is_finite()) => {
                Err(format!("its field {name:?} holds a number that is not finite"))
            }
            FieldValues::Numbers(_) | FieldValues::Texts(_) => Ok(()),
        }
    })
}

fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    if name.is_empty() || !name.chars().all(is_allowed) {
        return Err(format!(
            "the name of its field {name:?} is not made of letters, digits, \"_\" and \"-\""
        ));
    }
    Ok(())
}

fn check_filter(filter: &Filter) -> Result<(), String> {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().try_for_each(check_filter),
        Filter::Not(filter) => check_filter(filter),
        Filter::OneOf { field, .. } | Filter::Exists { field } => check_name(field),
        Filter::Between { field, from, to } => {
            check_name(field)?;
            let is_nan = |bound: &Bound<f64>| match bound {
                Bound::Included(number) | Bound::Excluded(number) => number.is_nan(),
                Bound::Unbounded => false,
            };
            if is_nan(from) || is_nan(to) {
                return Err(format!("a bound of the field {field:?} is no number"));
            }
            Ok(())
        }
    }
}
