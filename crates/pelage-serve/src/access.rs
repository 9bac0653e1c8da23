//! Who may use the server, and the address that it listens at.

use std::net::{IpAddr, TcpListener, ToSocketAddrs};

use pelage::{Error, Result};

/// Who may use the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Programs and browsers of this machine.
    #[default]
    Loopback,
    /// Whoever knows this token.
    Token(String),
    /// Whoever can reach the address.
    Public,
}

/// Listens at `host` and `port` (0: any that is free). An address that other machines reach needs an audience that says
/// so.
///
/// # Errors
/// An unknown or unavailable address; one that others reach, for an audience of this machine alone; a token that is
/// easily guessed.
pub fn bind(host: &str, port: u16, audience: &Audience) -> Result<TcpListener> {
    let failed = |source| Error::Io {
        path: format!("{host}:{port}").into(),
        source,
    };
    if let Audience::Token(token) = audience
        && (token.len() < 8 || !token.bytes().all(|c| c.is_ascii_graphic()))
    {
        let allowed = "8 or more ASCII characters without spaces";
        return Err(Error::setting(
            "token",
            format!("of {} characters", token.len()),
            allowed,
        ));
    }
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    let open = addresses.iter().find(|address| !is_loopback(address.ip()));
    if let (Some(address), Audience::Loopback) = (open, audience) {
        let allowed = "an address of this machine alone, unless a token is asked for or everyone is allowed";
        return Err(Error::setting("host", address.ip(), allowed));
    }
    TcpListener::bind(&addresses[..]).map_err(failed)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_let_in_on_purpose_alone() {
        assert!(bind("127.0.0.1", 0, &Audience::Loopback).is_ok());
        for host in ["0.0.0.0", "::"] {
            let refused = bind(host, 0, &Audience::Loopback).unwrap_err().to_string();
            assert!(refused.contains("token"), "{refused}");
        }
        assert!(bind("0.0.0.0", 0, &Audience::Public).is_ok());
        assert!(bind("0.0.0.0", 0, &Audience::Token("correct-horse".into())).is_ok());
        for weak in ["", "short", "with a space in it"] {
            assert!(bind("127.0.0.1", 0, &Audience::Token(weak.into())).is_err(), "{weak}");
        }
    }
}
