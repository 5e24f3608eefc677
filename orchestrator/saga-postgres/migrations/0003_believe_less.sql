-- An append believes its caller nothing that SQL can check. Whoever holds a module's password could write a link that is
-- none, a version behind a gap, a public place far ahead, a time before 1970, a fence below the one before, or bytes under
-- the hash of others; each of them would be found later, by somebody else, with the log already broken.

-- Writes a planned group, or nothing: `written`, `moved` (the log does not end where the plan begins), `fenced` (a scope
-- has a newer epoch than a batch carries), `undone` (a deed comes after its undo). A key that is there already is an
-- error. What was planned was decided outside; here is checked, under the lock, that it still holds, and that it is a
-- continuation of the log: its places, versions, times and links. Columns without rows are NULL, and what they would say is
-- not asked.
CREATE OR REPLACE FUNCTION es_append(
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
  h_public BIGINT;
  h_recorded BIGINT;
  h_chain BYTEA;
  follows BOOLEAN := true;
  taken INTEGER;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the log is only written under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- First of all the lock: every later statement has a snapshot that is younger than it, and sees whatever was committed
  -- by those who had it before.
  SELECT h.position, h.public_seq, h.recorded_at, h.chain INTO STRICT h_position, h_public, h_recorded, h_chain
    FROM es_head h WHERE h.id = 1 FOR UPDATE;
  IF h_position <> p_position OR h_chain <> p_chain THEN
    RETURN 'moved';
  END IF;
  IF cardinality(c_scope) > 0 THEN
    IF EXISTS (SELECT FROM unnest(c_scope, c_epoch) c(scope, epoch)
               WHERE (SELECT f.epoch FROM es_fences f WHERE f.scope = c.scope) > c.epoch) THEN
      RETURN 'fenced';
    END IF;
  END IF;
  IF cardinality(a_saga) > 0 THEN
    IF EXISTS (SELECT FROM unnest(a_saga, a_key) a(saga, key)
               WHERE (SELECT i.epoch FROM es_inbox i WHERE i.saga = a.saga AND i.key = a.key) IS NOT NULL) THEN
      RETURN 'undone';
    END IF;
  END IF;
  IF cardinality(i_saga) > 0 THEN
    INSERT INTO es_inbox (saga, key, direction, payload_hash, epoch, outcome, answer)
      SELECT i_saga[n], i_key[n], i_direction[n], i_hash[n], i_epoch[n], i_outcome[n], i_answer[n]
      FROM generate_series(1, cardinality(i_saga)) n;
  END IF;
  IF cardinality(e_chain) > 0 THEN
    -- Year 1970 to 9999, and never back.
    IF p_recorded_at NOT BETWEEN h_recorded AND 253402300799999999 THEN
      RAISE EXCEPTION 'recorded_at % is outside its bounds', p_recorded_at USING ERRCODE = 'check_violation';
    END IF;
    FOR n IN 1 .. cardinality(e_chain) LOOP
      IF coalesce(e_public[n], 0) <> 0 THEN
        h_public := h_public + 1;
        IF e_public[n] <> h_public THEN
          RAISE EXCEPTION 'event % of the group has public place %, not %', n, e_public[n], h_public
            USING ERRCODE = 'check_violation';
        END IF;
      END IF;
      IF e_time[n] NOT BETWEEN 0 AND 253402300799999999 OR e_schema[n] NOT BETWEEN 1 AND 65535 THEN
        RAISE EXCEPTION 'event % of the group has a time or version outside its bounds', n
          USING ERRCODE = 'check_violation';
      END IF;
      -- The digest of the event, field by field with its length before it, and the link that it makes.
      h_chain := sha256(h_chain || int8send(p_position + n) || sha256(
        int8send(octet_length(e_stream[n])) || convert_to(e_stream[n], 'UTF8') ||
        '\x0000000000000008'::bytea || int8send(e_version[n]) || '\x0000000000000010'::bytea || uuid_send(e_id[n]) ||
        int8send(octet_length(e_type[n])) || convert_to(e_type[n], 'UTF8') ||
        '\x0000000000000002'::bytea || substring(int4send(e_schema[n]) FROM 3) ||
        '\x0000000000000008'::bytea || int8send(coalesce(e_public[n], 0)) ||
        '\x0000000000000008'::bytea || int8send(e_time[n]) || '\x0000000000000008'::bytea || int8send(p_recorded_at) ||
        int8send(octet_length(e_data[n])) || e_data[n] || int8send(octet_length(e_meta[n])) || e_meta[n]));
      IF h_chain IS DISTINCT FROM e_chain[n] THEN
        RAISE EXCEPTION 'event % of the group has another hash than its link', n USING ERRCODE = 'check_violation';
      END IF;
      -- A version that is not the first follows the event before it in the group, or has to be looked for.
      follows := follows AND (e_version[n] = 1 OR
        coalesce(e_version[n - 1] = e_version[n] - 1 AND e_stream[n - 1] = e_stream[n], false));
    END LOOP;
    IF p_public <> h_public THEN
      RAISE EXCEPTION 'the public head would be %, not %', p_public, h_public USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO es_events (position, public_seq, stream, version, event_id, type, schema_version, data, meta, time,
                           recorded_at, chain)
      SELECT p_position + n, nullif(e_public[n], 0), e_stream[n], e_version[n], e_id[n], e_type[n], e_schema[n], e_data[n],
             e_meta[n], e_time[n], p_recorded_at, e_chain[n]
      FROM generate_series(1, cardinality(e_chain)) n;
    IF NOT follows THEN
      IF EXISTS (SELECT FROM generate_series(1, cardinality(e_chain)) n WHERE e_version[n] > 1 AND
                 (SELECT b.position FROM es_events b WHERE b.stream = e_stream[n] AND b.version = e_version[n] - 1)
                   < p_position + n IS NOT TRUE) THEN
        RAISE EXCEPTION 'a version of the group does not follow the one before it' USING ERRCODE = 'check_violation';
      END IF;
    END IF;
    UPDATE es_head SET position = p_position + cardinality(e_chain), public_seq = h_public,
      recorded_at = p_recorded_at, chain = h_chain WHERE id = 1;
  ELSIF p_public <> h_public THEN
    RAISE EXCEPTION 'the public head would be %, not %', p_public, h_public USING ERRCODE = 'check_violation';
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
      SELECT d_projection[n], d_version[n], d_key[n], d_fields[n], d_i0[n], d_i1[n], d_i2[n], d_i3[n], d_body[n]
      FROM generate_series(1, cardinality(d_key)) n
      ON CONFLICT (projection, version, key) DO UPDATE SET fields = excluded.fields, i0 = excluded.i0,
        i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, body = excluded.body;
  END IF;
  IF cardinality(b_hash) > 0 THEN
    IF EXISTS (SELECT FROM generate_series(1, cardinality(b_hash)) n
               WHERE sha256(b_bytes[n]) IS DISTINCT FROM b_hash[n]) THEN
      RAISE EXCEPTION 'a blob does not have its hash' USING ERRCODE = 'check_violation';
    END IF;
    -- Doing nothing is right for blobs only: the same key is the same bytes.
    INSERT INTO es_blobs (sha256, bytes) SELECT * FROM unnest(b_hash, b_bytes) ON CONFLICT (sha256) DO NOTHING;
  END IF;
  IF cardinality(s_stream) > 0 THEN
    INSERT INTO es_snapshots (stream, version, digest, state) SELECT * FROM unnest(s_stream, s_version, s_digest, s_state)
      ON CONFLICT (stream) DO UPDATE SET version = excluded.version, digest = excluded.digest, state = excluded.state;
  END IF;
  IF cardinality(f_scope) > 0 THEN
    INSERT INTO es_fences AS f (scope, epoch) SELECT * FROM unnest(f_scope, f_epoch)
      ON CONFLICT (scope) DO UPDATE SET epoch = excluded.epoch WHERE f.epoch <= excluded.epoch;
    GET DIAGNOSTICS taken = ROW_COUNT;
    IF taken <> cardinality(f_scope) THEN
      RAISE EXCEPTION 'a fence is never lowered' USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  RETURN 'written';
END $$;
