-- Tokens of identity providers that are not accepted any more, by the SHA-256 of whose or which they are: nobody is named.
CREATE TABLE revocations (
    digest BLOB PRIMARY KEY,
    -- What was issued up to this moment is refused.
    at INTEGER NOT NULL,
    -- From when on every such token has expired by itself.
    until INTEGER NOT NULL
);
