//! Facts that the cards of stage 7 alone ask about.

use crate::fact::Source::{Measured, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    CLAUSES = "numbered_clauses", YesNo, "documents are made of numbered clauses", [Told("true for contracts and laws")];
    LONG_DOCS = "document_tokens", Tokens, "tokens of a document on average", [Spec("planning.document_tokens"), Told("mainstay corpus report")];
    PROSE = "long_prose", YesNo, "documents are long prose without headings", [Told("true for papers and transcripts")];
    CODES = "code_share", Share, "the share of questions with codes, numbers or quoted words", [Told("mainstay eval retrieval GOLDEN: by kind")];
    LANGUAGES = "languages", Count, "languages of the documents", [Measured(Reading::Largest(Series::all("mainstay_document_languages"))), Told("mainstay corpus report")];
    EXACT_ONLY = "keyword_search_only", YesNo, "people search for words, not for meaning", [Told("true for logs and part numbers")];
    COMPLEX = "complex_questions", Share, "the share of questions with several parts or comparisons", [Told("of the golden set")];
    HAS_GPU = "reranker_gpu", YesNo, "a GPU or a spare core is there for a reranker", [Told("true or false")];
    MAY_LEAVE = "passages_may_leave", YesNo, "passages may be sent to a provider", [Told("true or false")];
    SYNTHESIS = "synthesis_share", Share, "the share of questions that need several documents", [Told("of the golden set")];
    CONTEXT = "context_window", Tokens, "the context of the smallest model that answers", [Spec("models.*.context_tokens"), Told("of the model")];
    NOT_FOUND = "not_in_documents", Share, "the share of answers that the documents do not contain one", [Measured(Reading::Ratio { of: Series::all("mainstay_not_in_documents_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
    EDGE_GAIN = "middle_loss", Share, "how much worse answers are when the passage stands in the middle", [Told("mainstay eval position GOLDEN")];
}
