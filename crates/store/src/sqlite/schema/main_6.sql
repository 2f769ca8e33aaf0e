-- That content is sealed, since when, and how far what was stored before has come: every revision up to this one is
-- sealed, and once it is finished, everything. No row where content is stored as it is.
CREATE TABLE sealing (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    began_at INTEGER NOT NULL,
    through_revision INTEGER NOT NULL,
    finished_at INTEGER
);

-- The fingerprint of what was judged. Where it is sealed, `content` holds the tag by which it is found; where this is
-- null, the fingerprint itself.
ALTER TABLE quarantine ADD COLUMN sealed_content BLOB;
-- Whether `content` is such a tag (1) or the fingerprint (0).
ALTER TABLE released ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
