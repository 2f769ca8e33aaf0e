//! How load arrives over a day, what it waits for, and how fleets follow it.
