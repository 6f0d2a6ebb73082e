//! Runs that answer over HTTP: the real program, asked as clients ask it.

mod attack;
mod clients;
pub mod server;
mod tables;
mod texts;
