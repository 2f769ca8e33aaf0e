//! Provider stand-ins and fixtures for tests.
