//! Demo data: a workspace with a history of four months.
//!
//! It is created by the functions that requests call, so that it shows what they do, under a clock that
//! starts in the past and is advanced from action to action.

pub mod act;
mod deliveries;
pub mod people;
mod traffic;

use crate::{
    clock::{DAY, HOUR, MINUTE},
    domain::{
        base::{db::Db, hash_queue::Party, refused::Refused, sql::Sql, values::Slug},
        demo::{
            act::{Demo, DemoAction},
            people::{PASSWORD, PEOPLE, email, secret},
        },
        enforce::presence,
        nouns::identity::Password,
        records::workspaces,
        seed::{by_email, insert_person, people, read},
    },
    policy::{BuiltIn, Permission},
};
use std::{collections::HashMap, time::Duration};

/// How long before now the demo's clock starts, in milliseconds.
pub const PAST: i64 = 127 * DAY;

/// When (counted back from now), who, and which action. The earliest comes first.
const STORY: &[(i64, &str, DemoAction)] = {
    use BuiltIn::{Admin, Billing, Developer, Editor, Owner, Support, Viewer};
    use DemoAction::*;
    &[
        (126 * DAY, "owner", CreateWorkspace("Demo")),
        (126 * DAY - 20 * MINUTE, "owner", Rename("Demo Company")),
        (126 * DAY - HOUR, "owner", Invite("admin", &[Admin])),
        (126 * DAY - 3 * HOUR, "admin", Accept),
        (125 * DAY - 2 * HOUR, "admin", Invite("developer tester", &[Developer])),
        (125 * DAY - 5 * HOUR, "developer", Accept),
        (124 * DAY, "tester", Accept),
        (121 * DAY - HOUR, "owner", Invite("auditor viewer", &[Viewer])),
        (120 * DAY, "auditor", Accept),
        (119 * DAY - 7 * HOUR, "viewer", Accept),
        (112 * DAY, "admin", Invite("billing", &[Billing])),
        (111 * DAY - 4 * HOUR, "billing", Accept),
        (104 * DAY - 3 * HOUR, "auditor", ViewOverview),
        (97 * DAY, "owner", Invite("second", &[Developer])),
        (96 * DAY - 6 * HOUR, "second", Accept),
        (90 * DAY, "owner", Roles("second", &[Owner, Developer])),
        (90 * DAY - HOUR, "second", Permit(Permission::ExportData, &[Admin, Billing])),
        (83 * DAY, "second", Invite("editor writer", &[Editor])),
        (82 * DAY - 2 * HOUR, "editor", Accept),
        (80 * DAY, "writer", Accept),
        (75 * DAY, "admin", Invite("former", &[Viewer])),
        (74 * DAY - 5 * HOUR, "former", Accept),
        (70 * DAY, "admin", Invite("contractor", &[Developer])),
        (69 * DAY - 2 * HOUR, "contractor", Accept),
        (61 * DAY - 3 * HOUR, "contractor", ViewActivity),
        (61 * DAY - 4 * HOUR, "contractor", ViewActivity),
        (60 * DAY, "owner", Permit(Permission::InviteMembers, &[Admin])),
        (55 * DAY, "admin", Invite("partner", &[Billing])),
        (53 * DAY - HOUR, "partner", Decline),
        (48 * DAY, "admin", Invite("support", &[Support])),
        (47 * DAY - 2 * HOUR, "support", Accept),
        (46 * DAY, "admin", Roles("support", &[Support, Viewer])),
        (41 * DAY, "admin", Suspend("writer")),
        (39 * DAY - 8 * HOUR, "admin", Reactivate("writer")),
        (34 * DAY, "admin", Remove("contractor")),
        (33 * DAY, "owner", Permit(Permission::InviteMembers, &[Admin, Developer])),
        (30 * DAY, "developer", Invite("trainee", &[Viewer])),
        (29 * DAY - 6 * HOUR, "trainee", Accept),
        (26 * DAY, "admin", Invite("designer analyst", &[Editor])),
        (25 * DAY - 3 * HOUR, "designer", Accept),
        (24 * DAY, "admin", Cancel("analyst")),
        (24 * DAY - HOUR, "admin", Invite("analyst", &[Viewer])),
        (23 * DAY, "analyst", Accept),
        (22 * DAY, "developer", Key("Build runner", &[Developer], 90)),
        (22 * DAY - HOUR, "developer", Register("site", "docs", "Documentation")),
        (22 * DAY - HOUR, "developer", Register("site", "www", "Company website")),
        (22 * DAY - HOUR, "developer", Register("pipeline", "nightly", "Nightly build")),
        (21 * DAY, "developer", Destination("api.example.com", "Payments, in the test environment")),
        (21 * DAY - HOUR, "developer", Protect("api.example.com", "Authorization", &[Developer])),
        (21 * DAY - 2 * HOUR, "developer", Destination("hooks.example.net", "Hears of new members")),
        (
            21 * DAY - 150 * MINUTE,
            "owner",
            SendEvents("hooks.example.net", "/bailiwick", "api-key invitation member permission team"),
        ),
        (
            21 * DAY - 3 * HOUR,
            "developer",
            Destination("*.maps.example.org", "Tiles, from one host a region"),
        ),
        (
            21 * DAY - 4 * HOUR,
            "developer",
            Destination("legacy.example.com", "Until the new system is in use"),
        ),
        (20 * DAY, "admin", PauseDestination("legacy.example.com")),
        (20 * DAY, "admin", Invite("first.guest second.guest", &[Viewer])),
        (18 * DAY, "admin", InviteAgain("second.guest")),
        (17 * DAY, "owner", Permit(Permission::ManageApiKeys, &[Admin])),
        (15 * DAY - 2 * HOUR, "admin", Roles("trainee", &[Editor])),
        (14 * DAY, "admin", Invite("accountant", &[Billing])),
        (13 * DAY - 5 * HOUR, "accountant", Accept),
        (12 * DAY, "billing", ViewActivity),
        (11 * DAY, "second", Permit(Permission::ReadAudit, &[Admin, Billing])),
        (10 * DAY, "billing", ViewActivity),
        (9 * DAY, "tester", Leave),
        (8 * DAY, "admin", Invite("tester", &[Developer])),
        (7 * DAY - 2 * HOUR, "tester", Accept),
        (
            7 * DAY - 4 * HOUR,
            "owner",
            CreateRole(
                "Release manager",
                "Ships what is done, and watches how it goes.",
                Permission::ReadMembers,
                "deploy:* approve:releases read:builds",
            ),
        ),
        (7 * DAY - 5 * HOUR, "admin", AssignCustomRole("tester", Developer, "release-manager")),
        (6 * DAY + 2 * HOUR, "admin", Invite("new.developer", &[Developer])),
        (
            6 * DAY - 3 * HOUR,
            "owner",
            Team("On call", "Answers when something breaks.", "developer tester writer", &[Support]),
        ),
        (
            6 * DAY - 4 * HOUR,
            "admin",
            Team("Product", "Decides what comes next.", "designer editor developer trainee", &[]),
        ),
        (5 * DAY - HOUR, "admin", Invite("new.viewer", &[Viewer])),
        (5 * DAY - 2 * HOUR, "writer", ViewOverview),
        (4 * DAY, "owner", Suspend("former")),
        (3 * DAY, "owner", Permit(Permission::ReadAudit, &[Admin])),
        (3 * DAY - 5 * HOUR, "billing", ViewActivity),
        (2 * DAY, "admin", Cancel("new.viewer")),
        (30 * HOUR, "analyst", ViewOverview),
        (27 * HOUR, "support", ViewOverview),
        (22 * HOUR, "viewer", ViewActivity),
        (20 * HOUR, "accountant", ViewOverview),
        (6 * HOUR, "editor", ViewOverview),
        (5 * HOUR, "developer", Invite("new.tester", &[Viewer])),
        (3 * HOUR, "trainee", ViewOverview),
        (95 * MINUTE, "designer", ViewOverview),
        (70 * MINUTE, "owner", KnownKey("Key of the demo")),
        (50 * MINUTE, "admin", Invite("new.editor", &[Editor])),
        (12 * MINUTE, "second", ViewOverview),
        (4 * MINUTE, "owner", Permit(Permission::ManageApiKeys, &[Admin, Developer])),
    ]
};

