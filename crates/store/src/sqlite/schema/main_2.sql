-- Which fields the metadata of a corpus have, and of what kind their values are. A row stays when the last document that
-- has the field goes.
CREATE TABLE corpus_fields (
    corpus_row INTEGER NOT NULL REFERENCES corpora (corpus_row),
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (corpus_row, field, kind)
) WITHOUT ROWID;
