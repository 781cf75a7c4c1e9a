//! The triggers on SQLite.

/// The head follows the events, in the statement that adds them. Whatever changes or removes what was recorded is
/// refused.
///
/// REPLACE deletes the rows in its way without a DELETE trigger, unless the session asks for one. So an insert
/// that has a row in its way is refused before that, whatever its conflict clause.
pub(crate) const TRIGGERS: &[&str] = &[
    "CREATE TRIGGER audit_chains_follow AFTER INSERT ON audit_events BEGIN
        UPDATE audit_chains SET seq = NEW.seq, hash = NEW.hash, sealed = FALSE
        WHERE kind = CASE WHEN NEW.workspace_id IS NOT NULL THEN 'workspace'
            WHEN NEW.account_id IS NOT NULL THEN 'account'
            WHEN NEW.user_id IS NOT NULL THEN 'user' ELSE 'installation' END
        AND id = COALESCE(NEW.workspace_id, NEW.account_id, NEW.user_id, zeroblob(16)) AND seq < NEW.seq;
    END",
    "CREATE TRIGGER audit_chain_of_workspace AFTER INSERT ON workspaces BEGIN
        INSERT INTO audit_chains (kind, id, seq, hash, sealed) SELECT 'workspace', NEW.id, 0, X'', TRUE
        WHERE NOT EXISTS (SELECT 1 FROM audit_chains c WHERE c.kind = 'workspace' AND c.id = NEW.id);
    END",
    "CREATE TRIGGER audit_chain_of_account AFTER INSERT ON accounts BEGIN
        INSERT INTO audit_chains (kind, id, seq, hash, sealed) SELECT 'account', NEW.id, 0, X'', TRUE
        WHERE NOT EXISTS (SELECT 1 FROM audit_chains c WHERE c.kind = 'account' AND c.id = NEW.id);
    END",
    "CREATE TRIGGER audit_chain_of_user AFTER INSERT ON users BEGIN
        INSERT INTO audit_chains (kind, id, seq, hash, sealed) SELECT 'user', NEW.id, 0, X'', TRUE
        WHERE NOT EXISTS (SELECT 1 FROM audit_chains c WHERE c.kind = 'user' AND c.id = NEW.id);
    END",
    "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
        WHEN EXISTS (SELECT 1 FROM audit_events e WHERE e.id = NEW.id)
        OR EXISTS (SELECT 1 FROM audit_events e WHERE e.workspace_id = NEW.workspace_id AND e.seq = NEW.seq)
        OR (NEW.workspace_id IS NULL AND EXISTS (SELECT 1 FROM audit_events e
            WHERE e.workspace_id IS NULL AND e.account_id = NEW.account_id AND e.seq = NEW.seq))
        OR EXISTS (SELECT 1 FROM audit_events e WHERE e.user_id = NEW.user_id AND e.seq = NEW.seq)
        OR (NEW.workspace_id IS NULL AND NEW.account_id IS NULL AND NEW.user_id IS NULL
            AND EXISTS (SELECT 1 FROM audit_events e WHERE e.workspace_id IS NULL AND e.account_id IS NULL
                AND e.user_id IS NULL AND e.seq = NEW.seq))
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_identities_no_delete BEFORE DELETE ON audit_identities
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_identities_no_replace BEFORE INSERT ON audit_identities
        WHEN EXISTS (SELECT 1 FROM audit_identities i WHERE i.event_id = NEW.event_id)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_identities_only_erased BEFORE UPDATE ON audit_identities
        WHEN NEW.event_id IS NOT OLD.event_id
        OR NEW.actor_commitment IS NOT OLD.actor_commitment
        OR NEW.target_subject IS NOT OLD.target_subject
        OR NEW.target_commitment IS NOT OLD.target_commitment
        OR NEW.payload_subject IS NOT OLD.payload_subject
        OR NEW.payload_commitment IS NOT OLD.payload_commitment
        OR (NEW.actor_salt IS NOT NULL AND NEW.actor_salt IS NOT OLD.actor_salt)
        OR (NEW.actor_name IS NOT NULL AND NEW.actor_name IS NOT OLD.actor_name)
        OR (NEW.actor_email IS NOT NULL AND NEW.actor_email IS NOT OLD.actor_email)
        OR (NEW.address IS NOT NULL AND NEW.address IS NOT OLD.address)
        OR (NEW.user_agent IS NOT NULL AND NEW.user_agent IS NOT OLD.user_agent)
        OR (NEW.target_salt IS NOT NULL AND NEW.target_salt IS NOT OLD.target_salt)
        OR (NEW.target_name IS NOT NULL AND NEW.target_name IS NOT OLD.target_name)
        OR (NEW.target_email IS NOT NULL AND NEW.target_email IS NOT OLD.target_email)
        OR (NEW.payload_salt IS NOT NULL AND NEW.payload_salt IS NOT OLD.payload_salt)
        OR (NEW.payload IS NOT NULL AND NEW.payload IS NOT OLD.payload)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_chains_no_delete BEFORE DELETE ON audit_chains
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_chains_no_replace BEFORE INSERT ON audit_chains
        WHEN EXISTS (SELECT 1 FROM audit_chains c WHERE c.kind = NEW.kind AND c.id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    // A head follows its events, or is in a checkpoint and is marked so.
    "CREATE TRIGGER audit_chains_only_grow BEFORE UPDATE ON audit_chains
        WHEN NEW.kind IS NOT OLD.kind OR NEW.id IS NOT OLD.id
        OR CASE WHEN NEW.seq > OLD.seq THEN NEW.sealed
            ELSE NEW.seq IS NOT OLD.seq OR NEW.hash IS NOT OLD.hash
                OR NOT EXISTS (SELECT 1 FROM audit_checkpoint_heads h WHERE h.kind = NEW.kind
                    AND h.id = NEW.id AND h.seq = NEW.seq AND h.hash = NEW.hash) END
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoints_no_replace BEFORE INSERT ON audit_checkpoints
        WHEN EXISTS (SELECT 1 FROM audit_checkpoints c WHERE c.seq = NEW.seq)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoint_heads_no_update BEFORE UPDATE ON audit_checkpoint_heads
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoint_heads_no_delete BEFORE DELETE ON audit_checkpoint_heads
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_checkpoint_heads_no_replace BEFORE INSERT ON audit_checkpoint_heads
        WHEN EXISTS (SELECT 1 FROM audit_checkpoint_heads h
            WHERE h.kind = NEW.kind AND h.id = NEW.id AND h.seq = NEW.seq)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_erasures_no_update BEFORE UPDATE ON audit_erasures
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_erasures_no_delete BEFORE DELETE ON audit_erasures
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
    "CREATE TRIGGER audit_erasures_no_replace BEFORE INSERT ON audit_erasures
        WHEN EXISTS (SELECT 1 FROM audit_erasures e WHERE e.event_id = NEW.event_id AND e.part = NEW.part)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
];

/// Also what is no table.
pub(super) const FIND: &str = "SELECT name, sql AS definition, '' AS function, '' AS body, '' AS enabled
    FROM sqlite_master WHERE type = 'trigger' AND (tbl_name IN ('audit_events', 'audit_identities',
        'audit_chains', 'audit_checkpoints', 'audit_checkpoint_heads', 'audit_erasures')
        OR name LIKE 'audit!_chain!_of!_%' ESCAPE '!')
    UNION ALL SELECT name, type, '', '', '' FROM sqlite_master WHERE type <> 'table'
        AND name IN ('audit_events', 'audit_identities', 'audit_chains', 'audit_checkpoints',
            'audit_checkpoint_heads', 'audit_erasures')";
