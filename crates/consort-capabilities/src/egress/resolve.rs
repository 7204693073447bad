//! Names to addresses.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use futures_util::future::BoxFuture;

/// Where the gate gets the addresses of a name from.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// All addresses of `name`, best first.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address: SocketAddr| address.ip()).collect())
        })
    }
}
