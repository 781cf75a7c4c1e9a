//! Verifies the whole record: each chain, the heads, the names, the signed checkpoints, and copies of checkpoints
//! that were kept elsewhere. `docs/audit.md` says which alteration is found by what.

mod erasures;
mod walk;

use crate::{
    domain::{
        base::{db::Db, refused::Refused, sql::Sql},
        enforce::{
            chain::{Chain, Head},
            checkpoint::{self, Checkpoint},
            verify::walk::{Says, Walk, walk},
        },
    },
    note::{self, Verifier},
};
use migration::audit_guards;
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use uuid::Uuid;

/// What verifying the record showed.
#[derive(Debug, Default)]
pub struct Report {
    /// The chains that were read, with the number of their events.
    pub chains: Vec<(Chain, i64)>,
    /// What was altered. The record is whole if there is nothing here.
    pub findings: Vec<Finding>,
    /// Names and addresses that were erased, as the record says they were.
    pub erased: i64,
    /// The latest checkpoint whose signature is valid.
    pub checkpoint: Option<Checkpoint>,
    /// Events that no checkpoint commits to yet.
    pub unsigned: i64,
    /// The number of events in the installation's chain.
    pub end: i64,
    /// Checkpoints in copies that have seen more than that.
    pub ahead: Vec<Ahead>,
    /// No key was given, so that checkpoints were compared, and their signatures not verified.
    pub is_unverified: bool,
}

/// One thing that was altered, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub chain: Chain,
    /// The number of the first event that shows it, where it is one event.
    pub seq: Option<i64>,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "{}  ALTERED at event {seq}: {}", self.chain, self.what),
            None => write!(f, "{}  ALTERED: {}", self.chain, self.what),
        }
    }
}

/// A checkpoint that was signed after the last event that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The name of the copy that has it.
    pub copy: String,
    pub checkpoint: Checkpoint,
}

/// A copy of signed checkpoints that was kept outside the database.
pub struct Copy {
    /// Its name in findings, such as a path.
    pub name: String,
    /// Signed notes, one after the other.
    pub notes: String,
}

/// Verifies everything there is. `keys` are those whose signatures count. A copy that has seen more than there is
/// shows that the record was set back.
///
/// Others may write meanwhile: the record is verified as it is when the heads are read, which one statement does.
///
/// # Errors
/// The database's own.
pub async fn verify(db: &Db, keys: &[Verifier], copies: &[Copy]) -> Result<Report, Refused> {
    let mut report = verify_restored(db.read(), keys, copies).await?;
    for ahead in std::mem::take(&mut report.ahead) {
        let end = report.end;
        let what = format!(
            "the record was set back: a checkpoint in {} has seen {} events, and there are {end}",
            ahead.copy, ahead.checkpoint.head.seq
        );
        report.find(Chain::Installation, end + 1, what);
    }
    Ok(report)
}

/// [`verify`] for a backup that is being restored, which is an earlier state by design: copies that have seen more
/// than there is are in [`Report::ahead`], and are no findings.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn verify_restored(
    db: &impl ConnectionTrait,
    keys: &[Verifier],
    copies: &[Copy],
) -> Result<Report, Refused> {
    let mut report = Report { is_unverified: keys.is_empty(), ..Report::default() };
    for what in audit_guards::altered(db).await? {
        report.find(Chain::Installation, None, what);
    }
    let heads = heads(db).await?;
    let until = |chain: Chain| heads.get(&chain).map_or(i64::MAX, |stored| stored.head.seq);
    let end = until(Chain::Installation);
    let stored = Checkpoints::load(db, end).await?;
    let copies = report.read_copies(keys, copies);
    let wanted = stored.notes.keys().chain(copies.iter().map(|(_, copy)| &copy.head.seq)).copied().collect();
    let installation = walk(db, Chain::Installation, end, &wanted).await?;
    report.end = installation.head.seq;
    report.judge(Chain::Installation, &installation, heads.get(&Chain::Installation), &BTreeMap::new());
    report.judge_end(db, Chain::Installation, installation.head.seq).await?;
    report.judge_checkpoints(db, &installation, keys, &stored).await?;
    report.judge_copies(&installation, &copies);
    report.erased = installation.erased;
    for chain in every_chain(db, &heads, &installation.says).await? {
        if !heads.contains_key(&chain) && head(db, chain).await?.is_some() {
            // It began meanwhile.
            continue;
        }
        let sealed = checkpoint::sealed(db, chain, end).await?;
        let walk = walk(db, chain, until(chain), &sealed.keys().copied().collect()).await?;
        report.judge(chain, &walk, heads.get(&chain), &sealed);
        report.judge_end(db, chain, walk.head.seq).await?;
        report.judge_start(chain, &walk, &installation.says);
        report.erased += walk.erased;
    }
    report.judge_erasures(db, &installation).await?;
    report.judge_strangers(db).await?;
    Ok(report)
}

