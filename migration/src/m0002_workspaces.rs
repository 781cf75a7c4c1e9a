//! Accounts, workspaces, members, roles and grants, and the backstop of the Owner rule.

use crate::sql;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        sql::WHOLE
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            &[
                "CREATE TABLE accounts (
                    id {uuid} PRIMARY KEY NOT NULL,
                    name TEXT NOT NULL,
                    suspended_at {int},
                    created_at {int} NOT NULL
                ) {table}",
                "CREATE TABLE account_people (
                    account_id {uuid} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
                    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    is_admin {bool} NOT NULL,
                    joined_at {int} NOT NULL,
                    PRIMARY KEY (account_id, user_id)
                ) {keyed}",
                "CREATE INDEX account_people_of_user ON account_people (user_id)",
                // audit_seq and audit_hash are the head of the workspace's audit chain; the row is
                // locked by every write anyway.
                "CREATE TABLE workspaces (
                    id {uuid} PRIMARY KEY NOT NULL,
                    account_id {uuid} NOT NULL REFERENCES accounts (id),
                    slug TEXT NOT NULL UNIQUE,
                    name TEXT NOT NULL,
                    suspended_at {int},
                    deleted_at {int},
                    created_at {int} NOT NULL,
                    audit_seq {int} NOT NULL,
                    audit_hash {blob} NOT NULL
                ) {table}",
                "CREATE INDEX workspaces_of_account ON workspaces (account_id)",
                "CREATE TABLE members (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    kind TEXT NOT NULL CHECK (kind IN ('user', 'api_key')),
                    user_id {uuid} REFERENCES users (id),
                    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
                    origin TEXT NOT NULL CHECK (origin IN ('founder', 'invitation', 'account', 'api')),
                    invited_by {uuid} REFERENCES users (id),
                    joined_at {int} NOT NULL,
                    last_active_at {int},
                    CHECK ((kind = 'user') = (user_id IS NOT NULL)),
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, user_id)
                ) {table}",
                "CREATE INDEX members_of_user ON members (user_id)",
                "CREATE INDEX members_by_joined ON members (workspace_id, joined_at, id)",
                "CREATE INDEX members_by_activity ON members (workspace_id, last_active_at, id)",
                "CREATE TABLE roles (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    slug TEXT NOT NULL,
                    name TEXT NOT NULL,
                    description TEXT NOT NULL,
                    built_in {bool} NOT NULL,
                    is_owner {bool} NOT NULL,
                    position {int} NOT NULL,
                    created_at {int} NOT NULL,
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, slug)
                ) {table}",
                "CREATE UNIQUE INDEX roles_one_owner ON roles (workspace_id) WHERE is_owner",
                "CREATE TABLE grants (
                    workspace_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    scope TEXT NOT NULL,
                    PRIMARY KEY (workspace_id, role_id, scope),
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX grants_by_scope ON grants (workspace_id, scope)",
                "CREATE TABLE member_roles (
                    workspace_id {uuid} NOT NULL,
                    member_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, member_id, role_id),
                    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX member_roles_by_role ON member_roles (workspace_id, role_id, member_id)",
                "CREATE TABLE ownership_offers (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    from_member_id {uuid} NOT NULL,
                    to_member_id {uuid} NOT NULL,
                    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'cancelled')),
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    ended_at {int},
                    UNIQUE (workspace_id, id),
                    FOREIGN KEY (workspace_id, from_member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, to_member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE UNIQUE INDEX ownership_offers_one_pending ON ownership_offers (workspace_id) WHERE status = 'pending'",
                "CREATE INDEX ownership_offers_from ON ownership_offers (workspace_id, from_member_id)",
                "CREATE INDEX ownership_offers_to ON ownership_offers (workspace_id, to_member_id)",
            ],
        )
        .await?;
        owner_backstop(manager).await
    }
}

/// The domain checks the Owner rule before it commits; this trigger is what remains if that check
/// were ever forgotten. A workspace that is being deleted (`deleted_at`) is let go.
async fn owner_backstop(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    sql::run_on(
        DbBackend::Sqlite,
        manager,
        &[
            "CREATE VIEW active_owners AS
                SELECT m.workspace_id AS workspace_id, m.id AS member_id
                FROM members m
                JOIN users u ON u.id = m.user_id AND u.suspended_at IS NULL
                JOIN member_roles mr ON mr.workspace_id = m.workspace_id AND mr.member_id = m.id
                JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id AND r.is_owner
                WHERE m.status = 'active' AND m.kind = 'user'",
            "CREATE TRIGGER keep_an_owner_on_status AFTER UPDATE OF status ON members
                WHEN NEW.status <> 'active'
                AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM active_owners o WHERE o.workspace_id = OLD.workspace_id)
                BEGIN SELECT RAISE(ABORT, 'last_owner'); END",
            "CREATE TRIGGER keep_an_owner_on_removal AFTER DELETE ON members
                WHEN EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM active_owners o WHERE o.workspace_id = OLD.workspace_id)
                BEGIN SELECT RAISE(ABORT, 'last_owner'); END",
            "CREATE TRIGGER keep_an_owner_on_demotion AFTER DELETE ON member_roles
                WHEN EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM active_owners o WHERE o.workspace_id = OLD.workspace_id)
                BEGIN SELECT RAISE(ABORT, 'last_owner'); END",
        ],
    )
    .await?;
    sql::run_on(
        DbBackend::Postgres,
        manager,
        &[
            "CREATE VIEW active_owners AS
                SELECT m.workspace_id AS workspace_id, m.id AS member_id
                FROM members m
                JOIN users u ON u.id = m.user_id AND u.suspended_at IS NULL
                JOIN member_roles mr ON mr.workspace_id = m.workspace_id AND mr.member_id = m.id
                JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id AND r.is_owner
                WHERE m.status = 'active' AND m.kind = 'user'",
            "CREATE FUNCTION keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
                    AND NOT EXISTS (SELECT 1 FROM active_owners o WHERE o.workspace_id = OLD.workspace_id) THEN
                        RAISE EXCEPTION 'last_owner' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NULL;
                END $$",
            "CREATE TRIGGER keep_an_owner_on_status AFTER UPDATE OF status ON members
                FOR EACH ROW WHEN (NEW.status <> 'active') EXECUTE FUNCTION keep_an_owner()",
            "CREATE TRIGGER keep_an_owner_on_removal AFTER DELETE ON members
                FOR EACH ROW EXECUTE FUNCTION keep_an_owner()",
            "CREATE TRIGGER keep_an_owner_on_demotion AFTER DELETE ON member_roles
                FOR EACH ROW EXECUTE FUNCTION keep_an_owner()",
        ],
    )
    .await
}
