//! Connections, and what every request has to pass.

mod body;
mod connections;
mod guard;
mod log;
mod tls;

pub use body::read;
pub use connections::Connections;
pub use guard::guard;
pub use log::{Served, log};
pub use tls::acceptor;