/// The checkpoint of a note that one of the keys signed; of any note where there are none.
fn read_note(note: &str, keys: &[Verifier]) -> Option<Checkpoint> {
    let text = if keys.is_empty() { Some(note) } else { note::verified(note, keys) };
    text.and_then(Checkpoint::parse)
}

#[derive(FromQueryResult)]
struct HeadRow {
    kind: String,
    id: Uuid,
    seq: i64,
    hash: Vec<u8>,
    sealed: bool,
}

/// A head as it is stored.
struct StoredHead {
    head: Head,
    /// It is marked as being in a checkpoint.
    is_sealed: bool,
}

impl HeadRow {
    fn stored(self) -> StoredHead {
        StoredHead { head: Head { seq: self.seq, hash: self.hash }, is_sealed: self.sealed }
    }
}

async fn heads(db: &impl ConnectionTrait) -> Result<BTreeMap<Chain, StoredHead>, Refused> {
    let rows: Vec<HeadRow> =
        db.all("SELECT kind, id, seq, hash, sealed FROM audit_chains", Vec::new()).await?;
    let head = |row: HeadRow| Some((Chain::new(&row.kind, row.id)?, row.stored()));
    Ok(rows.into_iter().filter_map(head).collect())
}

/// The head of one chain as it is now.
async fn head(db: &impl ConnectionTrait, chain: Chain) -> Result<Option<Head>, Refused> {
    let sql = "SELECT kind, id, seq, hash, sealed FROM audit_chains WHERE kind = $1 AND id = $2";
    let row: Option<HeadRow> = db.first(sql, vec![chain.kind().into(), chain.id().into()]).await?;
    Ok(row.map(|row| row.stored().head))
}

/// Checkpoints as they are stored, without those that were signed meanwhile. One that is ahead of the chain even
/// now is another matter.
struct Checkpoints {
    /// The signed notes, by the number of the event that they are about.
    notes: BTreeMap<i64, String>,
    /// Those that heads name.
    with_heads: BTreeSet<i64>,
}

impl Checkpoints {
    async fn load(db: &impl ConnectionTrait, end: i64) -> Result<Self, Refused> {
        #[derive(FromQueryResult)]
        struct Note {
            seq: i64,
            note: String,
        }
        #[derive(FromQueryResult)]
        struct Named {
            checkpoint: i64,
        }
        let notes: Vec<Note> = db.all("SELECT seq, note FROM audit_checkpoints", Vec::new()).await?;
        let named = "SELECT DISTINCT checkpoint FROM audit_checkpoint_heads";
        let named: Vec<Named> = db.all(named, Vec::new()).await?;
        let now = head(db, Chain::Installation).await?.map_or(0, |head| head.seq);
        let is_newer = |checkpoint: i64| end < checkpoint && checkpoint <= now;
        let notes = notes.into_iter().filter(|row| !is_newer(row.seq)).map(|row| (row.seq, row.note));
        let named = named.into_iter().map(|row| row.checkpoint).filter(|checkpoint| !is_newer(*checkpoint));
        Ok(Self { notes: notes.collect(), with_heads: named.collect() })
    }
}

