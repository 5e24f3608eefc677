-- The tables of one module's store. Run with the search path set to the module's schema, as the owner of the schema.
-- Texts are compared byte by byte (COLLATE "C"), as every other store of this system does, and so that an index does not
-- depend on the locale libraries of the machine. Times are microseconds since 1970 in UTC.

-- How many migrations have been applied, and whether a store is being copied into the schema: until it is whole, nobody
-- may work with it.
CREATE TABLE es_meta (
  id             SMALLINT PRIMARY KEY CHECK (id = 1),
  schema_version BIGINT  NOT NULL,
  copying        BOOLEAN NOT NULL
);
INSERT INTO es_meta VALUES (1, 0, false);

-- The end of the log, and the lock that all who write stand in line for. A sequence would not do: it gives out a position
-- before the transaction that has it becomes visible, so that a reader passes a position which is filled later.
-- One row that every commit changes: a nearly empty page keeps the changes on it, and it is cleaned all the time.
CREATE TABLE es_head (
  id          SMALLINT PRIMARY KEY CHECK (id = 1),
  position    BIGINT NOT NULL,
  public_seq  BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  chain       BYTEA  NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 1000000);
INSERT INTO es_head VALUES (1, 0, 0, 0, decode(repeat('00', 32), 'hex'));

-- The log. `data` and `meta` are the bytes as they were hashed; `public_seq` is NULL for a private event.
-- One index beside the key, which is also the check of expected versions; each further one would cost every append.
CREATE TABLE es_events (
  position       BIGINT NOT NULL PRIMARY KEY CHECK (position > 0),
  public_seq     BIGINT CHECK (public_seq > 0),
  stream         TEXT COLLATE "C" NOT NULL,
  version        BIGINT NOT NULL CHECK (version > 0),
  event_id       UUID   NOT NULL,
  type           TEXT COLLATE "C" NOT NULL,
  schema_version INTEGER NOT NULL,
  data           BYTEA  NOT NULL,
  meta           BYTEA  NOT NULL,
  time           BIGINT NOT NULL,
  recorded_at    BIGINT NOT NULL,
  chain          BYTEA  NOT NULL CHECK (octet_length(chain) = 32),
  UNIQUE (stream, version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
-- Texts of events are not compressed: they are short, and an append would pay for the attempt.
ALTER TABLE es_events ALTER COLUMN data SET STORAGE EXTERNAL, ALTER COLUMN meta SET STORAGE EXTERNAL;

-- The memory of the barrier: one row for each deed, with the answer that it gives for ever.
CREATE TABLE es_inbox (
  saga         UUID   NOT NULL,
  key          UUID   NOT NULL,
  direction    TEXT COLLATE "C" NOT NULL CHECK (direction IN ('do', 'undo')),
  payload_hash BYTEA  NOT NULL CHECK (octet_length(payload_hash) = 32),
  epoch        BIGINT NOT NULL,
  outcome      TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'refused', 'retry')),
  answer       BYTEA  NOT NULL,
  PRIMARY KEY (saga, key)
);

CREATE TABLE es_checkpoints (
  consumer TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
) WITH (fillfactor = 50);

-- Read models. `fields` says how many of i0 to i3 are declared; each index holds only the documents that declare its
-- field, so that a projection without index fields pays for none.
CREATE TABLE es_documents (
  projection TEXT COLLATE "C" NOT NULL,
  version    INTEGER  NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  fields     SMALLINT NOT NULL,
  i0         TEXT COLLATE "C",
  i1         TEXT COLLATE "C",
  i2         TEXT COLLATE "C",
  i3         TEXT COLLATE "C",
  body       BYTEA NOT NULL,
  PRIMARY KEY (projection, version, key)
) WITH (fillfactor = 80);
-- No value sorts first, as in the other stores.
CREATE INDEX es_documents_i0 ON es_documents (projection, version, i0 NULLS FIRST, key) WHERE fields > 0;
CREATE INDEX es_documents_i1 ON es_documents (projection, version, i1 NULLS FIRST, key) WHERE fields > 1;
CREATE INDEX es_documents_i2 ON es_documents (projection, version, i2 NULLS FIRST, key) WHERE fields > 2;
CREATE INDEX es_documents_i3 ON es_documents (projection, version, i3 NULLS FIRST, key) WHERE fields > 3;

-- Long texts, by their own hash.
CREATE TABLE es_blobs (
  sha256 BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(sha256) = 32),
  bytes  BYTEA NOT NULL
);

-- Folded state: a cache that may be emptied at any time.
CREATE TABLE es_snapshots (
  stream  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  digest  TEXT COLLATE "C" NOT NULL,
  state   BYTEA NOT NULL
);

