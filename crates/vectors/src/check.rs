//! What fits a namespace's settings: the same rules for every implementation.

use crate::error::IndexError;
use crate::port::{IndexSettings, Point, Query, SparseChannel};
use crate::sparse::SparseVector;

impl IndexSettings {
    /// Whether an index can have these settings.
    pub(crate) fn check(&self) -> Result<(), IndexError> {
        let twice =
            |(position, channel): (usize, &SparseChannel)| self.channels[..position].contains(channel);
        if self.channels.iter().enumerate().any(twice) {
            return Err(IndexError::InvalidSettings("one kind of sparse vector twice".to_owned()));
        }
        match self.dimension {
            1..=65_536 => Ok(()),
            other => {
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
        fits.map_err(|reason| IndexError::InvalidPoint { chunk: point.chunk, reason })
    }

    /// Whether a query fits.
    pub(crate) fn check_query(&self, query: &Query) -> Result<(), IndexError> {
        match query {
            Query::Dense { vector, .. } => self.check_dense(vector),
            Query::Sparse { channel, vector } => self.check_sparse(*channel, vector),
        }
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
