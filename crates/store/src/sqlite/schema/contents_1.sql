-- What was said in some of the turns, scrubbed and sealed.
CREATE TABLE contents (
    content_row INTEGER PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    -- The request, as logs and errors name it.
    request     TEXT    NOT NULL,
    -- When it ended, in microseconds since 1970.
    at          INTEGER NOT NULL,
    assistant   TEXT,
    model       TEXT,
    -- Whose it is: a tag that only the tenant's keys make. NULL where nobody knows.
    person      BLOB,
    -- What was said, sealed with the tenant's keys.
    sealed      BLOB    NOT NULL
) STRICT;

CREATE INDEX contents_by_tenant ON contents (tenant, content_row);
CREATE INDEX contents_by_request ON contents (tenant, request);
CREATE INDEX contents_by_time ON contents (at);
CREATE INDEX contents_by_person ON contents (person) WHERE person IS NOT NULL;

-- The documents that an answer was made from, each by a tag that only the tenant's keys make.
CREATE TABLE content_documents (
    content_row INTEGER NOT NULL REFERENCES contents (content_row) ON DELETE CASCADE,
    document    BLOB    NOT NULL,
    PRIMARY KEY (document, content_row)
) STRICT, WITHOUT ROWID;

CREATE INDEX content_documents_by_content ON content_documents (content_row);
