//! The file of a backup:
//!
//! ```text
//! bailiwick-backup 1
//! (gzip of lines of JSON: the header; then each table, and each of its rows)
//! bailiwick-backup
//! sha256 5f0c… (of all that is before these lines)
//!
//! — bailiwick-backup 5mXg7… (a signature of these two lines, as https://c2sp.org/signed-note has it)
//! ```

use crate::{
    backup::keys::{NAME, SealedKeys},
    clock::Timestamp,
    domain::backup::tables::{Cell, Kind, Table},
    note::{self, Signer, Verifier},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Take, Write},
    path::{Path, PathBuf},
};

/// What a file begins with, before the number of its version.
const MAGIC: &str = "bailiwick-backup ";
const VERSION: u32 = 1;
/// The length of the signed note at the end, in bytes.
const NOTE_LENGTH: usize = 204;

/// Why a file is no usable backup. The sentence is for whoever restores it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{0} is not a backup of Bailiwick")]
    NotABackup(PathBuf),
    #[error("{0} is not a file. A backup is read more than once: copy it into a file first.")]
    NotAFile(PathBuf),
    #[error(
        "{path} was written by a newer version of Bailiwick (format {version}). Restore it with that version."
    )]
    Newer { path: PathBuf, version: u32 },
    #[error(
        "{0} is damaged or incomplete: its checksum is wrong. Use another copy of it, or an earlier backup."
    )]
    Damaged(PathBuf),
    #[error("{path} can't be read, although its checksum is right: {what}")]
    Malformed { path: PathBuf, what: String },
}

/// What a backup says about itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    /// When it was begun: everything that was committed before is in it.
    pub at: Timestamp,
    /// The version of the program.
    pub version: String,
    /// The steps of the schema.
    pub steps: Vec<String>,
    /// The key that verifies the signature of the file, and so says whose backup it is.
    pub key: String,
    /// The key that verifies checkpoints of the audit record.
    pub audit_key: String,
    /// The secret keys, if there was a passphrase.
    pub sealed: Option<SealedKeys>,
    /// Copies of checkpoints from the data folder.
    pub checkpoints: String,
}

// ---- writing --------------------------------------------------------------------------------------

pub(super) struct Writer {
    lines: GzEncoder<Hashed>,
    line: Vec<u8>,
}

impl Writer {
    /// # Errors
    /// The system's own, here and below.
    pub fn begin(file: File, header: &Header) -> io::Result<Self> {
        let mut out = Hashed { file: BufWriter::new(file), hash: Sha256::new() };
        out.write_all(format!("{MAGIC}{VERSION}\n").as_bytes())?;
        let mut writer = Self { lines: GzEncoder::new(out, Compression::fast()), line: Vec::new() };
        writer.line(header)?;
        Ok(writer)
    }

    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        self.line(table)
    }

    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.line(&Row(cells))
    }

    /// Signs what was written, and waits until the disk has it.
    pub fn finish(self, signer: &Signer) -> io::Result<()> {
        let Hashed { mut file, hash } = self.lines.finish()?;
        file.write_all(signer.sign(&signed_text(hash)).as_bytes())?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    fn line(&mut self, content: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, content)?;
        self.line.push(b'\n');
        self.lines.write_all(&self.line)
    }
}

struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn signed_text(hash: Sha256) -> String {
    format!("{NAME}\nsha256 {}\n", hex::encode(hash.finalize()))
}

struct Row<'a>(&'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(self.0.len()))?;
        for cell in self.0 {
            match cell {
                Cell::Null => row.serialize_element(&()),
                Cell::Integer(number) => row.serialize_element(number),
                Cell::Text(text) => row.serialize_element(text),
                Cell::Bytes(bytes) => row.serialize_element(&BASE64.encode(bytes)),
            }?;
        }
        row.end()
    }
}

// ---- reading --------------------------------------------------------------------------------------

/// A file whose checksum is right.
pub(super) struct Checked {
    path: PathBuf,
    file: File,
    /// Where the lines begin and end.
    lines: (u64, u64),
    /// The signed note at the end.
    note: String,
}

