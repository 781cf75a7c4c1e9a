//! Sign-ins: signing up and in, confirming an address, a new password.

use crate::walk::*;

pub struct Identity;

#[async_trait(?Send)]
impl Noun for Identity {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/sign-up", PUBLIC).statements(0),
            form("/sign-up", PUBLIC)
                .sends(|_| {
                    fields(&[("name", "New One"), ("email", "new@example.com"), ("password", "short")])
                })
                .also_reads(&["workspace"]),
            page("/check-mail", PUBLIC).reads(&[]).statements(0),
            page("/sign-in", PUBLIC).reads(&[]).statements(0),
            form("/sign-in", PUBLIC)
                .sends(|_| fields(&[("email", "nobody@example.com"), ("password", "not the password")])),
            form("/sign-out", SIGNED_IN),
            page("/forgot-password", PUBLIC).statements(0),
            form("/forgot-password", PUBLIC)
                .sends(|_| fields(&[("email", "nobody@example.com")]))
                // The one of these that a page for who is signed in leads to.
                .offered(|_| true)
                .types(|_, form| form.fill(&[("email", "nobody@example.com")])),
            page("/reset-password/{token}", PUBLIC).answers(303).statements(0),
            page("/reset-password", PUBLIC).answers(410).statements(0),
            form("/reset-password", PUBLIC).sends(|_| fields(&[("password", "another staple for 7 horses")])),
            page("/email-verification/{token}", PUBLIC).answers(303).statements(0),
            page("/email-verification", PUBLIC).answers(410).statements(0),
            form("/email-verification", PUBLIC),
        ]
    }

    fn params(&self) -> Vec<Param> {
        // It is a secret and no id: it has tests of its own.
        vec![Param::new("token").value(|at| (at.place == Place::Own).then(|| "no-token-of-ours".to_owned()))]
    }
}