/// Fills an empty database. Returns how to sign in. A database that already has the demo is left as it is.
/// The clock must be a manual one, at [`PAST`] before now.
///
/// # Errors
/// [`Refused::NotAllowed`] if the database has other data.
pub async fn demo(db: &Db) -> Result<String, Refused> {
    let slug = read(Slug::parse("demo"))?;
    if !workspaces::slug_is_free(db.read(), &slug).await? {
        return welcome(db).await;
    }
    if people(db).await? > 0 {
        return Err(Refused::NotAllowed(
            "the demo needs an empty database: set BAILIWICK_DATABASE_URL to one, such as sqlite://data/demo.db",
        ));
    }
    let password = Password::parse(PASSWORD, &[]).map_err(Refused::NotAllowed)?;
    let hash = db.passwords().hash(&password, Party::known("", "demo")).await?;
    let tx = db.begin().await?;
    for (who, name) in PEOPLE {
        insert_person(&tx, name, &email(who), &hash, db.now()).await?;
    }
    tx.commit().await?;
    let mut demo = Demo { db, slug, links: HashMap::new() };
    let now = db.now() + PAST;
    for (ago, who, action) in STORY {
        let wait = u64::try_from(now - *ago - db.now()).unwrap_or(0);
        db.clock().advance(Duration::from_millis(wait));
        demo.run(who, action).await?;
    }
    presence::flush(db).await?;
    traffic::fill(db, &demo.slug).await?;
    deliveries::fill(db).await?;
    // Nobody reads mail at these addresses.
    let tx = db.begin().await?;
    tx.run("DELETE FROM outbox", Vec::new()).await?;
    tx.commit().await?;
    welcome(db).await
}

