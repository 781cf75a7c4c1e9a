//! The form of an archive: a zip, in which each table has a file of JSON objects, one a line, and `manifest.json` says what
//! there is, with a checksum of each.
//!
//! Ids are written as UUIDs, other bytes in hex, truth values as 0 and 1, and times as milliseconds since 1970.

use crate::{
    clock::Timestamp,
    domain::backup::tables::{Cell, Column, Kind, Table},
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    rc::Rc,
};
use uuid::Uuid;
use zip::{
    CompressionMethod, ZipArchive, ZipWriter,
    result::ZipError,
    write::{SimpleFileOptions, StreamWriter},
};

const FORMAT: &str = "bailiwick-workspace";
const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// The most bytes of a manifest: a line for each table, and for each step of the schema.
const MAX_MANIFEST: u64 = 256 * 1024;

/// The longest line: a row.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// How many times larger the content may be than the file. Rows that are all alike shrink to less than a hundredth.
const MAX_RATIO: u64 = 400;

/// Content of which nobody asks how much smaller the file is.
const SMALL: u64 = 64 * 1024 * 1024;

/// Why a file is no archive that can be imported. The sentence is for whoever imports it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{0} is not an export of a workspace")]
    NotAnArchive(PathBuf),
    #[error(
        "{path} was exported by a newer version of Bailiwick (format {version}). Import it with that version."
    )]
    Newer { path: PathBuf, version: u32 },
    #[error("{path} can't be imported: {what}")]
    Malformed { path: PathBuf, what: String },
}

/// What an archive says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The steps of the schema.
    pub schema: Vec<String>,
    pub exported_at: Timestamp,
    pub workspace: WorkspaceOf,
    pub files: Vec<FileOf>,
}

/// The workspace of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceOf {
    pub id: Uuid,
    pub account_id: Uuid,
    pub slug: String,
    pub name: String,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileOf {
    pub name: String,
    pub table: String,
    pub rows: u64,
    pub bytes: u64,
    /// In hex.
    pub sha256: String,
}

fn file_name(table: &str) -> String {
    format!("{table}.jsonl")
}

// ---- writing --------------------------------------------------------------------------------------

/// Bytes that are written and not taken yet.
#[derive(Clone, Default)]
pub(super) struct Buffer(Rc<RefCell<Vec<u8>>>);

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.borrow_mut())
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an archive.
pub(super) struct Writer {
    zip: ZipWriter<StreamWriter<Buffer>>,
    files: Vec<FileOf>,
    hash: Sha256,
    line: Vec<u8>,
}

fn options() -> SimpleFileOptions {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    options.large_file(true).unix_permissions(0o600)
}

impl Writer {
    pub(super) fn begin(out: Buffer) -> Self {
        Self { zip: ZipWriter::new_stream(out), files: Vec::new(), hash: Sha256::new(), line: Vec::new() }
    }

    /// Begins the file of a table.
    ///
    /// # Errors
    /// The library's own, here and below.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), ZipError> {
        self.end_file();
        let (name, table) = (file_name(&table.table), table.table.clone());
        self.zip.start_file(&*name, options())?;
        self.files.push(FileOf { name, table, rows: 0, bytes: 0, sha256: String::new() });
        Ok(())
    }

    pub(super) fn row(&mut self, columns: &[Column], cells: &[Cell]) -> Result<(), ZipError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, &Row(columns, cells)).map_err(io::Error::from)?;
        self.line.push(b'\n');
        self.zip.write_all(&self.line)?;
        self.hash.update(&self.line);
        if let Some(file) = self.files.last_mut() {
            file.rows += 1;
            file.bytes += self.line.len() as u64;
        }
        Ok(())
    }

    fn end_file(&mut self) {
        let hash = std::mem::take(&mut self.hash);
        if let Some(file) = self.files.last_mut() {
            file.sha256 = hex::encode(hash.finalize());
        }
    }

    pub(super) fn finish(
        mut self,
        schema: Vec<String>,
        exported_at: Timestamp,
        workspace: WorkspaceOf,
    ) -> Result<(), ZipError> {
        self.end_file();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            exported_at,
            workspace,
            files: self.files,
        };
        self.zip.start_file(MANIFEST, options())?;
        serde_json::to_writer_pretty(&mut self.zip, &manifest).map_err(io::Error::from)?;
        self.zip.finish()?;
        Ok(())
    }
}

