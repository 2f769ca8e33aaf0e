-- Vectors that were paid for, by what they were made of. May be deleted without loss.
CREATE TABLE embeddings (
    -- Hash of model, dimension and text.
    key     BLOB    PRIMARY KEY,
    -- The day of the last use, in days since 1970.
    used_on INTEGER NOT NULL,
    -- Numbers of 4 bytes, least significant first.
    vector  BLOB    NOT NULL
) STRICT;

CREATE INDEX embeddings_by_use ON embeddings (used_on);
