//! One's own page: name, password, address, sessions.

use crate::walk::*;

pub struct Me;

#[async_trait(?Send)]
impl Noun for Me {
    fn file(&self) -> &'static str {
        file!()
    }

    fn pages(&self) -> Vec<Row> {
        vec![
            page("/me", SIGNED_IN).statements(3),
            form("/me/profile", SIGNED_IN).sends(|_| fields(&[("name", "New Name")])),
            form("/me/password", SIGNED_IN)
                .sends(|_| fields(&NEW_PASSWORD))
                .types(|_, form| form.fill(&NEW_PASSWORD)),
            form("/me/email", SIGNED_IN).sends(|_| fields(&NEW_EMAIL)).types(|_, form| form.fill(&NEW_EMAIL)),
            // Nobody in the world is unconfirmed.
            form("/me/verification", SIGNED_IN).offered(|_| false),
            form("/me/sessions/revocation", SIGNED_IN),
            form("/me/sessions/{session}/revocation", SIGNED_IN),
        ]
    }

    fn params(&self) -> Vec<Param> {
        vec![Param::new("session").value(|at| {
            Some(match at.place {
                Place::ForeignIds => at.foreign_session.to_string(),
                Place::UnknownIds => UNKNOWN.to_string(),
                _ => at.caller.session.to_string(),
            })
        })]
    }
}

const NEW_PASSWORD: [(&str, &str); 2] =
    [("current_password", PASSWORD), ("password", "another staple for 7 horses")];
const NEW_EMAIL: [(&str, &str); 2] = [("email", "new-address@example.com"), ("current_password", PASSWORD)];
