-- What the holders of a key are, as policies name it, in place of three scopes.
ALTER TABLE api_keys ADD COLUMN role TEXT NOT NULL DEFAULT 'customer_user';
UPDATE api_keys SET role = CASE scope WHEN 'admin' THEN 'admin' WHEN 'write' THEN 'ingester' ELSE 'customer_user' END;
ALTER TABLE api_keys DROP COLUMN scope;
-- The permissions that a key is narrowed to, separated by blanks; null where it is not.
ALTER TABLE api_keys ADD COLUMN only_permissions TEXT;
-- Whose key it is, where it belongs to somebody.
ALTER TABLE api_keys ADD COLUMN owner TEXT;

-- Who owns data. settings: what holds for this tenant and no other, as JSON.
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    audience TEXT NOT NULL,
    state TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);

-- Who brought a revision, where the credential said who that was.
ALTER TABLE revisions ADD COLUMN author TEXT;
CREATE INDEX revisions_of_author ON revisions (author) WHERE author IS NOT NULL;

-- What is to be erased, and how far it has come. The subject is forgotten when it is done: what is left is a certificate
-- that does not say who it was about.
CREATE TABLE erasures (
    erasure TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    -- As JSON; null when done.
    subject TEXT,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    -- What each store has done so far, as JSON.
    steps TEXT NOT NULL,
    finished_at INTEGER,
    certificate TEXT
);

-- What must not be erased, and why.
CREATE TABLE legal_holds (
    hold TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL
);

-- What somebody wants to change in production, and whether somebody else has agreed.
CREATE TABLE approvals (
    approval TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    permission TEXT NOT NULL,
    -- SHA-256 of what exactly is to be done.
    digest BLOB NOT NULL,
    summary TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_by TEXT,
    decided_at INTEGER,
    approved INTEGER,
    used_at INTEGER
);
CREATE INDEX approvals_of_tenant ON approvals (tenant, asked_at);

-- Heads of the audit chain, kept apart from it: a chain that was cut back is found by them.
CREATE TABLE audit_anchors (
    seq INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL
);
