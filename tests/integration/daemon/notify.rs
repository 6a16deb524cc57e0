//! Notifications of a real daemon, to a listener on this machine: what arrives, how it is signed, what happens if it is refused.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;

use super::place::{Place, said, until};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request that has arrived.
#[derive(Clone, Debug)]
struct Arrived {
    path: String,
    head: String,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Answers each request with what `answer` says of its path and how many there were of it.
struct Listener {
    address: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Listener {
    fn new(answer: impl Fn(&str, usize) -> &'static str + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let seen = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some(request) = read(&mut stream) else { continue };
                let mut seen = seen.lock().unwrap();
                let before = seen.iter().filter(|known| known.path == request.path).count();
                let answer = answer(&request.path, before);
                seen.push(request);
                drop(seen);
                let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { address, arrived }
    }

    fn at(&self, path: &str) -> Vec<Arrived> {
        self.arrived.lock().unwrap().iter().filter(|request| request.path == path).cloned().collect()
    }
}

fn read(stream: &mut TcpStream) -> Option<Arrived> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or_default() {
            let path = head.split(' ').nth(1)?.to_owned();
            return Some(Arrived { path, head: head.to_owned(), body: body.to_owned() });
        }
    }
}

/// Where the operator wants people to be told.
fn configure(place: &Place, address: &str) {
    let write = |name: &str, text: &str| {
        let path = place.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let url = |path: &str| write(path, &format!("http://{address}/{path}\n"));
    let (chat, teams, hook, key) =
        (url("chat-canary"), url("teams"), url("hook"), write("key", &format!("whsec_{KEY}\n")));
    let text = format!(
        "[[environment]]\nname = ['*']\nmode = 'approve'\n\
         [[notify]]\nname = 'chat'\nto = 'slack'\nurl = {{ file = '{chat}' }}\n\
         [[notify]]\nname = 'teams'\nto = 'teams'\nurl = {{ file = '{teams}' }}\nurgency = 'critical'\n\
         [[notify]]\nname = 'hook'\nto = 'webhook'\nurl = {{ file = '{hook}' }}\nkeys = [{{ file = '{key}' }}]\n"
    );
    std::fs::write(place.dir.path().join("landfast.toml"), text).unwrap();
}

#[test]
fn what_waits_is_told_once_signed_and_sent_again_after_a_pause_until_it_is_taken() {
    let listener = Listener::new(|path, before| match (path, before) {
        ("/chat-canary", 0) => "429 Too Many Requests\r\nretry-after: 1",
        ("/chat-canary", 1) => "500 Internal Server Error",
        _ => "204 No Content",
    });
    let place = Place::new();
    configure(&place, &listener.address);
    let mut daemon = place.start(&[]);
    until("the chat is told", || !listener.at("/chat-canary").is_empty());
    until("the chat takes it", || listener.at("/chat-canary").len() >= 3);
    until("the program is told", || !listener.at("/hook").is_empty());
    let chat = listener.at("/chat-canary");
    assert!(chat[2].body.contains("dev: waiting for approval (1 object)"), "{}", chat[2].body);
    assert_eq!(chat[0].body, chat[2].body, "the same message, until it is taken");
    assert_eq!(chat[0].header("webhook-signature"), None);
    let hook = listener.at("/hook").remove(0);
    let (id, at) = (hook.header("webhook-id").unwrap(), hook.header("webhook-timestamp").unwrap());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(format!("{id}.{at}.{}", hook.body).as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(hook.header("webhook-signature"), Some(expected.as_str()));
    let told = hook.json();
    assert_eq!((told["type"].as_str(), told["data"]["id"].as_str()), (Some("landfast.approval.began"), Some(id)));
    assert_eq!(told["data"]["objects"], serde_json::json!(["dev/stack/one"]));
    assert_eq!(listener.at("/teams").len(), 0, "nothing of it was critical");
    assert_eq!(daemon.terminate().0, Some(0), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("notifications wait") && log.contains("delivered again"), "{log}");
    assert!(!log.contains("canary"), "an address is a secret: {log}");
}

#[test]
fn a_test_says_of_each_destination_whether_it_arrived() {
    let listener = Listener::new(|path, _| if path == "/teams" { "404 Not Found" } else { "200 OK" });
    let place = Place::new();
    configure(&place, &listener.address);
    let all = place.run(&["notify", "test"]);
    let text = said(&all);
    assert_eq!(all.status.code(), Some(1), "{text}");
    for part in ["chat: delivered", "hook: delivered", "teams: NOT delivered: it refused the message (404)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    assert!(listener.at("/teams")[0].json()["attachments"][0]["content"]["type"] == "AdaptiveCard");
    let one = place.run(&["notify", "test", "hook"]);
    assert!(one.status.success() && said(&one) == "hook: delivered\n", "{}", said(&one));
    let none = place.run(&["notify", "test", "pager"]);
    assert!(none.status.code() == Some(64) && said(&none).contains("available: chat, teams, hook"), "{}", said(&none));
    std::fs::write(place.dir.path().join("landfast.toml"), "[[environment]]\nname = ['*']\n").unwrap();
    let none = place.run(&["notify", "test"]);
    assert!(none.status.code() == Some(64) && said(&none).contains("has no [[notify]]"), "{}", said(&none));
}
