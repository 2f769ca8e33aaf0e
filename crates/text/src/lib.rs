//! Language, tokenisation and sentences: the analysis that retrieval rests on.
