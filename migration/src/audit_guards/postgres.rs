//! The triggers on PostgreSQL, and their functions.

pub(crate) const FUNCTIONS: &[&str] = &[
    "CREATE FUNCTION audit_chains_follow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE audit_chains c SET seq = last.seq, hash = last.hash, sealed = FALSE FROM (
                SELECT DISTINCT ON (named.kind, named.id) named.kind, named.id, named.seq, named.hash FROM (
                    SELECT CASE WHEN a.workspace_id IS NOT NULL THEN 'workspace'
                            WHEN a.account_id IS NOT NULL THEN 'account'
                            WHEN a.user_id IS NOT NULL THEN 'user' ELSE 'installation' END AS kind,
                        COALESCE(a.workspace_id, a.account_id, a.user_id,
                            '00000000-0000-0000-0000-000000000000'::uuid) AS id, a.seq, a.hash
                    FROM added a) named
                ORDER BY named.kind, named.id, named.seq DESC) last
            WHERE c.kind = last.kind AND c.id = last.id AND c.seq < last.seq;
            RETURN NULL;
        END $$",
    "CREATE FUNCTION start_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO audit_chains (kind, id, seq, hash, sealed)
            VALUES (TG_ARGV[0], NEW.id, 0, ''::bytea, TRUE)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$",
    "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit record is append-only'; END $$",
    "CREATE FUNCTION audit_identities_only_erased() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.event_id IS DISTINCT FROM OLD.event_id
            OR NEW.actor_commitment IS DISTINCT FROM OLD.actor_commitment
            OR NEW.target_subject IS DISTINCT FROM OLD.target_subject
            OR NEW.target_commitment IS DISTINCT FROM OLD.target_commitment
            OR NEW.payload_subject IS DISTINCT FROM OLD.payload_subject
            OR NEW.payload_commitment IS DISTINCT FROM OLD.payload_commitment
            OR (NEW.actor_salt IS NOT NULL AND NEW.actor_salt IS DISTINCT FROM OLD.actor_salt)
            OR (NEW.actor_name IS NOT NULL AND NEW.actor_name IS DISTINCT FROM OLD.actor_name)
            OR (NEW.actor_email IS NOT NULL AND NEW.actor_email IS DISTINCT FROM OLD.actor_email)
            OR (NEW.address IS NOT NULL AND NEW.address IS DISTINCT FROM OLD.address)
            OR (NEW.user_agent IS NOT NULL AND NEW.user_agent IS DISTINCT FROM OLD.user_agent)
            OR (NEW.target_salt IS NOT NULL AND NEW.target_salt IS DISTINCT FROM OLD.target_salt)
            OR (NEW.target_name IS NOT NULL AND NEW.target_name IS DISTINCT FROM OLD.target_name)
            OR (NEW.target_email IS NOT NULL AND NEW.target_email IS DISTINCT FROM OLD.target_email)
            OR (NEW.payload_salt IS NOT NULL AND NEW.payload_salt IS DISTINCT FROM OLD.payload_salt)
            OR (NEW.payload IS NOT NULL AND NEW.payload IS DISTINCT FROM OLD.payload) THEN
                RAISE EXCEPTION 'the audit record is append-only';
            END IF;
            RETURN NEW;
        END $$",
    // A head follows its events, or is in a checkpoint and is marked so.
    "CREATE FUNCTION audit_chains_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind IS DISTINCT FROM OLD.kind OR NEW.id IS DISTINCT FROM OLD.id
            OR NEW.seq IS DISTINCT FROM OLD.seq OR NEW.hash IS DISTINCT FROM OLD.hash
            OR NOT EXISTS (SELECT 1 FROM audit_checkpoint_heads h
                WHERE h.kind = NEW.kind AND h.id = NEW.id AND h.seq = NEW.seq AND h.hash = NEW.hash) THEN
                RAISE EXCEPTION 'the audit record is append-only';
            END IF;
            RETURN NEW;
        END $$",
];

