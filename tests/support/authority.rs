//! A certificate authority of a test, which issues what it is asked for.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub struct Authority {
    dir: TempDir,
}

/// A certificate and its key, in PEM files.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        let name = authority.dir.path().file_name().unwrap().to_string_lossy().into_owned();
        let subject = format!("/CN=Authority {name}");
        let files = ["-keyout", "root.key", "-out", "root.pem", "-days", "2", "-subj", &subject];
        let root = [&["req", "-x509"][..], &files].concat();
        openssl(authority.dir.path(), &[&root[..], NEW_KEY].concat());
        authority
    }

    /// The certificate to trust.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }

    /// Issues a certificate for a host, or for a client of this name.
    pub fn issue(&self, name: &str) -> Certificate {
        self.issue_for(&[name], None)
    }

    /// Issues one certificate for hosts, and for an address if one is given.
    pub fn issue_for(&self, names: &[&str], address: Option<IpAddr>) -> Certificate {
        let dir = self.dir.path();
        let name = names.first().copied().unwrap_or("nobody");
        let all = names.iter().map(|name| format!("DNS:{name}"));
        let all: Vec<String> = all.chain(address.map(|address| format!("IP:{address}"))).collect();
        let file = |extension: &str| format!("{name}.{extension}");
        let (key, request, certificate, extensions) = (file("key"), file("csr"), file("pem"), file("ext"));
        std::fs::write(dir.join(&extensions), format!("subjectAltName={}\n", all.join(","))).unwrap();
        let subject = format!("/CN={name}");
        openssl(dir, &[&["req", "-keyout", &key, "-out", &request, "-subj", &subject], NEW_KEY].concat());
        let from =
            ["x509", "-req", "-in", &request, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
        openssl(dir, &[&from[..], &["-days", "2", "-extfile", &extensions, "-out", &certificate]].concat());
        Certificate { certificate: dir.join(certificate), key: dir.join(key) }
    }
}

const NEW_KEY: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn openssl(dir: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl is there");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
