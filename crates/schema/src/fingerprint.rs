//! What a database looks like, as text that two databases can be compared by.

use std::collections::BTreeSet;

use postgres::{Error, Row, Session, query};
use sha2::{Digest, Sha256};

/// Everything in a catalog that a migration can make, a line an object: not what is in the tables, not who owns them, not
/// our ledger, not the system, not what belongs to an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    lines: BTreeSet<String>,
}

impl Fingerprint {
    /// Reads the catalog. `ignored` are schemas that do not count, and tables as `schema.table` (another tool's history).
    pub async fn of(session: &mut Session, ignored: &[&str]) -> Result<Self, Error> {
        let ignored: Vec<String> = ignored.iter().map(ToString::to_string).collect();
        // Names come out qualified where the path is empty.
        session
            .run("BEGIN READ ONLY; SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off")
            .await?;
        let rows = query(CATALOG).bind(ignored).fetch_all(session.connection()).await;
        session.run("ROLLBACK").await?;
        let lines: Result<_, Error> = rows?.iter().map(|row| Ok(row.try_get::<String, _>(0)?)).collect();
        Ok(Self { lines: lines? })
    }

    /// SHA-256 of the lines, in hexadecimal.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        self.lines.iter().for_each(|line| hash.update(format!("{line}\n")));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What only this one has, then what only the other has: `- column public.t.a ..`, `+ index ..`.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let gone = self.lines.difference(&other.lines).map(|line| format!("- {line}"));
        gone.chain(other.lines.difference(&self.lines).map(|line| format!("+ {line}"))).collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// The columns' place is their rank, since a dropped column leaves a gap.
const CATALOG: &str = r"
WITH space AS (
  SELECT oid, nspname FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> ALL ($1)),
extended AS (
  SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'),
rel AS (
  SELECT c.*, n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c JOIN space n ON n.oid = c.relnamespace
  WHERE n.nspname || '.' || c.relname <> ALL ($1)
    AND NOT EXISTS (SELECT FROM extended e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid))
SELECT 'schema ' || nspname FROM space WHERE nspname <> 'public'
UNION ALL SELECT 'extension ' || extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT 'relation ' || name || ' ' || relkind::text || relpersistence::text || CASE WHEN relrowsecurity THEN ' rls' ELSE '' END
    || CASE WHEN relforcerowsecurity THEN ' forced' ELSE '' END || coalesce(' ' || pg_catalog.array_to_string(reloptions, ','), '')
    || coalesce(' of partition ' || pg_catalog.pg_get_expr(relpartbound, oid), '')
    || CASE WHEN relkind = 'p' THEN ' by ' || pg_catalog.pg_get_partkeydef(oid) ELSE '' END
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL SELECT 'inherits ' || c.name || ' ' || p.name FROM pg_catalog.pg_inherits i JOIN rel c ON c.oid = i.inhrelid JOIN rel p ON p.oid = i.inhparent
    WHERE c.relkind IN ('r', 'p', 'f')
UNION ALL SELECT 'column ' || r.name || '.' || a.attname || ' ' || pg_catalog.rank() OVER (PARTITION BY r.oid ORDER BY a.attnum) || ' '
    || pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || CASE WHEN a.attidentity <> '' THEN ' identity ' || a.attidentity::text ELSE '' END
    || CASE WHEN a.attgenerated <> '' THEN ' generated ' || a.attgenerated::text ELSE '' END
    || coalesce(' collate ' || (SELECT collname FROM pg_catalog.pg_collation c WHERE c.oid = a.attcollation AND c.oid <> t.typcollation), '')
    || coalesce(' default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
  FROM rel r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE r.relkind IN ('r', 'p', 'f', 'c')
UNION ALL SELECT 'constraint ' || coalesce(r.name, pg_catalog.format_type(k.contypid, NULL)) || ' ' || k.conname || ' '
    || pg_catalog.pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
  FROM pg_catalog.pg_constraint k JOIN space n ON n.oid = k.connamespace LEFT JOIN rel r ON r.oid = k.conrelid
  WHERE k.contype <> 'n' AND (k.conrelid = 0 OR r.oid IS NOT NULL)
UNION ALL SELECT 'index ' || pg_catalog.pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
  FROM pg_catalog.pg_index i JOIN rel r ON r.oid = i.indrelid
UNION ALL SELECT 'view ' || name || ' ' || pg_catalog.pg_get_viewdef(oid) FROM rel WHERE relkind IN ('v', 'm')
UNION ALL SELECT 'sequence ' || r.name || ' ' || pg_catalog.concat_ws(' ', pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
  FROM pg_catalog.pg_sequence s JOIN rel r ON r.oid = s.seqrelid
UNION ALL SELECT 'trigger ' || pg_catalog.pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
  FROM pg_catalog.pg_trigger t JOIN rel r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT 'rule ' || pg_catalog.pg_get_ruledef(w.oid) FROM pg_catalog.pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
UNION ALL SELECT 'policy ' || r.name || ' ' || pg_catalog.concat_ws(' ', p.polname, p.polcmd::text, p.polpermissive,
    pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
    (SELECT pg_catalog.string_agg(role::pg_catalog.regrole::text, ',' ORDER BY role) FROM pg_catalog.unnest(p.polroles) role))
  FROM pg_catalog.pg_policy p JOIN rel r ON r.oid = p.polrelid
UNION ALL SELECT 'routine ' || CASE WHEN p.prokind = 'a' THEN n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ') aggregate'
    ELSE pg_catalog.pg_get_functiondef(p.oid) END
  FROM pg_catalog.pg_proc p JOIN space n ON n.oid = p.pronamespace
  WHERE NOT EXISTS (SELECT FROM extended e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid)
UNION ALL SELECT 'type ' || n.nspname || '.' || t.typname || ' ' || t.typtype::text || coalesce(' (' ||
    (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) || ')', '')
    || CASE WHEN t.typtype = 'd' THEN ' ' || pg_catalog.format_type(t.typbasetype, t.typtypmod) || CASE WHEN t.typnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || t.typdefault, '') ELSE '' END
    || coalesce(' range of ' || (SELECT pg_catalog.format_type(g.rngsubtype, NULL) FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid), '')
  FROM pg_catalog.pg_type t JOIN space n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('e', 'd', 'r', 'c') AND (t.typtype <> 'c' OR (SELECT relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) = 'c')
    AND NOT EXISTS (SELECT FROM extended x WHERE x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.objid = t.oid)
UNION ALL SELECT 'comment ' || pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid) || ' ' || d.description
  FROM pg_catalog.pg_description d JOIN rel r ON r.oid = d.objoid AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
UNION ALL SELECT 'grant ' || r.name || ' ' || g.grantee || ' ' || pg_catalog.string_agg(g.privilege_type, ',' ORDER BY g.privilege_type)
  FROM rel r CROSS JOIN LATERAL (
    SELECT CASE a.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee, a.privilege_type
    FROM pg_catalog.aclexplode(r.relacl) a WHERE a.grantee <> r.relowner) g
  GROUP BY r.name, g.grantee";
