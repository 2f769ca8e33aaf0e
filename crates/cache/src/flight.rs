//! Identical questions at the same time: one is answered, the others wait for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What has become of the question that is being answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Landing {
    /// It is still being answered.
    Flying,
    /// Its answer is in the cache.
    Stored,
    /// Its answer is nobody else's: those who wait ask themselves.
    Kept,
    /// There is no answer under this question itself: one of those who wait has the next turn.
    Lost,
}

/// The questions that are being answered.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<[u8; 32], watch::Sender<Landing>>>,
}

/// The turn to answer a question. Dropped without a word, another one has it.
#[derive(Debug)]
pub(crate) struct Flight {
    flights: Arc<Flights>,
    key: [u8; 32],
    /// Whether those who wait have heard what became of it.
    has_landed: bool,
}

impl Flights {
    /// The turn to answer the question, or what is to be waited for.
    pub(crate) fn board(self: &Arc<Self>, key: [u8; 32]) -> Result<Flight, watch::Receiver<Landing>> {
        let mut under_way = self.under_way();
        if let Some(flight) = under_way.get(&key) {
            return Err(flight.subscribe());
        }
        under_way.insert(key, watch::Sender::new(Landing::Flying));
        Ok(Flight { flights: self.clone(), key, has_landed: false })
    }

    /// Whether somebody has the turn to answer the question.
    #[cfg(test)]
    pub(crate) fn is_under_way(&self, key: &[u8; 32]) -> bool {
        self.under_way().contains_key(key)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<[u8; 32], watch::Sender<Landing>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    pub(crate) fn land(mut self, landing: Landing) {
        self.tell(landing);
    }

    /// Once only: as soon as it has landed, another may fly under the same key, which is not this one's to end.
    fn tell(&mut self, landing: Landing) {
        if std::mem::replace(&mut self.has_landed, true) {
            return;
        }
        if let Some(flight) = self.flights.under_way().remove(&self.key) {
            flight.send_replace(landing);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.tell(Landing::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_that_has_landed_does_not_end_the_next_one_of_its_key() {
        let flights = Arc::new(Flights::default());
        let mut first = flights.board([1; 32]).unwrap();
        first.tell(Landing::Kept);
        // Somebody else boards between the landing and the end of the first.
        let second = flights.board([1; 32]).unwrap();
        drop(first);
        let waiting = flights.board([1; 32]).unwrap_err();
        assert_eq!(*waiting.borrow(), Landing::Flying);
        second.land(Landing::Stored);
        assert_eq!(*waiting.borrow(), Landing::Stored);
    }
}