/// A row as an object.
struct Row<'a>(&'a [Column], &'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in self.0.iter().zip(self.1) {
            match cell {
                Cell::Null => object.serialize_entry(&column.name, &()),
                Cell::Integer(number) => object.serialize_entry(&column.name, number),
                Cell::Text(text) => object.serialize_entry(&column.name, text),
                Cell::Bytes(bytes) => match Uuid::from_slice(bytes) {
                    Ok(id) => object.serialize_entry(&column.name, &id),
                    Err(_) => object.serialize_entry(&column.name, &hex::encode(bytes)),
                },
            }?;
        }
        object.end()
    }
}

// ---- reading --------------------------------------------------------------------------------------

/// An archive whose files are as its manifest says.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    pub(super) manifest: Manifest,
}

impl Archive {
    /// Opens an archive and reads all of it once. `tables` are those that an archive may have.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn open(path: &Path, tables: &[&str]) -> Result<Self, FileError> {
        let read = |error| FileError::Read { path: path.to_owned(), error };
        let metadata = path.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(FileError::NotAnArchive(path.to_owned()));
        }
        let file = BufReader::new(File::open(path).map_err(read)?);
        let mut zip = ZipArchive::new(file).map_err(|_| FileError::NotAnArchive(path.to_owned()))?;
        let mut archive = Self { path: path.to_owned(), manifest: read_manifest(path, &mut zip)?, zip };
        archive.check_names(tables)?;
        archive.check_size(metadata.len())?;
        for file in archive.manifest.files.clone() {
            archive.check_file(&file)?;
        }
        Ok(archive)
    }

    fn malformed(&self, what: impl Into<String>) -> FileError {
        FileError::Malformed { path: self.path.clone(), what: what.into() }
    }

    /// There are the files of the manifest and no other, each of a table that an archive may have.
    fn check_names(&self, tables: &[&str]) -> Result<(), FileError> {
        let files = &self.manifest.files;
        let is_known = |file: &FileOf| tables.contains(&&*file.table) && file.name == file_name(&file.table);
        if let Some(file) = files.iter().find(|file| !is_known(file)) {
            return Err(self.malformed(format!("it has the file {:?}, which no export has", file.name)));
        }
        let mut named: Vec<&str> = files.iter().map(|file| &*file.name).chain([MANIFEST]).collect();
        let mut found: Vec<_> = self.zip.file_names().filter_map(Result::ok).collect();
        named.sort_unstable();
        found.sort_unstable();
        match self.zip.len() == named.len() && found == named {
            true => Ok(()),
            false => Err(self.malformed("its files are not those that its manifest lists")),
        }
    }

    /// Its content is no more than what such a file can hold of rows.
    fn check_size(&self, length: u64) -> Result<(), FileError> {
        let bytes = self.manifest.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.bytes));
        match bytes {
            Some(bytes) if bytes <= SMALL.max(length.saturating_mul(MAX_RATIO)) => Ok(()),
            _ => Err(self.malformed("it says that it holds more than a file of its size can hold")),
        }
    }

    fn check_file(&mut self, file: &FileOf) -> Result<(), FileError> {
        let mut lines = self.lines(file)?;
        let (mut hash, mut rows, mut bytes) = (Sha256::new(), 0, 0);
        while let Some(line) = lines.next()? {
            hash.update(line);
            bytes += line.len() as u64;
            rows += 1;
        }
        drop(lines);
        let is_same = rows == file.rows && bytes == file.bytes && hex::encode(hash.finalize()) == file.sha256;
        match is_same {
            true => Ok(()),
            false => {
                Err(self.malformed(format!("{} is not what was exported: its checksum is wrong", file.name)))
            }
        }
    }

    /// The lines of a file.
    ///
    /// # Errors
    /// [`FileError`], here and below.
    pub(super) fn lines(&mut self, file: &FileOf) -> Result<Lines<'_>, FileError> {
        let (path, name) = (self.path.clone(), file.name.clone());
        let entry = self.zip.by_name(&name);
        let what =
            |error: ZipError| FileError::Malformed { path: path.clone(), what: format!("{name}: {error}") };
        // One byte more than there may be shows that there is more.
        let entry = entry.map_err(what)?.take(file.bytes.saturating_add(1));
        Ok(Lines {
            content: BufReader::new(Box::new(entry)),
            line: Vec::new(),
            path: self.path.clone(),
            name: file.name.clone(),
        })
    }
}

