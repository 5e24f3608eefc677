-- A note of how long the log was at some time: written now and then and at every close, not with every commit, which it
-- would cost a page. At start the log must still be at least this long, with this chain at this place.
CREATE TABLE es_head (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  position INTEGER NOT NULL,
  chain    BLOB    NOT NULL
) STRICT;
INSERT INTO es_head VALUES (1, 0, zeroblob(32));

-- The log. `data` and `meta` are the bytes as they were hashed; times are microseconds since 1970 in UTC.
-- `public_seq` is the place among the public events; a private event has the last such place, negated. So the last row
-- alone says how everything goes on, and as no row is ever deleted, no position is ever given twice.
-- One index, which is also the check of expected versions; every further one would cost each append a page.
CREATE TABLE es_events (
  position       INTEGER PRIMARY KEY,
  public_seq     INTEGER NOT NULL,
  stream         TEXT    NOT NULL,
  version        INTEGER NOT NULL,
  event_id       BLOB    NOT NULL,
  type           TEXT    NOT NULL,
  schema_version INTEGER NOT NULL,
  data           TEXT    NOT NULL,
  meta           TEXT    NOT NULL,
  time           INTEGER NOT NULL,
  recorded_at    INTEGER NOT NULL,
  chain          BLOB    NOT NULL,
  UNIQUE (stream, version)
) STRICT;
CREATE TRIGGER es_events_no_update BEFORE UPDATE ON es_events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER es_events_no_delete BEFORE DELETE ON es_events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- The memory of the barrier: one row for each deed, with the answer that it gives for ever.
CREATE TABLE es_inbox (
  saga         BLOB    NOT NULL,
  key          BLOB    NOT NULL,
  direction    TEXT    NOT NULL CHECK (direction IN ('do', 'undo')),
  payload_hash BLOB    NOT NULL,
  epoch        INTEGER NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome IN ('done', 'refused', 'retry')),
  answer       TEXT    NOT NULL,
  PRIMARY KEY (saga, key)
) STRICT, WITHOUT ROWID;

-- A table that can hold no row: inserting into it is how a transaction asserts that a key is absent.
CREATE TABLE es_guard (
  undone INTEGER NOT NULL CHECK (undone IS NULL)
) STRICT;

CREATE TABLE es_checkpoints (
  consumer TEXT    NOT NULL PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Read models. `fields` says how many of i0 to i3 are declared; each index holds only the documents that declare its
-- field, so that a projection without index fields pays for none.
CREATE TABLE es_documents (
  projection TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  key        TEXT    NOT NULL,
  fields     INTEGER NOT NULL,
  i0         TEXT,
  i1         TEXT,
  i2         TEXT,
  i3         TEXT,
  body       TEXT    NOT NULL,
  UNIQUE (projection, version, key)
) STRICT;
CREATE INDEX es_documents_i0 ON es_documents (projection, version, i0, key) WHERE fields > 0;
CREATE INDEX es_documents_i1 ON es_documents (projection, version, i1, key) WHERE fields > 1;
CREATE INDEX es_documents_i2 ON es_documents (projection, version, i2, key) WHERE fields > 2;
CREATE INDEX es_documents_i3 ON es_documents (projection, version, i3, key) WHERE fields > 3;

-- Long texts, by their own hash.
CREATE TABLE es_blobs (
  sha256 BLOB NOT NULL UNIQUE,
  bytes  BLOB NOT NULL
) STRICT;

-- Folded state: a cache that may be emptied at any time.
CREATE TABLE es_snapshots (
  stream  TEXT    NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  digest  TEXT    NOT NULL,
  state   TEXT    NOT NULL
) STRICT;

-- The newest epoch of each scope that is owned by one process at a time.
CREATE TABLE es_fences (
  scope TEXT    NOT NULL PRIMARY KEY,
  epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
