//! Registry of models and assistants, routing and prices.
