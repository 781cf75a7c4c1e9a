//! The unit for systemd, and the settings that come with it.

use crate::support::{program, *};
use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("systemd-analyze is there")
}

fn written(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

#[test]
fn the_exposure_of_the_unit_is_at_most_1_5() {
    let unit = packaging("bailiwick.service");
    let done = analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"], &unit);
    assert!(done.status.success(), "{}", written(&done));
    // And not because the option is unknown, or the unit was not read.
    assert!(
        written(&done).contains("Overall exposure level for bailiwick.service: 1."),
        "{}",
        written(&done)
    );
}

#[test]
fn systemd_knows_every_line_of_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("bailiwick.service");
    let text = fs::read_to_string(packaging("bailiwick.service")).unwrap();
    let installed = "/usr/bin/bailiwick serve";
    assert!(text.contains(installed));
    fs::write(&unit, text.replace(installed, concat!(env!("CARGO_BIN_EXE_bailiwick"), " serve"))).unwrap();
    let done = analyze(&["verify", "--man=no"], &unit);
    let lines = written(&done);
    let ours: Vec<_> = lines.lines().filter(|line| line.contains("bailiwick.service")).collect();
    assert!(done.status.success() && ours.is_empty(), "{lines}");
}

#[test]
fn systemd_learns_when_requests_are_accepted() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
        let path = dir.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
        let _server =
            Program::serve(&database, dir.path(), &[("NOTIFY_SOCKET", path.to_str().unwrap())]).await;
        let mut message = [0; 256];
        let length = systemd.recv(&mut message).expect("a message");
        assert_eq!(String::from_utf8_lossy(&message[..length]).trim(), "READY=1");
    });
}

/// The settings of the package as they are installed, or those that it names as examples.
fn packaged_settings(prefix: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(packaging("bailiwick.default")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
    let settings =
        lines.filter(|line| line.starts_with("BAILIWICK_")).map(|line| line.split_once('=').unwrap());
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_settings_of_the_package_are_accepted() {
    let installed = packaged_settings("");
    let mut examples = packaged_settings("#");
    // Files that are examples, too.
    examples.retain(|(_, value)| !value.starts_with("/etc/"));
    assert!(installed.len() >= 4 && examples.len() >= 4, "{installed:?} {examples:?}");
    let key = ("BAILIWICK_SECRET_KEY".to_owned(), "07".repeat(32));
    let with_examples = [installed.clone(), examples, vec![key]].concat();
    for (settings, database) in
        [(installed, "sqlite:///var/lib/bailiwick/bailiwick.db"), (with_examples, "db.example.com")]
    {
        let dir = tempfile::tempdir().unwrap();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let done = program::run(dir.path(), &["check-config"], &settings);
        assert!(done.status.success() && written(&done).contains(database), "{}", written(&done));
    }
}
