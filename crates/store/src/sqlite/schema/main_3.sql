-- Chunks that no search finds, with the reason in the words of the indexer and the SHA-256 of what was judged.
CREATE TABLE quarantine (
    chunk_id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    reason TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX quarantine_by_content ON quarantine (content);

-- Contents that somebody looked at and wants to be found: of every chunk of the corpus that has it, now and later.
CREATE TABLE released (
    corpus_row INTEGER NOT NULL REFERENCES corpora (corpus_row),
    content BLOB NOT NULL,
    released_at INTEGER NOT NULL,
    PRIMARY KEY (corpus_row, content)
) WITHOUT ROWID;
