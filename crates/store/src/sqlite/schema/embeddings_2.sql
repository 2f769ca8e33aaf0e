-- Whether the key is a tag that its tenant's keys make, and the vector sealed with them.
ALTER TABLE embeddings ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
