//! A DNS server that answers what a test wants, and something else the next time if the test wants that.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::net::UdpSocket;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_TXT: u16 = 16;
const NO_SUCH_NAME: u8 = 3;

/// Open until the test is over. It knows no name before it is told; nothing is to be kept by whoever asks.
#[derive(Clone)]
pub struct Dns {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The answers to the first lookup of a name, to the second, and so on; the last stays.
    answers: BTreeMap<String, Vec<Vec<IpAddr>>>,
    /// How often a name was looked up, for IPv4 and for IPv6.
    lookups: BTreeMap<(String, u16), usize>,
    silent: Vec<String>,
    texts: BTreeMap<String, Vec<String>>,
}

impl Dns {
    pub async fn open() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let dns = Self { address: socket.local_addr().unwrap(), state: Arc::default() };
        let serving = dns.clone();
        tokio::spawn(async move {
            let mut query = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                if let Some(answer) = serving.answer(&query[..length]) {
                    socket.send_to(&answer, from).await.ok();
                }
            }
        });
        dns
    }

    /// From now on the name leads to these addresses.
    pub fn set(&self, name: &str, addresses: &[&str]) {
        self.flip(name, &[addresses]);
    }

    /// The name leads to the first of these at the first lookup from now on, to the second at the next, and so on.
    pub fn flip(&self, name: &str, answers: &[&[&str]]) {
        let parsed = answers.iter().map(|answer| answer.iter().map(|one| one.parse().unwrap()).collect());
        self.put(name, parsed.collect());
    }

    /// [`Dns::flip`] with addresses.
    pub fn put(&self, name: &str, answers: Vec<Vec<IpAddr>>) {
        let mut state = self.state.lock().unwrap();
        state.lookups.retain(|(known, _), _| known != name);
        state.answers.insert(name.to_owned(), answers);
    }

    /// From now on the name has these texts.
    pub fn set_texts(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.state.lock().unwrap().texts.insert(name.to_owned(), texts);
    }

    /// Lookups of this name get no answer.
    pub fn say_nothing_of(&self, name: &str) {
        self.state.lock().unwrap().silent.push(name.to_owned());
    }

    /// How often the name was looked up since it was set.
    pub fn lookups(&self, name: &str) -> usize {
        self.state.lock().unwrap().lookups.get(&(name.to_owned(), TYPE_A)).copied().unwrap_or(0)
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = question(query)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        let mut state = self.state.lock().unwrap();
        if state.silent.contains(&name) {
            return None;
        }
        if kind == TYPE_TXT {
            let texts = state.texts.get(&name);
            let code = if texts.is_some() { 0 } else { NO_SUCH_NAME };
            let records = texts.into_iter().flatten().map(|text| pieces(text)).collect();
            return Some(response(query, end, kind, code, records));
        }
        let count = state.lookups.entry((name.clone(), kind)).or_default();
        let at = *count;
        *count += 1;
        let known = state.answers.get(&name).and_then(|answers| answers.get(at).or(answers.last()));
        let code = if known.is_some() { 0 } else { NO_SUCH_NAME };
        let records: Vec<Vec<u8>> = known.into_iter().flatten().filter_map(|one| data(*one, kind)).collect();
        Some(response(query, end, kind, code, records))
    }
}

fn response(query: &[u8], end: usize, kind: u16, code: u8, records: Vec<Vec<u8>>) -> Vec<u8> {
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1]);
    answer.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend(&query[12..end + 4]);
    for record in records {
        // The name of the question, the type, the internet, and nothing that may be kept.
        answer.extend([0xc0, 0x0c]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0]);
        answer.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        answer.extend(record);
    }
    answer
}

/// A text in pieces of up to 255 bytes, each after its length.
fn pieces(text: &str) -> Vec<u8> {
    let piece = |piece: &[u8]| [&[u8::try_from(piece.len()).unwrap()][..], piece].concat();
    text.as_bytes().chunks(255).flat_map(piece).collect()
}

/// The name that is asked for, and where it ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join(".").to_lowercase(), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).into_owned());
        at += length;
    }
}

fn data(address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    match (address, kind) {
        (IpAddr::V4(address), TYPE_A) => Some(address.octets().to_vec()),
        (IpAddr::V6(address), TYPE_AAAA) => Some(address.octets().to_vec()),
        _ => None,
    }
}