/// The lines of a file, one after the other.
pub(super) struct Lines<'a> {
    content: BufReader<Box<dyn Read + 'a>>,
    line: Vec<u8>,
    path: PathBuf,
    name: String,
}

impl Lines<'_> {
    /// The next line, with its end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FileError> {
        self.line.clear();
        let read = (&mut self.content).take(MAX_LINE).read_until(b'\n', &mut self.line);
        if let Err(error) = read {
            return Err(self.malformed(&error.to_string()));
        }
        match self.line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(&self.line)),
            Some(_) => Err(self.malformed("a line has no end")),
        }
    }

    /// The next row, in the order of the columns.
    pub(super) fn row(&mut self, columns: &[Column]) -> Result<Option<Vec<Cell>>, FileError> {
        let Some(line) = self.next()? else { return Ok(None) };
        let object: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
        let row = object.filter(|object| object.len() == columns.len()).and_then(|mut object| {
            columns.iter().map(|column| cell(object.remove(&column.name)?, column.kind)).collect()
        });
        match row {
            Some(row) => Ok(Some(row)),
            None => Err(self.malformed("a row does not fit its table")),
        }
    }

    pub(super) fn malformed(&self, what: &str) -> FileError {
        FileError::Malformed { path: self.path.clone(), what: format!("{}: {what}", self.name) }
    }
}

fn read_manifest(path: &Path, zip: &mut ZipArchive<BufReader<File>>) -> Result<Manifest, FileError> {
    #[derive(Deserialize)]
    struct Version {
        format: String,
        version: u32,
    }
    let not = || FileError::NotAnArchive(path.to_owned());
    let mut text = Vec::new();
    let entry = zip.by_name(MANIFEST).map_err(|_| not())?;
    entry.take(MAX_MANIFEST + 1).read_to_end(&mut text).map_err(|_| not())?;
    if text.len() as u64 > MAX_MANIFEST {
        return Err(not());
    }
    let version: Version = serde_json::from_slice(&text).map_err(|_| not())?;
    if version.format != FORMAT {
        return Err(not());
    }
    if version.version > VERSION {
        return Err(FileError::Newer { path: path.to_owned(), version: version.version });
    }
    serde_json::from_slice(&text)
        .map_err(|error| FileError::Malformed { path: path.to_owned(), what: format!("{MANIFEST}: {error}") })
}

fn cell(value: Value, kind: Kind) -> Option<Cell> {
    Some(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        (Kind::Integer, Value::Number(number)) => Cell::Integer(number.as_i64()?),
        // PostgreSQL takes no NUL, so no text that was exported has one.
        (Kind::Text, Value::String(text)) if !text.contains('\0') => Cell::Text(text),
        (Kind::Bytes, Value::String(text)) => Cell::Bytes(match Uuid::try_parse(&text) {
            Ok(id) if text == id.to_string() => id.as_bytes().to_vec(),
            _ => hex::decode(text).ok()?,
        }),
        _ => return None,
    })
}
