//! Why mail cannot be set up.

/// Why mail cannot be set up. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    #[error(
        "the sender of e-mail is not a valid address: {0}. Set BAILIWICK_MAIL_FROM to an address such as access@example.com."
    )]
    From(String),
    #[error("BAILIWICK_MAIL is not a valid mail server address: {0}")]
    Smtp(lettre::transport::smtp::Error),
    #[error("BAILIWICK_MAIL is not a valid mail server address: it names no host")]
    Url,
    #[error("connections to a mail server can't be encrypted here: {0}")]
    Tls(rustls::Error),
    #[error("can't create the mail folder: {0}")]
    Folder(#[from] std::io::Error),
}
