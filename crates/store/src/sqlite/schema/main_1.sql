-- Ids are given out by us, from one row, in the transaction that uses them: they are never reused, a batch knows its
-- ids before it writes them, and the chunks and blocks of a revision are one run of numbers, so that neither needs an
-- index beside its primary key.
CREATE TABLE next_ids (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    corpus INTEGER NOT NULL,
    document INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    block INTEGER NOT NULL,
    event INTEGER NOT NULL
);
INSERT INTO next_ids (only_row, corpus, document, revision, chunk, block, event) VALUES (1, 1, 1, 1, 1, 1, 1);

CREATE TABLE corpora (
    corpus_row INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    embedder TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
);

-- A document that was deleted stays as a row with neither revision until its old revisions are purged.
-- The two columns of revisions carry no foreign key: they would need an index each for the sake of deletions that the
-- store only makes after it has cleared them.
CREATE TABLE documents (
    document_row INTEGER PRIMARY KEY,
    corpus_row INTEGER NOT NULL REFERENCES corpora (corpus_row),
    doc_id TEXT NOT NULL,
    visible_revision INTEGER,
    pending_revision INTEGER,
    created_at INTEGER NOT NULL,
    UNIQUE (corpus_row, doc_id)
);

-- state: 0 pending, 1 visible, 2 retired.
CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY,
    document_row INTEGER NOT NULL REFERENCES documents (document_row),
    corpus_row INTEGER NOT NULL REFERENCES corpora (corpus_row),
    state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    title TEXT,
    media_type TEXT NOT NULL,
    language TEXT,
    source_name TEXT,
    source_sha256 BLOB NOT NULL,
    source_bytes INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    first_chunk INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL,
    first_block INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    metadata TEXT NOT NULL
);
CREATE INDEX revisions_of_document ON revisions (document_row);
CREATE INDEX revisions_of_corpus ON revisions (corpus_row, revision);
CREATE INDEX revisions_unsettled ON revisions (state, revision) WHERE state <> 1;

CREATE TABLE chunks (
    chunk_id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    start_byte INTEGER NOT NULL,
    end_byte INTEGER NOT NULL,
    parent_start INTEGER NOT NULL,
    parent_end INTEGER NOT NULL,
    headings TEXT NOT NULL,
    language TEXT
);

-- The text of a revision, cut into pieces of equal size, so that a passage is read without the rest of its document.
CREATE TABLE text_blocks (
    block INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    corpus TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL
);

CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant, key_id);
