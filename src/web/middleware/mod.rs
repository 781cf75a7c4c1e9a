//! What happens to every request before and after its handler.

pub mod body;
pub mod cross_site;
pub mod limits;
pub mod observe;
pub mod pieces;
pub mod slash;
pub mod static_files;
mod traced;
