//! One browser: a kept-alive connection and its cookies.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// After this a request has failed: nothing that is measured hangs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
    /// What a browser sends as Accept-Encoding; empty for none.
    pub encodings: &'static str,
    /// A key's secret: this is a service then, and no browser, and what it sends is JSON.
    pub secret: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub retry_after: bool,
    pub body: Bytes,
    cookies: Vec<(String, String)>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> Result<String> {
        let text = self.text();
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = text.split_once(&start).with_context(|| format!("no field {name} on the page"))?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address).await?, address).await
    }

    /// From another network of this machine: limits of networks are then those of many.
    pub async fn connect_from(network: u8, address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 90, network, 1), 0).into())?;
        Self::over(socket.connect(address).await?, address).await
    }

    async fn over(stream: TcpStream, address: SocketAddr) -> Result<Self> {
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address, cookies: BTreeMap::new(), encodings: "", secret: None })
    }

    /// The same browser on a connection more.
    pub async fn twin(&self) -> Result<Self> {
        let mut twin = Self::connect(self.address).await?;
        twin.cookies = self.cookies.clone();
        twin.encodings = self.encodings;
        twin.secret = self.secret.clone();
        Ok(twin)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, String::new()).await
    }

    pub async fn post(&mut self, path: &str, body: String) -> Result<Answer> {
        self.send(Method::POST, path, body).await
    }

    pub async fn send(&mut self, method: Method, path: &str, body: String) -> Result<Answer> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request =
            Request::builder().method(&method).uri(path).header(header::HOST, self.address.to_string());
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if !self.encodings.is_empty() {
            request = request.header(header::ACCEPT_ENCODING, self.encodings);
        }
        if let Some(secret) = &self.secret {
            request = request
                .header(header::AUTHORIZATION, format!("Bearer {secret}"))
                .header(header::CONTENT_TYPE, "application/json");
        } else if method == Method::POST {
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::ORIGIN, format!("http://{}", self.address));
        }
        self.exchange(request.body(Full::from(body))?).await
    }

    /// Sends through a gateway, with this key if it wants one: a POST if there is a body.
    pub async fn forward(&mut self, path: &str, key: Option<&str>, body: &Bytes) -> Result<Answer> {
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, "driver/1.0")
            .header(header::AUTHORIZATION, "Bearer of-the-provider");
        if let Some(key) = key {
            request = request.header("x-bailiwick-key", key);
        }
        self.exchange(request.body(Full::from(body.clone()))?).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = timeout(REQUEST_TIMEOUT, async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let cookies = head.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| {
                let (name, rest) = value.to_str().ok()?.split_once('=')?;
                Some((name.to_owned(), rest.split(';').next()?.to_owned()))
            });
            anyhow::Ok(Answer {
                status: head.status,
                retry_after: head.headers.contains_key(header::RETRY_AFTER),
                cookies: cookies.collect(),
                body: body.collect().await?.to_bytes(),
            })
        });
        answer.await.with_context(|| format!("{what} took more than {REQUEST_TIMEOUT:?}"))?
    }

    fn keep(&mut self, answer: &Answer) {
        self.cookies.extend(answer.cookies.iter().cloned());
    }

    /// The body of the form on the sign-in page. Takes the cookie that goes with it.
    pub async fn sign_in_form(&mut self, email: &str, password: &str) -> Result<String> {
        let page = self.get("/sign-in").await?;
        self.keep(&page);
        Ok(format!("csrf={}&email={email}&password={}", page.field("csrf")?, password.replace(' ', "+")))
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Result<()> {
        let form = self.sign_in_form(email, password).await?;
        let answer = self.post("/sign-in", form).await?;
        self.keep(&answer);
        ensure!(answer.status == StatusCode::SEE_OTHER, "{email} could not sign in: {}", answer.status);
        let home = self.get("/workspaces").await?;
        if home.status != StatusCode::OK {
            bail!("{email} is not signed in: {}", home.status);
        }
        Ok(())
    }
}