async fn welcome(db: &Db) -> Result<String, Refused> {
    let mut text = String::from("You can sign in to the demo as:\n\n");
    for role in BuiltIn::ALL {
        text.push_str(&format!("  {:<24} {}\n", email(role.slug()), role.name()));
    }
    text.push_str(
        "  second@example.com       Owner and Developer\n  former@example.com       Viewer, suspended\n",
    );
    text.push_str(&format!("\nPassword for all of them: {PASSWORD}\n"));
    let user = by_email(db, "SELECT id FROM users WHERE email = $1", &email("viewer")).await?;
    let secret = secret();
    text.push_str(&format!(
        "\nAPI key, with the Owner role and account admin rights. It is the same in every demo, so it is for \
        trying only:\n\n  {}\n\nTry the API:\n{}",
        secret.expose(),
        COMMANDS
            .replace("TOKEN", secret.expose())
            .replace("USER_ID", &user.to_string())
            .replace("http://localhost:8000", db.public_url())
    ));
    Ok(text)
}

/// Commands to try the API: create a workspace and a role, and assign roles.
const COMMANDS: &str = r#"
curl -X POST http://localhost:8000/api/sso/v1/workspaces \
  -H "Authorization: Bearer TOKEN" \
  -d '{"name": "Engineering", "slug": "engineering"}'

curl -X POST http://localhost:8000/api/sso/v1/roles \
  -H "Authorization: Bearer TOKEN" \
  -d '{
    "name": "Developer",
    "slug": "developer",
    "scopes": ["read:code", "write:code", "deploy:staging"]
  }'

curl -X PATCH http://localhost:8000/api/sso/v1/users/USER_ID \
  -H "Authorization: Bearer TOKEN" \
  -d '{"roles": ["developer", "viewer"]}'
"#;