/// Every chain that anything speaks of, and those of all there is, but for the installation's.
async fn every_chain(
    db: &impl ConnectionTrait,
    heads: &BTreeMap<Chain, StoredHead>,
    says: &Says,
) -> Result<BTreeSet<Chain>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: String,
        id: Uuid,
    }
    let sql = "SELECT DISTINCT 'workspace' AS kind, workspace_id AS id FROM audit_events
            WHERE workspace_id IS NOT NULL
        UNION ALL SELECT DISTINCT 'account', account_id FROM audit_events
            WHERE workspace_id IS NULL AND account_id IS NOT NULL
        UNION ALL SELECT DISTINCT 'user', user_id FROM audit_events WHERE user_id IS NOT NULL
        UNION ALL SELECT 'workspace', id FROM workspaces
        UNION ALL SELECT 'account', id FROM accounts
        UNION ALL SELECT 'user', id FROM users
        UNION ALL SELECT DISTINCT h.kind, h.id FROM audit_checkpoint_heads h
            WHERE NOT EXISTS (SELECT 1 FROM audit_chains c WHERE c.kind = h.kind AND c.id = h.id)";
    let rows: Vec<Row> = db.all(sql, Vec::new()).await?;
    let mut all: BTreeSet<Chain> = rows.iter().filter_map(|row| Chain::new(&row.kind, row.id)).collect();
    all.extend(heads.keys().chain(&says.started));
    all.remove(&Chain::Installation);
    Ok(all)
}

impl Report {
    fn find(&mut self, chain: Chain, seq: impl Into<Option<i64>>, what: impl Into<String>) {
        self.findings.push(Finding { chain, seq: seq.into(), what: what.into() });
    }

    /// A chain fits itself, its head, and the heads that checkpoints commit to.
    fn judge(
        &mut self,
        chain: Chain,
        walk: &Walk,
        stored: Option<&StoredHead>,
        sealed: &BTreeMap<i64, Vec<u8>>,
    ) {
        let end = walk.head.seq;
        if end > 0 {
            self.chains.push((chain, end));
        }
        if let Some((seq, what)) = walk.broken {
            self.find(chain, seq, what);
        }
        let newest = sealed.keys().next_back().copied().unwrap_or(0);
        match stored {
            None => self.find(chain, None, "its head is missing"),
            Some(StoredHead { head, .. }) if head.seq != end => {
                let what = format!("its head says that it has {} events, and it has {end}", head.seq);
                self.find(chain, end.min(head.seq) + 1, what);
            }
            Some(StoredHead { head, .. }) if head.hash != walk.head.hash => {
                self.find(chain, end, "its head has another hash");
            }
            Some(stored) if stored.is_sealed && end != newest && chain != Chain::Installation => {
                self.find(chain, end, "its head is marked as being in a checkpoint, and none has it");
            }
            Some(_) => {}
        }
        match sealed.iter().find(|(seq, hash)| walk.hashes.get(*seq) != Some(*hash)) {
            Some((seq, _)) if *seq > end => {
                self.find(chain, end + 1, format!("a checkpoint has seen {seq} events, and it has {end}"));
            }
            Some((seq, _)) => self.find(chain, *seq, "it is not the event that a checkpoint has seen"),
            None => {}
        }
        if chain != Chain::Installation {
            self.unsigned += end - newest.min(end);
        }
    }

    /// There are no events after the head, which moves with them.
    async fn judge_end(&mut self, db: &impl ConnectionTrait, chain: Chain, end: i64) -> Result<(), Refused> {
        #[derive(FromQueryResult)]
        struct Row {
            seq: Option<i64>,
        }
        let sql = format!(
            "SELECT MAX(e.seq) AS seq FROM audit_events e WHERE {} AND e.seq > $2",
            chain.condition()
        );
        let row: Option<Row> = db.first(&sql, vec![chain.id().into(), end.into()]).await?;
        if let Some(last) = row.and_then(|row| row.seq)
            && head(db, chain).await?.is_none_or(|head| head.seq < last)
        {
            self.find(chain, end + 1, "there are events after its head");
        }
        Ok(())
    }

