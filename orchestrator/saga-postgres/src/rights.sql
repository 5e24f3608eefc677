-- What a module's role, its owner, the auditor and everybody may do beyond what the migrations give them, as lines. $1 is the
-- schema and the role that is called as it, $2 the owner, $3 the auditor. Rights in schemas of modules are in the picture of
-- each. Where nothing was added there is no line: what everybody may do in a fresh database is read from the server itself.
WITH RECURSIVE roles AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN ($1, $2, $3)),
everybody AS (SELECT oid, rolname::text AS who FROM roles UNION ALL SELECT 0, 'everybody'),
here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
-- Their pictures tell of these.
pictured AS (SELECT n.oid FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'es_meta'
  WHERE starts_with(nspname, regexp_replace($3, '[^_]*$', ''))),
-- Everything that has rights. `fresh` has those for everybody that it had when the server was made, or that it is made with.
things AS (
  SELECT 'pg_namespace'::regclass AS class, oid, 0 AS part, oid AS schema, 'n'::"char" AS kind, nspowner AS owner, nspacl AS acl,
    oid < 16384 AS fresh FROM pg_namespace
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, relnamespace, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner,
    relacl, oid < 16384 FROM pg_class WHERE relacl IS NOT NULL
  UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, relnamespace, 'c', relowner, attacl, attrelid < 16384
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attacl IS NOT NULL AND NOT attisdropped
  -- A function that runs as its caller, in a language that is trusted, lets nobody do more.
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, pronamespace, 'f', proowner, proacl,
    CASE WHEN p.oid < 16384 THEN NOT (proacl IS NOT NULL AND pronamespace = 'pg_catalog'::regnamespace
      AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea')) ELSE lanpltrusted AND NOT prosecdef END
    FROM pg_proc p JOIN pg_language l ON l.oid = prolang
  UNION ALL SELECT 'pg_type'::regclass, oid, 0, typnamespace, 'T', typowner, typacl, true FROM pg_type WHERE typacl IS NOT NULL
  UNION ALL SELECT 'pg_language'::regclass, oid, 0, NULL, 'l', lanowner, lanacl, oid < 16384 FROM pg_language
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, NULL, 'F', fdwowner, fdwacl, false FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 0, NULL, 'S', srvowner, srvacl, false FROM pg_foreign_server
  UNION ALL SELECT 'pg_largeobject'::regclass, oid, 0, NULL, 'L', lomowner, lomacl, false FROM pg_largeobject_metadata
  UNION ALL SELECT 'pg_tablespace'::regclass, oid, 0, NULL, 't', spcowner, spcacl, oid < 16384 FROM pg_tablespace
  UNION ALL SELECT 'pg_parameter_acl'::regclass, oid, 0, NULL, 'p', 10, paracl, false FROM pg_parameter_acl
  UNION ALL SELECT 'pg_database'::regclass, oid, 0, NULL, 'd', datdba, datacl, true FROM pg_database
    WHERE oid NOT IN (SELECT oid FROM here)
),
more AS (
  SELECT t.*, g.grantee, lower(g.privilege_type) AS may, g.is_grantable FROM things t
  LEFT JOIN pg_init_privs i ON i.objoid = t.oid AND i.classoid = t.class AND i.objsubid = part AND i.privtype = 'i'
  CROSS JOIN LATERAL aclexplode(coalesce(acl, acldefault(kind, owner))) g
  WHERE NOT (fresh AND acl IS NULL) AND grantee <> owner AND grantee IN (SELECT oid FROM everybody)
    AND (schema IS NULL OR schema NOT IN (SELECT oid FROM pictured))
    -- A role that may use a schema may make nothing in it, also not where an older server lets everybody.
    AND NOT (grantee = 0 AND fresh AND privilege_type <> 'CREATE' AND EXISTS (
      SELECT FROM aclexplode(coalesce(i.initprivs, acldefault(kind, owner))) o
      WHERE o.grantee = 0 AND o.privilege_type = g.privilege_type))
    -- Its views were given to everybody after the server had noted what everybody has, but for those with secrets.
    AND NOT (grantee = 0 AND fresh AND schema = to_regnamespace('information_schema') AND privilege_type IN ('SELECT', 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.oid AND relname LIKE '\_pg\_%'))
    -- One that was made again.
    AND NOT (grantee = 0 AND class = 'pg_namespace'::regclass AND t.oid = to_regnamespace('public')
      AND privilege_type = 'USAGE')
    -- The same roles may be those of an installation in another database.
    AND NOT (class = 'pg_database'::regclass AND privilege_type = 'CONNECT')
),
-- A right of everybody in a schema that none of these may use is none; but where migrations take turns nobody has any.
usable AS (SELECT n.oid FROM pg_namespace n, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
  WHERE privilege_type = 'USAGE' AND grantee IN (SELECT oid FROM everybody)
  UNION SELECT oid FROM pg_namespace WHERE nspname = regexp_replace($3, '[^_]*$', 'migration')),
become AS (
  SELECT member, roleid FROM pg_auth_members WHERE member IN (SELECT oid FROM roles)
  UNION SELECT a.member, a.roleid FROM pg_auth_members a JOIN become b ON a.member = b.roleid
),
-- Who may make roles may take any; those are administrators.
becomes AS (
  SELECT member, roleid FROM pg_auth_members WHERE roleid IN (SELECT oid FROM roles)
  UNION SELECT a.member, a.roleid FROM pg_auth_members a JOIN becomes b ON a.roleid = b.member
),
owned AS (
  SELECT s.*, o.type, o.schema, o.identity, rolname, dbid IN (SELECT 0 UNION ALL SELECT oid FROM here) AS near
  FROM pg_shdepend s JOIN roles r ON r.oid = refobjid
  LEFT JOIN LATERAL pg_identify_object(classid, objid, objsubid) o ON dbid IN (SELECT 0 UNION ALL SELECT oid FROM here)
  WHERE refclassid = 'pg_authid'::regclass AND deptype IN ('o', 'a')
)
SELECT concat('grant of ', may, ' on ', coalesce(
    (SELECT 'what extension ' || extname || ' brought' FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
     WHERE d.classid = m.class AND d.objid = m.oid AND d.deptype = 'e' AND m.oid >= 16384),
    o.type || ' ' || o.identity), ' to ', who, CASE WHEN is_grantable THEN ' to give away' END)
  FROM more m JOIN everybody e ON e.oid = grantee, LATERAL pg_identify_object(class, m.oid, part) o
  WHERE grantee <> 0 OR class = 'pg_namespace'::regclass OR m.schema IS NULL OR m.schema IN (SELECT oid FROM usable)
UNION SELECT concat('grant of ', lower(privilege_type), ' on what ', pg_get_userbyid(defaclrole), ' makes later',
    CASE WHEN defaclnamespace = 0 THEN ' anywhere' ELSE ' in ' || defaclnamespace::regnamespace END, ' (', defaclobjtype, ') to ', who)
  FROM pg_default_acl d, aclexplode(defaclacl) g JOIN everybody e ON e.oid = grantee
  WHERE grantee <> defaclrole AND defaclnamespace NOT IN (SELECT oid FROM pictured)
    AND NOT (defaclnamespace = 0 AND defaclrole IN (SELECT oid FROM roles WHERE rolname = $2))
    AND NOT (defaclnamespace = 0 AND grantee = 0 AND EXISTS (
      SELECT FROM aclexplode(acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END::"char", defaclrole)) o
      WHERE o.grantee = 0 AND o.privilege_type = g.privilege_type))
