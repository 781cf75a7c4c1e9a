//! Makes the archive of a workspace, as it was at one moment.

use crate::{
    archive::file::{Buffer, WorkspaceOf, Writer},
    clock::{Clock, Timestamp},
    config::Config,
    domain::{
        OpenError,
        backup::{snapshot::Snapshot, tables::Cell},
    },
    private,
};
use sea_orm::DbErr;
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};
use uuid::Uuid;
use zip::result::ZipError;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("there is no workspace with the address {0}")]
    NoSuchWorkspace(String),
    #[error("can't write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("can't read the database: {0}")]
    Database(#[from] DbErr),
    #[error("can't put the archive together: {0}")]
    Zip(#[from] ZipError),
    #[error("{0}")]
    Sink(String),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Bytes of an archive that are handed on together.
pub const PART: usize = 256 * 1024;

/// Writes the archive of the workspace with this slug into a new file. Returns the number of its rows.
///
/// # Errors
/// [`CreateError`].
pub async fn create(config: &Config, slug: &str, path: &Path) -> Result<u64, CreateError> {
    let failed = |error| CreateError::Write { path: path.to_owned(), error };
    let mut snapshot = Snapshot::open(config).await?;
    let found = snapshot.workspace(slug).await?;
    let (id, name) = found.ok_or_else(|| CreateError::NoSuchWorkspace(slug.to_owned()))?;
    let mut file: File = private::new_file(path).map_err(failed)?;
    let written = write(&mut snapshot, id, slug, &name, Clock::system().now(), async |part, _| {
        file.write_all(&part).map_err(failed)
    })
    .await;
    let closed = snapshot.close().await;
    let kept = written.and_then(|rows| file.sync_all().map_err(failed).map(|()| rows));
    match kept.and_then(|rows| closed.map(|()| rows).map_err(CreateError::from)) {
        Ok(rows) => Ok(rows),
        Err(error) => {
            std::fs::remove_file(path).ok();
            Err(error)
        }
    }
}

/// Writes the archive of a workspace to `sink`, part by part, each with the number of rows until then. Returns the number
/// of all rows.
///
/// # Errors
/// [`CreateError`].
pub async fn write(
    snapshot: &mut Snapshot,
    workspace: Uuid,
    slug: &str,
    name: &str,
    now: Timestamp,
    mut sink: impl AsyncFnMut(Vec<u8>, u64) -> Result<(), CreateError>,
) -> Result<u64, CreateError> {
    let buffer = Buffer::default();
    let mut writer = Writer::begin(buffer.clone());
    let (mut rows, mut account) = (0, None);
    for (table, condition) in snapshot.archived() {
        writer.table(&table)?;
        let (writer, sink, rows, account) = (&mut writer, &mut sink, &mut rows, &mut account);
        let is_of_accounts = table.table == "accounts";
        let id = table.columns.iter().position(|column| column.name == "id");
        let each = async |cells: &[Cell]| {
            if is_of_accounts && let Some(Cell::Bytes(bytes)) = id.and_then(|at| cells.get(at)) {
                *account = Uuid::from_slice(bytes).ok();
            }
            writer.row(&table.columns, cells)?;
            *rows += 1;
            if buffer.len() >= PART {
                sink(buffer.take(), *rows).await?;
            }
            Ok::<_, CreateError>(())
        };
        snapshot.rows_of_workspace(&table, condition, workspace, each).await?;
    }
    let of = WorkspaceOf {
        id: workspace,
        account_id: account.unwrap_or_default(),
        slug: slug.to_owned(),
        name: name.to_owned(),
    };
    writer.finish(snapshot.steps.clone(), now, of)?;
    sink(buffer.take(), rows).await?;
    Ok(rows)
}
