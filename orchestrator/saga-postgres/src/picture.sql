-- A schema as lines: what there is, who owns it, who may what. $1 is the schema, $2 its owner, $3 the auditor; the role of
-- the module is called as the schema. What an owner may do to its own things is not told.
WITH n AS (SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = $1),
relations AS (SELECT c.* FROM pg_class c, n WHERE c.relnamespace = n.oid AND c.relkind NOT IN ('i', 'I', 't')),
functions AS (SELECT p.* FROM pg_proc p, n WHERE p.pronamespace = n.oid),
roles AS (SELECT * FROM pg_roles WHERE rolname IN ($1, $2, $3)),
acls AS (
  SELECT 'the schema' AS thing, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM n
  UNION ALL SELECT relname::text, relowner, coalesce(relacl, acldefault('r', relowner)) FROM relations
  UNION ALL SELECT proname || '()', proowner, coalesce(proacl, acldefault('f', proowner)) FROM functions
  UNION ALL SELECT relname || '.' || attname, relowner, attacl FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE attacl IS NOT NULL
)
SELECT 'schema of ' || pg_get_userbyid(nspowner) FROM n
UNION ALL SELECT concat('relation ', relname, ' of kind ', relkind, ' of ', pg_get_userbyid(relowner),
                        CASE WHEN relrowsecurity THEN ' with row security' END) FROM relations
UNION ALL SELECT concat('column ', relname, '.', attname, ' ', format_type(atttypid, atttypmod), ' ' || collname,
                        CASE WHEN attnotnull THEN ' not null' END,
                        (SELECT ' default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef
                         WHERE adrelid = a.attrelid AND adnum = a.attnum))
  FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_collation l ON l.oid = a.attcollation
  WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT concat('constraint ', relname, ' ', conname, ' ', pg_get_constraintdef(k.oid),
                        CASE WHEN NOT convalidated THEN ' not valid' END)
  FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid WHERE contype <> 'n'
UNION ALL SELECT concat(pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN ' invalid' END)
  FROM relations c JOIN pg_index i ON i.indrelid = c.oid
UNION ALL SELECT concat('trigger ', relname, ' ', tgname, ' of type ', tgtype, ' enabled ', tgenabled, ' ',
                        CASE WHEN pronamespace <> relnamespace THEN pronamespace::regnamespace || '.' END, proname)
  FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal
UNION ALL SELECT concat('rule ', relname, ' ', rulename) FROM relations c JOIN pg_rewrite r ON r.ev_class = c.oid
  WHERE relkind <> 'v'
UNION ALL SELECT concat('function ', proname, ' of ', pg_get_userbyid(proowner),
                        CASE WHEN prosecdef THEN ' as its owner' END, ' ' || array_to_string(proconfig, ' '), ' ',
                        left(encode(sha256(convert_to(prosrc, 'UTF8')), 'hex'), 16)) FROM functions
UNION ALL SELECT concat('grant of ', lower(privilege_type), ' on ', thing, ' to ',
                        CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END,
                        CASE WHEN is_grantable THEN ' to give away' END)
  FROM acls, aclexplode(acl) WHERE grantee <> owner
UNION ALL SELECT concat('role ', rolname, CASE WHEN rolcanlogin THEN ' logs in' END, CASE WHEN rolsuper THEN ' superuser' END,
                        CASE WHEN rolcreaterole THEN ' creates roles' END, CASE WHEN rolcreatedb THEN ' creates databases' END,
                        CASE WHEN rolreplication THEN ' replicates' END, CASE WHEN rolbypassrls THEN ' bypasses rows' END)
  FROM roles
UNION ALL SELECT concat(type, ' ', identity) FROM pg_depend d, n, pg_identify_object(d.classid, d.objid, 0)
  WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid
    AND classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_default_acl'::regclass)
UNION ALL SELECT concat('grant of ', lower(privilege_type), ' on the database to ',
                        CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END,
                        CASE WHEN is_grantable THEN ' to give away' END)
  FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
  WHERE datname = current_database() AND (grantee = 0 OR grantee IN (SELECT oid FROM roles))
UNION ALL SELECT concat('grant of ', lower(privilege_type), ' on what is made later',
                        CASE WHEN defaclnamespace = 0 THEN ' anywhere' END, ' (', defaclobjtype, ') to ',
                        CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END)
  FROM pg_default_acl, aclexplode(defaclacl)
  WHERE grantee <> defaclrole AND (defaclnamespace IN (SELECT oid FROM n)
    OR (defaclnamespace = 0 AND defaclrole IN (SELECT nspowner FROM n)))