impl Checked {
    /// Reads the whole file once.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let read = |error| FileError::Read { path: path.to_owned(), error };
        let damaged = || FileError::Damaged(path.to_owned());
        // Opening a pipe would wait for whoever writes into it.
        if !path.metadata().map_err(read)?.is_file() {
            return Err(FileError::NotAFile(path.to_owned()));
        }
        let mut file = File::open(path).map_err(read)?;
        let start = check_version(path, &mut file)?;
        let length = file.metadata().map_err(read)?.len();
        let end = length.checked_sub(NOTE_LENGTH as u64).filter(|end| *end > start).ok_or_else(damaged)?;
        file.rewind().map_err(read)?;
        let mut hash = Sha256::new();
        let mut bytes = BufReader::new((&file).take(end));
        loop {
            let part = bytes.fill_buf().map_err(read)?;
            if part.is_empty() {
                break;
            }
            hash.update(part);
            let length = part.len();
            bytes.consume(length);
        }
        file.seek(SeekFrom::Start(end)).map_err(read)?;
        let mut note = String::new();
        // Not even a text, if it is damaged.
        file.read_to_string(&mut note).map_err(|_| damaged())?;
        match note.starts_with(&signed_text(hash)) {
            true => Ok(Self { path: path.to_owned(), file, lines: (start, end), note }),
            false => Err(damaged()),
        }
    }

    /// Whether the holder of this key wrote it as it is.
    pub fn is_signed_by(&self, key: &Verifier) -> bool {
        note::verified(&self.note, std::slice::from_ref(key)).is_some()
    }

    /// Reads its lines.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(&self) -> Result<(Header, Entries<'_>), FileError> {
        let (start, end) = self.lines;
        let read = |error| FileError::Read { path: self.path.clone(), error };
        (&self.file).seek(SeekFrom::Start(start)).map_err(read)?;
        let bytes = BufReader::new((&self.file).take(end - start));
        let lines = BufReader::new(GzDecoder::new(bytes));
        let mut entries = Entries { path: &self.path, lines, line: String::new(), table: None };
        let header: Result<Header, String> = match entries.line()? {
            Some(line) => serde_json::from_str(line).map_err(|error| error.to_string()),
            None => Err("it has no header".to_owned()),
        };
        Ok((header.map_err(|what| entries.malformed(what))?, entries))
    }
}

/// The length of the first line.
fn check_version(path: &Path, file: &mut File) -> Result<u64, FileError> {
    let mut first = Vec::new();
    let read = BufReader::new(file.take(40)).read_until(b'\n', &mut first);
    read.map_err(|error| FileError::Read { path: path.to_owned(), error })?;
    let version =
        first.strip_prefix(MAGIC.as_bytes()).ok_or_else(|| FileError::NotABackup(path.to_owned()))?;
    let version = version.strip_suffix(b"\n").and_then(|version| std::str::from_utf8(version).ok());
    match version.and_then(|version| version.parse().ok()) {
        Some(VERSION) => Ok(first.len() as u64),
        Some(version) => Err(FileError::Newer { path: path.to_owned(), version }),
        None => Err(FileError::Damaged(path.to_owned())),
    }
}

/// Whether this file begins as a backup does.
///
/// # Errors
/// The system's own.
pub(super) fn is_backup(path: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut first)?;
    Ok(first == MAGIC.as_bytes())
}

pub(super) struct Entries<'a> {
    path: &'a Path,
    lines: BufReader<GzDecoder<BufReader<Take<&'a File>>>>,
    line: String,
    table: Option<Table>,
}

pub(super) enum Entry {
    /// The rows that follow are its.
    Table(Table),
    Row(Vec<Cell>),
}

impl Entries<'_> {
    /// # Errors
    /// [`FileError`].
    pub fn next(&mut self) -> Result<Option<Entry>, FileError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let entry = match (line.starts_with('['), serde_json::from_str::<Value>(line)) {
            (_, Err(error)) => Err(error.to_string()),
            (true, Ok(row)) => {
                self.row(row).ok_or_else(|| "a row does not fit its table".to_owned()).map(Entry::Row)
            }
            (false, Ok(table)) => {
                serde_json::from_value(table).map_err(|error| error.to_string()).map(Entry::Table)
            }
        };
        let entry = entry.map_err(|what| self.malformed(what))?;
        if let Entry::Table(table) = &entry {
            self.table = Some(table.clone());
        }
        Ok(Some(entry))
    }

    fn row(&self, row: Value) -> Option<Vec<Cell>> {
        let (Value::Array(values), Some(table)) = (row, &self.table) else { return None };
        if values.len() != table.columns.len() {
            return None;
        }
        let cells = values.into_iter().zip(&table.columns);
        cells.map(|(value, column)| cell(value, column.kind)).collect()
    }

    fn line(&mut self) -> Result<Option<&str>, FileError> {
        self.line.clear();
        match self.lines.read_line(&mut self.line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(&self.line)),
            Err(error) => Err(self.malformed(error.to_string())),
        }
    }

    fn malformed(&self, what: String) -> FileError {
        FileError::Malformed { path: self.path.to_owned(), what }
    }
}

