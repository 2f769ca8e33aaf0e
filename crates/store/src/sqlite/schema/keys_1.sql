-- The data keys of tenants, each wrapped by a master key that is not in here.
CREATE TABLE tenant_keys (
    tenant TEXT NOT NULL,
    version INTEGER NOT NULL,
    master TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, version)
) WITHOUT ROWID;

-- Tenants whose keys were destroyed, and the newest version that there was: it never means another key.
CREATE TABLE shredded_tenants (
    tenant TEXT PRIMARY KEY,
    through INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