-- The newest epoch of each scope that is owned by one process at a time, and who has the scope on lease. One table for
-- both, so that taking a lease is at once a fence for the owner before. `lease_epoch` is the epoch under which the owner
-- took it: smaller than `epoch` when a write has taught a newer one. Changed only by who holds the lock of es_head.
CREATE TABLE es_fences (
  scope       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  epoch       BIGINT NOT NULL,
  owner       UUID,
  lease_epoch BIGINT,
  until_us    BIGINT,
  CHECK ((owner IS NULL) = (lease_epoch IS NULL) AND (owner IS NULL) = (until_us IS NULL)),
  CHECK (lease_epoch <= epoch)
) WITH (fillfactor = 50);

-- A mistake of the owner or of an administrator is stopped too; a module's role has no right to any of it anyway.
CREATE FUNCTION es_events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are never changed, deleted or truncated' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER es_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON es_events
  FOR EACH STATEMENT EXECUTE FUNCTION es_events_are_final();

-- Takes the lock of the head and says where the log ends. The lock is held until the end of the transaction.
CREATE FUNCTION es_lock(OUT "position" BIGINT, OUT public_seq BIGINT, OUT recorded_at BIGINT, OUT chain BYTEA)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  -- Under any other level a statement after the lock would still see what was there before it.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the log is only written under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  SELECT h.position, h.public_seq, h.recorded_at, h.chain INTO STRICT "position", public_seq, recorded_at, chain
    FROM es_head h WHERE h.id = 1 FOR UPDATE;
END $$;

-- Writes a planned group, or nothing: `written`, `moved` (the log does not end where the plan begins), `fenced` (a scope
-- has a newer epoch than a batch carries), `undone` (a deed comes after its undo). A key that is there already is an
-- error. What was planned was decided outside; here is checked, under the lock, that it still holds.
CREATE FUNCTION es_append(
  p_position BIGINT, p_chain BYTEA, p_public BIGINT, p_recorded_at BIGINT,
  c_scope TEXT[], c_epoch BIGINT[], a_saga UUID[], a_key UUID[],
  e_public BIGINT[], e_stream TEXT[], e_version BIGINT[], e_id UUID[], e_type TEXT[], e_schema INTEGER[],
  e_data BYTEA[], e_meta BYTEA[], e_time BIGINT[], e_chain BYTEA[],
  i_saga UUID[], i_key UUID[], i_direction TEXT[], i_hash BYTEA[], i_epoch BIGINT[], i_outcome TEXT[], i_answer BYTEA[],
  m_consumer TEXT[], m_position BIGINT[],
  g_projection TEXT[], g_version INTEGER[], g_key TEXT[],
  d_projection TEXT[], d_version INTEGER[], d_key TEXT[], d_fields SMALLINT[], d_i0 TEXT[], d_i1 TEXT[], d_i2 TEXT[],
  d_i3 TEXT[], d_body BYTEA[],
  b_hash BYTEA[], b_bytes BYTEA[],
  s_stream TEXT[], s_version BIGINT[], s_digest TEXT[], s_state BYTEA[],
  f_scope TEXT[], f_epoch BIGINT[]
) RETURNS TEXT LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  h_position BIGINT;
  h_chain BYTEA;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the log is only written under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- First of all the lock: every later statement has a snapshot that is younger than it, and sees whatever was committed
  -- by those who had it before.
  SELECT h.position, h.chain INTO STRICT h_position, h_chain FROM es_head h WHERE h.id = 1 FOR UPDATE;
  IF h_position <> p_position OR h_chain <> p_chain THEN
    RETURN 'moved';
  END IF;
  IF cardinality(c_scope) > 0 AND EXISTS (
    SELECT FROM unnest(c_scope, c_epoch) c(scope, epoch)
    WHERE (SELECT f.epoch FROM es_fences f WHERE f.scope = c.scope) > c.epoch) THEN
    RETURN 'fenced';
  END IF;
  IF cardinality(a_saga) > 0 AND EXISTS (
    SELECT FROM unnest(a_saga, a_key) a(saga, key)
    WHERE (SELECT i.epoch FROM es_inbox i WHERE i.saga = a.saga AND i.key = a.key) IS NOT NULL) THEN
    RETURN 'undone';
  END IF;
  IF cardinality(i_saga) > 0 THEN
    INSERT INTO es_inbox (saga, key, direction, payload_hash, epoch, outcome, answer)
      SELECT * FROM unnest(i_saga, i_key, i_direction, i_hash, i_epoch, i_outcome, i_answer);
  END IF;
  IF cardinality(e_chain) > 0 THEN
    INSERT INTO es_events (position, public_seq, stream, version, event_id, type, schema_version, data, meta, time,
                           recorded_at, chain)
      SELECT p_position + e.n, nullif(e.public, 0), e.stream, e.version, e.id, e.type, e.schema, e.data, e.meta, e.time,
             p_recorded_at, e.chain
      FROM unnest(e_public, e_stream, e_version, e_id, e_type, e_schema, e_data, e_meta, e_time, e_chain)
           WITH ORDINALITY AS e(public, stream, version, id, type, schema, data, meta, time, chain, n);
    UPDATE es_head SET position = p_position + cardinality(e_chain), public_seq = p_public,
      recorded_at = p_recorded_at, chain = e_chain[cardinality(e_chain)] WHERE id = 1;
  END IF;
  IF cardinality(m_consumer) > 0 THEN
    INSERT INTO es_checkpoints (consumer, position) SELECT * FROM unnest(m_consumer, m_position)
      ON CONFLICT (consumer) DO UPDATE SET position = excluded.position;
  END IF;
  IF cardinality(g_key) > 0 THEN
    DELETE FROM es_documents d USING unnest(g_projection, g_version, g_key) g(projection, version, key)
      WHERE d.projection = g.projection AND d.version = g.version AND d.key = g.key;
  END IF;
  IF cardinality(d_key) > 0 THEN
    INSERT INTO es_documents (projection, version, key, fields, i0, i1, i2, i3, body)
      SELECT * FROM unnest(d_projection, d_version, d_key, d_fields, d_i0, d_i1, d_i2, d_i3, d_body)
      ON CONFLICT (projection, version, key) DO UPDATE SET fields = excluded.fields, i0 = excluded.i0,
        i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, body = excluded.body;
  END IF;
  IF cardinality(b_hash) > 0 THEN
    -- Doing nothing is right for blobs only: the same key is the same bytes.
    INSERT INTO es_blobs (sha256, bytes) SELECT * FROM unnest(b_hash, b_bytes) ON CONFLICT (sha256) DO NOTHING;
  END IF;
  IF cardinality(s_stream) > 0 THEN
    INSERT INTO es_snapshots (stream, version, digest, state) SELECT * FROM unnest(s_stream, s_version, s_digest, s_state)
      ON CONFLICT (stream) DO UPDATE SET version = excluded.version, digest = excluded.digest, state = excluded.state;
  END IF;
  IF cardinality(f_scope) > 0 THEN
    INSERT INTO es_fences (scope, epoch) SELECT * FROM unnest(f_scope, f_epoch)
      ON CONFLICT (scope) DO UPDATE SET epoch = excluded.epoch;
  END IF;
  RETURN 'written';
