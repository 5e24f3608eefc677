DO $$ -- takes back what was given away in the schema, as its owner
DECLARE
  r record;
BEGIN
  FOR r IN SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', what,
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END) AS sql FROM (
      SELECT format('SCHEMA %I', nspname) AS what, nspowner AS owner, nspacl AS acl FROM pg_namespace WHERE nspname = 'MODULE'
      UNION ALL SELECT format('%s %I.%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, 'MODULE', relname), relowner,
        relacl FROM pg_class WHERE relnamespace = '"MODULE"'::regnamespace
      UNION ALL SELECT format('TABLE %I.%I', 'MODULE', relname), relowner, attacl FROM pg_class c
        JOIN pg_attribute ON attrelid = c.oid WHERE relnamespace = '"MODULE"'::regnamespace
      UNION ALL SELECT format('ROUTINE %s', p.oid::regprocedure), proowner, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc p
        WHERE pronamespace = '"MODULE"'::regnamespace
      UNION ALL SELECT format('TYPE %I.%I', 'MODULE', typname), typowner, typacl FROM pg_type
        WHERE typnamespace = '"MODULE"'::regnamespace) things, aclexplode(acl)
    WHERE grantee <> owner AND pg_has_role(owner, 'USAGE')
  LOOP
    EXECUTE r.sql;
  END LOOP;
END $$
