-- Whether the key is a tag that its tenant's keys make, and the vector sealed with them.
ALTER TABLE embeddings ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;

-- Looked for at every start: without, that would read every vector.
CREATE INDEX embeddings_by_form ON embeddings (sealed);
