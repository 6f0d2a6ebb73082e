//! Connections, and what every request has to pass.

mod connections;
mod guard;
mod log;
mod timed;
mod tls;

pub use connections::Connections;
pub use guard::guard;
pub use log::{Served, log};
pub use tls::acceptor;
