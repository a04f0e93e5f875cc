//! Downloads, from servers on loopback that do all that servers do wrong.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faltung::nn::data::{Dataset, Download, MnistSource, RemoteFile};

use crate::{digits, real_data};

/// SHA-256 of "hello".
const SUM: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A server that answers every request, told its path, by `answer`. It ends with the test.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

fn server(answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/files/", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            let Some(Ok(request)) = lines.next() else { continue };
            // To the empty line behind the header.
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            counted.fetch_add(1, Ordering::SeqCst);
            let path = request.split(' ').nth(1).unwrap_or_default();
            // A client that has had enough closes the connection.
            let _ = answer(path, &mut stream);
        }
    });
    Server { url, requests }
}

fn respond(status: &str, declared: usize, body: &'static [u8]) -> Server {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {declared}\r\nConnection: close\r\n\r\n");
    server(move |_, stream| {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    })
}

fn hello() -> RemoteFile {
    RemoteFile::new("hello.txt", 5, SUM).expect("a file")
}

/// What is said where these servers are all there is, in how long, and that nothing is left behind.
fn refusal(servers: &[Server]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let download = Download::from(servers.iter().map(|server| server.url.clone()));
    let download = download.silence(Duration::from_millis(300)).total(Duration::from_millis(900));
    let start = Instant::now();
    let refused = download.fetch(&[hello()], folder.path(), |_, _, _| ()).expect_err("refused").to_string();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "{refused}");
    refused
}

#[test]
fn a_file_is_fetched_once_and_checked() {
    let good = respond("200 OK", 5, b"hello");
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("not/yet");
    let mut progress = Vec::new();
    let download = Download::from([good.url.clone()]);
    let mut fetch =
        || download.fetch(&[hello()], &inner, |name, done, total| progress.push((name.to_string(), done, total)));
    fetch().expect("fetched");
    fetch().expect("there already");
    assert_eq!(fs::read(inner.join("hello.txt")).expect("a file"), b"hello");
    assert_eq!(good.requests.load(Ordering::SeqCst), 1);
    // A file that was spoilt is fetched again.
    fs::write(inner.join("hello.txt"), "hullo").expect("written");
    fetch().expect("fetched");
    assert_eq!(fs::read(inner.join("hello.txt")).expect("a file"), b"hello");
    assert_eq!(good.requests.load(Ordering::SeqCst), 2);
    assert_eq!(progress.first(), Some(&("hello.txt".to_string(), 0, 5)));
    assert_eq!(progress.last(), Some(&("hello.txt".to_string(), 5, 5)));
    assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 1);
}

#[test]
fn mirrors_are_asked_in_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = respond("404 Not Found", 4, b"gone");
    let wrong = respond("200 OK", 5, b"jello");
    let good = respond("200 OK", 5, b"hello");
    let again = RemoteFile::new("again.txt", 5, SUM).expect("a file");
    let download = Download::from([&gone, &wrong, &good].map(|server| server.url.clone()));
    download.fetch(&[hello(), again], folder.path(), |_, _, _| ()).expect("fetched");
    let asked = [gone, wrong, good].map(|server| server.requests.load(Ordering::SeqCst));
    assert_eq!(asked, [1, 1, 2], "the mirror that served is asked first for the next file");
}

#[test]
fn what_servers_do_wrong_is_told() {
    let text =
        refusal(&[respond("404 Not Found", 4, b"gone"), respond("503 Busy", 0, b""), respond("200 OK", 5, b"jello")]);
    assert!(text.contains("404") && text.contains("503") && text.contains(SUM), "{text}");
    assert!(text.matches("http://127.0.0.1").count() == 3 && text.contains("/files/hello.txt"), "{text}");
    let text = refusal(&[respond("200 OK", 4, b"hell")]);
    assert!(text.contains("expected 5 bytes, given 4 bytes"), "{text}");
    let text = refusal(&[respond("200 OK", 5, b"hel")]);
    assert!(text.contains("3 bytes"), "{text}");
    let text = refusal(&[respond("200 OK", usize::MAX / 2, b"hello")]);
    assert!(text.contains("expected 5 bytes"), "{text}");
    assert!(refusal(&[]).contains("mirrors"));

    let unused = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let nobody = Server { url: format!("http://{unused}"), requests: Arc::default() };
    assert!(refusal(&[nobody]).contains("hello.txt"));
    let nonsense = server(|_, stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"));
    assert!(refusal(&[nonsense]).contains("hello.txt"));
    let round = server(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: /files/hello.txt\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    });
    assert!(refusal(&[round]).contains("redirect"));
}

#[test]
fn endless_and_silent_servers_end() {
    let endless = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b'h'; 4096])?;
        }
    });
    let text = refusal(&[endless]);
    assert!(text.contains("expected 5 bytes, given more"), "{text}");

    let mute = server(|_, _| {
        thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let text = refusal(&[mute]);
    assert!(text.contains("timeout"), "{text}");

    let stalls = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")?;
        thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let text = refusal(&[stalls]);
    assert!(text.contains("broke off behind 3 bytes") && text.contains("timeout"), "{text}");

    // A byte at a time, just never silent for long: ends by the total.
    let trickles = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"X-Patience: 1\r\n")?;
            thread::sleep(Duration::from_millis(50));
        }
    });
    let text = refusal(&[trickles]);
    assert!(text.contains("hello.txt"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a file");
    fs::write(&file, "").expect("written");
    let refused = Download::from(["http://127.0.0.1:9"]).fetch(&[hello()], file.join("x"), |_, _, _| ());
    assert!(refused.expect_err("refused").to_string().contains("a file"));
}

#[test]
fn mnist_is_looked_for_in_the_cache_and_on_the_mirrors() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = MnistSource::new().cache(folder.path());
    // The shipped digits are no MNIST; a mirror that has them is refused, and without a download they do.
    let digits = files_of(&digits());
    let download = Download::from([digits.url.clone()]);
    let refused = source.clone().download(download).open::<f32>(|_, _, _| ()).expect_err("refused").to_string();
    assert!(refused.contains(&digits.url) && refused.contains("9912422 bytes"), "{refused}");
    assert!(refused.contains(&folder.path().display().to_string()) && refused.contains("named instead"), "{refused}");
    let offline = MnistSource::new().cache(crate::digits()).download(None);
    assert_eq!(offline.open::<f32>(|_, _, _| panic!("no progress")).expect("digits").train.len(), 1000);

    let Some(real) = real_data("mnist") else { return };
    let mirror = files_of(&real);
    let mut names = Vec::new();
    let source = source.download(Download::from([digits.url, mirror.url.clone()]));
    let open = |progress: &mut dyn FnMut(&str, u64, u64)| source.open::<f32>(progress).expect("MNIST");
    let mnist = open(&mut |name, done, total| {
        if done == total {
            names.push(name.to_string());
        }
    });
    assert_eq!((mnist.train.len(), names.len()), (60_000, 4));
    assert_eq!(open(&mut |_, _, _| panic!("it is there already")), mnist);
    assert_eq!(mirror.requests.load(Ordering::SeqCst), 4);
}

/// A mirror of a folder.
fn files_of(folder: &Path) -> Server {
    let folder = folder.to_path_buf();
    server(move |path, stream| {
        let body = fs::read(folder.join(path.trim_start_matches("/files/")))?;
        stream.write_all(
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(),
        )?;
        stream.write_all(&body)
    })
}
