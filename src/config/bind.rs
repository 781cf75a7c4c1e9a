//! Where the server listens: on a host and port, or on a Unix socket.

use std::{
    fmt, fs,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
    path::{Path, PathBuf},
    str::FromStr,
};
use tokio::net::TcpSocket;

#[cfg(unix)]
use std::os::unix::{fs::FileTypeExt, fs::PermissionsExt, net::UnixListener, net::UnixStream};

/// What the kernel holds of a response until the client has read it, in bytes. It doubles the number.
const SEND_BUFFER: u32 = 64 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// `127.0.0.1:8000`, `[::]:8000`, `localhost:8000`: every address of the host.
    Tcp { host: String, port: u16 },
    /// `unix:/run/bailiwick.sock`, for a proxy on this machine.
    Unix(PathBuf),
}

/// The sockets that a [`Bind`] names.
pub enum Listener {
    Tcp(Vec<TcpListener>),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Bind {
    /// Whether it can be reached from this machine alone.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback()),
            Self::Unix(_) => true,
        }
    }

    /// Whether it is every address of this machine, and so none that a link could name.
    pub fn is_every_address(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { host, .. } => host.parse().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Listens.
    ///
    /// # Errors
    /// The system's own.
    pub fn listen(&self) -> io::Result<Listener> {
        match self {
            Self::Tcp { host, port } => listen_on_all(host, *port).map(Listener::Tcp),
            #[cfg(unix)]
            Self::Unix(path) => listen_on_socket(path).map(Listener::Unix),
            #[cfg(not(unix))]
            Self::Unix(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Removes the socket's file, once nobody listens on it.
    pub fn clean_up(&self) {
        if let Self::Unix(path) = self
            && let Err(error) = fs::remove_file(path)
        {
            tracing::debug!(%error, "could not remove the socket");
        }
    }
}

/// Listens on each address of the host. `localhost` has one of IPv4 and one of IPv6, and browsers try both.
fn listen_on_all(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    addresses.dedup();
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut missing = io::Error::from(ErrorKind::AddrNotAvailable);
    for mut address in addresses {
        // A port that the system chooses is chosen once.
        if let (0, Some(first)) = (port, listeners.first()) {
            address.set_port(first.local_addr()?.port());
        }
        match listen_on(address) {
            Ok(listener) => listeners.push(listener),
            // This machine has no IPv6, for example.
            Err(error)
                if error.kind() != ErrorKind::AddrInUse && error.kind() != ErrorKind::PermissionDenied =>
            {
                missing = error;
            }
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() { Err(missing) } else { Ok(listeners) }
}

/// Listens at this address. The limit of what the kernel holds for a client is inherited by each connection.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Listens on a socket that its owner and group can connect to. What a server that was killed left behind is
/// replaced; one that still listens is not.
#[cfg(unix)]
fn listen_on_socket(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        if UnixStream::connect(path).is_ok() {
            return Err(ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

impl Listener {
    /// The first address; `None` for a Unix socket.
    ///
    /// # Errors
    /// The system's own.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        Ok(self.addresses()?.first().copied())
    }

    /// Each address; none for a Unix socket.
    ///
    /// # Errors
    /// The system's own.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Tcp(listeners) => listeners.iter().map(TcpListener::local_addr).collect(),
            #[cfg(unix)]
            Self::Unix(_) => Ok(Vec::new()),
        }
    }
}

impl From<SocketAddr> for Bind {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err("add the path of the socket, such as unix:/run/bailiwick/bailiwick.sock".into()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        if text.contains("://") {
            return Err("leave out http://, as in 127.0.0.1:8000".into());
        }
        let (host, port) = text.rsplit_once(':').ok_or("add a port, as in 127.0.0.1:8000")?;
        let port = port.parse().map_err(|_| "the port is a number from 0 to 65535, as in 127.0.0.1:8000")?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host,
            None if host.contains(':') => {
                return Err("put an IPv6 address in brackets, as in [::1]:8000".into());
            }
            None => host,
        };
        if host.is_empty() {
            return Err("name a host, as in 127.0.0.1:8000, or 0.0.0.0:8000 for every network".into());
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_sockets_are_read_as_people_write_them() {
        for text in ["127.0.0.1:8000", "localhost:8000", "[::1]:80", "0.0.0.0:0", "unix:/run/a.sock"] {
            assert_eq!(text.parse::<Bind>().map(|bind| bind.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("unix:///run/a.sock".parse(), Ok(Bind::Unix("/run/a.sock".into())));
        for wrong in
            ["", "8000", ":8000", "::1:8000", "localhost", "localhost:http", "http://localhost:1", "unix:"]
        {
            assert!(wrong.parse::<Bind>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_local_and_what_is_every_address() {
        let is = |text: &str| text.parse::<Bind>().map(|bind| (bind.is_local(), bind.is_every_address()));
        assert_eq!(is("localhost:1"), Ok((true, false)));
        assert_eq!(is("[::1]:1"), Ok((true, false)));
        assert_eq!(is("unix:/a"), Ok((true, false)));
        assert_eq!(is("0.0.0.0:1"), Ok((false, true)));
        assert_eq!(is("[::]:1"), Ok((false, true)));
        assert_eq!(is("10.0.0.1:1"), Ok((false, false)));
    }

    #[tokio::test]
    async fn localhost_is_every_address_of_it_under_one_port() {
        let Ok(Listener::Tcp(listeners)) = Bind::from_str("localhost:0").expect("a host").listen() else {
            panic!("it does not listen");
        };
        let ports: Vec<u16> = listeners.iter().map(|one| one.local_addr().expect("bound").port()).collect();
        assert!(!ports.is_empty() && ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced_and_another_file_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.sock");
        let bind = Bind::Unix(path.clone());
        let first = bind.listen().expect("free");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o660);
        assert!(bind.listen().is_err_and(|error| error.kind() == ErrorKind::AddrInUse));
        drop(first);
        drop(bind.listen().expect("replaced"));
        bind.clean_up();
        assert!(!path.exists());
        fs::write(&path, "precious").expect("written");
        assert!(bind.listen().is_err());
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
    }
}
