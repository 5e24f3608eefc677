DO $$ -- takes back what the roles and the schema were given beside; what this administrator may not take stays, and is named
DECLARE
  r record;
  ours CONSTANT oid[] := ARRAY(SELECT oid FROM pg_roles WHERE rolname IN ('MODULE', 'OWNER', 'AUDITOR'));
BEGIN
  FOR r IN
    SELECT format('ALTER ROLE %I %s', rolname, more) AS sql
      FROM pg_roles, concat_ws(' ', CASE WHEN rolsuper THEN 'NOSUPERUSER' END, CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'NOCREATEDB' END, CASE WHEN rolreplication THEN 'NOREPLICATION' END,
        CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END, CASE WHEN rolcanlogin AND rolname = 'OWNER' THEN 'NOLOGIN' END) more
      WHERE oid = ANY (ours) AND more <> ''
    -- Who may make roles may take any; those are administrators.
    UNION SELECT format('REVOKE %I FROM %I', pg_get_userbyid(roleid), m.rolname)
        || CASE WHEN current_setting('server_version_num')::int >= 160000
           THEN format(' GRANTED BY %I', pg_get_userbyid(grantor)) ELSE '' END || ' CASCADE'
      FROM pg_auth_members JOIN pg_roles m ON m.oid = member
      WHERE member = ANY (ours) OR roleid = ANY (ours) AND NOT rolsuper AND NOT rolcreaterole
    UNION SELECT format('ALTER ROLE %I%s RESET ALL', pg_get_userbyid(setrole),
        CASE WHEN setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) END)
      FROM pg_db_role_setting, unnest(setconfig) line
      WHERE setrole = ANY (ours) AND setdatabase IN (SELECT 0 UNION ALL SELECT oid FROM pg_database WHERE datname = current_database())
        AND NOT (setdatabase <> 0 AND setrole = (SELECT oid FROM pg_roles WHERE rolname = 'MODULE')
          AND line IN ('search_path=MODULE', 'search_path="MODULE"'))
    UNION SELECT format('ALTER %s OWNER TO %I', what, 'OWNER') FROM (
        SELECT format('SCHEMA %I', nspname) AS what, nspowner AS owner FROM pg_namespace WHERE nspname = 'MODULE'
        UNION ALL SELECT format('TABLE %I.%I', 'MODULE', tablename), quote_ident(tableowner)::regrole FROM pg_tables
          WHERE schemaname = 'MODULE' AND tablename IN (TABLES)
        UNION ALL SELECT format('FUNCTION %s', p.oid::regprocedure), proowner FROM pg_proc p
          WHERE pronamespace = to_regnamespace('"MODULE"') AND proname IN (FUNCTIONS)) things
      WHERE owner <> (SELECT oid FROM pg_roles WHERE rolname = 'OWNER')
    UNION SELECT format('REVOKE ALL ON %s FROM %s CASCADE', what,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END) FROM (
        SELECT format('SCHEMA %I', nspname) AS what, nspowner AS owner, nspacl AS acl FROM pg_namespace WHERE nspname = 'TURNS'
        UNION ALL SELECT format('TABLE %I.%I', 'TURNS', relname), relowner, relacl FROM pg_class
          WHERE relnamespace = to_regnamespace('"TURNS"')) turns, aclexplode(acl)
      WHERE grantee <> owner
  LOOP
    BEGIN
      EXECUTE r.sql;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
  END LOOP;
  -- What these roles, or others of the installation for these, grant of what they make later; and whatever is granted of later
  -- things in the schema. Everybody may call functions and use types by default: that is nothing that was added.
  FOR r IN
    SELECT DISTINCT d.rolname AS maker, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM %s CASCADE', d.rolname,
        CASE WHEN defaclnamespace <> 0 THEN format(' IN SCHEMA %s', defaclnamespace::regnamespace) END,
        CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
          WHEN 'L' THEN 'LARGE OBJECTS' ELSE 'SCHEMAS' END,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END) AS sql
      FROM pg_default_acl JOIN pg_roles d ON d.oid = defaclrole, aclexplode(defaclacl)
      WHERE grantee <> defaclrole AND NOT (defaclnamespace = 0 AND grantee = 0 AND defaclobjtype IN ('f', 'T'))
        AND (defaclnamespace = to_regnamespace('"MODULE"') OR defaclrole = ANY (ours)
          OR grantee = ANY (ours) AND starts_with(d.rolname, regexp_replace('AUDITOR', '[^_]*$', '')))
  LOOP
    BEGIN
      EXECUTE r.sql;
    EXCEPTION WHEN insufficient_privilege THEN
      -- Only a member of the role may, and who made it may become one for as long as that takes.
      BEGIN
        EXECUTE format('GRANT %I TO %I', r.maker, current_user);
        EXECUTE r.sql;
        EXECUTE format('REVOKE %I FROM %I', r.maker, current_user);
      EXCEPTION WHEN insufficient_privilege THEN NULL;
      END;
    END;
  END LOOP;
END $$