    /// The installation's chain knows of each chain that has events, and of no other.
    fn judge_start(&mut self, chain: Chain, walk: &Walk, says: &Says) {
        match (walk.head.seq > 0, says.started.contains(&chain)) {
            (false, true) => self.find(chain, None, "it was started, and has no events"),
            (true, false) => self.find(chain, None, "the installation's chain does not know of its start"),
            // A workspace is created with an event.
            (false, false) if matches!(chain, Chain::Workspace(_)) => {
                self.find(chain, None, "it has no events, not even of its creation");
            }
            _ => {}
        }
    }

    /// Each checkpoint that the installation's chain speaks of is signed, and its heads are there; and no other.
    async fn judge_checkpoints(
        &mut self,
        db: &impl ConnectionTrait,
        installation: &Walk,
        keys: &[Verifier],
        stored: &Checkpoints,
    ) -> Result<(), Refused> {
        for (seq, said) in &installation.says.checkpoints {
            let (chains, digest) = checkpoint::digest_of(db, *seq).await?;
            if (chains, &digest) != (said.chains, &said.digest) {
                self.find(Chain::Installation, *seq, "the heads of this checkpoint were altered");
            }
            let Some(note) = stored.notes.get(seq) else {
                self.find(Chain::Installation, *seq, "the signature of this checkpoint is missing");
                continue;
            };
            let signed = read_note(note, keys);
            let fits = |signed: &Checkpoint| {
                signed.head.seq == *seq && installation.hashes.get(seq) == Some(&signed.head.hash)
            };
            match signed {
                None => self.find(
                    Chain::Installation,
                    *seq,
                    "this checkpoint is not signed with a key that is known here (see --key)",
                ),
                Some(signed) if fits(&signed) => self.checkpoint = Some(signed),
                Some(_) => {
                    self.find(Chain::Installation, *seq, "it is not the event that this checkpoint signed");
                }
            }
        }
        let said = &installation.says.checkpoints;
        let stored = stored.notes.keys().chain(&stored.with_heads);
        let others: BTreeSet<i64> = stored.filter(|seq| !said.contains_key(seq)).copied().collect();
        for seq in others {
            self.find(Chain::Installation, seq, "the event of this checkpoint is missing");
        }
        Ok(())
    }

    /// The checkpoints of copies, with the names of these.
    fn read_copies(&mut self, keys: &[Verifier], copies: &[Copy]) -> Vec<(String, Checkpoint)> {
        let mut read = Vec::new();
        for Copy { name, notes } in copies {
            let notes = note::split(notes);
            if notes.is_empty() {
                self.find(Chain::Installation, None, format!("{name} has no checkpoint"));
            }
            for note in notes {
                match read_note(&note, keys) {
                    Some(checkpoint) => read.push((name.clone(), checkpoint)),
                    None => {
                        let what = format!(
                            "a checkpoint in {name} is not signed with a key that is known here (see --key)"
                        );
                        self.find(Chain::Installation, None, what);
                    }
                }
            }
        }
        read
    }

    /// The record continues what the copies have seen.
    fn judge_copies(&mut self, installation: &Walk, copies: &[(String, Checkpoint)]) {
        for (name, checkpoint) in copies {
            let head = &checkpoint.head;
            let end = installation.head.seq;
            if head.seq > end {
                self.ahead.push(Ahead { copy: name.clone(), checkpoint: checkpoint.clone() });
            } else if installation.hashes.get(&head.seq) != Some(&head.hash) {
                let what = format!(
                    "the record was rewritten: it is not the event that a checkpoint in {name} signed"
                );
                self.find(Chain::Installation, head.seq, what);
            }
        }
    }

    /// Names that belong to no event.
    async fn judge_strangers(&mut self, db: &impl ConnectionTrait) -> Result<(), Refused> {
        #[derive(FromQueryResult)]
        struct Row {
            count: i64,
        }
        let sql = "SELECT COUNT(*) AS count FROM audit_identities i
            WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.id = i.event_id)";
        let row: Option<Row> = db.first(sql, Vec::new()).await?;
        if let Some(Row { count: 1.. }) = row {
            self.find(Chain::Installation, None, "there are names without an event");
        }
        Ok(())
    }
}