fn cell(value: Value, kind: Kind) -> Option<Cell> {
    Some(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        (Kind::Integer, Value::Number(number)) => Cell::Integer(number.as_i64()?),
        (Kind::Text, Value::String(text)) => Cell::Text(text),
        (Kind::Bytes, Value::String(text)) => Cell::Bytes(BASE64.decode(text).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::tables::Column;
    use std::fs;

    fn signer(byte: u8) -> Signer {
        Signer::new(NAME, &[byte; 32])
    }

    fn header() -> Header {
        let key = signer(1).verifier().to_string();
        Header {
            at: Timestamp::from_millis(1_800_000_000_000),
            version: "1".into(),
            steps: vec!["one".into()],
            audit_key: key.clone(),
            key,
            sealed: None,
            checkpoints: String::new(),
        }
    }

    fn table() -> Table {
        let column = |name: &str, kind| Column { name: name.into(), kind };
        let columns = [("n", Kind::Integer), ("t", Kind::Text), ("b", Kind::Bytes)];
        Table { table: "things".into(), columns: columns.map(|(name, kind)| column(name, kind)).into() }
    }

    fn rows() -> [Vec<Cell>; 3] {
        [
            vec![
                Cell::Integer(i64::MIN),
                Cell::Text("a \"line\"\nand \u{1F511}".into()),
                Cell::Bytes(vec![0, 255]),
            ],
            vec![Cell::Null, Cell::Null, Cell::Null],
            vec![Cell::Integer(1), Cell::Text(String::new()), Cell::Bytes(Vec::new())],
        ]
    }

    fn write(path: &Path) {
        let mut writer = Writer::begin(File::create(path).expect("made"), &header()).expect("begun");
        writer.table(&table()).expect("written");
        rows().iter().for_each(|row| writer.row(row).expect("written"));
        writer.finish(&signer(1)).expect("finished");
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_says_who_wrote_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("one");
        write(&path);
        let checked = Checked::open(&path).expect("whole");
        assert!(checked.is_signed_by(&signer(1).verifier()) && !checked.is_signed_by(&signer(2).verifier()));
        // Twice from the start.
        for _ in 0..2 {
            let (read, mut entries) = checked.read().expect("a header");
            assert_eq!((read.key, read.steps), (header().key, header().steps));
            assert!(matches!(entries.next(), Ok(Some(Entry::Table(read))) if read == table()));
            for row in rows() {
                assert!(matches!(entries.next(), Ok(Some(Entry::Row(read))) if read == row));
            }
            assert!(matches!(entries.next(), Ok(None)));
        }
    }

    #[test]
    fn a_file_with_any_bit_changed_or_any_part_missing_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, other) = (dir.path().join("one"), dir.path().join("other"));
        write(&path);
        let whole = fs::read(&path).expect("read");
        let is_refused = |bytes: &[u8]| {
            fs::write(&other, bytes).expect("written");
            !Checked::open(&other).is_ok_and(|checked| checked.is_signed_by(&signer(1).verifier()))
        };
        assert!(!is_refused(&whole));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(is_refused(&changed), "changed at {at}");
            assert!(is_refused(&whole[..at]), "cut off at {at}");
        }
        assert!(is_refused(&[whole.as_slice(), b"\n"].concat()));
        assert!(is_refused(&[b"\n", whole.as_slice()].concat()));
    }

    #[test]
    fn a_refusal_says_why() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("one");
        let refusal = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("written");
            Checked::open(&path).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refusal(b"SQLite format 3\0").contains("is not a backup"));
        assert!(refusal(b"bailiwick-backup 2\nwhatever").contains("newer version"));
        assert!(refusal(b"bailiwick-backup 1\nshort").contains("damaged or incomplete"));
        assert!(refusal(b"bailiwick-backup x\n").contains("damaged or incomplete"));
    }
}