END $$;

-- Gives back, takes and renews leases, and lists all of them. By the clock of the database, which all owners share. Behind
-- the lock of the head: no append stands between the check of a fence and its commit while a scope changes hands.
CREATE FUNCTION es_lease(p_owner UUID, p_want TEXT[], p_leave TEXT[], p_ttl_us BIGINT)
RETURNS TABLE (scope TEXT, owner UUID, epoch BIGINT, left_us BIGINT)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  now_us BIGINT;
  until BIGINT;
BEGIN
  PERFORM es_lock();
  -- Asked after the lock: whoever had to wait for it does not judge by an older time.
  now_us := floor(extract(epoch FROM clock_timestamp()) * 1000000);
  UPDATE es_fences f SET until_us = least(f.until_us, now_us) WHERE f.owner = p_owner AND f.scope = ANY (p_leave);
  -- Held at the end of time instead of overflowing.
  until := CASE WHEN p_ttl_us > 9223372036854775807 - now_us THEN 9223372036854775807 ELSE now_us + p_ttl_us END;
  INSERT INTO es_fences AS f (scope, epoch, owner, lease_epoch, until_us)
    SELECT w.scope, 1, p_owner, 1, until FROM (SELECT DISTINCT unnest(p_want) AS scope) w
    ON CONFLICT (scope) DO UPDATE SET
      -- Nobody had it in between, or its epoch would be higher: then it stays.
      epoch = CASE WHEN f.owner = p_owner AND f.lease_epoch = f.epoch THEN f.epoch ELSE f.epoch + 1 END,
      lease_epoch = CASE WHEN f.owner = p_owner AND f.lease_epoch = f.epoch THEN f.epoch ELSE f.epoch + 1 END,
      owner = p_owner,
      until_us = until
    WHERE f.owner IS NULL OR f.owner = p_owner OR f.until_us <= now_us;
  RETURN QUERY SELECT f.scope, f.owner, f.lease_epoch, greatest(f.until_us - now_us, 0) FROM es_fences f
    WHERE f.owner IS NOT NULL ORDER BY f.scope;
END $$;