UNION SELECT concat('membership of ', pg_get_userbyid(member), ' in ', pg_get_userbyid(roleid)) FROM become
UNION SELECT concat('membership of ', rolname, ' in ', pg_get_userbyid(roleid)) FROM becomes JOIN pg_roles r ON r.oid = member
  WHERE NOT rolsuper AND NOT rolcreaterole
UNION SELECT CASE deptype WHEN 'a' THEN concat('grant of something on ', type, ' ', identity, ' to ', rolname)
    ELSE concat('ownership of ', coalesce(type || ' ' || identity, 'something in database ' || quote_ident(datname)), ' by ', rolname) END
  FROM owned LEFT JOIN pg_database b ON b.oid = dbid AND NOT near
  WHERE CASE WHEN deptype = 'a' THEN near AND classid NOT IN (SELECT class FROM things UNION ALL
      VALUES ('pg_database'::regclass), ('pg_default_acl'::regclass), ('pg_proc'::regclass))
    WHEN rolname = $2 THEN near AND classid <> 'pg_default_acl'::regclass AND coalesce(schema, identity) NOT IN ($1, quote_ident($1))
    ELSE true END
UNION SELECT concat('setting ', split_part(line, '=', 1), ' of ', who, CASE WHEN setdatabase <> 0 THEN ' in this database' END)
  FROM pg_db_role_setting, unnest(setconfig) line LEFT JOIN pg_settings p ON p.name = split_part(line, '=', 1),
    LATERAL (SELECT coalesce((SELECT rolname::text FROM roles WHERE oid = setrole), 'everybody') AS who) w
  WHERE setdatabase IN (SELECT 0 UNION ALL SELECT oid FROM here) AND CASE
    -- What anybody may set anyway lets nobody do more.
    WHEN setrole = 0 THEN line ILIKE 'synchronous_commit=%' AND split_part(line, '=', 2) NOT IN ('on', 'local', 'remote_write',
      'remote_apply') OR coalesce(context, 'superuser') <> 'user' AND line NOT LIKE 'log\_%' AND line NOT LIKE '%.%=%'
    ELSE setrole IN (SELECT oid FROM roles) AND NOT (setdatabase <> 0 AND who = $1
      AND line IN ('search_path=' || $1, format('search_path="%s"', $1))) END
UNION SELECT concat('login at foreign server ', srvname, ' of ', rolname) FROM pg_user_mappings m JOIN roles r ON r.oid = umuser
