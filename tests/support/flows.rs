//! What people do before the part that a test is about, done through the pages as they would.

use super::{Client, Page, TestApp, quoted};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub const PASSWORD: &str = "correct horse battery staple 9";

/// A person who is signed in, verified, and a member of the workspace.
pub struct Person {
    pub client: Client,
    pub name: String,
    pub email: String,
    pub user_id: Uuid,
    pub member_id: Uuid,
    /// The slug of the workspace.
    pub workspace: String,
}

/// Signs up with a new workspace; the browser is left signed out.
pub async fn sign_up(app: &TestApp, name: &str, email: &str, password: &str, workspace: &str) -> Client {
    let client = app.client();
    let page = client.visit("/sign-up").await;
    let fields = [("name", name), ("email", email), ("password", password), ("workspace", workspace)];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    client
}

pub async fn sign_in(app: &TestApp, email: &str, password: &str) -> Client {
    let client = app.client();
    sign_in_with(&client, email, password).await;
    client
}

pub async fn sign_in_with(client: &Client, email: &str, password: &str) -> Page {
    let page = client.visit("/sign-in").await;
    let answer = client.submit(&page, "/sign-in", &[("email", email), ("password", password)]).await;
    answer.with_status(303)
}

/// Signs in on the page that comes in place of this one, in a browser whose session does not open it any more.
pub async fn sign_in_in_place(person: &Person, path: &str) {
    let page = person.client.get(path).await.with_status(401);
    let fields = [("email", person.email.as_str()), ("password", PASSWORD)];
    person.client.submit(&page, "/sign-in", &fields).await.assert_status(303);
}

/// Opens the newest verification link of this address in the browser in which the address was entered, and
/// confirms. Who was not signed in there is then.
pub async fn verify_email(app: &TestApp, client: &Client, email: &str) {
    let link = app.mail.wait_for_link(email, "/email-verification/").await;
    let page = client.visit(&link).await;
    client.submit(&page, "/email-verification", &[]).await.assert_status(303);
}

/// Owner One, the only Owner of the workspace `acme`.
pub async fn new_owner(app: &TestApp) -> Person {
    new_owner_of(app, "Owner One", "owner-one@example.com", "acme").await
}

/// The verified and signed-in Owner of a new workspace with this slug, in an account of its own.
pub async fn new_owner_of(app: &TestApp, name: &str, email: &str, workspace: &str) -> Person {
    let client = sign_up(app, name, email, PASSWORD, workspace).await;
    verify_email(app, &client, email).await;
    person(app, client, name, email, workspace).await
}

/// Invites one address through the page. Returns the response, with redirects followed.
pub async fn invite(inviter: &Client, slug: &str, emails: &str, roles: &[&str]) -> Page {
    let path = format!("/w/{slug}/invitations");
    let page = inviter.visit(&path).await;
    let fields: Vec<_> =
        [("emails", emails)].into_iter().chain(roles.iter().map(|role| ("role", *role))).collect();
    let answer = inviter.submit(&page, &path, &fields).await;
    inviter.follow(answer).await.with_status(200)
}

/// Invites somebody new, who signs up through the mailed link and accepts.
pub async fn invite_and_join(
    app: &TestApp,
    inviter: &Client,
    slug: &str,
    email: &str,
    roles: &[&str],
) -> Person {
    invite(inviter, slug, email, roles).await;
    let name = name_of(email);
    let client = app.client();
    // Not the link of an earlier one.
    app.mail_is_out().await;
    let link = app.mail.wait_for_link(email, "/invitations/").await;
    let mut page = client.visit(&link).await;
    // The form to sign up is on the invitation's page, or one link away.
    if !page.has("form [name=password]") {
        page = client.visit(&page.link("/sign-up")).await;
    }
    let sign_up = page
        .forms()
        .into_iter()
        .find(|form| !form.values("password").is_empty() && !form.values("name").is_empty());
    let sign_up = sign_up.unwrap_or_else(|| panic!("no form to sign up on {}:\n{}", page.url, page.text()));
    let fields = [("name", name.as_str()), ("email", email), ("password", PASSWORD)];
    let answer = client.send(&page, &sign_up.fill(&fields)).await.with_status(303);
    let mut page = client.follow(answer).await;
    if !page.has_form("/acceptance") {
        sign_in_with(&client, email, PASSWORD).await;
        page = client.visit(&link).await;
    }
    client.submit(&page, "/acceptance", &[]).await.assert_status(303);
    person(app, client, &name, email, slug).await
}

/// A member of the inviter's workspace with this one role: `viewer-one@example.com`, Viewer One.
pub async fn member(app: &TestApp, inviter: &Person, role: &str) -> Person {
    invite_and_join(app, &inviter.client, &inviter.workspace, &format!("{role}-one@example.com"), &[role])
        .await
}

/// A person who has already signed up opens the newest invitation to them and accepts.
pub async fn accept_invitation(app: &TestApp, client: &Client, email: &str) -> Page {
    // Not the link of an earlier one.
    app.mail_is_out().await;
    let link = app.mail.wait_for_link(email, "/invitations/").await;
    let page = client.visit(&link).await;
    client.submit(&page, "/acceptance", &[]).await
}

/// Looks up the ids of the person and of their membership of the workspace.
pub async fn person(app: &TestApp, client: Client, name: &str, email: &str, workspace: &str) -> Person {
    let user_id = app.scalar_uuid(&format!("SELECT id FROM users WHERE email = {}", quoted(email))).await;
    let member_id = member_id(app, email, workspace).await;
    Person {
        client,
        name: name.to_owned(),
        email: email.to_owned(),
        user_id,
        member_id,
        workspace: workspace.to_owned(),
    }
}

pub async fn member_id(app: &TestApp, email: &str, workspace: &str) -> Uuid {
    let sql = format!(
        "SELECT m.id FROM members m JOIN users u ON u.id = m.user_id JOIN workspaces w ON w.id = m.workspace_id
         WHERE u.email = {} AND w.slug = {} AND w.deleted_at IS NULL",
        quoted(email),
        quoted(workspace)
    );
    app.scalar_uuid(&sql).await
}

/// A well-formed secret of this kind, such as `inv`, that nobody was sent.
pub fn unsent_token(kind: &str, n: u8) -> String {
    let (prefix, random) = (format!("blw_{kind}_"), hex::encode([n; 32]));
    let check = Sha256::new().chain_update(&prefix).chain_update([0]).chain_update(&random).finalize();
    format!("{prefix}{random}{}", hex::encode(&check[..4]))
}

/// `viewer-one@example.com` is Viewer One.
fn name_of(email: &str) -> String {
    let (local, _) = email.split_once('@').unwrap();
    let words = local.split(['-', '.', '_']).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.map(capital).collect::<Vec<_>>().join(" ")
}