/// In the words of `pg_get_triggerdef`, which they are compared with.
pub(crate) const TRIGGERS: &[&str] = &[
    "CREATE TRIGGER audit_events_no_change BEFORE DELETE OR UPDATE ON audit_events
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_identities_no_change BEFORE DELETE ON audit_identities
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_identities_no_truncate BEFORE TRUNCATE ON audit_identities
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_chains_no_change BEFORE DELETE ON audit_chains
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_chains_no_truncate BEFORE TRUNCATE ON audit_chains
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_checkpoints_no_change BEFORE DELETE OR UPDATE ON audit_checkpoints
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON audit_checkpoints
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_checkpoint_heads_no_change BEFORE DELETE OR UPDATE ON audit_checkpoint_heads
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_checkpoint_heads_no_truncate BEFORE TRUNCATE ON audit_checkpoint_heads
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_erasures_no_change BEFORE DELETE OR UPDATE ON audit_erasures
        FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_erasures_no_truncate BEFORE TRUNCATE ON audit_erasures
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_identities_only_erased BEFORE UPDATE ON audit_identities
        FOR EACH ROW EXECUTE FUNCTION audit_identities_only_erased()",
    "CREATE TRIGGER audit_chains_only_grow BEFORE UPDATE ON audit_chains FOR EACH ROW
        WHEN (new.seq <= old.seq OR new.kind <> old.kind OR new.id <> old.id OR new.sealed)
        EXECUTE FUNCTION audit_chains_only_grow()",
    // Once a statement: each further version of a head in one transaction makes the next one slower.
    "CREATE TRIGGER audit_chains_follow AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION audit_chains_follow()",
    "CREATE TRIGGER audit_chain_of_workspace AFTER INSERT ON workspaces
        FOR EACH ROW EXECUTE FUNCTION start_audit_chain('workspace')",
    "CREATE TRIGGER audit_chain_of_account AFTER INSERT ON accounts
        FOR EACH ROW EXECUTE FUNCTION start_audit_chain('account')",
    "CREATE TRIGGER audit_chain_of_user AFTER INSERT ON users
        FOR EACH ROW EXECUTE FUNCTION start_audit_chain('user')",
];

/// A session that says it is a replica does not get past what refuses either.
pub(crate) const ALWAYS: &str = "DO $$
    DECLARE one RECORD;
    BEGIN
        FOR one IN SELECT t.tgname AS name, c.relname AS tbl FROM pg_trigger t
            JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE p.proname IN ('audit_is_append_only', 'audit_identities_only_erased', 'audit_chains_only_grow')
        LOOP
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', one.tbl, one.name);
        END LOOP;
    END $$";

/// The functions whose triggers are enabled in every session, also in one that says it is a replica.
pub(super) const REFUSING: [&str; 3] =
    ["audit_is_append_only", "audit_identities_only_erased", "audit_chains_only_grow"];

/// Also rules and policies of rows, which would change what is written or read, and what is no table.
pub(super) const FIND: &str = "WITH tables AS (SELECT CAST(to_regclass(t.named) AS oid) AS oid
        FROM unnest(ARRAY['audit_events', 'audit_identities', 'audit_chains', 'audit_checkpoints',
            'audit_checkpoint_heads', 'audit_erasures']) AS t(named))
    SELECT CAST(t.tgname AS TEXT) AS name, pg_get_triggerdef(t.oid, TRUE) AS definition,
        CAST(p.proname AS TEXT) AS function, p.prosrc AS body, CAST(t.tgenabled AS TEXT) AS enabled
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND (t.tgrelid IN (SELECT oid FROM tables)
        OR (t.tgname LIKE 'audit!_chain!_of!_%' ESCAPE '!' AND t.tgrelid IN (CAST(to_regclass('workspaces') AS oid),
            CAST(to_regclass('accounts') AS oid), CAST(to_regclass('users') AS oid))))
    UNION ALL SELECT CAST(c.relname AS TEXT), 'not a plain table', '', '', '' FROM pg_class c
    WHERE c.oid IN (SELECT oid FROM tables) AND (c.relkind <> 'r' OR c.relrowsecurity
        OR EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid))";
